"""Embeddings of made-up individuals: a few directions tell them apart, more are nuisance."""

from __future__ import annotations

import numpy as np


def make_individuals(
    individuals: int = 30, pictures: int = 4, dims: int = 60, telling: int = 8,
    nuisance: float = 3.0, seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (n, dims) and names (n,): nuisance directions have more variance than telling."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(dims, dims)))[0]
    who = np.repeat(np.arange(individuals), pictures)
    own = rng.normal(size=(individuals, telling))[who]
    rest = rng.normal(size=(len(who), dims - telling))
    rest[:, : telling * 2] *= nuisance
    rest[:, telling * 2 :] *= 0.2
    x = np.hstack([own + 0.2 * rng.normal(size=own.shape), rest]) @ turn + 4.0
    return x.astype(np.float32), np.array([f"ind{i:03d}" for i in who])


def top1(x: np.ndarray, who: np.ndarray) -> float:
    """One-vs-all nearest neighbour by cosine, the slow way."""
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    right = 0
    for i in range(len(x)):
        similarity = x @ x[i]
        similarity[i] = -9
        right += who[int(similarity.argmax())] == who[i]
    return right / len(x)
