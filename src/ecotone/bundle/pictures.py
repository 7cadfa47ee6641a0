"""The pictures and boxes of a prediction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ecotone.errors import InputError
from ecotone.ingest.folder import deployment_of, list_pictures, media_id
from ecotone.ingest.remote import find_roots, is_list
from ecotone.media.location import is_url, join, location

WHOLE = np.array([[0, 0, 1, 1]], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and its n boxes; without a detector the whole picture is the one box.

    file_path: posix, relative to the folder that was searched. boxes: (n, 4) float32, x y width
    height in 0..1. numbers: n, the last part of their ids, 0 for the whole picture. category: n of
    `types.CATEGORIES`. confidence: (n,) float32. frame_numbers: (n,) of a video, None for a
    picture.
    """

    file_path: str
    path: str | Path  # str: a URL, or of a list
    deployment: str
    boxes: np.ndarray
    numbers: tuple[int, ...]
    category: tuple[str, ...]
    confidence: np.ndarray
    frame_numbers: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Picture:
        """The same picture with some of its boxes."""
        frames = None if self.frame_numbers is None else self.frame_numbers[rows]
        return replace(
            self, boxes=self.boxes[rows], numbers=tuple(self.numbers[r] for r in rows),
            category=tuple(self.category[r] for r in rows), confidence=self.confidence[rows],
            frame_numbers=frames,
        )

    @property
    def media_id(self) -> str:
        """The id that the picture gets in a project too."""
        return media_id(self.file_path)

    @property
    def detection_ids(self) -> list[str]:
        """The ids of the n boxes, as a project numbers them."""
        return [f"{self.media_id}:{number}" for number in self.numbers]

    def to_classify(self, special: Collection[str]) -> np.ndarray:
        """Which boxes get a local class (n,) bool: animals, and what else the model knows.

        special: those of human, vehicle and blank that are local classes.
        """
        return np.array([c == "animal" or c in special for c in self.category], dtype=bool)


def find_pictures(given: str | Path | Sequence[str | Path]) -> tuple[list[Picture], list[str]]:
    """The pictures of a folder and the folders in it, of one file, of a URL, of a list of files or
    of a file that lists them (see `ingest.remote`); and what was left out.

    Raises InputError when a path does not exist or a folder holds no picture.
    """
    if not isinstance(given, (str, Path)):
        return [_whole(Path(path).as_posix(), Path(path), "") for path in given], []
    where = location(given)
    if is_url(where) or is_list(where):
        return _of_roots(where)
    path = Path(where)
    if path.is_file():
        return [_whole(path.name, path, path.resolve().parent.name)], []
    listing = list_pictures(path)
    if not listing.files:
        raise InputError(f"{path}: no pictures in this folder or the folders in it.")
    root = path.resolve().name
    return [_whole(file, path / file, root) for file in listing.files], listing.problems


def _of_roots(where: str) -> tuple[list[Picture], list[str]]:
    found = []
    for root in find_roots(where):
        name = Path(root.root).name
        found += [_whole(file, join(root.root, file), name) for file in root.files]
    if not found:
        raise InputError(f"{where}: no pictures there.")
    return found, []


def _whole(file_path: str, path: str | Path, root: str) -> Picture:
    deployment = deployment_of(file_path, root)[0]
    sure = np.ones(1, dtype=np.float32)
    return Picture(file_path, path, deployment, WHOLE, (0,), ("animal",), sure)
