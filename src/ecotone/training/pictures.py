"""What a network learns species from: pictures, and how likely each class is on each of them.

N pictures, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import InputError
from ecotone.media.location import is_url, location
from ecotone.media.video import FrameOf
from ecotone.training.data import WHOLE, PictureRows

SUM_SLACK = 0.01


@dataclass(frozen=True, eq=False)
class LabelledPictures(PictureRows):
    """Pictures with soft labels.

    classes: K names. target: (N, K) float32, rows sum to 1; a row of zeros is a picture without a
    pseudo-label. labelled: (N,) bool, by people: its target is one-hot and stays. location: (N,)
    str, "" where unknown. held_out: (N,) bool, labelled pictures kept for the early stop, or None
    to have them chosen. paths: (N,) of files, URLs or frames of videos, with boxes (N, 4), x y
    width height in 0..1; or pictures (N, H, W, 3) uint8, already cut out.

    Raises InputError on arrays of other shapes, targets that are no probabilities, labels that are
    not one-hot.
    """

    classes: tuple[str, ...]
    target: np.ndarray
    labelled: np.ndarray
    location: np.ndarray
    held_out: np.ndarray | None = None
    paths: np.ndarray | None = None
    boxes: np.ndarray | None = None
    pictures: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(str(c) for c in self.classes))
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise InputError("classes: expected at least one name, and no name twice.")
        where = self.paths if self.paths is not None else self.pictures
        if where is None or (self.paths is not None and self.pictures is not None):
            raise InputError("expected either paths or pictures.")
        n = len(where)
        target = np.asarray(self.target, dtype=np.float32)
        if target.shape != (n, len(self.classes)):
            raise InputError(f"target: shape {target.shape}, expected ({n}, {len(self.classes)}): "
                             "a row a picture, a column a class.")
        object.__setattr__(self, "target", _checked(target))
        object.__setattr__(self, "labelled", _flags(self.labelled, n, "labelled"))
        if self.held_out is not None:
            object.__setattr__(self, "held_out", _flags(self.held_out, n, "held_out"))
        object.__setattr__(self, "location", np.array([str(v) for v in self.location], object))
        for name, size in (("location", len(self.location)),
                           ("boxes", n if self.boxes is None else len(self.boxes))):
            if size != n:
                raise InputError(f"{name}: {size} values, {n} pictures.")
        odd = np.flatnonzero(self.labelled & (self.target.max(axis=1) < 1 - SUM_SLACK)) if n else []
        if len(odd):
            raise InputError(f"target, row {odd[0]}: is labelled, and its target is not one-hot.")

    def __len__(self) -> int:
        return len(self.target)

    @classmethod
    def from_arrays(
        cls, pictures: np.ndarray, classes: Sequence[str], target: Any, labelled: Any = None,
        location: Sequence[str] | None = None, held_out: Any = None,
    ) -> LabelledPictures:
        """From pictures (N, H, W, 3) uint8 in memory. labelled: default none."""
        pictures = np.asarray(pictures)
        if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8:
            raise InputError(f"pictures: shape {pictures.shape} of {pictures.dtype}, expected "
                             "(N, H, W, 3) of uint8.")
        n = len(pictures)
        return cls(tuple(classes), target, _none(labelled, n), _places(location, n), held_out,
                   pictures=pictures)

    @classmethod
    def from_paths(
        cls, paths: Sequence[str | Path | FrameOf], classes: Sequence[str], target: Any,
        labelled: Any = None, location: Sequence[str] | None = None, held_out: Any = None,
        boxes: Any = None,
    ) -> LabelledPictures:
        """From files, URLs or frames of videos, whole or boxes (N, 4) of them. labelled: default
        none."""
        n = len(paths)
        files = np.empty(n, dtype=object)
        files[:] = [_place(p) for p in paths]
        boxes = np.tile(WHOLE, (n, 1)) if boxes is None else boxes
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        return cls(tuple(classes), target, _none(labelled, n), _places(location, n), held_out,
                   files, boxes)

    @property
    def soft(self) -> np.ndarray:
        """(N,) bool: pictures with a pseudo-label and no label."""
        return ~self.labelled & (self.target.sum(axis=1) > 0)


def _place(path: str | Path | FrameOf) -> str | Path | FrameOf:
    if isinstance(path, FrameOf):
        return path
    return location(path) if is_url(path) else Path(location(path))


def _checked(target: np.ndarray) -> np.ndarray:
    """Probabilities whose rows sum to exactly 1, or are all zero."""
    sums = target.sum(axis=1)
    bad = ~np.isfinite(target).all(axis=1) | (target < 0).any(axis=1)
    bad |= (np.abs(sums - 1) > SUM_SLACK) & (sums != 0)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"target, row {row}: {target[row][:4]}... sums to {sums[row]:.3g}; "
                         "expected probabilities that sum to 1, or zeros for no pseudo-label.")
    return target / np.where(sums > 0, sums, 1)[:, None]


def _flags(values: Any, n: int, name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (n,) or (values.dtype != bool and not np.isin(values, (0, 1)).all()):
        raise InputError(f"{name}: expected {n} times yes or no, found shape {values.shape} of "
                         f"{values.dtype}.")
    return values.astype(bool)


def _none(labelled: Any, n: int) -> Any:
    return np.zeros(n, dtype=bool) if labelled is None else labelled


def _places(location: Sequence[str] | None, n: int) -> np.ndarray:
    return np.array([""] * n if location is None else [str(v) for v in location], dtype=object)


__all__ = ["LabelledPictures"]
