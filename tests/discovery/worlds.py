"""Blobs of known classes for the tests of discovery."""

from __future__ import annotations

import numpy as np


def blobs(sizes: list[int], dim: int = 16, apart: float = 8.0, seed: int = 0
          ) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (N, dim) float32 of classes around means of length `apart`, shuffled; classes."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(len(sizes), dim))
    means *= apart / np.linalg.norm(means, axis=1, keepdims=True)
    y = np.repeat(np.arange(len(sizes)), sizes)
    x = means[y] + rng.normal(size=(len(y), dim))
    order = rng.permutation(len(y))
    return x[order].astype(np.float32), y[order]
