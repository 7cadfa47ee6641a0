"""Local features: how much of one coat is found again on another, spot by spot.

n and m key points of two pictures, P pairs. Key points of the middle of both pictures are compared
by RootSIFT; a match must be mutual and clearly nearer than the second nearest, and the matches must
agree on one affine map that turns and stretches no more than a standing animal may. The score is

    sum over agreeing matches of 1 - d1 / d2

with the distances to the nearest and second nearest: a count of matches in which sure ones count
more, and which seldom ties. It is no similarity in 0..1; calibrate it before it meets another.
Extract each picture once, keep the result, and score a shortlist of pairs.
Needs OpenCV: pip install "ecotone[local]".
Sources: Lowe 2004 (SIFT, ratio); Arandjelovic and Zisserman 2012 (RootSIFT); Fischler and Bolles
1981 (RANSAC); Crall et al. 2013, HotSpotter (SIFT for coats). The weights are our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecotone.errors import InputError, MissingExtraError
from ecotone.fusion.threads import one_blas_thread, side_by_side

CHUNK = 64  # pairs of one piece of work
LEAST = 3  # matches that an affine map needs; three always agree, so more must


@dataclass(frozen=True, eq=False)
class LocalSettings:
    """key_points: at most as many a picture. contrast: the least of a key point (SIFT's own default
    is .04). margin: the part of the picture's sides left out, where there is more bush than animal.
    side: longer pictures are shrunk to it, pixels. ratio: of d1 to d2, at most. tolerance: of the
    affine map, part of the longer side. stretch, turn: what the map may do, factor and degrees.
    """

    key_points: int = 1500
    contrast: float = 0.01
    margin: float = 0.1
    side: int = 512
    ratio: float = 0.85
    tolerance: float = 0.04
    stretch: float = 2.5
    turn: float = 45.0


@dataclass(frozen=True, eq=False)
class LocalFeatures:
    """points: (n, 2) float32, x and y in parts of the longer side; descriptors: (n, 128) float32,
    RootSIFT of length 1."""

    points: np.ndarray
    descriptors: np.ndarray

    def __len__(self) -> int:
        return len(self.points)


def extract_local_features(
    picture: np.ndarray, settings: LocalSettings | None = None
) -> LocalFeatures:
    """Key points of a grey picture (H, W) uint8; a picture without any has n = 0.

    Raises InputError for another shape or type, MissingExtraError without OpenCV.
    """
    cv2, settings = opencv(), settings or LocalSettings()
    grey = np.asarray(picture)
    if grey.ndim != 2 or grey.dtype != np.uint8 or not grey.size:
        raise InputError(
            f"picture: expected grey (H, W) of uint8, found shape {grey.shape} of {grey.dtype}."
        )
    longest = max(grey.shape)
    if longest > settings.side:
        part = settings.side / longest
        size = tuple(max(1, round(s * part)) for s in grey.shape[::-1])
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    mask = np.zeros_like(grey)
    height, width = (int(settings.margin * s) for s in grey.shape)
    mask[height : grey.shape[0] - height, width : grey.shape[1] - width] = 255
    sift = cv2.SIFT_create(nfeatures=settings.key_points, contrastThreshold=settings.contrast)
    found, values = sift.detectAndCompute(np.ascontiguousarray(grey), mask)
    if values is None or not len(found):
        return LocalFeatures(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    points = np.array([point.pt for point in found], dtype=np.float32) / max(grey.shape)
    share = values / np.maximum(values.sum(axis=1, keepdims=True), 1e-9)
    root = np.sqrt(share).astype(np.float32)
    root /= np.maximum(np.linalg.norm(root, axis=1, keepdims=True), 1e-9)
    return LocalFeatures(points, root)


def local_score(
    first: LocalFeatures, second: LocalFeatures, settings: LocalSettings | None = None
) -> float:
    """The score of one pair, from 0; the same for (a, b) and (b, a)."""
    return float(local_matches(first, second, settings)[1].sum())


def local_matches(
    first: LocalFeatures, second: LocalFeatures, settings: LocalSettings | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Matches (q, 2) int, key points of the first and the second, that agree; weights (q,)."""
    settings = settings or LocalSettings()
    if _key(second) < _key(first):
        found, weight = local_matches(second, first, settings)
        return found[:, ::-1], weight
    mine, theirs, weight = _ratio_matches(first.descriptors, second.descriptors, settings.ratio)
    if len(mine) <= LEAST:
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0)
    inside = _agree(first.points[mine], second.points[theirs], settings)
    return np.column_stack([mine, theirs])[inside], weight[inside]


def _key(features: LocalFeatures) -> tuple[float, ...]:
    """What puts two pictures in an order of their own."""
    return (len(features), float(features.points.sum()), float(features.descriptors.sum()))


def _ratio_matches(
    first: np.ndarray, second: np.ndarray, ratio: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mutual nearest neighbours that pass the ratio test: rows of both, and 1 - d1 / d2."""
    none = np.zeros(0, dtype=np.int64)
    if len(first) < 2 or len(second) < 2:
        return none, none, np.zeros(0)
    similarity = first @ second.T
    rows = np.arange(len(first))
    nearest = similarity.argmax(axis=1)
    best = similarity[rows, nearest]
    similarity[rows, nearest] = -1.0
    after = similarity.max(axis=1)
    similarity[rows, nearest] = best
    near = np.sqrt(np.maximum(2.0 - 2.0 * best.astype(np.float64), 0.0))
    far = np.sqrt(np.maximum(2.0 - 2.0 * after.astype(np.float64), 1e-12))
    mine = np.flatnonzero(near < ratio * far)
    mutual = similarity[:, nearest[mine]].argmax(axis=0) == mine
    mine = mine[mutual]
    return mine, nearest[mine], 1.0 - near[mine] / far[mine]


def _agree(first: np.ndarray, second: np.ndarray, settings: LocalSettings) -> np.ndarray:
    """(q,) bool: the matches that one allowed affine map explains."""
    found, inside = opencv().estimateAffine2D(
        first * 1000.0, second * 1000.0, ransacReprojThreshold=1000.0 * settings.tolerance,
        maxIters=300, confidence=0.99,
    )
    inside = np.zeros(len(first), bool) if inside is None else np.asarray(inside).ravel() > 0
    if found is None or not np.isfinite(found).all() or inside.sum() <= LEAST:
        return np.zeros(len(first), dtype=bool)
    turn = found[:, :2]
    stretch = np.linalg.svd(turn, compute_uv=False)
    angle = abs(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))
    allowed = (
        np.linalg.det(turn) > 0 and angle <= settings.turn
        and stretch[0] <= settings.stretch and stretch[1] >= 1.0 / settings.stretch
    )
    return inside & bool(allowed)


def local_scores(
    queries: Sequence[LocalFeatures], gallery: Sequence[LocalFeatures], pairs: np.ndarray,
    settings: LocalSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Scores (P,) float64 of pairs (P, 2): a row of the queries and a row of the gallery each.

    progress: called with pairs done and P. Raises InputError for rows that are not there.
    """
    opencv()
    pairs, _ = check_pair_scores(pairs, None, len(queries), len(gallery))
    out = np.zeros(len(pairs))

    def work(start: int) -> None:
        for place in range(start, min(start + CHUNK, len(pairs))):
            query, known = pairs[place]
            out[place] = local_score(queries[query], gallery[known], settings)

    starts = list(range(0, len(pairs), CHUNK))
    for first in range(0, len(starts), 16):
        one_blas_thread(side_by_side)(work, starts[first : first + 16])
        if progress is not None:
            progress(min((first + 16) * CHUNK, len(pairs)), len(pairs))
    return out


def check_pair_scores(
    pairs: np.ndarray, scores: np.ndarray | None, n: int, m: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (P, 2) int64 and scores (P,) float64 of any matcher, such as LightGlue, checked.

    n queries, m gallery pictures. Higher is more alike. Raises InputError for rows that are not
    there, a pair given twice, another number of scores, and scores that are not finite.
    """
    found = np.asarray(pairs)
    if found.size == 0:
        found = np.zeros((0, 2), dtype=np.int64)
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu":
        raise InputError(f"pairs: expected whole numbers (P, 2), found shape {found.shape} of "
                         f"{found.dtype}.")
    found = found.astype(np.int64)
    bad = ((found < 0) | (found >= (n, m))).any(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"pairs: row {row} is {tuple(found[row].tolist())}, but there are {n} "
                         f"queries and {m} gallery pictures, counted from 0.")
    if scores is None:
        return found, np.zeros(len(found))
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (len(found),):
        raise InputError(f"scores: shape {values.shape}, expected ({len(found)},), one a pair.")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(f"scores: pair {row} has {values[row]}; leave out pairs without a score.")
    _, count = np.unique(found, axis=0, return_counts=True)
    if len(count) and count.max() > 1:
        raise InputError(f"pairs: {int((count > 1).sum())} pairs are given twice; give each once.")
    return found, values


def opencv() -> Any:
    """The module cv2. Raises MissingExtraError without it."""
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("matching of local features", "local") from error
    return cv2


__all__ = [
    "LocalFeatures", "LocalSettings", "check_pair_scores", "extract_local_features",
    "local_matches", "local_score", "local_scores",
]
