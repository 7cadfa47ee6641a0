"""What a network learns from: pictures on disk or in memory, and who is on them.

N pictures, H = W the size that the network takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from ecotone.engine.local import ThreadRunner
from ecotone.errors import InputError, MediaError
from ecotone.ingest.individuals import IndividualRow
from ecotone.media.preprocess import Preprocessing

Progress = Callable[[int, "int | None", str], None]
WHOLE = (0.0, 0.0, 1.0, 1.0)
Rows = TypeVar("Rows", bound="PictureRows")


class Pictures(Protocol):
    """Where N pictures are: paths (N,) with boxes (N, 4), or pictures (N, H, W, 3) uint8."""

    @property
    def paths(self) -> np.ndarray | None: ...

    @property
    def boxes(self) -> np.ndarray | None: ...

    @property
    def pictures(self) -> np.ndarray | None: ...

    def __len__(self) -> int: ...


class PictureRows:
    """What frozen values of parallel arrays of pictures share; other fields hold for all rows."""

    def take(self: Rows, rows: np.ndarray) -> Rows:
        """Some of the pictures: indices or a boolean mask (N,)."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v[rows] for k, v in arrays.items()
                                if isinstance(v, np.ndarray)})

    def fingerprint(self) -> str:
        """A hash of which pictures there are and what is known of them, for resuming."""
        digest = hashlib.sha256()
        for field in fields(self):
            values = getattr(self, field.name)
            if values is None:
                continue
            if not isinstance(values, np.ndarray):
                digest.update(repr(values).encode("utf-8", "surrogateescape"))
            elif values.dtype == object:
                digest.update("\0".join(map(str, values)).encode("utf-8", "surrogateescape"))
            else:
                digest.update(np.ascontiguousarray(values).tobytes())
            digest.update(b"\1")
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class IndividualPictures(PictureRows):
    """Pictures of known individuals.

    individual, viewpoint, species, encounter, split: (N,) str, "" where not known. paths: (N,) Path
    with boxes (N, 4), x y width height in 0..1, and theta (N,) radians; or pictures (N, H, W, 3)
    uint8, already cut out.
    """

    individual: np.ndarray
    viewpoint: np.ndarray
    species: np.ndarray
    encounter: np.ndarray
    split: np.ndarray
    paths: np.ndarray | None = None
    boxes: np.ndarray | None = None
    theta: np.ndarray | None = None
    pictures: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.individual)

    @classmethod
    def from_rows(cls, rows: Iterable[IndividualRow]) -> IndividualPictures:
        """From what `ingest.individuals.read_individuals` found."""
        rows = list(rows)
        text = [np.array([getattr(r, name) for r in rows], dtype=object)
                for name in ("individual", "viewpoint", "species", "encounter", "split")]
        boxes = np.array([r.bbox for r in rows], dtype=np.float64).reshape(-1, 4)
        paths = np.array([r.path for r in rows], dtype=object)
        return cls(*text, paths, boxes, np.array([r.theta for r in rows], dtype=np.float64))

    @classmethod
    def from_arrays(
        cls, pictures: np.ndarray, individual: Sequence[str],
        viewpoint: Sequence[str] | None = None, species: Sequence[str] | None = None,
        encounter: Sequence[str] | None = None, split: Sequence[str] | None = None,
    ) -> IndividualPictures:
        """From pictures (N, H, W, 3) uint8 in memory. Raises InputError on lengths that differ."""
        pictures = np.asarray(pictures)
        if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8:
            raise InputError(
                f"pictures: shape {pictures.shape} of {pictures.dtype}, expected (N, H, W, 3) of "
                "uint8."
            )
        text = []
        for name, values in (("individual", individual), ("viewpoint", viewpoint),
                             ("species", species), ("encounter", encounter), ("split", split)):
            values = [""] * len(pictures) if values is None else [str(v) for v in values]
            if len(values) != len(pictures):
                raise InputError(f"{name}: {len(values)} values, {len(pictures)} pictures.")
            text.append(np.array(values, dtype=object))
        return cls(*text, pictures=pictures)

    def joined(self, other: IndividualPictures) -> IndividualPictures:
        """These and other pictures, both from disk or both in memory."""
        pairs = [(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        if any((a is None) != (b is None) for a, b in pairs):
            raise InputError("pictures in memory and pictures on disk cannot be joined.")
        return IndividualPictures(*(None if a is None else np.concatenate([a, b])
                                    for a, b in pairs))


class Crops:
    """Pictures cut out and squashed to (H, W, 3) uint8, by row; kept where they fit in memory."""

    def __init__(self, data: Pictures, size: int, workers: int = 0,
                 memory: int = 2 << 30) -> None:
        self._data, self._size, self._workers = data, size, workers
        self._way = Preprocessing(size, size, "uint8", "NHWC", interpolation="bilinear")
        self._kept: np.ndarray | None = None
        self._keep = len(data) * size * size * 3 <= memory

    def check(self, progress: Progress | None = None) -> dict[int, str]:
        """Read every picture once; the rows that cannot be read, and why."""
        n, failed = len(self._data), {}
        kept = np.zeros((n, self._size, self._size, 3), np.uint8) if self._keep else None
        for row, found in enumerate(self._runner().map(self._try, range(n))):
            if isinstance(found, str):
                failed[row] = found
            elif kept is not None:
                kept[row] = found
            if progress:
                progress(row + 1, n, "reading pictures")
        self._kept = kept
        return failed

    @property
    def kept(self) -> np.ndarray | None:
        """All pictures (N, H, W, 3) uint8 where `check` kept them, zeros for those that failed."""
        return self._kept

    def load(self, row: int) -> np.ndarray:
        """One picture (H, W, 3) uint8. Raises MediaError when it cannot be read."""
        if self._kept is not None:
            return self._kept[row]
        data = self._data
        if data.pictures is not None:
            return self._fitted(data.pictures[row])
        box = data.boxes[row] if data.boxes is not None else WHOLE
        turns = getattr(data, "theta", None)
        theta = float(turns[row]) if turns is not None else 0.0
        if theta:
            return self._turned(data.paths[row], box, theta)
        return self._way.prepare(data.paths[row], [box])[0]

    def map(self, function: Callable[[int], np.ndarray], rows: Iterable[int]) -> Iterable:
        """`function` of every row in threads, in order, with bounded memory."""
        return self._runner().map(function, rows)

    def _runner(self) -> ThreadRunner:
        return ThreadRunner(self._workers, ahead=64)

    def _try(self, row: int) -> np.ndarray | str:
        try:
            return self.load(row)
        except (MediaError, InputError) as error:
            return str(error)

    def _fitted(self, picture: np.ndarray) -> np.ndarray:
        if picture.shape[:2] == (self._size, self._size):
            return picture
        from PIL import Image

        return self._way.apply(Image.fromarray(picture))

    def _turned(self, path: Path, box: np.ndarray, theta: float) -> np.ndarray:
        """A box that is turned about its middle."""
        from PIL import Image

        from ecotone.media.crop import crop
        from ecotone.media.decode import load_picture

        picture = load_picture(path)
        x, y, width, height = np.asarray(box) * (*picture.size, *picture.size)
        picture = picture.rotate(np.rad2deg(theta), Image.Resampling.BILINEAR,
                                 center=(x + width / 2, y + height / 2))
        return self._way.apply(crop(picture, box, self._way.context, self._way.square))


__all__ = ["Crops", "IndividualPictures", "PictureRows", "Pictures", "Progress"]
