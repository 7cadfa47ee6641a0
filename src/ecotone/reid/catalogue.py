"""A catalogue of individuals from nothing: pictures grouped by P(same individual).

N pictures, n pairs. People's decisions hold always: what is the same stays together, what is
different apart, whatever the probabilities. Pairs that are not given count as different, so a
shortlist of neighbours does for large sets.
Source: average linkage on calibrated probabilities, as `linkage`; HDBSCAN: Campello et al. 2013.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse as sp
from scipy.sparse.csgraph import connected_components

from ecotone.errors import InputError
from ecotone.reid import linkage
from ecotone.reid.constraints import Constraints, make_constraints
from ecotone.reid.metrics import clusters

METHODS = ("average", "hdbscan")
DENSE = 3000  # units up to which all pairs of a connected part are compared
LEAST = 0.01  # a pair less likely than this joins nothing


@dataclass(frozen=True, eq=False)
class Catalogue:
    """cluster: (N,) int, the individual of each picture, numbered by first picture.

    probability: (N,) float, that a picture belongs where it is: its mean probability with the
    others of its cluster, 1 minus its highest with any other picture when it is alone.
    threshold: the mean probability from which clusters were joined. notes: what to know.
    """

    cluster: np.ndarray
    probability: np.ndarray
    threshold: float
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.cluster)


def make_catalogue(
    n: int, left: np.ndarray, right: np.ndarray, probability: np.ndarray,
    constraints: Constraints | None = None, threshold: float = 0.5, method: str = "average",
) -> Catalogue:
    """Group N pictures by the probabilities of pairs of them.

    left, right: (n,) rows, each pair once. probability: (n,) P(same individual). constraints:
    people's decisions. threshold: in 0..1, mean probability from which clusters are joined.
    method: "average" linkage, or "hdbscan" (densities; pictures it leaves out stand alone).
    Raises InputError when lengths differ, values are outside 0..1, or the method is unknown.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r} is none of {METHODS}.")
    if not 0 < threshold <= 1:
        raise InputError(f"threshold {threshold}: expected above 0 and at most 1.")
    p = _checked(n, left, right, probability)
    limits = make_constraints(n) if constraints is None else constraints
    if len(limits.unit) != n:
        raise InputError(f"constraints speak of {len(limits.unit)} pictures, expected {n}.")
    graph = _graph(n, left, right, p)
    total = _units(graph, limits)
    unit, notes = _group(total, limits, threshold, method)
    cluster = np.unique(unit[limits.unit], return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(cluster[1]))
    rows = order[cluster[2]]
    return Catalogue(rows, _belonging(graph, rows), threshold, tuple(notes))


def best_threshold(
    individuals: Sequence[object], left: np.ndarray, right: np.ndarray, probability: np.ndarray
) -> float:
    """The threshold of average linkage with the highest B-cubed F1 on labelled pictures.

    individuals: N names, all known, at most some thousand. left, right, probability: as above.
    Halfway to the next one that would change the clusters; 0.5 where all pictures stay alone or
    nothing tells thresholds apart.
    """
    n = len(individuals)
    graph = _graph(n, left, right, _checked(n, left, right, probability)).toarray()
    none = np.zeros((0, 2), dtype=np.int64)
    merges = linkage.dense(graph, np.ones(n), none)
    heights = np.unique([w for _, _, w in merges if w > LEAST])
    if not len(heights):
        return 0.5
    some = heights[np.unique(np.linspace(0, len(heights) - 1, 60).round().astype(int))]
    some = np.append(some, 1.0 + LEAST)
    score = [clusters(individuals, linkage.cut(n, merges, t))["bcubed_f1"] for t in some]
    best = int(np.argmax(score))
    if min(score) == max(score):
        return 0.5
    below = heights[heights < some[best]]
    return float(np.clip((some[best] + (below[-1] if len(below) else 0.0)) / 2, LEAST, 1.0))


def _checked(
    n: int, left: np.ndarray, right: np.ndarray, probability: np.ndarray
) -> np.ndarray:
    p = np.asarray(probability, dtype=np.float64)
    if not len(left) == len(right) == len(p):
        raise InputError(f"pairs: {len(left)} left, {len(right)} right, {len(p)} probabilities; "
                         "give arrays of one length.")
    if len(p) and not (np.isfinite(p).all() and p.min() >= 0 and p.max() <= 1):
        raise InputError("pair probabilities must be finite and in 0..1.")
    if len(p) and (min(left.min(), right.min()) < 0 or max(left.max(), right.max()) >= n):
        raise InputError(f"pairs name rows outside 0..{n - 1}.")
    return p


def _graph(n: int, left: np.ndarray, right: np.ndarray, p: np.ndarray) -> sp.csr_matrix:
    """Symmetric (N, N) probabilities; of a pair that is given twice, the higher."""
    low, high = np.minimum(left, right).astype(np.int64), np.maximum(left, right).astype(np.int64)
    used = (p >= LEAST) & (low != high)
    low, high, p = low[used], high[used], p[used]
    order = np.lexsort((-p, high, low))
    low, high, p = low[order], high[order], p[order]
    first = np.ones(len(p), dtype=bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    half = sp.csr_matrix((p[first], (low[first], high[first])), shape=(n, n))
    return sp.csr_matrix(half + half.T)


def _units(graph: sp.csr_matrix, limits: Constraints) -> sp.csr_matrix:
    """(U, U) sums of the probabilities between units."""
    n = len(limits.unit)
    shape = (n, limits.units)
    member = sp.csr_matrix((np.ones(n), (np.arange(n), limits.unit)), shape=shape)
    total = sp.csr_matrix(member.T @ graph @ member)
    total.setdiag(0)
    total.eliminate_zeros()
    return total


def _group(
    total: sp.csr_matrix, limits: Constraints, threshold: float, method: str
) -> tuple[np.ndarray, list[str]]:
    """(U,) cluster of each unit. Parts without an edge between them are grouped on their own."""
    size, apart = np.bincount(limits.unit, minlength=limits.units), limits.apart
    owner = np.full(len(size), -1) if limits.owner is None else limits.owner
    parts, part = connected_components(total, directed=False)
    out, notes, start = np.zeros(len(size), dtype=np.int64), [], 0
    order = np.argsort(part, kind="stable")
    bounds = np.searchsorted(part[order], np.arange(parts + 1))
    inner = apart[part[apart[:, 0]] == part[apart[:, 1]]]
    inner = inner[np.argsort(part[inner[:, 0]], kind="stable")]
    cuts = np.searchsorted(part[inner[:, 0]], np.arange(parts + 1))
    ordered = sp.csr_matrix(total[order][:, order])
    for number in range(parts):
        units = order[bounds[number]:bounds[number + 1]]
        if len(units) == 1:
            out[units], start = start, start + 1
            continue
        here = np.searchsorted(units, inner[cuts[number]:cuts[number + 1]])
        block = ordered[bounds[number]:bounds[number + 1], bounds[number]:bounds[number + 1]]
        if len(units) > DENSE:
            if method == "hdbscan":
                notes.append(f"{len(units):,} pictures hang together, more than HDBSCAN can "
                             "compare: grouped by average linkage")
            edges = sp.triu(block, 1).tocoo()
            found = linkage.sparse(
                edges.row, edges.col, edges.data, size[units], here, threshold, owner[units])
        else:
            mean = block.toarray() / np.outer(size[units], size[units])
            found = (_average if method == "average" else _hdbscan)(
                mean, size[units], here, owner[units], threshold)
        out[units], start = found + start, start + int(found.max()) + 1
    return out, notes


def _average(
    mean: np.ndarray, size: np.ndarray, apart: np.ndarray, owner: np.ndarray, threshold: float
) -> np.ndarray:
    return linkage.cut(len(size), linkage.dense(mean, size, apart, owner), threshold)


def _hdbscan(
    mean: np.ndarray, size: np.ndarray, apart: np.ndarray, owner: np.ndarray, threshold: float
) -> np.ndarray:
    """Clusters by density, where the odds against are the distance. One that holds what must stay
    apart, or less than the threshold on average, is divided by average linkage."""
    from sklearn.cluster import HDBSCAN

    n = len(size)
    p = np.full((n + 2, n + 2), LEAST)  # two far stand-ins: all units may then be one cluster
    p[:n, :n] = np.maximum(mean, LEAST)
    p[n:, n:] = 1.0
    np.fill_diagonal(p, 1.0)
    found = HDBSCAN(
        min_cluster_size=2, min_samples=1, metric="precomputed", copy=True,
    ).fit_predict((1.0 - p) / p)[:n]
    alone = found < 0
    found[alone] = found.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    inside = apart[found[apart[:, 0]] == found[apart[:, 1]]]
    for cluster in np.unique(found):
        units = np.flatnonzero(found == cluster)
        here = inside[found[inside[:, 0]] == cluster]
        block, own = mean[np.ix_(units, units)], owner[units]
        one = len(np.unique(own[own >= 0])) < 2
        if one and not len(here) and _mean_pair(block, size[units]) >= threshold:
            continue
        divided = _average(block, size[units], np.searchsorted(units, here), own, threshold)
        found[units] = np.where(divided == 0, cluster, found.max() + divided)
    return np.unique(found, return_inverse=True)[1]


def _mean_pair(mean: np.ndarray, size: np.ndarray) -> float:
    """Mean over the pairs of pictures of different units; 1 for a single unit."""
    weight = np.outer(size, size).astype(np.float64)
    np.fill_diagonal(weight, 0.0)
    return float((weight * mean).sum() / weight.sum()) if len(size) > 1 else 1.0


def _belonging(graph: sp.csr_matrix, cluster: np.ndarray) -> np.ndarray:
    """See `Catalogue.probability`."""
    edges = graph.tocoo()
    inside = cluster[edges.row] == cluster[edges.col]
    n = len(cluster)
    total = np.bincount(edges.row[inside], edges.data[inside], n)
    others = np.bincount(cluster)[cluster] - 1
    nearest = np.zeros(n)
    np.maximum.at(nearest, edges.row, edges.data)
    return np.where(others > 0, total / np.maximum(others, 1), 1.0 - nearest)
