"""Fewer dimensions before clustering: principal axes, t-SNE, UMAP, or none.

N rows, D embedding dimensions, d dimensions kept.
"""

from __future__ import annotations

import numpy as np

from ecotone.errors import InputError, MissingExtraError
from ecotone.fusion.features import fit_projection, project_all

REDUCTIONS = ("pca", "tsne", "umap", "none")
DIMENSIONS = 32  # of "pca": between 24 and 48 little changes, beyond densities grow flat
BEFORE = 50  # principal axes that t-SNE and UMAP start from
FITTED_ON = 10000
TINY = 1e-12


def perplexity(n: int) -> float:
    """Perplexity of t-SNE for n rows."""
    return float(min(30.0, max(5.0, n / 50)))


def umap_neighbours(n: int) -> int:
    """Neighbours of UMAP for n rows."""
    return int(min(15, max(5, n // 100)))


def unit_pca(embeddings: np.ndarray, dimensions: int = DIMENSIONS) -> np.ndarray:
    """Unit rows (N, d) on the first principal axes of unit embeddings. The axes rest on the first
    `FITTED_ON` rows, so give rows in an order that says nothing, such as that of content keys."""
    mean, axes = fit_projection(embeddings, np.arange(min(len(embeddings), FITTED_ON)), dimensions)
    return project_all(embeddings, mean, axes)


def reduce_rows(embeddings: np.ndarray, method: str, random_state: int = 0) -> np.ndarray:
    """The rows in fewer dimensions, (N, d) float32.

    method: one of `REDUCTIONS`. "pca" gives unit rows on 32 axes; "tsne" and "umap" two dimensions
    from 50 principal axes of the standardised embeddings; "none" standardised embeddings. Defaults
    by size are those of arXiv:2602.03894: perplexity min(30, max(5, N / 50)), started from the
    principal axes; min(15, max(5, N / 100)) neighbours, minimal distance 0.1.

    Source: van der Maaten and Hinton 2008 (t-SNE); McInnes et al. 2018, arXiv:1802.03426 (UMAP).
    Raises InputError on an unknown method, MissingExtraError for UMAP without umap-learn.
    """
    if method not in REDUCTIONS:
        raise InputError(f"reduction: {method!r}, expected auto, {', '.join(REDUCTIONS)}.")
    if method == "pca":
        return unit_pca(embeddings)
    standard = standardise(embeddings)
    if method == "none" or len(standard) < 4:
        return standard
    axes = principal(standard, BEFORE)
    if axes.shape[1] < 2 or not axes.any():  # rows that differ in one direction or none
        return axes
    return _tsne(axes, random_state) if method == "tsne" else _umap(axes, random_state)


def standardise(embeddings: np.ndarray) -> np.ndarray:
    """Every dimension with mean 0 and variance 1, float32; constant ones are 0."""
    rows = np.asarray(embeddings, dtype=np.float32)
    mean = rows.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(((rows - mean.astype(np.float32)) ** 2).mean(axis=0, dtype=np.float64))
    flat = spread <= 1e-6 * np.maximum(np.abs(mean), TINY)
    out = (rows - mean.astype(np.float32)) / np.where(flat, 1.0, spread).astype(np.float32)
    out[:, flat] = 0.0
    return out


def principal(rows: np.ndarray, dimensions: int) -> np.ndarray:
    """Centred rows (N, d) on their first principal axes, of at most `dimensions`."""
    some = rows[:FITTED_ON].astype(np.float64)
    some -= some.mean(axis=0)
    if len(some) < some.shape[1]:
        _, values, axes = np.linalg.svd(some, full_matrices=False)
    else:
        squares, vectors = np.linalg.eigh(some.T @ some)
        values, axes = np.sqrt(np.maximum(squares[::-1], 0.0)), vectors.T[::-1]
    kept = np.flatnonzero(values > max(float(values.max(initial=0.0)), 0.0) * 1e-5)[:dimensions]
    if not len(kept):
        return np.zeros((len(rows), 1), dtype=np.float32)
    axes = axes[kept]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    return (rows - rows.mean(axis=0)) @ axes.T.astype(np.float32)


def _tsne(axes: np.ndarray, random_state: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    n = len(axes)
    start = axes[:, :2] / max(float(axes[:, 0].std()), TINY) * 1e-4
    model = TSNE(2, perplexity=min(perplexity(n), max((n - 1) / 3, 1.0)),
                 init=start.astype(np.float32), random_state=random_state)
    return model.fit_transform(axes).astype(np.float32)


def _umap(axes: np.ndarray, random_state: int) -> np.ndarray:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from umap import UMAP
    except ImportError as error:
        raise MissingExtraError("reduction: UMAP", "umap") from error
    n = len(axes)
    model = UMAP(n_components=2, n_neighbors=min(umap_neighbours(n), n - 1), min_dist=0.1,
                 init="pca", random_state=random_state, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(model.fit_transform(axes), dtype=np.float32)
