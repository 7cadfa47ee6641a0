"""Scores of novelty: how little a row resembles what is known. Higher is more novel.

n reference rows of known classes, M new rows, D embedding dimensions, K classes. Every score of a
row depends on the reference and on that row alone, never on the other new rows.

    mahalanobis   min_k (x - mu_k)' S^-1 (x - mu_k),  x of length 1, S shared by the classes
    knn           distance to the k-th nearest reference row, x of length 1
    softmax       1 - max_k p(k | x)
    energy        -log sum_k exp(logit_k)
    ecod          max(sum_d -log F_d, sum_d -log (1 - F_d), sum_d the tail that the skew names)

The relative Mahalanobis distance is less by the same distance to all known rows as one class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.fusion.features import fit_projection
from ecotone.fusion.inputs import check_embeddings
from ecotone.hierarchy.centroids import class_sums, unit_rows

NEIGHBOURS = 10
DIRECTIONS = 256  # of the covariance that get a variance of their own
ECOD_DIMENSIONS = 32
BLOCK = 4096
LEAST_VARIANCE = 1e-8  # of the mean variance of a direction, so that equal rows divide by no zero


@dataclass(frozen=True, eq=False)
class Covariance:
    """A shrunken covariance (D, D) as its leading directions and one variance for all others.

    basis: (D, r) orthonormal, variance: (r,), rest: the variance of every other direction.
    """

    basis: np.ndarray
    variance: np.ndarray
    rest: float

    @classmethod
    def fit(cls, centred: np.ndarray, freedom: int) -> Covariance:
        """S = (f W + tr(W) I) / (f + D) of centred rows (n, D) with f degrees of freedom.

        Source: the shrinkage of `fusion.students.gaussian_head`; in the span of the rows alone, so
        that D may be far larger than n.
        """
        rows, dims = centred.shape
        scaled = centred / np.sqrt(max(freedom, 1))
        gram = scaled @ scaled.T if rows < dims else scaled.T @ scaled
        values, vectors = np.linalg.eigh(gram.astype(np.float64))
        total = max(float(values.clip(0.0).sum()), 1e-12)
        top = np.argsort(-values)[:DIRECTIONS]
        top = top[values[top] > total * 1e-9]
        basis = vectors[:, top]
        if rows < dims:
            basis = scaled.T.astype(np.float64) @ basis / np.sqrt(values[top])
        left = max(total - float(values[top].sum()), 0.0) / max(dims - len(top), 1)
        spare = max(freedom, 0)
        shrunk = (spare * np.append(values[top], left) + total) / (spare + dims)
        shrunk = np.maximum(shrunk, LEAST_VARIANCE * total)
        return cls(basis, shrunk[:-1], float(shrunk[-1]))

    def whiten(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whitened leading coordinates (n, r), and the squared length (n,) of the rest."""
        along = rows @ self.basis
        rest = np.maximum((rows**2).sum(axis=1) - (along**2).sum(axis=1), 0.0)
        return along / np.sqrt(self.variance), rest / self.rest

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """S^-1 of rows (n, D)."""
        less = 1.0 / self.rest - 1.0 / self.variance
        return rows / self.rest - ((rows @ self.basis) * less) @ self.basis.T


@dataclass(frozen=True, eq=False)
class Mahalanobis:
    """Class means with one shared covariance. centre: (D,). means: (K, D) about the centre, count:
    (K,) rows of each. solved: (D, K) S^-1 mu. background: the covariance of all rows, or None."""

    centre: np.ndarray
    means: np.ndarray
    count: np.ndarray
    within: Covariance
    background: Covariance | None = None

    @classmethod
    def fit(
        cls, rows: np.ndarray, target: np.ndarray, relative: bool = False
    ) -> Mahalanobis:
        """From unit rows (n, D) and class numbers (n,); classes without a row have no mean.

        relative: also subtract the distance to the mean of all.
        """
        rows = np.asarray(rows, dtype=np.float64)
        place = np.unique(target, return_inverse=True)[1]
        count = np.bincount(place)
        centre = rows.mean(axis=0)
        means = class_sums(rows, place, len(count)) / count[:, None] - centre
        background = None
        if relative:
            background = Covariance.fit(rows - centre, len(rows) - 1)
        freedom = len(rows) - len(count)
        # One row a class shows no spread within: that of all rows stands in for it.
        centred = rows - centre - (means[place] if freedom > 0 else 0.0)
        within = Covariance.fit(centred, freedom if freedom > 0 else len(rows) - 1)
        return cls(centre, means, count, within, background)

    def distances(self, rows: np.ndarray) -> np.ndarray:
        """Squared distances (n, K) of unit rows to the class means."""
        centred = np.asarray(rows, dtype=np.float64) - self.centre
        along, rest = self.within.whiten(centred)
        own = (along**2).sum(axis=1) + rest
        solved = self.within.solve(self.means)
        means = (solved * self.means).sum(axis=1)
        return np.maximum(own[:, None] - 2.0 * centred @ solved.T + means, 0.0)

    def score(self, rows: np.ndarray, distances: np.ndarray | None = None) -> np.ndarray:
        """Novelty (n,) of unit rows; distances: theirs, where they are known already."""
        near = (self.distances(rows) if distances is None else distances).min(axis=1)
        if self.background is None:
            return near
        along, rest = self.background.whiten(np.asarray(rows, dtype=np.float64) - self.centre)
        return near - (along**2).sum(axis=1) - rest

    def log_evidence(self, distances: np.ndarray) -> np.ndarray:
        """log n_k + log density (n, K), up to a constant: the logits of a Gaussian classifier."""
        return np.log(self.count) - 0.5 * distances


@dataclass(frozen=True, eq=False)
class Ecod:
    """Empirical tails of every principal axis. columns: (d, n) sorted; right: (d,) bool, whether
    the axis is skewed to the right."""

    mean: np.ndarray
    projection: np.ndarray
    columns: np.ndarray
    right: np.ndarray

    @classmethod
    def fit(cls, rows: np.ndarray, dimensions: int = ECOD_DIMENSIONS) -> Ecod:
        """From reference rows (n, D)."""
        mean, projection = fit_projection(rows, np.arange(len(rows)), dimensions)
        z = (np.asarray(rows, dtype=np.float64) - mean) @ projection
        skewed = ((z - z.mean(axis=0)) ** 3).sum(axis=0) >= 0.0
        return cls(mean, projection, np.ascontiguousarray(np.sort(z, axis=0).T), skewed)

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Novelty (n,): each row judged as if it alone joined the reference."""
        z = (np.asarray(rows, dtype=np.float64) - self.mean) @ self.projection
        n = self.columns.shape[1]
        low, high, named = np.zeros((3, len(z)))
        for axis, column in enumerate(self.columns):
            below = np.searchsorted(column, z[:, axis], side="right")
            above = n - np.searchsorted(column, z[:, axis], side="left")
            left, right = (-np.log((c + 1.0) / (n + 1.0)) for c in (below, above))
            low += left
            high += right
            named += right if self.right[axis] else left
        return np.maximum(np.maximum(low, high), named)


def blocks(n: int) -> Iterator[slice]:
    """Slices of at most `BLOCK` rows."""
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))


def neighbours_for(target: np.ndarray, most: int = NEIGHBOURS) -> int:
    """k of the kNN distance: `most`, and at most half the rows of a middling class."""
    sizes = np.bincount(np.unique(target, return_inverse=True)[1])
    return int(np.clip(np.median(sizes) // 2, 1, most))


def nearest_distance(rows: np.ndarray, reference: np.ndarray, k: int) -> np.ndarray:
    """Distance (n,) of unit rows to their k-th nearest of the unit reference rows."""
    k = min(k, len(reference))
    kept = np.asarray(reference, dtype=np.float32)
    own = (kept**2).sum(axis=1)
    out = np.empty(len(rows))
    for part in blocks(len(rows)):
        block = np.asarray(rows[part], dtype=np.float32)
        near = np.partition(own - 2.0 * block @ kept.T, k - 1, axis=1)[:, k - 1]
        out[part] = np.sqrt(np.maximum((block**2).sum(axis=1) + near, 0.0))
    return out


def mahalanobis_novelty(
    embeddings: np.ndarray, reference: np.ndarray, target: np.ndarray, *, relative: bool = False
) -> np.ndarray:
    """Squared Mahalanobis distance (M,) of length-1 rows to the nearest class.

    reference: (n, D) rows of known classes, target: (n,) their class numbers. One covariance,
    shrunk, is shared by the classes. relative: less the distance to all known rows as one class.
    Raises InputError on NaN, and when shapes do not fit.
    Source: Lee et al. 2018, arXiv:1807.03888; Mueller and Hein 2025, arXiv:2505.18032
    (Mahalanobis++, length 1); Ren et al. 2021, arXiv:2106.09022 (relative).
    """
    x, known = _pair(embeddings, reference)
    target = _targets(target, len(known))
    model = Mahalanobis.fit(unit_rows(known), target, relative=relative)
    return _by_block(model.score, x)


def knn_novelty(embeddings: np.ndarray, reference: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
    """Distance (M,) of length-1 rows to their k-th nearest reference row; the farthest when there
    are fewer than k.

    Raises InputError on NaN, and when shapes do not fit.
    Source: Sun et al. 2022, arXiv:2204.06507.
    """
    x, known = _pair(embeddings, reference)
    if k < 1:
        raise InputError(f"k: {k}, expected at least 1.")
    return nearest_distance(unit_rows(x), unit_rows(known), k)


def softmax_novelty(proba: np.ndarray) -> np.ndarray:
    """One minus the largest probability, (M,).

    Raises InputError unless rows are distributions. Source: Hendrycks and Gimpel 2017,
    arXiv:1610.02136.
    """
    from ecotone.confidence.checks import check_proba

    return 1.0 - check_proba(proba).max(axis=1)


def energy_novelty(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """-T log sum exp(logit / T), (M,), of logits or log-evidence (M, K).

    Raises InputError on NaN. Source: Liu et al. 2020, arXiv:2010.03759.
    """
    from scipy.special import logsumexp

    if not temperature > 0.0:
        raise InputError(f"temperature: {temperature}, expected a number above 0.")
    table = np.asarray(logits, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] == 0:
        raise InputError(f"logits: expected an array (M, K), found shape {table.shape}.")
    bad = np.isnan(table).any(axis=1) | np.isposinf(table).any(axis=1)
    if bad.any():
        raise InputError(f"logits: row {int(np.flatnonzero(bad)[0])} holds NaN or infinity.")
    return -temperature * logsumexp(table / temperature, axis=1)


def ecod_novelty(
    embeddings: np.ndarray, reference: np.ndarray, dimensions: int = ECOD_DIMENSIONS
) -> np.ndarray:
    """Sum of -log empirical tail probabilities over principal axes, (M,): nothing to tune.

    Raises InputError on NaN, and when shapes do not fit.
    Source: Li et al. 2022, arXiv:2201.00382 (the largest of the three sums, as printed there).
    """
    x, known = _pair(embeddings, reference)
    model = Ecod.fit(unit_rows(known), dimensions)
    return _by_block(model.score, x)


def _by_block(score: object, x: np.ndarray) -> np.ndarray:
    parts = [score(unit_rows(x[part])) for part in blocks(len(x))]  # type: ignore[operator]
    return np.concatenate(parts) if parts else np.empty(0)


def _pair(embeddings: object, reference: object) -> tuple[np.ndarray, np.ndarray]:
    x, known = check_embeddings(embeddings), check_embeddings(reference)
    if not len(known):
        raise InputError("reference: no rows; give at least one row of a known class.")
    if x.shape[1] != known.shape[1]:
        raise InputError(
            f"embeddings: {x.shape[1]} dimensions, the reference has {known.shape[1]}."
        )
    return x, known


def _targets(target: object, n: int) -> np.ndarray:
    array = np.asarray(target)
    if array.shape != (n,):
        raise InputError(f"target: shape {array.shape}, expected ({n},), one class a row.")
    return np.unique(array, return_inverse=True)[1]
