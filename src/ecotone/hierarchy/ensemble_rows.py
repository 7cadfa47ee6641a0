"""What the decision on rows of scores takes and gives: boxes, the best classes, answers.

N rows, S classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from ecotone.errors import InputError

CELLS = 1 << 21  # of the dense block that is looked at in one go
DECIMALS = 6
FEW = 16  # passes over a row that are cheaper than sorting it
# What a box can be called, and what it counts as; "" stands for a picture without a box.
BOXES = {
    "animal": "animal", "1": "animal", "human": "human", "person": "human", "2": "human",
    "vehicle": "vehicle", "3": "vehicle", "": "", "blank": "blank",
    "whole_image_classification": "whole", "0": "whole",
}


class Decision(NamedTuple):
    """One answer: SpeciesNet's label, its score, and which step gave it, in SpeciesNet's words.

    source: "detector", "classifier", "classifier+rollup_to_LEVEL",
    "classifier+geofence+rollup_to_LEVEL" or "classifier+geofence+rollup_failed".
    """

    label: str
    score: float
    source: str


UNDECIDED = Decision("", math.nan, "")


@dataclass(frozen=True, eq=False)
class Decisions:
    """N answers: label and source (N,) str, score (N,) float64. Label and source are "" and the
    score NaN where nothing could be decided. notes: what is odd about classes and taxonomy."""

    label: np.ndarray
    score: np.ndarray
    source: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, row: int) -> Decision:
        return Decision(self.label[row], float(self.score[row]), self.source[row])

    def __iter__(self) -> Iterator[Decision]:
        return (self[row] for row in range(len(self)))


def box_of(category: str, confidence: float) -> tuple[str, float]:
    """The kind of a box and its confidence, as the rules count them.

    Raises InputError for a kind that there is not.
    """
    kind = BOXES.get(category)
    if kind is None:
        raise InputError(
            f'box {category!r}: expected animal, human, vehicle, or "" where there is none.'
        )
    if kind == "":
        return "animal", 0.0  # as SpeciesNet takes a picture in which its detector found nothing
    if kind == "blank":
        return "animal", round(1.0 - confidence, DECIMALS)
    return kind, confidence


def boxes_of(
    categories: Sequence[str | None], confidences: Sequence[float], n: int
) -> list[tuple[str | None, float]]:
    """`box_of` for N rows; the kind is None where no detector looked.

    Raises InputError, naming the row.
    """
    if len(categories) != n or len(confidences) != n:
        raise InputError(
            f"decide: {n} rows of scores, {len(categories)} categories, {len(confidences)} "
            "confidences; give one a row."
        )
    values = as_written(confidences).tolist()
    found: list[tuple[str | None, float]] = []
    for row, (category, value) in enumerate(zip(categories, values, strict=True)):
        if category is None:
            found.append((None, 0.0))
            continue
        try:
            box = box_of(category, value)
        except InputError as error:
            raise InputError(f"row {row}: {error}") from error
        if not math.isfinite(box[1]):
            raise InputError(f"row {row}: confidence {value}, expected a number in 0..1.")
        found.append(box)
    return found


def column_of(
    values: Sequence[str | None] | str | None, n: int, name: str
) -> list[str | None]:
    """One value a row, of one for all or of N. Raises InputError when there are fewer or more."""
    if values is None or isinstance(values, str):
        return [values] * n
    if len(values) != n:
        raise InputError(f"decide: {n} rows of scores, {len(values)} {name}; give one a row.")
    return list(values)


def best_of(
    values: sparse.csr_matrix, top: int | None
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Block by block (first row, columns (B, k) int, scores (B, k) float64, lengths (B,)).

    Best first; of equal scores the lower column goes first. A row holds its scores in its first
    `length` places, k is the most that any row of the block has, at most `top` (None: all).
    """
    values = values if values.has_sorted_indices else values.sorted_indices()
    counts = np.diff(values.indptr)
    start = 0
    while start < len(counts):
        width = np.maximum.accumulate(np.maximum(counts[start : start + CELLS], 1))
        fits = np.searchsorted(width * np.arange(1, len(width) + 1, dtype=np.int64), CELLS)
        stop = start + max(int(fits), 1)
        yield (start, *_best(values, counts, start, stop, top))
        start = stop


def as_written(values: ArrayLike) -> np.ndarray:
    """Numbers as float64; float32 that came from up to six decimals becomes that number again.

    0.2 kept as float32 is 0.200000003, and would exceed a threshold of 0.2. Raises InputError when
    one is no number.
    """
    given = np.asarray(values)
    try:
        exact = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"found {values!r}, expected numbers in 0..1 ({error}).") from error
    if given.dtype != np.float32:
        return exact
    short = np.round(exact, DECIMALS)
    return np.where(short.astype(np.float32) == given, short, exact)


def _best(
    values: sparse.csr_matrix, counts: np.ndarray, start: int, stop: int, top: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns, scores and lengths of the rows from `start` to before `stop`."""
    first, last = values.indptr[start], values.indptr[stop]
    lengths = counts[start:stop]
    rows = np.repeat(np.arange(stop - start), lengths)
    places = np.arange(first, last) - np.repeat(values.indptr[start:stop], lengths)
    width = int(lengths.max(initial=0))
    scores = np.full((stop - start, width), -np.inf)
    columns = np.zeros((stop - start, width), dtype=np.intp)
    scores[rows, places] = as_written(values.data[first:last])
    columns[rows, places] = values.indices[first:last]
    k = width if top is None else min(top, width)
    if k > FEW or k == width:
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    else:
        order = np.empty((stop - start, k), dtype=np.intp)
        left = scores.copy()
        for place in range(k):
            order[:, place] = left.argmax(axis=1)
            left[np.arange(stop - start), order[:, place]] = -np.inf
    taken = np.take_along_axis
    return taken(columns, order, axis=1), taken(scores, order, axis=1), np.minimum(lengths, k)
