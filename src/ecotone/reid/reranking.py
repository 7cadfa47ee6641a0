"""Re-ordering candidates by their neighbourhoods, and queries that learn from their candidates.

Both work on the shortlist of each query alone: the cost does not grow with the gallery, and the
answer for a query does not depend on the other queries. d(i, j) = 1 - cosine of i and j, over the
query and its L candidates.

    N(i, k)   the k nearest of i, itself among them
    R(i, k)   {j in N(i, k): i in N(j, k)}, k-reciprocal neighbours
    R*(i)     R(i, k1), and R(j, k1 / 2) of every j in it that shares 2/3 of itself with it
    V_ij      exp(-d(i, j)) for j in R*(i), else 0; each row then the mean over N(i, k2)
    d_J(q,j)  1 - sum_l min(V_ql, V_jl) / sum_l max(V_ql, V_jl)
    new d     (1 - w) d_J + w d

Query expansion adds to a query its best candidates, each times its similarity to the power alpha.
Sources: Zhong et al. 2017, arXiv:1701.08398 (k-reciprocal encoding; there d is squared Euclidean,
which is 2 d here, in V); Radenovic et al. 2018, arXiv:1711.02512 (alpha query expansion). That the
shortlist is the whole world is our own; with all of the gallery on it nothing is left out.
"""

from __future__ import annotations

import numpy as np

from ecotone.errors import InputError
from ecotone.reid.inputs import check_matrix, unit_block, unit_matrix
from ecotone.reid.search import Neighbors

K1, K2, WEIGHT = 20, 6, 0.3


def rerank(
    queries: np.ndarray, gallery: np.ndarray, matches: Neighbors, *,
    k1: int = K1, k2: int = K2, weight: float = WEIGHT,
) -> Neighbors:
    """The candidates of each query in the order of k-reciprocal re-ranking.

    queries: (N, D), gallery: (M, D), as they were matched. matches: from `match`, with several
    times k1 candidates a query (100, say). similarity of the result is 1 - new d, no cosine any
    more: calibrate it anew. Candidates that tie keep their order.
    Raises InputError for arguments out of range and candidates that are not in the gallery.
    """
    for name, value in (("k1", k1), ("k2", k2)):
        if int(value) != value or value < 1:
            raise InputError(f"{name}: {value}, expected a whole number from 1.")
    if not 0.0 <= weight <= 1.0:
        raise InputError(f"weight: {weight}, expected a number in 0..1.")
    unit, gallery = _checked(queries, gallery, matches)
    index, similarity = matches.index.copy(), matches.similarity.copy()
    for row, places in enumerate(matches.index):
        real = places[places >= 0]
        if not len(real):
            continue
        rows = np.vstack([unit[row : row + 1], unit_block(gallery[real], "gallery", real)])
        distance = _distance(rows, int(k1), int(k2), float(weight))
        order = np.argsort(np.round(distance, 9), kind="stable")
        index[row, : len(real)] = real[order]
        similarity[row, : len(real)] = 1.0 - distance[order]
    return Neighbors(index, similarity)


def _distance(rows: np.ndarray, k1: int, k2: int, weight: float) -> np.ndarray:
    """New distances (L,) of row 0 to the others, of unit rows (L + 1, D)."""
    rows = rows.astype(np.float64)
    far = np.maximum(1.0 - rows @ rows.T, 0.0)
    np.fill_diagonal(far, -1.0)  # everything is its own nearest, identical pictures too
    order = np.argsort(np.round(far, 9), axis=1, kind="stable")
    np.fill_diagonal(far, 0.0)
    wide = _reciprocal(order, k1)
    half = _reciprocal(order, max(k1 // 2, 1))
    shared = half.astype(np.float64) @ wide.T.astype(np.float64)  # [j, i]: |R(j) and R(i)|
    joins = (shared > 2.0 / 3.0 * half.sum(axis=1)[:, None]) & wide.T  # j of R(i) joins i
    star = wide | (joins.T.astype(np.float64) @ half > 0)
    value = np.where(star, np.exp(-2.0 * far), 0.0)
    value /= value.sum(axis=1, keepdims=True)
    if k2 > 1:
        value = value[order[:, :k2]].mean(axis=1)
    least = np.minimum(value[0], value[1:]).sum(axis=1)
    most = np.maximum(value[0], value[1:]).sum(axis=1)
    return (1.0 - weight) * (1.0 - least / most) + weight * far[0, 1:]


def _reciprocal(order: np.ndarray, k: int) -> np.ndarray:
    """(n, n) bool: who is among the k nearest others (and itself) of whom, both ways."""
    near = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(near, order[:, : k + 1], True, axis=1)
    return near & near.T


def expand_queries(
    queries: np.ndarray, gallery: np.ndarray, matches: Neighbors, *,
    alpha: float = 3.0, candidates: int = 5,
) -> np.ndarray:
    """Queries (N, D) float32 of length 1 with their best candidates added; match them again.

    candidates: how many of each query's count. Those of negative similarity add nothing, and a
    query without candidates stays. Raises InputError as `rerank` does.
    """
    if not (np.isfinite(alpha) and alpha >= 0):
        raise InputError(f"alpha: {alpha}, expected a number from 0.")
    if int(candidates) != candidates or candidates < 1:
        raise InputError(f"candidates: {candidates}, expected a whole number from 1.")
    unit, gallery = _checked(queries, gallery, matches)
    out = unit.astype(np.float64)
    for row, places in enumerate(matches.index[:, : int(candidates)]):
        real = places[places >= 0]
        if len(real):
            known = unit_block(gallery[real], "gallery", real).astype(np.float64)
            weight = np.clip(known @ unit[row], 0.0, 1.0) ** alpha * (known @ unit[row] > 0)
            out[row] += weight @ known
    return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)


def _checked(
    queries: np.ndarray, gallery: np.ndarray, matches: Neighbors
) -> tuple[np.ndarray, np.ndarray]:
    gallery = check_matrix(gallery, "gallery")
    unit = unit_matrix(queries, "queries", gallery.shape[1] if len(gallery) else None)
    if len(matches) != len(unit):
        raise InputError(f"matches of {len(matches)} queries, but {len(unit)} queries.")
    if matches.index.size and matches.index.max() >= len(gallery):
        raise InputError(f"matches name row {matches.index.max()} of a gallery of {len(gallery)}.")
    return unit, gallery


__all__ = ["expand_queries", "rerank"]
