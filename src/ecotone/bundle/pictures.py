"""The pictures and boxes of a prediction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ecotone.errors import InputError

WHOLE = np.array([[0, 0, 1, 1]], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and its n boxes; without a detector the whole picture is the one box.

    file_path: posix, relative to the folder that was searched. boxes: (n, 4) float32, x y width
    height in 0..1. category: n of `types.CATEGORIES`. confidence: (n,) float32.
    """

    file_path: str
    path: Path
    boxes: np.ndarray
    category: tuple[str, ...]
    confidence: np.ndarray

    def to_classify(self, special: Collection[str]) -> np.ndarray:
        """Which boxes get a local class (n,) bool: animals, and what else the model knows.

        special: those of human, vehicle and blank that are local classes.
        """
        return np.array([c == "animal" or c in special for c in self.category], dtype=bool)


def find_pictures(given: str | Path | Sequence[str | Path]) -> list[Picture]:
    """The pictures of a folder and the folders in it, of one file, or of a list of files.

    Raises InputError when a path does not exist or a folder holds no picture.
    """
    if not isinstance(given, (str, Path)):
        return [whole(Path(path).as_posix(), Path(path)) for path in given]
    path = Path(given)
    if path.is_file():
        return [whole(path.name, path)]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder of pictures.")
    from ecotone.ingest.folder import find_pictures as search

    found = [whole(file.relative_to(path).as_posix(), file) for file in search(path)]
    if not found:
        raise InputError(f"{path}: no pictures in this folder or the folders in it.")
    return found


def whole(file_path: str, path: Path) -> Picture:
    """A picture that no detector has seen."""
    return Picture(file_path, path, WHOLE, ("animal",), np.ones(1, dtype=np.float32))


def with_boxes(
    pictures: Sequence[Picture], file: Path, threshold: float | None
) -> tuple[list[Picture], list[str]]:
    """The pictures with the boxes of a MegaDetector file, and what to tell of it.

    Boxes are chosen as a project chooses them. Raises FormatError on another kind of file.
    """
    raise NotImplementedError(file, threshold, replace)
