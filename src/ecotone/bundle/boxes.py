"""The boxes of a detector's file on the pictures of a prediction, chosen as a project does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ecotone.bundle.pictures import WHOLE, Picture
from ecotone.errors import InputError
from ecotone.ingest.matching import MediaIndex
from ecotone.ingest.results import FoundBox
from ecotone.ingest.results_file import read_results
from ecotone.ingest.text import some
from ecotone.media.location import is_url
from ecotone.media.video import is_video

THRESHOLD = 0.2  # where neither the user nor the file says one


def with_boxes(
    pictures: Sequence[Picture], file: Path, threshold: float | None = None
) -> tuple[list[Picture], list[str]]:
    """The pictures with the boxes of a MegaDetector (or SpeciesNet) file, and what to tell of it.

    Boxes from `threshold` on are taken (default: what the file recommends). A picture with none of
    them is blank; one that no detector looked at stays one whole animal.
    Raises FormatError on another kind of file, InputError when no picture of it is here.
    """
    results = read_results(file)
    if not results.has_boxes:
        raise InputError(f"{file}: no detector's boxes in this file ({results.kind}).")
    if threshold is None:
        threshold = THRESHOLD if results.threshold is None else results.threshold
    index = MediaIndex([_absolute(p.path) for p in pictures], [p.file_path for p in pictures])
    matches = index.find([image.file for image in results.images], file.parent)
    if max(matches.rows, default=-1) < 0:
        raise InputError(
            f"{file}: none of its {len(results.images):,} pictures is among the "
            f"{len(pictures):,} given; its first is {results.images[0].file}."
            if results.images else f"{file}: no pictures in this file."
        )
    found = list(pictures)
    for image, row in zip(results.images, matches.rows, strict=True):
        if row >= 0 and image.boxes is not None:
            found[row] = _boxed(pictures[row], image.boxes, threshold)
    told = list(results.problems)
    for texts, what in ((matches.missing, "are not among those given"),
                        (matches.ambiguous, "fit several of those given")):  # fmt: skip
        if texts:
            told.append(f"{file.name}: {len(texts):,} of its pictures {what}: {some(texts)}")
    unseen = sum(p is q for p, q in zip(pictures, found, strict=True))
    if unseen:
        told.append(f"{file.name}: nothing on {unseen:,} pictures, they are taken as a whole.")
    return found, told


def _absolute(path: str | Path) -> str:
    return str(path) if is_url(path) else str(Path(path).resolve())


def _boxed(picture: Picture, boxes: Sequence[FoundBox], threshold: float) -> Picture:
    """Boxes from the threshold on, best first, numbered from 1; one of the whole picture is 0."""
    ranked = sorted(boxes, key=lambda box: -box.confidence)
    kept = [box for box in ranked if box.confidence >= threshold]
    if not kept:
        empty = 1 - max((box.confidence for box in boxes), default=0.0)
        frames = np.array([0]) if is_video(picture.path) else None
        return replace(picture, category=("blank",), confidence=np.float32([empty]),
                       frame_numbers=frames)
    video = is_video(picture.path)
    whole = [] if video else [b for b in kept if np.array_equal(b.bbox, WHOLE[0])][:1]
    kept = [box for box in kept if video or not np.array_equal(box.bbox, WHOLE[0])]
    numbers = (*range(1, len(kept) + 1), *(0 for _ in whole))
    kept += whole
    return replace(
        picture,
        boxes=np.array([box.bbox for box in kept], dtype=np.float32),
        numbers=numbers,
        category=tuple(box.category for box in kept),
        confidence=np.array([box.confidence for box in kept], dtype=np.float32),
        frame_numbers=np.array([box.frame_number or 0 for box in kept]) if video else None,
    )
