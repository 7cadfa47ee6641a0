"""How good a detector is: precision, recall and average precision against true boxes.

M found boxes, T true boxes; x y width height in 0..1 of their picture. Source: Everingham et al.
2010 (matching, area under the whole curve as in VOC 2010 to 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError


@dataclass(frozen=True)
class DetectionScore:
    """precision and recall at a threshold, average precision over all of them (NaN where there is
    nothing true to find), and the numbers behind: true boxes, found ones, right ones."""

    precision: float
    recall: float
    average_precision: float
    true: int
    found: int
    right: int


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (M, T) of every pair."""
    a, b = (np.asarray(v, dtype=np.float64).reshape(-1, 4) for v in (a, b))
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    union = np.prod(a[:, 2:], axis=1)[:, None] + np.prod(b[:, 2:], axis=1)[None, :] - common
    return common / np.maximum(union, 1e-12)


def matches(found: np.ndarray, scores: np.ndarray, true: np.ndarray, enough: float = 0.5
            ) -> np.ndarray:
    """Which found boxes (M,) bool of one picture are right: surest first, each takes the true box
    that it overlaps most, if that is enough and nothing surer has taken it."""
    right = np.zeros(len(found), dtype=bool)
    if not len(found) or not len(true):
        return right
    overlap, taken = overlaps(found, true), np.zeros(len(true), dtype=bool)
    for row in np.argsort(-np.asarray(scores), kind="stable"):
        free = np.where(taken, -1.0, overlap[row])
        best = int(free.argmax())
        if free[best] >= enough:
            right[row] = taken[best] = True
    return right


def average_precision(scores: np.ndarray, right: np.ndarray, true: int) -> float:
    """Area under the curve of precision over recall, precision made to never rise with recall.

    scores, right: (M,) of all found boxes of all pictures. true: number of true boxes; NaN when it
    is 0. Boxes of equal scores count together, so that their order does not matter.
    """
    scores, right = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=bool)
    if len(scores) != len(right):
        raise InputError(f"{len(scores)} scores, {len(right)} boxes: give arrays of one length.")
    if true < 1:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    last = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True]) if len(order) else order
    precision, recall = hits[last] / (last + 1), hits[last] / true
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(np.r_[0.0, recall]) * envelope))


def score_detections(
    found: Sequence[np.ndarray], scores: Sequence[np.ndarray], true: Sequence[np.ndarray],
    threshold: float = 0.2, enough: float = 0.5,
) -> DetectionScore:
    """The scores of a detector on many pictures, one class or all classes as one.

    found, scores, true: of each picture boxes (M, 4), confidences (M,) and true boxes (T, 4).
    threshold: from which confidence on boxes count for precision and recall.
    """
    if not len(found) == len(scores) == len(true):
        raise InputError("found, scores and true are of different numbers of pictures.")
    right = [matches(f, s, t, enough) for f, s, t in zip(found, scores, true, strict=True)]
    sure = np.concatenate([np.asarray(s, dtype=np.float64).ravel() for s in scores] or [[]])
    flags = np.concatenate([*right, np.zeros(0, dtype=bool)])
    total = sum(len(t) for t in true)
    counted = sure >= threshold
    hits, kept = int(flags[counted].sum()), int(counted.sum())
    return DetectionScore(
        hits / kept if kept else float("nan"), hits / total if total else float("nan"),
        average_precision(sure, flags, total), total, kept, hits,
    )


__all__ = ["DetectionScore", "average_precision", "matches", "overlaps", "score_detections"]
