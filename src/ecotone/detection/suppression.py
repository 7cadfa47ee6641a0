"""Non-maximum suppression: of boxes that overlap, the surest one stays.

A candidates, M boxes that are kept.
"""

from __future__ import annotations

import numpy as np

from ecotone.errors import InputError


def suppress(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray | None = None,
    overlap: float = 0.45, most: int | None = None,
) -> np.ndarray:
    """Rows (M,) of the boxes that stay, surest first; of equal ones the first row.

    boxes: (A, 4) left, top, right, bottom in any unit. scores: (A,). classes: (A,) so that only
    boxes of one class suppress each other, None for all. overlap: intersection over union above
    which the less sure box goes. most: stop after so many. A box without area suppresses nothing.

    Raises InputError when the lengths differ or a number is none.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    scores = np.asarray(scores, dtype=np.float64).ravel()
    if len(boxes) != len(scores) or (classes is not None and len(classes) != len(boxes)):
        raise InputError(f"{len(boxes)} boxes, {len(scores)} scores: give arrays of one length.")
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise InputError("boxes and scores hold NaN or infinity; leave such rows out.")
    kinds = None if classes is None else np.asarray(classes)
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=1)
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(waiting) and (most is None or len(kept) < most):
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[waiting, :2])
        high = np.minimum(boxes[best, 2:], boxes[waiting, 2:])
        common = np.prod(np.maximum(high - low, 0.0), axis=1)
        rival = common > overlap * (area[best] + area[waiting] - common)
        if kinds is not None:
            rival &= kinds[waiting] == kinds[best]
        waiting = waiting[~rival]
    return np.asarray(kept, dtype=np.intp)


__all__ = ["suppress"]
