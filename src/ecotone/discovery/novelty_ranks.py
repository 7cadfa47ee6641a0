"""Scores as ranks among known rows, and the average of several: one scale for all of them.

n known rows whose scores were made without them, M new rows. The rank of a new row is taken against
the known rows alone, so that it is the same alone and in any batch.

    tail(s) = the share of known rows beyond s: (n - i + 1) / (n + 1) at the i-th smallest known
    score, linear between, falling off exponentially above the largest

A known row's tail is evenly distributed, which makes it a conformal p-value with the ties broken by
place; above the largest known score, where a plain rank knows no order, it goes on falling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LEAST = 1e-12
TOP_SHARE = 0.1  # of the known scores: their excess gives the slope above the largest


@dataclass(frozen=True, eq=False)
class Ranks:
    """The scale of one score. at: distinct known scores, rising. tail_at: (same length) the share
    beyond each. scale: of the exponential above the last."""

    at: np.ndarray
    tail_at: np.ndarray
    scale: float

    @classmethod
    def fit(cls, known: np.ndarray) -> Ranks:
        """From the scores (n,) of known rows, n > 0, each made without its row."""
        ordered = np.sort(np.asarray(known, dtype=np.float64))
        n = len(ordered)
        at, first = np.unique(ordered, return_index=True)
        top = min(max(2, int(np.ceil(TOP_SHARE * n))), n - 1)
        excess = float((ordered[n - top :] - ordered[n - top - 1]).mean()) if top else 0.0
        least = 1e-6 * max(float(np.abs(ordered[-1])), 1e-6)
        return cls(at, (n - first) / (n + 1.0), max(excess, least))

    def tail(self, scores: np.ndarray) -> np.ndarray:
        """The share of known rows beyond each score, (M,) in `LEAST`..1."""
        scores = np.asarray(scores, dtype=np.float64)
        inside = np.interp(scores, self.at, self.tail_at)
        beyond = np.maximum(scores - self.at[-1], 0.0) / self.scale
        inside = np.where(scores < self.at[0], 1.0, inside)
        return np.maximum(inside * np.exp(-np.minimum(beyond, 50.0)), LEAST)

    def score_at(self, tail: np.ndarray | float) -> np.ndarray:
        """The score that a share `tail` of known rows lies beyond, of the same shape."""
        tail = np.maximum(np.asarray(tail, dtype=np.float64), LEAST)
        last = float(self.tail_at[-1])
        inside = np.interp(-tail, -self.tail_at, self.at)
        above = self.at[-1] + self.scale * np.log(last / np.minimum(tail, last))
        return np.where(tail < last, above, inside)


def rank_average(
    parts: Mapping[str, np.ndarray], ranks: Mapping[str, Ranks], weights: Mapping[str, float]
) -> np.ndarray:
    """The weighted mean (M,) over scores of 1 - tail, each against its own known rows."""
    total = sum(weights[name] for name in parts)
    mean = sum(weights[name] * (1.0 - ranks[name].tail(value)) for name, value in parts.items())
    return np.asarray(mean) / total
