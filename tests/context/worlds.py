"""Small worlds with places, times and bursts, with and without effects of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAMES = np.array([f"class {k}" for k in range(5)], dtype=object)


@dataclass
class World:
    y: np.ndarray
    proba: np.ndarray
    site: np.ndarray
    seconds: np.ndarray

    def labels(self, count: int, seed: int = 0) -> np.ndarray:
        """Labels of about `count` rows, whole bursts (of two rows)."""
        n = len(self.y) // 2
        some = np.random.default_rng(seed).permutation(n)[: count // 2]
        out = np.full(len(self.y), None, dtype=object)
        rows = np.concatenate([2 * some, 2 * some + 1])
        out[rows] = NAMES[self.y[rows]]
        return out

    def gain(self, proba: np.ndarray, labels: np.ndarray) -> float:
        """Points of accuracy on unlabelled rows above the image alone."""
        rest = np.array([v is None for v in labels])
        right = (proba.argmax(axis=1) == self.y)[rest].mean()
        return 100.0 * float(right - (self.proba.argmax(axis=1) == self.y)[rest].mean())


def world(seed: int, effects: bool, n: int = 1600, sites: int = 6) -> World:
    """Bursts of two, a noisy calibrated classifier; with `effects`, classes have sites and hours
    and bursts show one class, else everything is drawn at random."""
    rng = np.random.default_rng(seed)
    k, m = len(NAMES), n // 2
    site, hour = rng.integers(sites, size=m), rng.uniform(0, 24, m)
    prior = rng.dirichlet(np.full(k, 3.0))
    weight = np.tile(prior, (m, 1))
    if effects:
        peak = rng.uniform(0, 24, k)
        weight = rng.dirichlet(3 * prior, size=sites)[site]
        weight = weight * np.exp(1.5 * np.cos(2 * np.pi * (hour[:, None] - peak) / 24))
        weight /= weight.sum(axis=1, keepdims=True)
    y = np.repeat([rng.choice(k, p=w) for w in weight], 2)
    if not effects:
        y = rng.choice(k, p=prior, size=n)
    confusion = np.full((k, k), 0.4 / (k - 1))
    np.fill_diagonal(confusion, 0.6)
    said = np.array([rng.choice(k, p=confusion[c]) for c in y])
    proba = confusion[:, said].T * prior
    proba /= proba.sum(axis=1, keepdims=True)
    seconds = rng.integers(365, size=m) * 86400.0 + hour * 3600.0
    return World(
        y, proba, np.repeat(np.array([f"site {s}" for s in site], dtype=object), 2),
        np.repeat(seconds, 2) + np.tile([0.0, 20.0], m),
    )
