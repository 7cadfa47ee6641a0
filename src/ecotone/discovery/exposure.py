"""Outlier exposure on embeddings: a head that is taught to be unsure away from known classes.

n known rows, M outlier rows, K classes, D dimensions.

    x~ = l x + (1 - l) x_o,  target l 1_y + (1 - l) / K,  l ~ Beta(a, a)
    loss = CE(x, y) + beta CE(x~, target)

The score is the largest probability's complement. A linear head is monotone along every line; the
known rows' own squares give it a bound around them.
Source: Zhang et al. 2023, arXiv:2106.03917 (MixOE, on pictures); on embeddings: our own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.fusion.features import content_keys, fit_projection
from ecotone.fusion.inputs import check_embeddings
from ecotone.fusion.local_model import project, softmax
from ecotone.fusion.students import Head, logistic_head
from ecotone.hierarchy.centroids import unit_rows

BETA = 1.0
ALPHA = 1.0  # of the Beta distribution of the mix
RIDGE = 1e-4
DIMENSIONS = 128
MOST_ROWS = 5000
MIXES = 4  # mixed rows a known row, at least 2,000


@dataclass(frozen=True, eq=False)
class Exposure:
    """A head fitted with outliers. mean, projection: of the features; head: (d, K) and (K,)."""

    mean: np.ndarray
    projection: np.ndarray
    head: Head

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Novelty (n,) of rows (n, D): 1 - max p."""
        z = _features(np.asarray(rows, dtype=np.float32), self.mean, self.projection)
        return 1.0 - softmax(z @ self.head[0] + self.head[1]).max(axis=1).astype(np.float64)


def fit_exposure(
    embeddings: np.ndarray, target: np.ndarray, outliers: np.ndarray, *,
    beta: float = BETA, alpha: float = ALPHA, random_state: int = 0,
) -> Exposure:
    """A head on known rows, and on mixtures of them with outliers.

    embeddings: (n, D), target: (n,) class numbers from 0; outliers: (M, D) rows of no known class.
    beta: weight of the mixtures. alpha: of the Beta distribution of the mix.

    Raises InputError on NaN, no rows, or other shapes.
    """
    known, other = check_embeddings(embeddings), check_embeddings(outliers)
    target = np.asarray(target)
    if not len(known) or not len(other) or known.shape[1] != other.shape[1]:
        raise InputError(
            f"outliers: shape {other.shape}, known rows {known.shape}; give rows of one length."
        )
    if target.shape != (len(known),):
        raise InputError(f"target: shape {target.shape}, expected ({len(known)},).")
    if not beta >= 0.0 or not alpha > 0.0:
        raise InputError(f"beta {beta}, alpha {alpha}: expected beta >= 0, alpha > 0.")
    known, target = _sorted_sample(known, target, random_state)
    other, _ = _sorted_sample(other, np.zeros(len(other), dtype=int), random_state)
    known, other = unit_rows(known), unit_rows(other)
    both = np.concatenate([known, other])
    mean, projection = fit_projection(both, np.arange(len(both)), DIMENSIONS)
    onehot = np.eye(int(target.max()) + 1)[target]
    rng = np.random.default_rng(random_state)
    count = max(MIXES * len(known), 2000)
    mine = np.arange(count) % len(known)
    mix = rng.beta(alpha, alpha, count)[:, None]
    mixed = mix * known[mine] + (1.0 - mix) * other[rng.integers(len(other), size=count)]
    rows = np.concatenate([known, mixed]).astype(np.float32)
    wanted = np.concatenate([onehot, mix * onehot[mine] + (1.0 - mix) / onehot.shape[1]])
    weight = np.concatenate([np.full(len(known), 1.0 / len(known)), np.full(count, beta / count)])
    head = logistic_head(_features(rows, mean, projection), wanted, weight, RIDGE, iterations=100)
    return Exposure(mean, projection, head)


def _features(rows: np.ndarray, mean: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Projected features and their squares, both of about unit size."""
    z = project(rows, mean, projection, True) * np.float32(np.sqrt(projection.shape[1]))
    return np.concatenate([z, z * z - 1.0], axis=1) / np.float32(4.0)


def _sorted_sample(rows: np.ndarray, target: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    """At most `MOST_ROWS` rows, in an order that depends on their content alone."""
    order = np.lexsort((target, content_keys(rows, seed)))[:MOST_ROWS]
    return rows[order], target[order]
