"""Are two clusters two? Splitting and merging until every pair stands apart, or to a known number.

N rows, d dimensions, C clusters.

Cut any one cloud in two, and the halves differ: the means of the halves of a normal distribution
lie 2.65 of their own standard deviations apart along the cut, those of a uniform one 3.5. So two
clusters are two when they lie farther apart than that along w = P (mu_a - mu_b), after what the
means of few rows in many dimensions differ by chance, d (1/n_a + 1/n_b), is taken off.
Source: own design; the cut along the discriminant is that of G-means (Hamerly and Elkan 2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.discovery.clustering import ward
from ecotone.discovery.discriminant import (
    Discriminant,
    fit_discriminant,
    refine,
    shrunken_precision,
)

TOGETHER = 3.4  # standard deviations below which two clusters are one
TAKEN_FOR = 0.15
SEVERAL = 4.0  # pairs looked at for one cluster, so that one chance in four says nothing
LEAST = 10  # rows of a cluster that stands by itself
NEIGHBOURS = 6  # clusters that each is compared with
LOOKED_AT = 1500  # rows of one cluster that a cut is looked for on


@dataclass(frozen=True, eq=False)
class Merged:
    """labels: (N,) after merging. owner: (C,) the known class of each cluster, -1 for none.
    ratio: separation of each pair that was merged over what was asked for, in turn; below 1."""

    labels: np.ndarray
    owner: np.ndarray
    ratio: np.ndarray


@dataclass(frozen=True, eq=False)
class Cut:
    """A cluster in two: the rows that would leave it, and what it gains."""

    leave: np.ndarray
    gain: float


def separation(model: Discriminant, one: np.ndarray, other: np.ndarray) -> float:
    """How far the rows (n, d) of two clusters lie apart along their discriminant, in standard
    deviations, corrected for chance."""
    state = _Moments.of(np.concatenate([one, other]), np.repeat([0, 1], [len(one), len(other)]), 2)
    return float(state.separation(0, np.array([1]), model.precision)[0])


def merge_close(rows: np.ndarray, labels: np.ndarray, *, owner: np.ndarray | None = None,
                threshold: float = TOGETHER, least: int = LEAST,
                likeness: np.ndarray | None = None, told: np.ndarray | None = None) -> Merged:
    """Clusters that do not stand apart become one, the nearest first.

    rows: (N, d); labels: (N,) from 0, -1 plays no part; owner: (C,) known class of each, -1 for
    none. Two clusters of known classes stay as they are; one without joins its neighbour. Asked for
    is threshold (1 + d / n) for the n rows of the pair; a cluster without a known class and fewer
    than `least` rows joins in any case. likeness: (C, K) mean posteriors of known classes: up to
    a seventh more is asked for before a cluster stands apart from one that it is taken for. told:
    (C,) labelled rows of each: where a known class has so many that one of them would lie in the
    cluster if this were a part of it, d / n is multiplied by the chance that none does.
    """
    count = int(labels.max(initial=-1)) + 1
    owner = np.full(count, -1) if owner is None else np.array(owner)
    state = _Moments.of(rows, labels, count)
    like = np.zeros((count, 1)) if likeness is None else np.array(likeness, dtype=np.float64)
    told = np.zeros(count) if told is None else np.array(told, dtype=np.float64)
    to, alive, ratios = np.arange(count), np.ones(count, dtype=bool), []
    while alive.sum() > 1:
        best = _closest(state, alive, owner, threshold * _harder(like, owner), told, least)
        if best is None or best[0] >= 1.0:
            break
        ratios.append(best[0])
        a, b = best[1], best[2]
        if owner[b] >= 0:
            a, b = b, a
        share = state.size[b] / max(state.size[a] + state.size[b], 1.0)
        like[a] += share * (like[b] - like[a])
        state.join(a, b)
        told[a] += told[b]
        to[to == b] = a
        alive[b] = False
    number = np.cumsum(alive) - 1
    new = np.where(labels >= 0, number[to[np.maximum(labels, 0)]], -1) if count else labels
    return Merged(new, owner[alive], np.array(ratios))


class _Moments:
    """Sizes (C,), means (C, d) and scatters (C, d, d) of clusters, which merge."""

    def __init__(self, size: np.ndarray, mean: np.ndarray, scatter: np.ndarray) -> None:
        self.size, self.mean, self.scatter = size, mean, scatter

    @classmethod
    def of(cls, rows: np.ndarray, labels: np.ndarray, count: int) -> _Moments:
        size = np.bincount(labels[labels >= 0], minlength=count).astype(np.float64)
        mean = np.zeros((count, rows.shape[1]))
        scatter = np.zeros((count, rows.shape[1], rows.shape[1]))
        for c in np.flatnonzero(size):
            some = rows[labels == c].astype(np.float64)
            mean[c] = some.mean(axis=0)
            scatter[c] = (some - mean[c]).T @ (some - mean[c])
        return cls(size, mean, scatter)

    def join(self, a: int, b: int) -> None:
        away = self.mean[a] - self.mean[b]
        total = max(self.size[a] + self.size[b], 1.0)
        self.scatter[a] += self.scatter[b] + self.size[a] * self.size[b] / total * np.outer(
            away, away)
        self.mean[a] = (self.size[a] * self.mean[a] + self.size[b] * self.mean[b]) / total
        self.size[a] += self.size[b]

    def precision(self, alive: np.ndarray) -> np.ndarray:
        m = self.size[alive].sum()
        within = self.scatter[alive].sum(axis=0) / max(m - alive.sum(), 1.0)
        return shrunken_precision(within, m)

    def separation(self, b: int, others: np.ndarray, precision: np.ndarray) -> np.ndarray:
        """How far cluster b stands from others, in standard deviations, (len(others),)."""
        away = self.mean[others] - self.mean[b]
        along = away @ precision
        size = np.maximum(self.size[others], 1.0)
        inside = self.scatter[others] + self.scatter[b]
        spread = np.einsum("ci,cij,cj->c", along, inside, along) / (size + self.size[b])
        square = (along * away).sum(axis=1) ** 2 / np.maximum(spread, 1e-18)
        square -= self.mean.shape[1] * (1 / size + 1 / max(self.size[b], 1.0))
        return np.sqrt(np.maximum(square, 0.0))


def _harder(like: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """(C, C) factors of the threshold between a cluster (row) and those of known classes."""
    known = np.where(owner >= 0, owner, 0)
    some = like[:, np.minimum(known, like.shape[1] - 1)]
    return 1.0 + TAKEN_FOR * np.where(owner >= 0, some**4, 0.0)


def _untold(state: _Moments, b: int, others: np.ndarray, told: np.ndarray) -> np.ndarray:
    """The chance that no labelled row of others lies in b, were each of them one class with b."""
    share = state.size[others] / np.maximum(state.size[others] + state.size[b], 1.0)
    return np.minimum(SEVERAL * share ** told[others], 1.0)


def _closest(state: _Moments, alive: np.ndarray, owner: np.ndarray, threshold: np.ndarray,
             told: np.ndarray, least: int) -> tuple[float, int, int] | None:
    """The pair with the least separation over what is asked for: ratio and the two."""
    precision, best = state.precision(alive), None
    for b in np.flatnonzero(alive & (owner < 0)):
        others = np.flatnonzero(alive & (np.arange(len(alive)) != b))
        away = state.mean[others] - state.mean[b]
        far = ((away @ precision) * away).sum(axis=1)
        near = np.argsort(far, kind="stable")[:NEIGHBOURS]
        others, far = others[near], far[near]
        apart = state.separation(b, others, precision)
        chance = len(precision) / (state.size[others] + state.size[b])
        asked = threshold[b, others] * (1.0 + chance * _untold(state, b, others, told))
        ratio = apart / asked
        if state.size[b] < least:
            ratio = 1e-6 * far / (far + 1.0)  # to the nearest, however far
        at = int(ratio.argmin())
        if best is None or (ratio[at], others[at], b) < best:
            best = (float(ratio[at]), int(others[at]), int(b))
    return best


def over_split(count: int) -> int:
    """Clusters to cut into before those that do not stand apart are merged."""
    return 2 * count + 20


def to_number(rows: np.ndarray, labels: np.ndarray, n_clusters: int
              ) -> tuple[np.ndarray, Discriminant]:
    """Exactly n_clusters (at most N) clusters: the nearest merged by Ward's cost, or those cut
    that gain most, by Ward's gain over the root of the cluster's size, so that large clusters are
    not cut for their size alone."""
    n_clusters = min(n_clusters, len(rows))
    model = fit_discriminant(rows, labels, int(labels.max()) + 1)
    while labels.max() + 1 > n_clusters:
        a, b = _cheapest(model, np.bincount(labels))
        labels = np.where(labels == b, a, np.where(labels > b, labels - 1, labels))
        model = fit_discriminant(rows, labels, int(labels.max()) + 1)
    cuts: dict[int, Cut | None] = {}
    while labels.max() + 1 < n_clusters:
        _look(rows, labels, model, cuts)
        able = {c: cut for c, cut in cuts.items() if cut is not None}
        if not able:  # rows that do not differ
            labels = _any_cut(labels)
            cuts = {}
            continue
        best = max(able, key=lambda c: (able[c].gain, -c))
        labels = _apply(labels, able[best])
        cuts.pop(best)
    return refine(rows, labels)


def _look(rows: np.ndarray, labels: np.ndarray, model: Discriminant,
          cuts: dict[int, Cut | None]) -> None:
    """A cut for every cluster that has none yet."""
    for c in range(int(labels.max()) + 1):
        if c not in cuts:
            cuts[c] = _cut(rows, np.flatnonzero(labels == c), model)


def _cut(rows: np.ndarray, inside: np.ndarray, model: Discriminant) -> Cut | None:
    if len(inside) < 2:
        return None
    some = rows[inside[:LOOKED_AT]]
    if not np.ptp(some, axis=0).any():
        return None
    part = ward(some, 2)
    means = np.stack([some[part == p].mean(axis=0) for p in range(2)])
    if len(some) < len(inside):
        part = ((rows[inside] - means[:, None]) ** 2).sum(axis=2).argmin(axis=0)
    n = np.bincount(part, minlength=2)
    if n.min() == 0:
        return None
    away = means[0] - means[1]
    gain = n[0] * n[1] / n.sum() ** 1.5 * float(away @ model.precision @ away)
    return Cut(inside[part == n.argmin()], gain)


def _apply(labels: np.ndarray, cut: Cut) -> np.ndarray:
    out = np.array(labels)
    out[cut.leave] = labels.max() + 1
    return out


def _any_cut(labels: np.ndarray) -> np.ndarray:
    """One row leaves the largest cluster."""
    out = np.array(labels)
    out[np.flatnonzero(labels == np.bincount(labels).argmax())[-1]] = labels.max() + 1
    return out


def _cheapest(model: Discriminant, count: np.ndarray) -> tuple[int, int]:
    """The pair that Ward would merge."""
    best = (np.inf, 0, 1)
    for b in range(1, len(count)):
        away = model.means[:b] - model.means[b]
        far = ((away @ model.precision) * away).sum(axis=1)
        cost = far * count[:b] * count[b] / np.maximum(count[:b] + count[b], 1)
        a = int(cost.argmin())
        best = min(best, (float(cost[a]), a, b))
    return best[1], best[2]
