"""Recognition json for Timelapse: a MegaDetector file by the rules of its importer.

Timelapse keeps one class a box, matches pictures by relative folder and file name, takes every file
that is no JPEG for a video, drops boxes and classes far below the file's thresholds, wants names of
classes unique, and refuses a file whose first class has the name of a detector's category.
Source: saulgreenberg/Timelapse, Recognition/*.cs, Database/FileDatabase.cs, Constant.cs.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ecotone.errors import InputError
from ecotone.export.categories import Categories
from ecotone.export.megadetector import NAMES, VIDEOS, Entries, make_info, write_images
from ecotone.export.written import Written
from ecotone.ingest.results import FoundBox, ImageResult

TYPICAL, CONSERVATIVE, CLASSIFICATION = 0.2, 0.05, 0.5  # what Timelapse takes where none is told
SHARE, LEAST = 2.5, 0.03  # it drops what is below threshold / SHARE, or below LEAST
JPEG = (".jpg", ".jpeg")
EMPTY = "Empty"  # its category "0"
LONGEST = 250  # characters of a path on its side
_ABSOLUTE = re.compile(r"[A-Za-z]:|/")


def write_timelapse(
    images: Iterable[ImageResult],
    path: str | Path,
    *,
    detector: str,
    classifier: str = "",
    descriptions: Mapping[str, str] | None = None,
    threshold: float | None = None,
    conservative: float | None = None,
    classification_threshold: float = CLASSIFICATION,
    root: str | Path | None = None,
    detector_version: str = "",
    detected: str = "",
    classified: str = "",
) -> Written:
    """Write pictures, boxes and the best class of each box for Timelapse; memory holds one picture.

    path: best `recognitionData.json` in the folder of the Timelapse image set. root: that folder,
    to which absolute paths are made relative; paths that are relative already are taken as relative
    to it. threshold: of boxes, from which on Timelapse shows them at first (default 0.2);
    conservative: below which a box is hardly one (default 0.05, or `threshold` where that is
    lower). descriptions: as in `write_megadetector`. A class with the name of a detector's
    category, or "Empty", is written with " (class)" behind it.

    Raises InputError on an absolute path outside `root`, a path that leads out of it, thresholds
    outside 0..1, or when the disk refuses.
    """
    typical = TYPICAL if threshold is None else threshold
    low = min(CONSERVATIVE, typical) if conservative is None else conservative
    for name, value in (("threshold", typical), ("conservative", low),
                        ("classification_threshold", classification_threshold)):
        if not 0 <= value <= 1:
            raise InputError(f"{name} is {value}, expected a number in 0..1.")
    info = make_info(
        detector, classifier or "unknown", typical, low, classification_threshold,
        detector_version or "unknown", detected, classified,
    )
    categories = Categories(descriptions, taken=(*NAMES.values(), EMPTY))
    entries = _Entries(Path(path), categories, root, low, classification_threshold)
    return write_images(images, Path(path), info, entries)


class _Entries(Entries):
    """Entries as Timelapse takes them, and what it will not take of them."""

    def __init__(
        self, path: Path, categories: Categories, root: str | Path | None, low: float, sure: float
    ) -> None:
        super().__init__(path, categories, top=1)
        self.root = None if root is None else Path(root).resolve()
        self.drops_box, self.drops_class = max(LEAST, low / SHARE), max(LEAST, sure / SHARE)

    def entry(self, image: ImageResult) -> dict[str, Any] | None:
        """The entry of one picture."""
        file = self._relative(image.file)
        if len(file) > LONGEST:
            self.lost.add(f"a path of over {LONGEST} characters, which Timelapse refuses", file)
        boxes = image.boxes or ()
        if boxes or image.scores:
            self._warn(file, boxes)
        return super().entry(image._replace(file=file))

    def warnings(self) -> list[str]:
        """What Timelapse will drop or show otherwise, one line a kind."""
        renamed = [f"{old} -> {new}" for old, new in self.categories.renamed.items()]
        for text in renamed:
            self.lost.add("a class is renamed, since its name was taken", text)
        if self.root is not None and self.path.resolve().parent != self.root:
            self.lost.add("Timelapse looks for this file in the folder of the pictures",
                          str(self.root))
        return super().warnings()

    def _warn(self, file: str, boxes: Iterable[FoundBox]) -> None:
        lower = file.lower()
        if not lower.endswith(JPEG) and not lower.endswith(VIDEOS):
            self.lost.add(
                "Timelapse takes a picture that is no JPEG for a video and loses its boxes: "
                "convert it to jpg", file
            )
        for box in boxes:
            if box.category != "blank" and box.confidence < self.drops_box:
                self.lost.add(
                    f"a box below {self.drops_box:g}, which Timelapse drops (the picture may count "
                    "as empty)", file
                )
            if box.scores and max(score for _, score in box.scores) < self.drops_class:
                self.lost.add(f"a class below {self.drops_class:g}, which Timelapse drops", file)

    def _relative(self, file: str) -> str:
        """The path below the picture root, with forward slashes."""
        text = file.replace("\\", "/")
        if _ABSOLUTE.match(text):
            if self.root is None:
                raise InputError(
                    f"{self.path}: {file} is an absolute path, which Timelapse cannot match; give "
                    "the folder of the image set as root."
                )
            try:
                text = Path(file).resolve().relative_to(self.root).as_posix()
            except ValueError:
                raise InputError(
                    f"{self.path}: {file} lies outside {self.root}, the folder of the image set."
                ) from None
        short = posixpath.normpath(text)
        if short.startswith("..") and short.split("/")[0] == "..":
            raise InputError(f"{self.path}: {file} leads out of the folder of the image set.")
        return short


__all__ = ["write_timelapse"]
