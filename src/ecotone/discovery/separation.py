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
from ecotone.discovery.discriminant import Discriminant, fit_discriminant, refine

APART = 3.75  # from which a part is a cluster of its own
TOGETHER = 3.2  # below which two clusters are one
LOOKED_AT = 1500  # rows of one cluster that a cut is looked for on
MOST_ROUNDS = 200


@dataclass(frozen=True, eq=False)
class Cut:
    """A cluster in two: the rows that would leave it, how far they stand apart, what it gains."""

    leave: np.ndarray
    apart: float
    limit: float
    gain: float


def separation(model: Discriminant, one: np.ndarray, other: np.ndarray) -> float:
    """How far two clusters' rows lie apart along their discriminant, in standard deviations."""
    dims = one.shape[1]
    along = model.precision @ (one.mean(axis=0) - other.mean(axis=0))
    s, t = one @ along, other @ along
    spread = (len(s) * s.var() + len(t) * t.var()) / (len(s) + len(t))
    if spread <= 1e-18:
        return np.inf if abs(s.mean() - t.mean()) > 0 else 0.0
    square = (s.mean() - t.mean()) ** 2 / spread - dims * (1 / len(one) + 1 / len(other))
    return float(np.sqrt(max(square, 0.0)))


def merge_close(rows: np.ndarray, labels: np.ndarray, clamped: int = 0
                ) -> tuple[np.ndarray, Discriminant]:
    """Clusters that do not stand apart become one, the nearest first. The first `clamped` clusters
    never merge with each other."""
    labels, model = refine(rows, labels) if labels.max() > 0 else (
        labels, fit_discriminant(rows, labels, int(labels.max()) + 1))
    for _ in range(MOST_ROUNDS):
        count = int(labels.max()) + 1
        best = (TOGETHER, -1, -1)
        members = [rows[labels == c] for c in range(count)]
        for b in range(max(clamped, 1), count):
            for a in _nearest(model, b):
                apart = separation(model, members[a], members[b])
                best = min(best, (apart, int(a), b))
        if best[1] < 0:
            break
        a, b = sorted(best[1:])
        labels = np.where(labels == b, a, np.where(labels > b, labels - 1, labels))
        labels, model = refine(rows, labels)
    return labels, model


def _nearest(model: Discriminant, b: int, at_most: int = 8) -> np.ndarray:
    """The other clusters nearest to one."""
    away = model.means - model.means[b]
    far = ((away @ model.precision) * away).sum(axis=1)
    far[b] = np.inf
    return np.argsort(far, kind="stable")[: min(at_most, len(far) - 1)]


def split_apart(rows: np.ndarray, labels: np.ndarray, least: int
                ) -> tuple[np.ndarray, Discriminant]:
    """Clusters fall in two while both parts stand apart and have at least `least` rows."""
    model = fit_discriminant(rows, labels, int(labels.max()) + 1)
    cuts: dict[int, Cut | None] = {}
    for _ in range(MOST_ROUNDS):
        _look(rows, labels, model, cuts, least)
        good = [c for c, cut in cuts.items() if cut is not None and cut.apart >= cut.limit]
        if not good:
            break
        for c in good:
            labels = _apply(labels, cuts[c])
        before = labels
        labels, model = refine(rows, labels)
        cuts = _still(cuts, before, labels, good)
    return labels, model


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
        _look(rows, labels, model, cuts, 1)
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
          cuts: dict[int, Cut | None], least: int) -> None:
    """A cut for every cluster that has none yet."""
    for c in range(int(labels.max()) + 1):
        if c not in cuts:
            cuts[c] = _cut(rows, np.flatnonzero(labels == c), model, least)


def _cut(rows: np.ndarray, inside: np.ndarray, model: Discriminant, least: int) -> Cut | None:
    if len(inside) < max(2 * least, 2):
        return None
    some = rows[inside[:LOOKED_AT]]
    if not np.ptp(some, axis=0).any():
        return None
    first = ward(some, 2)
    means = np.stack([some[first == part].mean(axis=0) for part in range(2)])
    part = first
    if len(some) < len(inside):
        part = ((rows[inside] - means[:, None]) ** 2).sum(axis=2).argmin(axis=0)
    if min(np.bincount(part, minlength=2)) < max(least, 1):
        return None
    n = np.bincount(part, minlength=2)
    apart = separation(model, rows[inside[part == 0]], rows[inside[part == 1]])
    away = means[0] - means[1]
    gain = n[0] * n[1] / n.sum() ** 1.5 * float(away @ model.precision @ away)
    limit = APART * (1.0 + rows.shape[1] / n.sum())
    return Cut(inside[part == n.argmin()], apart, limit, gain)


def _apply(labels: np.ndarray, cut: Cut) -> np.ndarray:
    out = np.array(labels)
    out[cut.leave] = labels.max() + 1
    return out


def _any_cut(labels: np.ndarray) -> np.ndarray:
    """One row leaves the largest cluster."""
    out = np.array(labels)
    out[np.flatnonzero(labels == np.bincount(labels).argmax())[-1]] = labels.max() + 1
    return out


def _still(cuts: dict[int, Cut | None], before: np.ndarray, after: np.ndarray, good: list[int]
           ) -> dict[int, Cut | None]:
    """Cuts of clusters that were not cut and hardly changed stay known."""
    if before.max() != after.max():
        return {}
    size = np.maximum(np.bincount(before), 1)
    moved = np.bincount(before[before != after], minlength=len(size)) + np.bincount(
        after[before != after], minlength=len(size))
    return {c: None for c, cut in cuts.items()
            if c not in good and cut is not None and cut.apart < cut.limit
            and moved[c] < 0.02 * size[c]} | {
            c: None for c, cut in cuts.items() if cut is None and moved[c] < 0.02 * size[c]}


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
