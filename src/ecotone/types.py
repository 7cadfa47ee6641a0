"""The values that cross borders: frozen dataclasses of parallel arrays, checked where made.

N detections, S global classes, K local classes, D embedding dimensions: everywhere the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from ecotone.errors import InputError

CATEGORIES = ("animal", "human", "vehicle", "blank")


def _strings(values: Sequence[str] | np.ndarray) -> np.ndarray:
    return np.asarray([str(v) for v in values], dtype=object)


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes on media, or whole media.

    id, media_id: (N,) str. bbox: (N, 4) float32, x y width height in 0..1 of the picture.
    category: (N,) str, one of `CATEGORIES`. confidence: (N,) float32 in 0..1. frame_number: (N,)
    int64, of a video, -1 for a picture.
    """

    id: np.ndarray
    media_id: np.ndarray
    bbox: np.ndarray
    category: np.ndarray
    confidence: np.ndarray
    frame_number: np.ndarray | None = None

    def __post_init__(self) -> None:
        n = len(self.id)
        frames = np.full(n, -1) if self.frame_number is None else self.frame_number
        object.__setattr__(self, "frame_number", np.asarray(frames, dtype=np.int64))
        object.__setattr__(self, "id", _strings(self.id))
        object.__setattr__(self, "media_id", _strings(self.media_id))
        object.__setattr__(self, "category", _strings(self.category))
        bbox = np.asarray(self.bbox, dtype=np.float32).reshape(-1, 4)
        object.__setattr__(self, "bbox", bbox)
        object.__setattr__(self, "confidence", np.asarray(self.confidence, dtype=np.float32))
        for name in ("media_id", "bbox", "category", "confidence", "frame_number"):
            if len(getattr(self, name)) != n:
                raise InputError(
                    f"Detections: {name} has {len(getattr(self, name))} rows, id has {n}; "
                    "give arrays of one length."
                )
        unknown = sorted(set(self.category) - set(CATEGORIES))
        if unknown:
            raise InputError(f"Detections: category {unknown[0]!r} is none of {CATEGORIES}.")

    @property
    def shot(self) -> np.ndarray:
        """What detections that are seen together share (N,) str: the picture, or the frame."""
        pairs = zip(self.media_id, self.frame_number.tolist(), strict=True)
        return _strings([m if frame < 0 else f"{m} frame {frame}" for m, frame in pairs])

    def take(self, rows: np.ndarray) -> Detections:
        """Some rows: indices or a boolean mask."""
        return Detections(
            self.id[rows], self.media_id[rows], self.bbox[rows], self.category[rows],
            self.confidence[rows], self.frame_number[rows],
        )

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, eq=False)
class GlobalScores:
    """Sparse scores of one global model.

    values: (N, S) scipy CSR, float32, rows sum to at most 1. classes: the S labels as the model
    writes them. complete: True when a row holds the whole distribution; when False, the missing
    mass 1 - sum of a row is kept as missing, never renormalised away. An empty row says nothing.
    """

    values: scipy.sparse.csr_matrix
    classes: tuple[str, ...]
    complete: bool = False

    def __post_init__(self) -> None:
        values = scipy.sparse.csr_matrix(self.values, dtype=np.float32, copy=True)
        values.sum_duplicates()
        values.eliminate_zeros()
        classes = tuple(str(c) for c in self.classes)
        if values.shape[1] != len(classes):
            raise InputError(
                f"GlobalScores: {values.shape[1]} score columns, {len(classes)} classes; "
                "give one class name a column."
            )
        if values.nnz:
            if not np.isfinite(values.data).all():
                raise InputError("GlobalScores: scores hold NaN or infinity; give probabilities.")
            if values.data.min() < 0:
                raise InputError("GlobalScores: negative scores; give probabilities, not logits.")
            total = np.asarray(values.sum(axis=1)).ravel()
            if total.max() > 1.05:
                raise InputError(
                    f"GlobalScores: row {int(total.argmax())} sums to {total.max():.3f}, expected "
                    "at most 1; give probabilities (softmax), not logits or percentages."
                )
            # Quantised or rounded outputs may sum to a little over 1.
            over = np.maximum(total, 1.0).astype(np.float32)
            scaled = scipy.sparse.diags(1.0 / over) @ values
            values = scipy.sparse.csr_matrix(scaled, dtype=np.float32)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "classes", classes)

    @classmethod
    def from_dense(cls, values: np.ndarray, classes: Sequence[str]) -> GlobalScores:
        """Scores (N, S) from a dense array that holds whole distributions."""
        array = np.asarray(values)
        if array.ndim != 2:
            raise InputError(f"GlobalScores: expected an array (N, S), found shape {array.shape}.")
        return cls(scipy.sparse.csr_matrix(array), tuple(classes), complete=True)

    @property
    def missing(self) -> np.ndarray:
        """Missing mass of each row, (N,) float in 0..1."""
        return np.clip(1.0 - np.asarray(self.values.sum(axis=1)).ravel(), 0.0, 1.0)

    def take(self, rows: np.ndarray) -> GlobalScores:
        """The scores of some rows: numbers, a slice or a boolean mask."""
        part = object.__new__(GlobalScores)  # rows that were checked need no second check
        for name, value in (("values", self.values[rows]), ("classes", self.classes),
                            ("complete", self.complete)):
            object.__setattr__(part, name, value)
        return part

    def __len__(self) -> int:
        return self.values.shape[0]


def is_stored(rows: object) -> bool:
    """Whether rows (N, D) are kept elsewhere and read when they are asked for: something with
    shape, dtype, length and indexing like an array's that is none (a `RowView`, h5py, zarr)."""
    return (
        not isinstance(rows, np.ndarray) and not scipy.sparse.issparse(rows)
        and isinstance(getattr(rows, "dtype", None), np.dtype)
        and all(hasattr(rows, name) for name in ("shape", "__len__", "__getitem__"))
    )


@dataclass(frozen=True, eq=False)
class Posteriors:
    """Local probabilities. id: (N,) str. values: (N, K) float32, rows sum to 1. classes: K."""

    id: np.ndarray
    values: np.ndarray
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", _strings(self.id))
        object.__setattr__(self, "values", np.asarray(self.values, dtype=np.float32))
        object.__setattr__(self, "classes", tuple(str(c) for c in self.classes))
        if self.values.shape != (len(self.id), len(self.classes)):
            raise InputError(
                f"Posteriors: values have shape {self.values.shape}, expected "
                f"{(len(self.id), len(self.classes))}."
            )

    def __len__(self) -> int:
        return len(self.id)
