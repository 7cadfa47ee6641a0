"""Features of the students: scaled, centred, projected embeddings, and keys that belong to a row.

N detections, D embedding dimensions, d projected dimensions.
"""

from __future__ import annotations

import numpy as np

from ecotone.fusion.local_model import project

CHUNK = 8192


def content_keys(values: np.ndarray, seed: int) -> np.ndarray:
    """Pseudo-random keys (N,) uint64 that depend on a row's content and the seed alone.

    Folds and samples drawn by these keys stay the same when rows change places, and equal rows
    (duplicated pictures) get equal keys. A multiply-add hash, mixed as in splitmix64.
    """
    width = values.shape[1]
    odd = np.random.default_rng(seed).integers(0, 2**63, size=width, dtype=np.uint64) * 2 + 1
    keys = np.empty(len(values), dtype=np.uint64)
    for start in range(0, len(values), CHUNK):
        block = np.ascontiguousarray(values[start : start + CHUNK], dtype=np.float32)
        keys[start : start + CHUNK] = (block.view(np.uint32).astype(np.uint64) * odd).sum(axis=1)
    keys ^= keys >> np.uint64(30)
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= keys >> np.uint64(27)
    return keys


def take_rows(embeddings: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows (n, D) float32 of embeddings, in any order; read in their own order, as what is
    stored elsewhere may ask."""
    order = np.argsort(rows, kind="stable")
    out = np.empty((len(rows), embeddings.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), CHUNK):
        part = order[start : start + CHUNK]
        out[part] = embeddings[rows[part]]
    return out


class Reordered:
    """Rows (n, D) of embeddings in another order, or some of them, each read when it is asked for:
    indexed like an array.

    rows: (n,) numbers of the rows.
    """

    ndim = 2

    def __init__(self, embeddings: np.ndarray, rows: np.ndarray) -> None:
        self._embeddings, self._rows = embeddings, rows
        self.shape, self.dtype = (len(rows), embeddings.shape[1]), np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return take_rows(self._embeddings, self._rows[rows])

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        out = self[:]
        return out if dtype is None else out.astype(dtype, copy=False)


def fit_projection(
    embeddings: np.ndarray, rows: np.ndarray, max_dimensions: int
) -> tuple[np.ndarray, np.ndarray]:
    """Principal axes of the length-1 embeddings: mean (D,) and projection (D, d).

    rows: the rows to look at (a bounded sample). d is at most `max_dimensions`, and smaller where
    the data span fewer directions.
    """
    sample = take_rows(embeddings, rows).astype(np.float64)
    sample /= np.maximum(np.linalg.norm(sample, axis=1, keepdims=True), 1e-12)
    mean = sample.mean(axis=0)
    centred = sample - mean
    if len(centred) < centred.shape[1]:
        gram_values, vectors = np.linalg.eigh(centred @ centred.T)
        axes = centred.T @ vectors / np.sqrt(np.maximum(gram_values, 1e-12))
        values = gram_values
    else:
        values, axes = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(-values)
    kept = order[values[order] > max(values.max(), 0.0) * 1e-7][:max_dimensions]
    if not len(kept):  # all embeddings are equal: one arbitrary axis, on which all rows are 0
        return mean.astype(np.float32), np.eye(centred.shape[1], 1, dtype=np.float32)
    axes = axes[:, kept]
    # The sign of an axis is arbitrary; fixing it makes runs repeat exactly.
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return mean.astype(np.float32), axes.astype(np.float32)


def project_all(embeddings: np.ndarray, mean: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Projected, length-1 features (N, d) float32, computed in blocks so that memory is bounded."""
    out = np.empty((len(embeddings), projection.shape[1]), dtype=np.float32)
    for start in range(0, len(embeddings), CHUNK):
        block = np.asarray(embeddings[start : start + CHUNK], dtype=np.float32)
        out[start : start + CHUNK] = project(block, mean, projection, True)
    return out
