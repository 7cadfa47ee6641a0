"""Closed-form heads: a linear space in which pictures of one individual lie together.

n pictures of C individuals, D embedding dimensions, d dimensions of the space. Every head maps
x = e / |e| to (x - m) A of length 1; cosine matching goes on as before.

    W = sum over pictures of (x - mean of its individual)(...)' / (n - C),  shrunken to the sphere:
    W_s = (1 - s) W + s tr(W) / D I

Whitening:     A = W_s^(-1/2): what differs between pictures of one individual counts less.
Discriminant:  A = W_s^(-1/2) U diag(sqrt(f / (f + 1))), where U and f are the axes and variances,
               after whitening, of the individuals' means, less what noise of few pictures puts in
               them: the directions that hardly tell individuals apart count hardly.

s follows from the data (the less there is, the rounder), so that two pictures an individual and
D > n are enough.
Sources: Ledoit and Wolf 2004 (s); Hatch, Kajarekar and Stolcke 2006 (within-class covariance
normalisation); Ioffe 2006 (probabilistic linear discriminant analysis, f / (f + 1)).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator

from ecotone.errors import InputError
from ecotone.reid.inputs import (
    CHUNK,
    check_individuals,
    check_matrix,
    check_names,
    unit_block,
    unit_matrix,
)

RANK = 1e-9  # axes with a smaller part of the largest variance are noise of rounding


class LinearHead(BaseEstimator):
    """A fitted head is mean_ (D,) and projection_ (D, d) float32; this base is the identity.

        head = WhiteningHead().fit(embeddings, individuals)
        matches = match(head.transform(queries), head.transform(gallery))
    """

    mean_: np.ndarray | None = None
    projection_: np.ndarray | None = None
    n_features_in_: int

    def fit(
        self, embeddings: np.ndarray, individuals: Sequence[object] | np.ndarray,
        viewpoints: Sequence[object] | np.ndarray | None = None,
    ) -> LinearHead:
        """Learn nothing, and remember D."""
        self.n_features_in_ = unit_matrix(embeddings, "embeddings").shape[1]
        return self

    def transform(self, embeddings: np.ndarray) -> np.ndarray:
        """Unit rows (N, d) float32 of embeddings (N, D), in blocks.

        A row that lies exactly on the mean of all has no direction, and stays zero.
        Raises InputError before `fit`, for another D, NaN and rows of zeros.
        """
        if not hasattr(self, "n_features_in_"):
            raise InputError(f"{type(self).__name__} is not fitted; call fit first.")
        array = check_matrix(embeddings, "embeddings", self.n_features_in_)
        plain = self.projection_ is None
        width = self.n_features_in_ if plain else self.projection_.shape[1]
        out = np.empty((len(array), width), dtype=np.float32)
        for start in range(0, len(array), CHUNK):
            block = unit_block(array[start : start + CHUNK], "embeddings", start)
            if not plain:
                block = (block - self.mean_) @ self.projection_
                block /= np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-12)
            out[start : start + CHUNK] = block
        return out

    def fit_transform(
        self, embeddings: np.ndarray, individuals: Sequence[object] | np.ndarray,
        viewpoints: Sequence[object] | np.ndarray | None = None,
    ) -> np.ndarray:
        """`fit`, and `transform` of the same rows."""
        return self.fit(embeddings, individuals, viewpoints).transform(embeddings)


class WhiteningHead(LinearHead):
    """Whitening by the covariance within individuals, see the top of the file.

    shrinkage: "auto" (Ledoit and Wolf), or s in 0..1; 1 only centres the embeddings.
    """

    def __init__(self, shrinkage: float | str = "auto") -> None:
        self.shrinkage = shrinkage

    def fit(
        self, embeddings: np.ndarray, individuals: Sequence[object] | np.ndarray,
        viewpoints: Sequence[object] | np.ndarray | None = None,
    ) -> WhiteningHead:
        """embeddings (n, D), individuals n names, viewpoints n names or None.

        With viewpoints, a flank of an individual counts as an individual.
        Raises InputError unless one individual has two different pictures.
        """
        found = _Scatter(embeddings, individuals, viewpoints, self.shrinkage)
        self.mean_ = found.mean.astype(np.float32)
        self.projection_ = found.whitening().astype(np.float32)
        self.n_features_in_, self.shrinkage_ = found.values.shape[1], found.shrinkage
        return self


class DiscriminantHead(LinearHead):
    """Linear discriminant axes weighted by what they tell, see the top of the file.

    shrinkage: as in WhiteningHead. dimensions: at most as many axes; as many as have variance
    between individuals by default.
    """

    def __init__(
        self, shrinkage: float | str = "auto", dimensions: int | None = None
    ) -> None:
        self.shrinkage, self.dimensions = shrinkage, dimensions

    def fit(
        self, embeddings: np.ndarray, individuals: Sequence[object] | np.ndarray,
        viewpoints: Sequence[object] | np.ndarray | None = None,
    ) -> DiscriminantHead:
        """As in WhiteningHead; Raises InputError with fewer than three individuals as well."""
        found = _Scatter(embeddings, individuals, viewpoints, self.shrinkage)
        if len(found.counts) < 3:
            raise InputError(
                f"DiscriminantHead: {len(found.counts)} individuals, expected three or more; "
                "use WhiteningHead."
            )
        white = found.whitening()
        means = (found.means - found.means.mean(axis=0)) @ white
        left, size, axes = np.linalg.svd(means, full_matrices=False)
        left, size, axes = _fixed_sign(left, size, axes)
        # A mean of n pictures has 1/n of the whitened variance within, which is 1 an axis.
        variance = size**2 / (len(means) - 1) - np.mean(1.0 / found.counts)
        kept = np.flatnonzero(variance > RANK * max(float(variance.max()), 1.0))
        kept = kept[: self.dimensions or len(kept)]
        weight = np.sqrt(variance[kept] / (variance[kept] + 1.0))
        if not len(kept):  # individuals do not differ by more than noise: only whiten
            axes, kept, weight = np.eye(white.shape[1]), np.arange(white.shape[1]), 1.0
        self.mean_ = found.mean.astype(np.float32)
        self.projection_ = ((white @ axes[kept].T) * weight).astype(np.float32)
        self.n_features_in_, self.shrinkage_ = found.values.shape[1], found.shrinkage
        return self


def classes_of(
    individuals: Sequence[object] | np.ndarray,
    viewpoints: Sequence[object] | np.ndarray | None, n: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Names (C,) of the classes and their number (n,): individuals, or their flanks.

    Raises InputError for other lengths and rows without an individual.
    """
    names = check_individuals(individuals, n)
    sides = check_names(viewpoints, n, "viewpoints")
    if sides is not None:
        names = np.array([f"{a}\x1f{b}" for a, b in zip(names, sides, strict=True)], dtype=object)
    found, number = np.unique(names.astype(str), return_inverse=True)
    return found, number


class _Scatter:
    """Unit rows, the means of individuals, the covariance within them and its shrinkage."""

    def __init__(
        self, embeddings: np.ndarray, individuals: Sequence[object] | np.ndarray,
        viewpoints: Sequence[object] | np.ndarray | None, shrinkage: float | str,
    ) -> None:
        if shrinkage != "auto" and not (
            isinstance(shrinkage, float | int) and 0.0 <= shrinkage <= 1.0
        ):
            raise InputError(f'shrinkage: {shrinkage!r}, expected "auto" or a number in 0..1.')
        self.values = unit_matrix(embeddings, "embeddings").astype(np.float64)
        _, number = classes_of(individuals, viewpoints, len(self.values))
        self.counts = np.bincount(number)
        residual = self._residuals(number)
        rows, dims = residual.shape
        free = rows - int((self.counts > 1).sum())
        self.covariance = residual.T @ residual / max(free, 1)
        self.spread = float(np.trace(self.covariance)) / dims
        if free < 1 or self.spread <= 1e-14:
            raise InputError(
                "heads learn from different pictures of one individual, and there are none: "
                f"{len(self.values)} pictures of {len(self.counts)} individuals."
            )
        self.shrinkage = (
            _ledoit_wolf(residual, free) if shrinkage == "auto" else float(shrinkage)
        )

    def _residuals(self, number: np.ndarray) -> np.ndarray:
        self.means = np.zeros((len(self.counts), self.values.shape[1]))
        np.add.at(self.means, number, self.values)
        self.means /= np.maximum(self.counts, 1)[:, None]
        self.mean = self.means.mean(axis=0) if len(self.counts) else self.means.sum(axis=0)
        several = self.counts[number] > 1 if len(number) else np.zeros(0, dtype=bool)
        return self.values[several] - self.means[number[several]]

    def whitening(self) -> np.ndarray:
        """W_s^(-1/2) (D, D), of mean square 1 within individuals at s = 1."""
        s, dims = self.shrinkage, len(self.covariance)
        shrunken = (1.0 - s) * self.covariance + (s + 1e-9) * self.spread * np.eye(dims)
        values, vectors = np.linalg.eigh(shrunken)
        return (vectors / np.sqrt(np.maximum(values, 1e-12 * values.max()))) @ vectors.T


def _ledoit_wolf(residual: np.ndarray, free: int) -> float:
    """The share s of the sphere that minimises the expected squared error of the covariance."""
    rows, dims = residual.shape
    covariance = residual.T @ residual / max(free, 1)
    scale = rows / max(free, 1)
    spread = np.trace(covariance) / dims
    distance = float((covariance**2).sum() - dims * spread**2)
    fourth = float((np.einsum("ij,ij->i", residual, residual) ** 2).sum()) * scale**2
    noise = (fourth / rows - float((covariance**2).sum())) / max(free, 1)
    return 1.0 if distance <= 0 else float(np.clip(noise / distance, 0.0, 1.0))


def _fixed_sign(
    left: np.ndarray, size: np.ndarray, axes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sign = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    sign[sign == 0] = 1.0
    return left * sign, size, axes * sign[:, None]


__all__ = ["DiscriminantHead", "LinearHead", "WhiteningHead", "classes_of"]
