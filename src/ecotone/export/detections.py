"""The columns of a table of detections: where, what a detector said, local class, global label.

N detections, K local classes, S global classes. Column names are those of Camtrap DP where it has
one, in camelCase.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ecotone.types import Detections, GlobalScores, Posteriors

TOP = 5  # alternatives that are listed
LEAST = 1e-3  # and how probable they are at least, save the first
PIECE = 20_000
BOX = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
PROBABILITY = "refinedProbability"
REFINED = ("refinedLabel", "refinedScientificName", "refinedRank", PROBABILITY, "refinedStage",
           "labelBefore")


def _objects(values: Sequence[str]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def posterior_columns(
    detections: Detections,
    media: Any,
    posteriors: Posteriors | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    scores: Mapping[str, GlobalScores] | None = None,
    run_id: str = "",
    scientific_names: Mapping[str, str] | None = None,
    refined: Mapping[str, Sequence[Any]] | None = None,
    accepted: Callable[[np.ndarray], np.ndarray] | None = None,
    more: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None = None,
) -> dict[str, np.ndarray]:
    """One row a detection, as columns of N values.

    media: a table with arrays id, file_path, deployment_id and timestamp. posteriors: any rows in
    any order, by detection id; a detection without one gets "" and NaN. labels: what people said,
    by detection id. scores: by name of the global model, rows as in `detections`; of several models
    the one with the highest score is named. scientific_names: by local class. refined: what a
    refinement calls each detection, the values of `REFINED` by detection id; None for no such
    columns. accepted: which rows of posteriors (n, K) need no eye; None for no such column. What
    people labelled needs none and is not accepted: their word stands. more: further columns of
    detection ids (n,).
    """
    pieces = posterior_pieces(
        detections, media, posteriors, labels=labels, scores=scores, run_id=run_id,
        scientific_names=scientific_names, refined=refined, accepted=accepted, more=more,
    )
    return join_pieces(list(pieces))


def posterior_pieces(
    detections: Detections,
    media: Any,
    posteriors: Posteriors | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    scores: Mapping[str, GlobalScores] | None = None,
    run_id: str = "",
    scientific_names: Mapping[str, str] | None = None,
    refined: Mapping[str, Sequence[Any]] | None = None,
    accepted: Callable[[np.ndarray], np.ndarray] | None = None,
    more: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None = None,
    size: int = PIECE,
) -> Iterator[dict[str, np.ndarray]]:
    """`posterior_columns` in pieces of `size` rows, for tables that are larger than memory."""
    framed = bool((detections.frame_number >= 0).any())
    medium_row = {medium: row for row, medium in enumerate(media.id)}
    found = posteriors or Posteriors([], np.zeros((0, 0), np.float32), ())
    posterior_row = {detection: row for row, detection in enumerate(found.id)}
    names = [(scientific_names or {}).get(c, "") for c in found.classes]
    for start in range(0, max(len(detections), 1), size):
        rows = np.arange(start, min(start + size, len(detections)))
        ids = detections.id[rows]
        at = np.array([medium_row[m] for m in detections.media_id[rows]], dtype=np.intp)
        columns = {
            "filePath": media.file_path[at], "mediaID": detections.media_id[rows],
            "deploymentID": media.deployment_id[at], "timestamp": media.timestamp[at],
            "detectionID": ids, **box_columns(detections, rows),
        }  # fmt: skip
        values = _aligned(found, ids, posterior_row)
        if framed:
            columns.update(frame_columns(detections.frame_number[rows], columns["timestamp"],
                                         media.frame_rate[at]))
        columns.update(class_columns(values, found.classes, names))
        columns.update(_global_columns(scores or {}, rows))
        known = labels or {}
        columns["label"] = _objects([known.get(i, "") for i in ids])
        columns["runID"] = np.full(len(rows), run_id, dtype=object)
        if refined is not None:
            columns.update(refined_columns(refined, ids))
        if accepted is not None:
            columns["accepted"] = accepted(values) & (columns["label"] == "")
        if more is not None:
            columns.update(more(ids))
        yield columns


def frame_columns(
    numbers: np.ndarray, start: np.ndarray, rate: np.ndarray
) -> dict[str, np.ndarray]:
    """frameNumber and frameRate (n,) of detections on videos, "" for those on pictures, and the
    time of the frame. numbers: (n,), -1 for a picture. start: ISO 8601 times (n,) of the media.

    >>> frame_columns(np.array([20]), np.array(["2024-05-01T06:30:59"]), np.array([10.0]))[
    ...     "timestamp"].tolist()
    ['2024-05-01T06:31:01']
    """
    from datetime import datetime, timedelta

    time = start.astype(object)
    number, rates = _objects([""] * len(numbers)), _objects([""] * len(numbers))
    for row in np.flatnonzero(numbers >= 0):
        number[row] = str(int(numbers[row]))
        if rate[row] > 0:
            rates[row] = f"{rate[row]:.6g}"
            if time[row]:
                after = timedelta(seconds=int(numbers[row] / rate[row]))
                time[row] = (datetime.fromisoformat(time[row]) + after).isoformat()
    return {"timestamp": time, "frameNumber": number, "frameRate": rates}


def refined_columns(
    refined: Mapping[str, Sequence[Any]], ids: Sequence[str]
) -> dict[str, np.ndarray]:
    """What a refinement calls some detections; "" and NaN for one that it does not know."""
    empty = ("", "", "", float("nan"), "", "")
    cells = list(zip(*(refined.get(i, empty) for i in ids), strict=True)) or [()] * len(REFINED)
    return {
        name: np.array(values, dtype=np.float32) if name == PROBABILITY else _objects(values)
        for name, values in zip(REFINED, cells, strict=True)
    }


def box_columns(detections: Detections, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Category, confidence and the four numbers of the box of some detections."""
    box = detections.bbox[rows]
    return {
        "category": detections.category[rows],
        "detectionConfidence": detections.confidence[rows],
        **{name: box[:, i] for i, name in enumerate(BOX)},
    }


def class_columns(
    values: np.ndarray, classes: Sequence[str], scientific_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """The most probable class of rows (n, K), its probability, and the next ones as text.

    Rows of NaN give "" and NaN. alternatives: "name:0.2100 | name:0.0400".
    """
    n, k = values.shape
    known = np.isfinite(values).all(axis=1) & (k > 0)
    best, sure = np.zeros(n, dtype=np.intp), np.full(n, np.nan, dtype=np.float32)
    others = _objects([""] * n)
    if known.any():
        part = values[known]
        order = _ranked(part, TOP + 1)
        best[known] = order[:, 0]
        sure[known] = part[np.arange(len(part)), order[:, 0]]
        others[known] = _alternatives(part, order[:, 1:], classes)
    names, latin = _objects([*classes, ""]), _objects([*scientific_names, ""])
    column = np.where(known, best, k)
    return {
        "localClass": names[column], "scientificName": latin[column],
        "classificationProbability": sure, "alternatives": others,
    }  # fmt: skip


def join_pieces(pieces: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Pieces of a table as one."""
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _ranked(values: np.ndarray, most: int) -> np.ndarray:
    """Columns of the highest values of each row, highest first; of equal ones the first column."""
    if values.shape[1] <= 4 * most:
        return np.argsort(-values, axis=1, kind="stable")[:, :most]
    top = np.sort(np.argpartition(-values, most, axis=1)[:, :most], axis=1)
    order = np.argsort(-np.take_along_axis(values, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def _alternatives(part: np.ndarray, order: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """The texts (n,) of columns `order` (n, m) of rows (n, K); the first one is always there."""
    names = _objects([f"{c}:" for c in classes])
    out = _objects([""] * len(part))
    for place in range(order.shape[1]):
        column = order[:, place]
        value = part[np.arange(len(part)), column]
        shown = np.flatnonzero((value >= LEAST) | (place == 0))
        text = names[column[shown]] + _four_digits(value[shown])
        out[shown] += text if place == 0 else " | " + text
    return out


def _row_maxima(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """The highest value (n,) of each row of a CSR matrix and its column, the first of equal ones; 0
    and 0 for an empty row."""
    length = np.diff(values.indptr)
    top, column = np.zeros(len(length), np.float32), np.zeros(len(length), np.intp)
    filled = np.flatnonzero(length > 0)
    if len(filled):
        top[filled] = np.maximum.reduceat(values.data, values.indptr[filled])
        row = np.repeat(np.arange(len(length)), length)
        at = np.flatnonzero(values.data == top[row])[::-1]
        column[row[at]] = values.indices[at]  # of equal ones, the first is written last
    return top, column


_DIGITS = _objects([f"{i / 10_000:.4f}" for i in range(10_001)])


def _four_digits(values: np.ndarray) -> np.ndarray:
    """Probabilities (n,) as texts of four decimals, as f"{v:.4f}" writes them."""
    scaled = values.astype(np.float64) * 10_000
    nearest = np.rint(scaled)
    out = _DIGITS[np.clip(nearest, 0, 10_000).astype(np.intp)]
    odd = (np.abs(np.abs(scaled - nearest) - 0.5) < 1e-6) | (nearest < 0) | (nearest > 10_000)
    out[odd] = [f"{v:.4f}" for v in values[odd]]
    return out


def _aligned(posteriors: Posteriors, ids: np.ndarray, row_of: Mapping[str, int]) -> np.ndarray:
    """Posterior rows of detections (n, K), NaN where there is none."""
    at = np.array([row_of.get(i, -1) for i in ids], dtype=np.intp)
    values = np.full((len(ids), len(posteriors.classes)), np.nan, dtype=np.float32)
    values[at >= 0] = posteriors.values[at[at >= 0]]
    return values


def _global_columns(scores: Mapping[str, GlobalScores], rows: np.ndarray) -> dict[str, np.ndarray]:
    """The highest score of any global model: its label, the score, the model."""
    n = len(rows)
    label, model = _objects([""] * n), _objects([""] * n)
    best = np.full(n, np.nan, dtype=np.float32)
    for name, given in scores.items():
        values = given.values[rows]
        filled = np.diff(values.indptr) > 0
        if not filled.any():
            continue
        top, column = _row_maxima(values)
        better = filled & ~(top <= best)
        label[better] = _objects(given.classes)[column[better]]
        best[better], model[better] = top[better], name
    return {"globalLabel": label, "globalScore": best, "globalModel": model}


__all__ = [
    "box_columns", "class_columns", "join_pieces", "posterior_columns", "posterior_pieces",
    "refined_columns",
]  # fmt: skip
