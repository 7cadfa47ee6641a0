"""Which rows are worth a picture. Arrays in, row numbers out.

N detections, K classes. proba: (N, K), rows sum to 1. usable: (N,) bool, rows that may be chosen.
units: (N,) any values, equal for rows of one picture or burst, of which one is enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np


def surest(proba: np.ndarray, usable: np.ndarray, units: np.ndarray, most: int) -> list[int]:
    """The surest row of each class, then the second surest and so on, at most `most`."""
    top, best = proba.argmax(axis=1), proba.max(axis=1)
    size = np.bincount(top[usable], minlength=proba.shape[1])
    ranked = {}
    for k in np.argsort(-size, kind="stable"):
        rows = np.flatnonzero(usable & (top == k))
        ranked[int(k)] = iter(rows[np.argsort(-best[rows], kind="stable")].tolist())
    seen: set = set()
    chosen: list[int] = []
    while ranked and len(chosen) < most:
        for k in list(ranked):
            row = next((r for r in ranked[k] if units[r] not in seen), None)
            if row is None:
                del ranked[k]
            elif len(chosen) < most:
                chosen.append(row)
                seen.add(units[row])
    return chosen


def least_certain(
    proba: np.ndarray, usable: np.ndarray, units: np.ndarray, most: int
) -> list[int]:
    """Rows whose two best classes are closest, not too many of one class."""
    if proba.shape[1] < 2:
        return []
    two = -np.partition(-proba, 1, axis=1)[:, :2]
    margin = two[:, 0] - two[:, 1]
    rows = np.flatnonzero(usable & (margin < 0.5))
    return _spread(rows[np.argsort(margin[rows], kind="stable")], proba, units, most)


def most_changed(
    proba: np.ndarray, change: np.ndarray, usable: np.ndarray, units: np.ndarray, most: int
) -> list[int]:
    """Rows with the largest change (N,) in 0..1, not too many of one class."""
    rows = np.flatnonzero(usable & (change > 0.2))
    return _spread(rows[np.argsort(-change[rows], kind="stable")], proba, units, most)


def change_of(proba: np.ndarray, before: np.ndarray, certainty: np.ndarray) -> np.ndarray:
    """How far the probabilities are from what was said before, (N,) in 0..1.

    before: (N, K), rows sum to at most 1; the rest was said of no local class. certainty: (N,) in
    0..1, the score of the label given before: little was changed where little had been said.
    The distance is the total variation over the K classes and "something else".
    """
    rest = np.clip(1.0 - before.sum(axis=1), 0.0, 1.0)
    return 0.5 * (np.abs(proba - before).sum(axis=1) + rest) * certainty


def disputed(proba: np.ndarray, truth: np.ndarray, most: int, least: float = 0.5) -> list[int]:
    """Labelled rows (M,) for which another class is at least `least` probable, worst first.

    proba: (M, K) out-of-fold. truth: (M,) columns.
    """
    rows = np.arange(len(truth))
    top = proba.argmax(axis=1)
    gap = proba[rows, top] - proba[rows, truth]
    wrong = np.flatnonzero((top != truth) & (proba[rows, top] >= least))
    return wrong[np.argsort(-gap[wrong], kind="stable")][:most].tolist()


def _spread(
    ranked: Iterable[int], proba: np.ndarray, units: np.ndarray, most: int
) -> list[int]:
    """The first rows of a ranking, one a unit, at most a quarter of `most` of one class."""
    limit, seen, per_class = max(1, most // 4), set(), Counter()
    chosen: list[int] = []
    spare: list[int] = []
    for row in ranked:
        if len(chosen) == most:
            break
        if units[row] in seen:
            continue
        seen.add(units[row])
        k = int(proba[row].argmax())
        if per_class[k] < limit:
            per_class[k] += 1
            chosen.append(int(row))
        elif len(spare) < most:
            spare.append(int(row))
    return chosen + spare[: most - len(chosen)]
