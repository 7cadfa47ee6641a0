"""A small world whose exact posteriors are known: Gaussian classes in a plane."""

from __future__ import annotations

import numpy as np

PRIOR = np.array([0.5, 0.25, 0.17, 0.08])
CENTRES = np.array([[0.0, 0.0], [2.2, 0.0], [0.0, 2.2], [2.0, 2.0]])


def posterior(points: np.ndarray, prior: np.ndarray = PRIOR) -> np.ndarray:
    """Exact class probabilities (n, 4) of points (n, 2) where the classes have these shares."""
    distance = ((points[:, None, :] - CENTRES) ** 2).sum(axis=2)
    weight = np.exp(-0.5 * (distance - distance.min(axis=1, keepdims=True))) * prior
    return weight / weight.sum(axis=1, keepdims=True)


def draw(
    n: int, rng: np.random.Generator, shares: np.ndarray = PRIOR
) -> tuple[np.ndarray, np.ndarray]:
    """n rows of a place with these class shares: posteriors calibrated for PRIOR, and truth."""
    truth = rng.choice(len(PRIOR), size=n, p=shares)
    return posterior(CENTRES[truth] + rng.normal(size=(n, 2))), truth
