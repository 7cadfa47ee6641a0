"""Measures of re-identification on arrays: ranks, verification, open set, clusters, calibration.

Q queries, G gallery pictures, n pairs. Ties never help: among equal similarities a wrong picture
counts as ranked before a right one, so that identical embeddings score as the worst case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ecotone.errors import InputError

RANKS = (1, 5, 10, 20)
FARS = (0.01, 0.001)


def hit_ranks(similarity: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """1-based ranks of the relevant pictures of one query, ascending, (R,) int.

    similarity: (G,) float, higher is nearer; -inf is not in the gallery. relevant: (G,) bool.
    """
    inside = similarity > -np.inf
    hits = -np.sort(-similarity[relevant & inside])
    wrong = np.sort(similarity[~relevant & inside])
    return np.arange(1, len(hits) + 1) + len(wrong) - np.searchsorted(wrong, hits, side="left")


def rank_figures(
    similarity: np.ndarray, relevant: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rank of the first right picture (0 = there is none) and average precision (NaN = none) of Q
    queries.

    similarity: (Q, G), -inf where a picture is not in a query's gallery. relevant: (Q, G) bool.
    Average precision is the mean, over all relevant pictures, of the precision at each of them.
    """
    first = np.zeros(len(similarity), dtype=np.int64)
    precision = np.full(len(similarity), np.nan)
    for query, (row, right) in enumerate(zip(similarity, relevant, strict=True)):
        ranks = hit_ranks(row, right)
        if len(ranks):
            first[query] = ranks[0]
            precision[query] = np.mean(np.arange(1, len(ranks) + 1) / ranks)
    return first, precision


def verification(
    similarity: np.ndarray, same: np.ndarray, far: Sequence[float] = FARS
) -> dict[float, float]:
    """True acceptance rate at each false acceptance rate, NaN where pairs of a kind are missing.

    similarity: (n,) float, same: (n,) bool. Accepted is what is at or above the lowest threshold
    that lets at most the share `far` of the pairs of two individuals pass.
    """
    x, y = np.asarray(similarity, dtype=np.float64), np.asarray(same).astype(bool)
    if x.shape != y.shape or x.ndim != 1:
        raise InputError(f"verification: shapes {x.shape} and {y.shape}, expected (n,) twice.")
    right, wrong = x[y], -np.sort(-x[~y])
    out = {}
    for rate in far:
        if not len(right) or not len(wrong):
            out[float(rate)] = float("nan")
            continue
        allowed = int(np.floor(rate * len(wrong) + 1e-9))
        # Above the first pair that may not pass; with all allowed, everything passes.
        bar = wrong[allowed] if allowed < len(wrong) else -np.inf
        out[float(rate)] = float(np.mean(right > bar))
    return out


def open_set(
    truth: Sequence[object], predicted: Sequence[object], known: Sequence[object],
    new: object = "new", mu: float = 0.5,
) -> dict[str, float]:
    """Known individuals recognised and new ones refused.

    truth, predicted: Q names; what stands for "new" in `predicted` is `new` (anything else than
    the truth, "cannot tell" as well, is wrong). known: the individuals of the gallery.
    Returns baks and baus (accuracy on queries of known and of new individuals, each individual
    counting alike), geometric_mean of both, aks and aus (each query counting alike), and
    normalised, mu * aks + (1 - mu) * aus. NaN where there are no such queries.
    Source: Adam et al. 2025, AnimalCLEF (geometric mean of BAKS and BAUS); Mendes Junior et al.
    2017 (normalised accuracy).
    """
    if len(truth) != len(predicted):
        raise InputError(f"open set: {len(truth)} truths, {len(predicted)} predictions.")
    gallery = {str(k) for k in known}
    right: dict[bool, dict[str, list[bool]]] = {True: {}, False: {}}
    for t, p in zip(truth, predicted, strict=True):
        t = str(t)
        here = t in gallery
        good = str(p) == (t if here else str(new))
        right[here].setdefault(t, []).append(good)
    baks, aks = _balanced(right[True])
    baus, aus = _balanced(right[False])
    return {
        "baks": baks, "baus": baus, "geometric_mean": float(np.sqrt(baks * baus)),
        "aks": aks, "aus": aus, "normalised": float(mu * aks + (1 - mu) * aus),
        "known": sum(map(len, right[True].values())),
        "new": sum(map(len, right[False].values())),
    }


def _balanced(right: Mapping[str, list[bool]]) -> tuple[float, float]:
    if not right:
        return float("nan"), float("nan")
    each = [float(np.mean(r)) for r in right.values()]
    return float(np.mean(each)), float(np.mean([g for r in right.values() for g in r]))


def clusters(truth: Sequence[object], cluster: Sequence[object]) -> dict[str, float]:
    """B-cubed precision, recall and F1, adjusted Rand index, and how many there are of each.

    truth, cluster: N names. Source: Bagga and Baldwin 1998; Hubert and Arabie 1985.
    """
    from sklearn.metrics import adjusted_rand_score

    if len(truth) != len(cluster) or not len(truth):
        raise InputError(f"clusters: {len(truth)} truths, {len(cluster)} clusters; expected one "
                         "each for at least one picture.")
    _, t = np.unique([str(v) for v in truth], return_inverse=True)
    _, c = np.unique([str(v) for v in cluster], return_inverse=True)
    _, both = np.unique(t * (c.max() + 1) + c, return_inverse=True)
    together = np.bincount(both)[both]
    precision = float(np.mean(together / np.bincount(c)[c]))
    recall = float(np.mean(together / np.bincount(t)[t]))
    return {
        "bcubed_precision": precision, "bcubed_recall": recall,
        "bcubed_f1": 2 * precision * recall / (precision + recall),
        "ari": float(adjusted_rand_score(t, c)),
        "individuals": int(t.max()) + 1, "clusters": int(c.max()) + 1,
    }


def probability_ece(probability: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of probabilities (n,) that something is so, right: (n,) bool."""
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if p.shape != y.shape or p.ndim != 1 or not len(p):
        raise InputError(f"probabilities have shape {p.shape}, decisions {y.shape}; expected (n,).")
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    gap = np.bincount(place, p - y, bins)
    return float(np.abs(gap).sum() / len(p))
