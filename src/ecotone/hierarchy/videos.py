"""Frames of a video decided together, and one answer for the whole of it.

N detections on frames, K classes. Frames that show the same class share what they say, as pictures
of a burst do (`pool_bursts`); two animals in one video stay apart. A trace of its own view is left
to each frame (`SHARE`), by which the best frame of an animal is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecotone.hierarchy.bursts import FLOOR, pool_bursts

SHARE = 0.999  # how much another frame counts against a frame's own view


def pool_frames(
    posteriors: np.ndarray, videos: Sequence[object], prior: np.ndarray | None = None
) -> np.ndarray:
    """Posteriors (N, K) after sharing within videos.

    videos: N names, "" or None for a picture, which keeps its row. prior: (K,) class prior that
    the posteriors contain; default uniform. Rows of NaN stay, and say nothing to others.
    """
    values = np.array(posteriors, dtype=np.float64)
    known = np.isfinite(values).all(axis=1)
    rows = np.flatnonzero(known & np.array([bool(v) for v in videos], dtype=bool))
    if len(rows) and values.shape[1]:
        k = values.shape[1]
        given = np.full(k, 1.0 / k) if prior is None else np.maximum(prior, FLOOR)
        names = [videos[row] for row in rows]
        values[rows] = pool_bursts(values[rows], names, given / given.sum(), share=SHARE)
    return values


def best_frame(posteriors: np.ndarray, blank: np.ndarray | None = None) -> int:
    """The row (of n pooled frames of one video) that answers for the whole of it; -1 when no row
    is known.

    A video is empty only when all its frames are: of the frames that show something, the class with
    most probability in all counts, and of its frames the surest, of equal ones the earliest.
    blank: (K,) bool, the classes that mean nothing is there.
    """
    values = np.asarray(posteriors, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values).all(axis=1)) if values.size else np.zeros(0, int)
    if not len(known):
        return -1
    top = values[known].argmax(axis=1)
    shown = np.ones(len(known), dtype=bool) if blank is None else ~np.asarray(blank)[top]
    if shown.any():
        known, top = known[shown], top[shown]
    sure = values[known, top]
    mass = np.bincount(top, weights=sure, minlength=values.shape[1])
    inside = top == int(mass.argmax())
    return int(known[inside][int(sure[inside].argmax())])


__all__ = ["best_frame", "pool_frames"]
