"""MegaDetector results json, format 1.6.

Source: megadetector-output-format.md of agentmorris/MegaDetector.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ecotone.errors import InputError
from ecotone.export.categories import Categories
from ecotone.export.json_file import json_file
from ecotone.export.written import Written
from ecotone.ingest.results import FoundBox, ImageResult, Problems, Scores

FORMAT = "1.6"
IDS = {"animal": "1", "human": "2", "vehicle": "3"}
NAMES = {"1": "animal", "2": "person", "3": "vehicle"}
WHOLE = (0.0, 0.0, 1.0, 1.0)
VIDEOS = (".mp4", ".avi", ".mpeg", ".mpg", ".mov", ".mkv", ".flv", ".asf", ".wmv", ".m4v", ".mts")
CONF, BBOX = 3, 4  # decimals
LEAST = 10.0**-BBOX  # the narrowest box
UNSEEN = "no detections are stored for it"  # what the reader calls the same


def write_megadetector(
    images: Iterable[ImageResult],
    path: str | Path,
    *,
    detector: str,
    classifier: str = "",
    descriptions: Mapping[str, str] | None = None,
    threshold: float | None = None,
    conservative: float | None = None,
    classification_threshold: float | None = None,
    top: int = 5,
    detector_version: str = "",
    detected: str = "",
    classified: str = "",
) -> Written:
    """Write pictures, boxes and classes as MegaDetector json; memory holds one picture.

    images: pictures in any order; boxes of category "blank" are left out. descriptions: class ->
    "uuid;class;order;family;genus;species;common name", for classes that are no such line
    themselves. threshold, conservative, classification_threshold: what the file recommends to
    others; no box is left out by them. top: classes a box at most. detected, classified: when the
    models finished, as "2026-05-26 19:11:27".

    Raises InputError on a picture without a name, numbers that are none, or when the disk refuses.
    """
    info = make_info(
        detector, classifier, threshold, conservative, classification_threshold,
        detector_version, detected, classified,
    )
    entries = Entries(Path(path), Categories(descriptions), top)
    return write_images(images, Path(path), info, entries)


def make_info(
    detector: str, classifier: str, threshold: float | None, conservative: float | None,
    classification_threshold: float | None, version: str, detected: str, classified: str,
) -> dict[str, Any]:
    """The value of `info`, without what is not known."""
    metadata = _known({
        "megadetector_version": version or None, "typical_detection_threshold": threshold,
        "conservative_detection_threshold": conservative,
    })
    return _known({
        "format_version": FORMAT,
        "detector": detector or "unknown",
        "detection_completion_time": detected or None,
        "classifier": classifier or None,
        "classification_completion_time": classified or None,
        "detector_metadata": metadata or None,
        "classifier_metadata": _known({
            "typical_classification_threshold": classification_threshold
        }) or None,
    })


def write_images(
    images: Iterable[ImageResult], path: Path, info: Mapping[str, Any], entries: Entries
) -> Written:
    """Write a MegaDetector file with the entries that `entries` makes of the pictures."""
    before = {"info": info, "detection_categories": NAMES}
    with json_file(path, "images", before) as file:
        for image in images:
            entry = entries.entry(image)
            if entry is not None:
                file.append(entry)
        file.behind.update(entries.categories.maps())
    counts = {"images": file.entries, **entries.counts}
    return Written(path, counts, entries.warnings())


class Entries:
    """Makes entries of `images`, counts them, and remembers what the format could not hold."""

    def __init__(self, path: Path, categories: Categories, top: int) -> None:
        if top < 1:
            raise InputError(f"top is {top}, expected at least 1 class a box.")
        self.path, self.categories, self.top = path, categories, top
        self.lost = Problems(path)
        self.counts = {"detections": 0, "classifications": 0, "failures": 0}

    def entry(self, image: ImageResult) -> dict[str, Any] | None:
        """The entry of one picture; None (and a warning) when it cannot have one."""
        file = image.file.replace("\\", "/")
        if not file.strip():
            raise InputError(f"{self.path}: a picture without a name; give each its path.")
        out: dict[str, Any] = {"file": file, **self._facts(image)}
        if file.lower().endswith(VIDEOS) and not self._video(out, image):
            self.lost.add("a video without frame_rate and frame_number, required, left out", file)
            return None
        if image.decision or any(box.decision for box in image.boxes or ()):
            self.lost.add("another model's decision is left out, its scores are written", file)
        if image.boxes is None and not image.scores:
            self.counts["failures"] += 1
            return {**out, "detections": None, "failure": image.failure or UNSEEN}
        out["detections"] = [
            self._box(box, scores, file) for box, scores in self._spread(image)
        ]
        return out

    def warnings(self) -> list[str]:
        """What could not be written, one line a kind."""
        return self.lost.lines()

    def _facts(self, image: ImageResult) -> dict[str, Any]:
        frames = image.frames_processed
        return _known({
            "width": image.width, "height": image.height, "datetime": image.datetime or None,
            "exif_metadata": _finite(image.exif), "frame_rate": image.frame_rate,
            "frames_processed": None if frames is None else list(frames),
        })

    def _video(self, out: dict[str, Any], image: ImageResult) -> bool:
        """Add what the format requires of videos; whether it is known."""
        frames = [box.frame_number for box in image.boxes or ()]
        if image.boxes is None and not image.scores:
            out.setdefault("frame_rate", -1.0)
        if "frame_rate" not in out or None in frames:
            return False
        out.setdefault("frames_processed", sorted(set(frames)))
        return True

    def _spread(self, image: ImageResult) -> list[tuple[FoundBox, Scores]]:
        """The boxes with their scores; those of the whole picture go to its animals.

        That is how they are read, too. A picture that no detector saw is one box.
        """
        boxes = [box for box in image.boxes or () if box.category != "blank"]
        if image.boxes is None:
            self.lost.add("no detector saw it, written as one box of the whole", image.file)
            boxes = [FoundBox(WHOLE, "animal", 1.0)]
        if not image.scores:
            return [(box, box.scores) for box in boxes]
        if not boxes:
            self.lost.add("scores of a picture without a box are left out", image.file)
        animals = [box for box in boxes if box.category == "animal"] or boxes
        return [
            (box, box.scores or (image.scores if box in animals else ())) for box in boxes
        ]

    def _box(self, box: FoundBox, scores: Scores, file: str) -> dict[str, Any]:
        self.counts["detections"] += 1
        out = {
            "category": IDS.get(box.category, "1"),
            "conf": rounded(box.confidence, CONF, f"{self.path}: {file}, confidence"),
            "bbox": rounded_box(box.bbox, f"{self.path}: {file}, bbox"),
        }
        if box.frame_number is not None:
            out["frame_number"] = int(box.frame_number)
        listed = self._classes(scores, file)
        if listed:
            self.counts["classifications"] += 1
            out["classifications"] = listed
        return out

    def _classes(self, scores: Scores, file: str) -> list[list[Any]]:
        """[id, score] of the best classes, best first; what rounds to 0 is left out, save one."""
        where = f"{self.path}: {file}, score"
        ranked = sorted(scores, key=lambda s: -s[1])[: self.top]
        values = [rounded(score, CONF, where) for _, score in ranked]
        return [
            [self.categories.id_of(label), value]
            for place, ((label, _), value) in enumerate(zip(ranked, values, strict=True))
            if value > 0 or not place
        ]


def rounded(value: float, decimals: int, where: str) -> float:
    """A float in 0..1 with some decimals.

    Raises InputError when it is none.
    """
    number = float(value)
    if not math.isfinite(number) or not -1e-6 <= number <= 1.001:
        raise InputError(f"{where} is {value}, expected a number in 0..1.")
    return round(min(max(number, 0.0), 1.0), decimals)


def rounded_box(bbox: Iterable[float], where: str) -> list[float]:
    """x y width height in 0..1 with four decimals, inside the picture and never without area.

    Raises InputError when they are no four finite numbers.
    """
    numbers = [float(v) for v in bbox]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise InputError(f"{where} is {numbers}, expected x, y, width, height.")
    x, y, width, height = numbers
    left, length = _span(x, width)
    top, depth = _span(y, height)
    return [left, top, length, depth]


def _span(start: float, length: float) -> tuple[float, float]:
    first = round(min(max(start, 0.0), 1.0 - LEAST), BBOX)
    width = round(min(max(length, LEAST), 1.0), BBOX)
    return first, width if first + width <= 1.0 else round(1.0 - first, BBOX)


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v is not None}


def _finite(value: Any) -> Any:
    """A json value without NaN and infinity, which json has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, (list, tuple)) else value


__all__ = ["Entries", "make_info", "write_images", "write_megadetector"]
