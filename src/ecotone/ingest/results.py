"""What detectors and classifiers say of pictures, in one shape for all their file formats."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ecotone.errors import FormatError
from ecotone.hierarchy.ensemble_rows import Decision
from ecotone.ingest.json_stream import Document

Scores = tuple[tuple[str, float], ...]
HUMAN = frozenset({"human", "person", "people", "homo sapiens", "pedestrian"})
VEHICLE = frozenset({"vehicle", "car", "truck", "bike", "bicycle", "motorbike"})
SHOWN = 3  # entries that a problem names
EMPTY = frozenset({"empty", "blank", "nothing", "background", "none"})


class FoundBox(NamedTuple):
    """A box: x y width height in 0..1, category as in `types.CATEGORIES`, confidence 0..1, and the
    scores of a classifier on it, () when none looked.

    decision: what the tool itself made of the scores, None when it says nothing. frame_number: of a
    video.
    """

    bbox: tuple[float, float, float, float]
    category: str
    confidence: float
    scores: Scores = ()
    decision: Decision | None = None
    frame_number: int | None = None


class ImageResult(NamedTuple):
    """One picture: boxes None when no detector looked; scores of the whole picture; failure "".

    decision: what the tool made of the whole picture. failures: the steps that failed, in
    SpeciesNet's words, also where others did not. country (ISO 3166-1 alpha-3), admin1_region,
    latitude, longitude (degrees), model_version: as SpeciesNet tells them. width, height (pixels),
    datetime, exif, frame_rate, frames_processed: as MegaDetector does. None or "" where a file does
    not say.
    """

    file: str
    boxes: tuple[FoundBox, ...] | None = None
    scores: Scores = ()
    failure: str = ""
    decision: Decision | None = None
    failures: tuple[str, ...] = ()
    country: str = ""
    admin1_region: str = ""
    latitude: float | None = None
    longitude: float | None = None
    model_version: str = ""
    width: int | None = None
    height: int | None = None
    datetime: str = ""
    exif: Any = None
    frame_rate: float | None = None
    frames_processed: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ResultFile:
    """A file of results.

    kind: "MegaDetector 1.4", "SpeciesNet 20261015" and the like. threshold: what the file
    recommends for boxes, None when it does not say. complete: scores are whole distributions.
    info: what the file says of itself, as it stands there.
    """

    path: Path
    kind: str
    detector: str
    classifier: str
    threshold: float | None
    images: list[ImageResult]
    complete: bool = False
    problems: list[str] = field(default_factory=list)
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_boxes(self) -> bool:
        """Whether a detector looked at any picture."""
        return any(image.boxes is not None for image in self.images)

    @property
    def has_scores(self) -> bool:
        """Whether a classifier looked at any picture or box."""
        return any(
            image.scores or any(box.scores for box in image.boxes or ()) for image in self.images
        )


class Problems:
    """Collects what was wrong with single entries: the first few by name, and the count."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._first: dict[str, list[str]] = {}
        self._count: dict[str, int] = {}

    def add(self, what: str, where: str) -> None:
        """Remember one entry (`where`) under a kind of problem (`what`)."""
        first = self._first.setdefault(what, [])
        if len(first) < SHOWN:
            first.append(where)
        self._count[what] = self._count.get(what, 0) + 1

    def lines(self) -> list[str]:
        """One line a kind of problem."""
        out = []
        for what, first in self._first.items():
            count = self._count[what]
            more = f" and {count - len(first):,} more" if count > len(first) else ""
            out.append(f"{self.path.name}: {what} ({count:,}: {', '.join(first)}{more})")
        return out


def category_of(name: str) -> str:
    """The category (or "blank") that a detector's class name stands for."""
    text = name.strip().casefold()
    if text in HUMAN:
        return "human"
    if text in VEHICLE:
        return "vehicle"
    return "blank" if text in EMPTY else "animal"


def read_box(value: Any, where: str, problems: Problems) -> tuple[float, ...] | None:
    """x y width height in 0..1, cut at the border; None (and a problem) when they are no box."""
    numbers = [read_number(v) for v in value] if isinstance(value, (list, tuple)) else []
    if len(numbers) != 4 or any(v is None for v in numbers):
        problems.add("bbox is not four numbers, box left out", where)
        return None
    x, y, width, height = numbers
    if max(numbers) > 1.5 or min(x, y) < -0.5:
        problems.add("bbox is not in 0..1 of the picture, box left out", where)
        return None
    left, top = min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)
    right, bottom = min(x + width, 1.0), min(y + height, 1.0)
    box = (round(left, 6), round(top, 6), round(right - left, 6), round(bottom - top, 6))
    if box[2] <= 0 or box[3] <= 0:
        problems.add("bbox has no area, box left out", where)
        return None
    return box


def is_plain(x: Any, y: Any, width: Any, height: Any, confidence: Any) -> bool:
    """Whether these need no look at: floats, a box inside the picture, a confidence in 0..1.

    Nearly all are; the others go to `read_box` and `read_number`, which take their time.
    """
    return (
        type(x) is type(y) is type(width) is type(height) is type(confidence) is float
        and x >= 0.0 and y >= 0.0 and width > 1e-6 and height > 1e-6
        and x + width <= 1.0 and y + height <= 1.0 and 0.0 <= confidence <= 1.0
    )


def read_number(value: Any) -> float | None:
    """A finite number, also when written as text; None when it is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def read_count(value: Any) -> int | None:
    """A whole number from 0 on; None when it is none."""
    number = read_number(value)
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def read_word(value: Any) -> str:
    """A text without the spaces around it, "" for anything else than text or a number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return storable(str(value)).strip()


def storable(text: str) -> str:
    """The text, half characters (surrogates) replaced: no other file could hold them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def plain_label(label: str) -> str:
    """A class name; of SpeciesNet's seven tokens with nothing but the last (";;;;;;fox") that one.

    >>> plain_label(";;;;;;red fox")
    'red fox'
    """
    return label[6:] if label.startswith(";;;;;;") and label.count(";") == 6 else label


def read_scores(
    names: Sequence[Any], values: Sequence[Any], where: str, problems: Problems
) -> Scores:
    """Class names with scores in 0..1; wrong ones are left out and told."""
    if len(names) != len(values):
        problems.add("as many scores as classes were expected, the rest left out", where)
    out = []
    for name, value in zip(names, values, strict=False):
        if type(value) is float and 0.0 <= value <= 1.0 and type(name) is str and name.isascii():
            out.append((name, value))
            continue
        score, text = read_number(value), read_word(name)
        if score is None or not 0 <= score <= 1.001:
            problems.add("a score is not a number in 0..1, left out", where)
            continue
        if not text:
            problems.add("a class has no name, left out", where)
            continue
        out.append((text, min(score, 1.0)))
    return tuple(out)


def entries(
    document: Document, key: str, problems: Problems
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries of a long list that are objects, with their number from 1; the others are told.

    Raises FormatError when the list is something else.
    """
    if not isinstance(document.outline[key], list):
        raise FormatError(
            f"{document.path}: {key!r} is {type(document.outline[key]).__name__}, expected a list; "
            "make the file again."
        )
    for number, value in enumerate(document.entries(key), start=1):
        if isinstance(value, dict):
            yield number, value
        else:
            problems.add("an entry is no object, left out", f"{key}, entry {number:,}")
