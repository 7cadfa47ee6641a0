"""Stage 3: one centroid a taxon, and how far its own crops lie from it.

n trusted crops, C classes with enough of them, D embedding dimensions, d dimensions of a space.

    x = e / |e|;  c = m / |m|, m the mean of x over the class without its farthest share
    d(x, c) = 1 - x . c                                                   cosine distance
    mean_c, sd_c, median: of d(x, c) over the crops that were kept

The distances are those of crops that the centroid (and the space) has not seen, class by class in
folds: crops lie nearer to a centroid that they are a part of than new ones do, much nearer in a
space that was fitted to them, and thresholds would refuse almost everything.
Source: Markoff and Galaktionovs 2025, arXiv:2510.14594 (stage "centroid building"; numbers of our
own); the held-out distances are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse


class Space(Protocol):
    """What maps embeddings (N, D) to unit rows (N, d)."""

    def apply(self, embeddings: np.ndarray) -> np.ndarray: ...


FitSpace = Callable[[np.ndarray, np.ndarray, np.ndarray], Space]  # embeddings, target, keys


@dataclass(frozen=True, eq=False)
class Crops:
    """Trusted crops of the classes that have enough. embeddings: (n, D) unit length. target: (n,)
    class numbers 0..C-1, each in use. keys: (n,) uint64 of content, equal for the same picture."""

    embeddings: np.ndarray
    target: np.ndarray
    keys: np.ndarray


@dataclass(frozen=True, eq=False)
class Centroids:
    """vectors: (C, d) unit length. mean, sd: (C,) of the distances within. median: over all of
    them. count: (C,) crops that were kept. held_accuracy: share of held-out crops that are nearest
    to their own centroid, NaN without folds."""

    vectors: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    median: float
    count: np.ndarray
    held_accuracy: float


def unit_rows(values: np.ndarray) -> np.ndarray:
    """Rows (N, d) float64 or float32 scaled to length 1; rows of zeros stay."""
    values = np.asarray(values)
    values = values if values.dtype == np.float64 else values.astype(np.float32, copy=False)
    length = np.sqrt((values * values).sum(axis=1, keepdims=True))
    return values / np.maximum(length, np.asarray(1e-12, dtype=values.dtype))


def mean_directions(features: np.ndarray, target: np.ndarray, count: int) -> np.ndarray:
    """Normalised class means (C, d) of unit rows."""
    return unit_rows(class_sums(features, target, count))


def class_sums(features: np.ndarray, target: np.ndarray, count: int) -> np.ndarray:
    """Sums (C, d) float64 of the rows of each class."""
    rows = len(target)
    member = sparse.csr_matrix((np.ones(rows), (target, np.arange(rows))), shape=(count, rows))
    return member @ np.asarray(features, dtype=np.float64)


def keep_nearest(
    features: np.ndarray, target: np.ndarray, count: int, drop: float
) -> np.ndarray:
    """(n,) bool: all but the farthest share `drop` of each class, rounded down."""
    far = own_distance(features, target, mean_directions(features, target, count))
    kept = np.ones(len(target), dtype=bool)
    for c in range(count):
        rows = np.flatnonzero(target == c)
        less = int(drop * len(rows) + 1e-9)
        kept[rows[np.argsort(-far[rows], kind="stable")[:less]]] = False
    return kept


def own_distance(features: np.ndarray, target: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Cosine distance (n,) of unit rows to the centroid of their class."""
    return 1.0 - np.einsum("nd,nd->n", np.asarray(features, dtype=np.float64), vectors[target])


def class_folds(crops: Crops, folds: int) -> np.ndarray:
    """Fold (n,) of each crop: every class is dealt out by content, copies of a picture together."""
    out = np.zeros(len(crops.target), dtype=int)
    for c in np.unique(crops.target):
        rows = np.flatnonzero(crops.target == c)
        out[rows] = np.unique(crops.keys[rows], return_inverse=True)[1] % folds
    return out


def build_centroids(
    crops: Crops, fit: FitSpace, drop: float, folds: int
) -> tuple[Space, Centroids]:
    """The space fitted to all crops, and the centroids in it.

    fit: from embeddings (n, D), target and keys to a space. folds: below 2, distances within are
    those of the crops that the centroid is made of.
    """
    count = int(crops.target.max()) + 1
    space = fit(crops.embeddings, crops.target, crops.keys)
    features = space.apply(crops.embeddings)
    kept = keep_nearest(features, crops.target, count, drop)
    vectors = mean_directions(features[kept], crops.target[kept], count)
    within = own_distance(features, crops.target, vectors)
    accuracy = float("nan")
    if folds > 1:
        held, right = held_out_distance(crops, fit, drop, folds)
        seen = np.isfinite(held)
        within = np.where(seen, held, within)
        accuracy = float(right[seen].mean()) if seen.any() else accuracy
    own = [within[kept & (crops.target == c)] for c in range(count)]
    return space, Centroids(
        vectors, np.array([d.mean() for d in own]), np.array([d.std() for d in own]),
        float(np.median(within[kept])), np.array([len(d) for d in own]), accuracy,
    )


def held_out_distance(
    crops: Crops, fit: FitSpace, drop: float, folds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distance (n,) of each crop to its class's centroid, and whether that is the nearest one, in a
    space and to centroids that were fitted without its fold. NaN where the class has no crop in the
    other folds."""
    count = int(crops.target.max()) + 1
    fold = class_folds(crops, folds)
    out, right = np.full(len(fold), np.nan), np.zeros(len(fold), dtype=bool)
    for number in np.unique(fold):
        train, held = fold != number, np.flatnonzero(fold == number)
        if not train.any():
            continue
        target = crops.target[train]
        space = fit(crops.embeddings[train], target, crops.keys[train])
        features = space.apply(crops.embeddings[train])
        kept = keep_nearest(features, target, count, drop)
        vectors = mean_directions(features[kept], target[kept], count)
        far = 1.0 - np.asarray(space.apply(crops.embeddings[held]), dtype=np.float64) @ vectors.T
        seen = np.bincount(target, minlength=count) > 0
        far[:, ~seen] = np.inf
        own = far[np.arange(len(held)), crops.target[held]]
        out[held] = np.where(np.isfinite(own), own, np.nan)
        right[held] = own <= far.min(axis=1)
    return out, right
