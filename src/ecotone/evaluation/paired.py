"""Two predictors on the same held-out rows: which is better, and how sure that is.

m held-out rows, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError

GUARD = 0.01  # of the uniform distribution in every probability, so that no single row decides


@dataclass(frozen=True)
class PairedChange:
    """before, after: mean log-loss. change: after less before. error: its standard error over
    groups. better: whether the change is a gain of at least one standard error."""

    before: float
    after: float
    change: float
    error: float
    better: bool


def paired_change(
    before: np.ndarray, after: np.ndarray, target: np.ndarray,
    groups: Sequence[object] | None = None, weight: np.ndarray | None = None,
) -> PairedChange:
    """Compare two predictors on rows that neither has learned from.

    before, after: (m, K) probabilities. target: (m,) class numbers. groups: (m,) rows of one group
    (burst, location) are one draw; default each its own. weight: (m,), how much a row counts.
    Source: the one-standard-error rule, Breiman et al. 1984; errors of clustered rows, Liang and
    Zeger 1986. Raises InputError when shapes do not fit or there is no row.
    """
    target = np.asarray(target)
    m = len(target)
    if not m:
        raise InputError("paired_change: no held-out rows.")
    if np.shape(before) != np.shape(after) or len(before) != m:
        raise InputError(f"paired_change: shapes {np.shape(before)} and {np.shape(after)}, "
                         f"expected ({m}, K) both.")
    w = np.ones(m) if weight is None else np.asarray(weight, dtype=np.float64)
    w = w / w.sum()
    losses = [_losses(np.asarray(p, dtype=np.float64), target) for p in (before, after)]
    change = losses[1] - losses[0]
    mean = float(w @ change)
    _, unit = np.unique(np.arange(m) if groups is None else np.asarray(groups, dtype=str),
                        return_inverse=True)
    count = int(unit.max()) + 1
    spread = np.bincount(unit, w * (change - mean))
    error = float(np.sqrt((spread**2).sum() * count / max(count - 1, 1))) if count > 1 else np.inf
    return PairedChange(float(w @ losses[0]), float(w @ losses[1]), mean, error,
                        bool(mean < 0 and mean + error <= 0))


def _losses(proba: np.ndarray, target: np.ndarray) -> np.ndarray:
    proba = (1 - GUARD) * proba + GUARD / proba.shape[1]
    return -np.log(proba[np.arange(len(target)), target])


__all__ = ["PairedChange", "paired_change"]
