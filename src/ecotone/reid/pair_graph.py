"""P(same individual) of many pairs: the embedding of all, expensive scores of the nearest alone.

N pictures, n pairs of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecotone.reid.fused_similarity import PairScore, ask

EMBEDDING = "embedding"


def shortlisted(
    n: int, left: np.ndarray, right: np.ndarray, similarity: np.ndarray, k: int
) -> np.ndarray:
    """(n,) bool: pairs among the k most similar of either picture; rows 0..n-1."""
    ends = np.concatenate([left, right])
    pair = np.tile(np.arange(len(left)), 2)
    order = np.lexsort((pair, -np.tile(similarity, 2), ends))
    ends, pair = ends[order], pair[order]
    start = np.searchsorted(ends, np.arange(n))
    out = np.zeros(len(left), dtype=bool)
    out[pair[np.arange(len(ends)) - start[ends] < k]] = True
    return out


def pair_probability(
    calibration: Any, n: int, left: np.ndarray, right: np.ndarray, similarity: np.ndarray,
    species: np.ndarray, scores: Mapping[str, PairScore], rows: np.ndarray, k: int,
) -> np.ndarray:
    """(n,) P(same individual) by a `Calibration`; scores are asked for the k nearest of each
    picture, and of other pairs the embedding decides. species: (n,); rows: (N,) what the scores
    call the pictures."""
    values = {EMBEDDING: similarity}
    near = shortlisted(n, left, right, similarity, k) if scores else np.zeros(len(left), bool)
    for name, score in scores.items():
        if name in calibration.pooled.calibrators_:
            values[name] = np.full(len(left), np.nan)
            values[name][near] = ask(score, rows[left[near]], rows[right[near]], name)
    return calibration.by_species("probability", values, species)


__all__ = ["EMBEDDING", "pair_probability", "shortlisted"]
