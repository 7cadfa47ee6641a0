"""Average linkage of units by P(same individual), some of which must stay apart.

U units. Two clusters are worth the mean probability over all pairs of their pictures; the worthiest
pair is merged until none reaches the threshold. Units that must stay apart stay apart in every
cluster. `dense` takes a matrix, `sparse` a graph whose missing edges count as 0.
Source: Sokal and Michener 1958 (average linkage); Wagstaff et al. 2001 (cannot-link constraints).
"""

from __future__ import annotations

import heapq

import numpy as np

from ecotone.errors import InputError

Merge = tuple[int, int, float]


def dense(
    probability: np.ndarray, sizes: np.ndarray, apart: np.ndarray, owner: np.ndarray | None = None
) -> list[Merge]:
    """All merges (kept unit, merged unit, mean probability), the worthiest first.

    probability: (U, U) symmetric, mean over pairs of pictures. sizes: (U,) pictures. apart: (m, 2).
    owner: (U,) int, units of different owners stay apart, -1 = none.
    Merges go on down to 0, except between what must stay apart; cut them with `cut`.
    """
    p = np.array(probability, dtype=np.float64)
    own = np.full(len(p), -1) if owner is None else np.array(owner)
    np.fill_diagonal(p, -np.inf)
    p[(own[:, None] != own[None, :]) & (own >= 0)[:, None] & (own >= 0)[None, :]] = -np.inf
    p[apart[:, 0], apart[:, 1]] = p[apart[:, 1], apart[:, 0]] = -np.inf
    size = np.array(sizes, dtype=np.float64)
    best = p.argmax(axis=1) if len(p) else np.zeros(0, dtype=np.int64)
    worth = p[np.arange(len(p)), best] if len(p) else np.zeros(0)
    merges: list[Merge] = []
    for _ in range(len(p) - 1):
        a = int(worth.argmax())
        if worth[a] == -np.inf:
            break
        a, b = sorted((a, int(best[a])))
        merges.append((a, b, float(p[a, b])))
        row = (size[a] * p[a] + size[b] * p[b]) / (size[a] + size[b])
        own[a] = max(own[a], own[b])
        row[a] = row[b] = -np.inf
        if own[a] >= 0:
            row[(own >= 0) & (own != own[a])] = -np.inf
        size[a] += size[b]
        p[b, :] = p[:, b] = -np.inf
        p[a, :] = p[:, a] = row
        worth[b] = -np.inf
        stale = np.flatnonzero((best == a) | (best == b))
        better = row > worth
        best[better], worth[better] = a, row[better]
        for other in {a, *stale.tolist()}:
            best[other] = int(p[other].argmax())
            worth[other] = p[other, best[other]]
    return merges


def cut(n: int, merges: list[Merge], threshold: float) -> np.ndarray:
    """(U,) int cluster of each unit, numbered by first unit: merges of at least `threshold`."""
    root = np.arange(n)
    for kept, merged, worth in merges:
        if worth >= threshold:
            root[merged] = kept
    while (root[root] != root).any():
        root = root[root]
    return np.unique(root, return_inverse=True)[1] if n else root


def sparse(
    left: np.ndarray, right: np.ndarray, total: np.ndarray, sizes: np.ndarray, apart: np.ndarray,
    threshold: float, owner: np.ndarray | None = None,
) -> np.ndarray:
    """(U,) int cluster of each unit, as `dense` and `cut`, from the edges of a graph.

    left, right: (E,) units, each pair once. total: (E,) sum of the probabilities of the pairs of
    pictures between them. owner: as in `dense`. Raises InputError when the threshold is not above
    0: pairs without an edge would join.
    """
    if not threshold > 0:
        raise InputError(f"threshold {threshold}: a graph needs a threshold above 0.")
    n = len(sizes)
    size = [int(s) for s in sizes]
    own = [-1] * n if owner is None else [int(o) for o in owner]
    beside: list[dict[int, float]] = [{} for _ in range(n)]
    banned: list[set[int]] = [set() for _ in range(n)]
    for a, b in apart.tolist():
        banned[a].add(b)
        banned[b].add(a)
    heap = []
    for a, b, s in zip(left.tolist(), right.tolist(), total.tolist(), strict=True):
        beside[a][b] = beside[b][a] = s
        worth = s / (size[a] * size[b])
        if worth >= threshold:
            heap.append((-worth, min(a, b), max(a, b)))
    heapq.heapify(heap)
    merges: list[Merge] = []
    while heap:
        worth, a, b = heapq.heappop(heap)
        there = beside[a].get(b)
        if there is None or -worth != there / (size[a] * size[b]) or b in banned[a]:
            continue
        if own[a] >= 0 and own[b] >= 0 and own[a] != own[b]:
            continue
        own[a] = max(own[a], own[b])
        merges.append((a, b, -worth))
        _join(a, b, size, beside, banned, heap, threshold)
    return cut(n, merges, threshold)


def _join(
    a: int, b: int, size: list[int], beside: list[dict[int, float]], banned: list[set[int]],
    heap: list[tuple[float, int, int]], threshold: float,
) -> None:
    """Merge b into a, and queue what the new cluster is worth to its neighbours."""
    for other, s in beside[b].items():
        del beside[other][b]
        if other != a:
            beside[a][other] = beside[other][a] = beside[a].get(other, 0.0) + s
    for other in banned[b]:
        banned[other].discard(b)
        banned[other].add(a)
        banned[a].add(other)
    beside[b], banned[b] = {}, set()
    size[a] += size[b]
    for other, s in beside[a].items():
        worth = s / (size[a] * size[other])
        if worth >= threshold and other not in banned[a]:
            heapq.heappush(heap, (-worth, min(a, other), max(a, other)))
