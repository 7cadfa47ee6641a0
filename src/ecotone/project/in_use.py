"""The detections in use as results are laid on them, and what a file says of its videos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecotone.ingest.boxes import pair_boxes
from ecotone.ingest.results import ImageResult
from ecotone.media.video import is_video
from ecotone.project.score_rows import ScoreRows


@dataclass(frozen=True)
class InUse:
    """The detections in use of one medium."""

    ids: tuple[str, ...]
    categories: tuple[str, ...]
    boxes: tuple[tuple[float, ...], ...]
    frames: tuple[int, ...] = ()

    def targets(self) -> list[str]:
        """Those that scores of the whole picture go to: its animals, else all."""
        animals = [i for i, c in zip(self.ids, self.categories, strict=True) if c == "animal"]
        return animals or list(self.ids)


def in_use(catalog: Any) -> dict[str, InUse]:
    """The detections in use of every medium."""
    detections = catalog.detections()
    rows: dict[str, list[tuple]] = defaultdict(list)
    for row in zip(
        detections.media_id.tolist(), detections.id.tolist(), detections.category.tolist(),
        map(tuple, detections.bbox.tolist()), detections.frame_number.tolist(), strict=True,
    ):
        rows[row[0]].append(row[1:])
    return {m: InUse(*(tuple(c) for c in zip(*here, strict=True))) for m, here in rows.items()}


def add_boxes(gathered: ScoreRows, here: InUse, found: Sequence[Any]) -> list[str]:
    """Scores of boxes to the detections that are the same; the targets that got none."""
    framed = max(here.frames, default=-1) >= 0  # a video: boxes of one frame are compared
    known, groups = defaultdict(list), defaultdict(list)
    for place, frame in enumerate(here.frames):
        known[frame if framed else -1].append(place)
    for box in found:
        frame = -1 if box.frame_number is None or not framed else box.frame_number
        groups[frame].append(box)
    scored = set()
    for frame, boxes in groups.items():
        places = known[frame]
        pairs = pair_boxes(
            np.array([b.bbox for b in boxes]).reshape(-1, 4),
            np.array([here.boxes[place] for place in places]).reshape(-1, 4),
        )
        for box, pair in zip(boxes, pairs, strict=True):
            if pair >= 0:
                gathered.add([here.ids[places[pair]]], box.scores)
                scored.add(here.ids[places[pair]])
    return [i for i in here.targets() if i not in scored]


def videos_of(
    images: Mapping[str, ImageResult], placed: Sequence[str]
) -> dict[str, tuple[float | None, tuple[int, ...]]]:
    """Frame rate and the frames looked at of the videos among the pictures of a file.

    Before format 1.5 a file does not name the frames without a detection.
    """
    out = {}
    for medium in placed:
        image = images[medium]
        rate = image.frame_rate if image.frame_rate and image.frame_rate > 0 else None
        if rate or is_video(image.file):
            found = {b.frame_number for b in image.boxes or () if b.frame_number is not None}
            out[medium] = rate, tuple(sorted(found.union(image.frames_processed or ())))
    return out


__all__ = ["InUse", "add_boxes", "in_use", "videos_of"]
