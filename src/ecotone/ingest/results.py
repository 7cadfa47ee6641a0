"""What detectors and classifiers say of pictures, in one shape for all their file formats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError
from ecotone.ingest.text import some

Scores = tuple[tuple[str, float], ...]
HUMAN = frozenset({"human", "person", "people", "homo sapiens", "pedestrian"})
VEHICLE = frozenset({"vehicle", "car", "truck", "bike", "bicycle", "motorbike"})
EMPTY = frozenset({"empty", "blank", "nothing", "background", "none"})


@dataclass(frozen=True)
class FoundBox:
    """A box: x y width height in 0..1, category as in `types.CATEGORIES`, confidence 0..1, and the
    scores of a classifier on it, () when none looked."""

    bbox: tuple[float, float, float, float]
    category: str
    confidence: float
    scores: Scores = ()


@dataclass(frozen=True)
class ImageResult:
    """One picture: boxes None when no detector looked; scores of the whole picture; failure ""."""

    file: str
    boxes: tuple[FoundBox, ...] | None = None
    scores: Scores = ()
    failure: str = ""


@dataclass(frozen=True)
class ResultFile:
    """A file of results.

    kind: "MegaDetector 1.4", "SpeciesNet 20261015" and the like. threshold: what the file
    recommends for boxes, None when it does not say. complete: scores are whole distributions.
    """

    path: Path
    kind: str
    detector: str
    classifier: str
    threshold: float | None
    images: list[ImageResult]
    complete: bool = False
    problems: list[str] = field(default_factory=list)

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
        self._found: dict[str, list[str]] = {}

    def add(self, what: str, where: str) -> None:
        """Remember one entry (`where`) under a kind of problem (`what`)."""
        self._found.setdefault(what, []).append(where)

    def lines(self) -> list[str]:
        """One line a kind of problem."""
        return [
            f"{self.path.name}: {what} ({len(places):,}: {some(places)})"
            for what, places in self._found.items()
        ]


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
    if right <= left or bottom <= top:
        problems.add("bbox has no area, box left out", where)
        return None
    return (
        round(left, 6), round(top, 6), round(right - left, 6), round(bottom - top, 6),
    )


def read_number(value: Any) -> float | None:
    """A finite number, also when written as text; None when it is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def read_scores(
    names: Sequence[Any], values: Sequence[Any], where: str, problems: Problems
) -> Scores:
    """Class names with scores in 0..1; wrong ones are left out and told."""
    out = []
    for name, value in zip(names, values, strict=False):
        score = read_number(value)
        if name is None or score is None or not 0 <= score <= 1.001:
            problems.add("a score is not a number in 0..1, left out", where)
            continue
        out.append((str(name), min(score, 1.0)))
    return tuple(out)


def as_list(value: Any, path: Path, name: str) -> list[Any]:
    """A list under a key of the file.

    Raises FormatError when it is something else.
    """
    if not isinstance(value, list):
        raise FormatError(
            f"{path}: {name!r} is {type(value).__name__}, expected a list; make the file again."
        )
    return value


def entries(values: Iterable[Any], where: str, problems: Problems) -> list[dict]:
    """The entries that are objects; the others are told."""
    out = []
    for position, value in enumerate(values):
        if isinstance(value, dict):
            out.append(value)
        else:
            problems.add("an entry is no object, left out", f"{where} {position}")
    return out
