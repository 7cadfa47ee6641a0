"""How much there is to mend in each row: expected error, disagreement, and whose class it is.

N detections, K local classes.
"""

from __future__ import annotations

import numpy as np

DISAGREEMENT = 0.25  # share of disagreement beside expected error
BALANCE = 0.5  # 0: every row counts the same (overall accuracy); 1: every class (per class)
SMALLEST_SHARE = 1e-4


def expected_error(posteriors: np.ndarray) -> np.ndarray:
    """1 - the largest probability, (N,): how probably the best answer is wrong."""
    return 1.0 - posteriors.max(axis=1)


def margin(posteriors: np.ndarray) -> np.ndarray:
    """The largest probability minus the second, (N,); 1 where there is one class.

    Source: Scheffer et al. 2001 (margin sampling).
    """
    if posteriors.shape[1] == 1:
        return np.ones(len(posteriors))
    two = np.partition(posteriors, -2, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def disagreement(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence of two posteriors, (N,) in 0..1 (base 2).

    Source: Lin 1991; McCallum and Nigam 1998 (divergence of a committee to its mean).
    """
    middle = (one + other) / 2
    total = np.zeros(len(one))
    for p in (one, other):
        ratio = np.divide(p, middle, out=np.ones_like(middle), where=p > 0)
        total += 0.5 * (p * np.log2(ratio)).sum(axis=1)
    return np.clip(total, 0.0, 1.0)


def class_shares(posteriors: np.ndarray) -> np.ndarray:
    """Expected share of each class, (K,)."""
    return posteriors.mean(axis=0, dtype=np.float64)


def need(
    posteriors: np.ndarray,
    mapped: np.ndarray | None,
    student: np.ndarray | None,
    shares: np.ndarray,
) -> np.ndarray:
    """What a row has to mend, (N,) >= 0: expected error with some disagreement between student
    and map, more for rows of classes that are a small share."""
    error = expected_error(posteriors).astype(np.float64)
    if mapped is not None and student is not None:
        differ = disagreement(student, mapped)
        scale = error.mean() / max(float(differ.mean()), 1e-12)
        error = (1 - DISAGREEMENT) * error + DISAGREEMENT * scale * differ
    each = (len(shares) * np.maximum(shares, SMALLEST_SHARE)) ** -BALANCE
    return error * (posteriors @ each)
