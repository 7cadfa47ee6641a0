"""From the clusters of some rows to all rows, and from clusters to finer ones.

N rows, M rows that were clustered, d dimensions, C clusters.
"""

from __future__ import annotations

import numpy as np

from ecotone.discovery.clustering import by_size, ward

NEIGHBOURS = 10
BEYOND = 0.99  # of the clustered rows' own distances: a row farther than that is rejected
BLOCK = 1024
SPLIT_ON = 4000  # rows of one cluster that its parts are found on
SPLIT_AXES = 16


def extend(rows: np.ndarray, labels: np.ndarray, *, reject: bool = True
           ) -> tuple[np.ndarray, np.ndarray]:
    """Cluster (N,) and its share of the nearest neighbours' votes (N,), from the first M rows.

    rows: (N, d); labels: (M,), -1 where rejected. A row beyond M joins the cluster that most of its
    ten nearest clustered rows have, unless it is farther from them than 99 % of these are from each
    other (reject). The first M keep their clusters.
    """
    n, m = len(rows), len(labels)
    out = np.full(n, -1, dtype=np.int64)
    out[:m] = labels
    chance = np.zeros(n)
    core = np.flatnonzero(labels >= 0)
    if not len(core):
        return out, chance
    number, at = np.unique(labels[core], return_inverse=True)
    distance, vote, share = np.empty(n), np.empty(n, dtype=np.int64), np.empty(n)
    for start in range(0, n, BLOCK):
        part = slice(start, min(start + BLOCK, n))
        distance[part], near = _nearest(rows[part], rows[core])
        votes = np.zeros((len(near), len(number)))
        for column in at[near].T:
            votes[np.arange(len(near)), column] += 1.0 / near.shape[1]
        vote[part] = votes.argmax(axis=1)
        own = np.searchsorted(number, np.maximum(out[part], number[0]))
        use = np.where(out[part] >= 0, own, vote[part])
        share[part] = votes[np.arange(len(near)), use]
    limit = np.quantile(distance[core], BEYOND) if reject else np.inf
    later = np.arange(n) >= m
    out = np.where(later & (distance <= limit), number[vote], out)
    return out, np.where(out >= 0, share, 0.0)


def _nearest(rows: np.ndarray, core: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the farthest of the nearest core rows, and which they are (n, k)."""
    square = (core * core).sum(axis=1) - 2.0 * (rows @ core.T)
    k = min(NEIGHBOURS, len(core))
    near = np.argpartition(square, k - 1, axis=1)[:, :k]
    value = np.take_along_axis(square, near, axis=1).max(axis=1) + (rows * rows).sum(axis=1)
    return np.sqrt(np.maximum(value, 0.0)), near


def split(rows: np.ndarray, labels: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Finer clusters (N,) and which cluster each of them is a part of (C',).

    Each cluster falls into `factor` parts by Ward on its own principal axes, so that what differs
    within a species decides: sex, age, coat, side, light. Of a broken factor, the clusters that
    spread most get one part more. rows: (N, d) in an order that says nothing.
    """
    sizes = np.bincount(labels[labels >= 0])
    parts = _parts(rows, labels, sizes, factor)
    fine = np.full(len(labels), -1, dtype=np.int64)
    start = 0
    for cluster, wanted in enumerate(parts):
        inside = np.flatnonzero(labels == cluster)
        found = _split_one(rows[inside], min(int(wanted), len(inside)))
        fine[inside] = start + found
        start += int(found.max(initial=-1)) + 1
    ordered = by_size(fine)
    parent = np.zeros(int(ordered.max(initial=-1)) + 1, dtype=np.int64)
    parent[ordered[ordered >= 0]] = labels[ordered >= 0]
    return ordered, parent


def _parts(rows: np.ndarray, labels: np.ndarray, sizes: np.ndarray, factor: float) -> np.ndarray:
    """Parts of each cluster, (C,)."""
    parts = np.full(len(sizes), int(factor))
    more = round(len(sizes) * factor) - int(parts.sum())
    spread = [float(rows[labels == c].var(axis=0).sum()) * size for c, size in enumerate(sizes)]
    parts[np.argsort(-np.asarray(spread), kind="stable")[:more]] += 1
    return parts


def _split_one(rows: np.ndarray, parts: int) -> np.ndarray:
    if parts < 2 or not np.ptp(rows, axis=0).any():
        return np.zeros(len(rows), dtype=np.int64)
    centred = rows.astype(np.float64) - rows.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, np.argsort(-values)[:SPLIT_AXES]]
    near = (centred @ axes).astype(np.float32)
    first = ward(near[:SPLIT_ON], parts)
    means = np.stack([near[: len(first)][first == part].mean(axis=0) for part in range(parts)])
    if len(first) == len(near):
        return first
    away = (means * means).sum(axis=1) - 2.0 * near @ means.T
    return away.argmin(axis=1)
