"""Which box of one file is which box of another: by overlap, since files round differently.

n found boxes, m known boxes, x y width height in 0..1.
"""

from __future__ import annotations

import numpy as np

from ecotone.detection.precision import overlaps

ENOUGH = 0.5  # intersection over union from which on two boxes are the same


def pair_boxes(found: np.ndarray, known: np.ndarray, enough: float = ENOUGH) -> list[int]:
    """For each found box (n,) the known one that is the same, -1 when there is none.

    The best pair goes first and no known box is taken twice.
    """
    out = [-1] * len(found)
    if not len(found) or not len(known):
        return out
    overlap = overlaps(found, known)
    for flat in np.argsort(-overlap, axis=None, kind="stable"):
        row, column = divmod(int(flat), len(known))
        if overlap[row, column] < enough:
            break
        if out[row] < 0 and column not in out:
            out[row] = column
    return out
