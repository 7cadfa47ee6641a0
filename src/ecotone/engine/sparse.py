"""Scores without their smallest entries. n rows, S global classes."""

from __future__ import annotations

import numpy as np
from scipy import sparse

SMALL = 1e-4  # scores below are dropped ...
DROPPED = 1e-3  # ... as long as a row loses no more than this


def keep_large(scores: np.ndarray) -> sparse.csr_matrix:
    """Scores (N, S) as a sparse matrix without their smallest entries.

    An entry goes when it is under 1e-4 and all that goes from its row sums to at most 1e-3.
    """
    scores = np.asarray(scores, dtype=np.float32)
    small = np.where(scores < SMALL, scores, 0.0)
    keep = scores > 0
    light = small.sum(axis=1) <= DROPPED
    keep[light] &= scores[light] >= SMALL
    for row in np.flatnonzero(~light):
        order = np.argsort(small[row], kind="stable")
        going = order[np.cumsum(small[row][order]) <= DROPPED]
        keep[row, going] &= scores[row, going] >= SMALL
    return sparse.csr_matrix(np.where(keep, scores, 0.0))
