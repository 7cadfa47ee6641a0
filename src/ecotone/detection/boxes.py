"""From candidates to the boxes of a picture: threshold, suppression, clipping, categories.

A candidates, M boxes that are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.detection.heads import Candidates
from ecotone.detection.letterbox import Letterbox
from ecotone.detection.suppression import suppress
from ecotone.errors import BackendError

POOL = 30_000  # surest candidates that are looked at
THINNEST = 1e-4  # of the picture's side: a box narrower than this is written that wide


@dataclass(frozen=True, eq=False)
class Boxes:
    """What a detector sees on one picture, surest first.

    bbox: (M, 4) x y width height in 0..1 of the picture. category: (M,) str, "animal", "human" or
    "vehicle". confidence: (M,) in 0..1. dropped: how many more there were than are kept,
    counted up to three times as many.
    """

    bbox: np.ndarray
    category: np.ndarray
    confidence: np.ndarray
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.confidence)


def choose_boxes(
    found: Candidates, place: Letterbox, categories: Sequence[str], *, lowest: float = 0.05,
    overlap: float = 0.45, nms: str = "class", most: int = 300,
) -> Boxes:
    """The boxes of a picture among a model's candidates.

    place: where the picture lies in the input. categories: of each class of the model, "" for one
    that is no animal, human or vehicle. lowest: confidence below which a box is none. overlap: of
    the suppression, see `suppress`; nms: "class", "agnostic" (across classes) or "none". most:
    boxes at most. Boxes are cut at the border of the picture; what lies outside is none.

    Raises BackendError when scores, or the boxes of what is sure enough, are NaN or infinite, or a
    class has no category.
    """
    scores, boxes, classes = found.scores, found.boxes, found.classes
    if np.isnan(scores).any():
        raise BackendError(f"{int(np.isnan(scores).sum()):,} of {len(scores):,} scores are NaN.")
    rows = np.flatnonzero(scores >= lowest)
    if len(rows) > POOL:
        rows = rows[np.argsort(-scores[rows], kind="stable")[:POOL]]
    names = np.asarray(list(categories), dtype=object)
    outside = rows[(classes[rows] < 0) | (classes[rows] >= len(names))]
    if len(outside):
        raise BackendError(
            f"class {int(classes[outside[0]])} was found, but {len(names)} classes are named; "
            "declare all of them (with their numbers, as {\"1\": \"animal\"})."
        )
    rows = rows[names[classes[rows]] != ""]
    if not np.isfinite(boxes[rows]).all():
        raise BackendError("a box of a found object is NaN or infinite.")
    corners = np.clip(place.to_picture(boxes[rows]), 0.0, 1.0)
    inside = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    rows, corners = rows[inside], corners[inside]
    keep = np.argsort(-scores[rows], kind="stable")
    if nms != "none":
        # In pixels of the picture: suppression must not depend on how it was squashed.
        pixels = corners * [place.width, place.height, place.width, place.height]
        keep = suppress(pixels, scores[rows], classes[rows] if nms == "class" else None, overlap,
                        4 * most)
    dropped, keep = max(0, len(keep) - most), keep[:most]
    low = np.minimum(corners[keep, :2], 1.0 - THINNEST)
    size = np.maximum(corners[keep, 2:] - low, THINNEST)
    return Boxes(
        np.hstack([low, size]), names[classes[rows[keep]]],
        np.clip(scores[rows[keep]], 0.0, 1.0), dropped,
    )


__all__ = ["Boxes", "choose_boxes"]
