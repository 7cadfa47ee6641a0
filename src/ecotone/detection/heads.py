"""From the raw outputs of a detector to candidate boxes: one function a family of heads.

A candidates of a picture, C classes, Q queries of a transformer. A decoder takes the outputs of one
picture (without the batch) and gives `Candidates`, boxes as left, top, right, bottom in pixels of
the input. Sources: the layouts that the exporters of YOLOv5, YOLOv7, YOLOv8, YOLOv10, YOLOX
(Ge et al. 2021, arXiv:2107.08430), DETR (Carion et al. 2020, arXiv:2005.12872), RT-DETR
(Zhao et al. 2023, arXiv:2304.08069) and torchvision write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ecotone.errors import BackendError, InputError

FORMATS = ("cxcywh", "xyxy", "xywh", "yxyx")
COORDINATES = ("pixels", "relative")
ACTIVATIONS = ("none", "sigmoid", "softmax")
SLACK = 1e-3  # scores may stand so far outside 0..1 by rounding


@dataclass(frozen=True, eq=False)
class Candidates:
    """Boxes before suppression. boxes: (A, 4) left, top, right, bottom in pixels of the input;
    scores: (A,) in 0..1; classes: (A,) index of the surest class of each."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class Head:
    """How the outputs of a model are read.

    kind: a key of `HEADS`. boxes: one of FORMATS, coordinates: of them, one of COORDINATES (pixels
    of the input, or 0..1 of it), activation: that is still to be done to the scores, one of
    ACTIVATIONS; "" for what is usual of the kind. strides: of the grids of "yolox". classes: C,
    None where only the outputs say. background: the last column of "detr" is no class.
    """

    kind: str
    boxes: str = ""
    coordinates: str = ""
    activation: str = ""
    strides: tuple[int, ...] = (8, 16, 32)
    classes: int | None = None
    background: bool = False

    def __post_init__(self) -> None:
        if self.kind not in HEADS:
            raise InputError(f"head is {self.kind!r}, expected one of {', '.join(HEADS)}.")
        for name, allowed in (("boxes", FORMATS), ("coordinates", COORDINATES),
                              ("activation", ACTIVATIONS)):
            value = getattr(self, name)
            if value and value not in allowed:
                raise InputError(f"{name} is {value!r}, expected one of {', '.join(allowed)}.")

    def setting(self, name: str) -> str:
        """`boxes`, `coordinates` or `activation` as declared, else what is usual of the kind."""
        return getattr(self, name) or HEADS[self.kind].usual[name]


@dataclass(frozen=True)
class _Family:
    """outputs: how many arrays the head has. usual: its settings where none are declared.
    suppress: whether its boxes still overlap."""

    decode: Callable[..., Candidates]
    outputs: int
    usual: Mapping[str, str]
    suppress: bool


def decode(head: Head, outputs: list[np.ndarray], width: int, height: int) -> Candidates:
    """The candidates of one picture.

    outputs: the arrays of the head without the batch, in the order of `HEADS`. width, height: of
    the input in pixels.

    Raises BackendError when the shapes or the values are not those of such a head.
    """
    family = HEADS[head.kind]
    if len(outputs) != family.outputs:
        raise BackendError(
            f"a head {head.kind!r} has {family.outputs} outputs, found {len(outputs)}; name them: "
            '"outputs": ["boxes", ...].'
        )
    arrays = [np.asarray(o, dtype=np.float64) for o in outputs]
    found = family.decode(head, arrays, width, height)
    _check_scores(head, found.scores)
    return found


def corners(boxes: np.ndarray, form: str) -> np.ndarray:
    """Boxes (A, 4) of one of FORMATS as left, top, right, bottom."""
    a, b, c, d = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).T
    if form == "cxcywh":
        return np.column_stack([a - c / 2, b - d / 2, a + c / 2, b + d / 2])
    if form == "xywh":
        return np.column_stack([a, b, a + c, b + d])
    return np.column_stack([b, a, d, c] if form == "yxyx" else [a, b, c, d])


def _check_scores(head: Head, scores: np.ndarray) -> None:
    good = scores[np.isfinite(scores)]
    if len(good) and (good.min() < -SLACK or good.max() > 1 + SLACK):
        raise BackendError(
            f"scores of the head {head.kind!r} run from {good.min():.3g} to {good.max():.3g}, "
            'expected 0..1; declare "activation": "sigmoid" (or "softmax"), or another head.'
        )


def _placed(head: Head, boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Boxes in the head's format and unit as corners in pixels."""
    out = corners(boxes, head.setting("boxes"))
    if head.setting("coordinates") == "relative":
        return out * [width, height, width, height]
    return out


def _activated(head: Head, values: np.ndarray) -> np.ndarray:
    kind = head.setting("activation")
    if kind == "sigmoid":
        return 1 / (1 + np.exp(-np.clip(values, -500, 500)))
    if kind == "softmax":
        e = np.exp(values - values.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    return values


def _best(boxes: np.ndarray, scores: np.ndarray) -> Candidates:
    """Of scores (A, C) the surest class of each candidate."""
    if not scores.shape[1]:
        raise BackendError("the outputs have no column of scores; declare another head.")
    where = np.isnan(scores)
    first = np.where(where, -np.inf, scores).argmax(axis=1)
    top = scores[np.arange(len(scores)), first]
    return Candidates(boxes, np.where(where.any(axis=1), np.nan, top), first)


def _rows(head: Head, array: np.ndarray, columns: int, named: str) -> np.ndarray:
    """A matrix with one candidate a row, turned where it stands the other way."""
    if array.ndim != 2:
        raise BackendError(
            f"output of shape {array.shape} a picture, expected {named} for the head "
            f"{head.kind!r}; declare another head or name the output."
        )
    if head.classes is not None:
        columns += head.classes
        if array.shape[1] != columns and array.shape[0] == columns:
            return array.T
        if array.shape[1] != columns:
            raise BackendError(
                f"output of shape {array.shape} a picture, expected {named} with {columns} columns "
                f"for {head.classes} classes and the head {head.kind!r}; mend the classes or head."
            )
        return array
    return array.T if array.shape[1] > array.shape[0] and array.shape[0] > columns else array


def _yolov5(head: Head, outputs: list[np.ndarray], width: int, height: int) -> Candidates:
    """(A, 5 + C): box, objectness, classes; the score is the product of both."""
    rows = _rows(head, outputs[0], 5, "(A, 5 + C)")
    scores = _activated(head, rows[:, 4:])
    if scores.shape[1] == 1:  # one class, of which the objectness alone speaks
        return _best(_placed(head, rows[:, :4], width, height), scores)
    return _best(_placed(head, rows[:, :4], width, height), scores[:, 1:] * scores[:, :1])


def _yolov8(head: Head, outputs: list[np.ndarray], width: int, height: int) -> Candidates:
    """(4 + C, A), or turned: box, classes."""
    rows = _rows(head, outputs[0], 4, "(4 + C, A)")
    return _best(_placed(head, rows[:, :4], width, height), _activated(head, rows[:, 4:]))


def _end_to_end(head: Head, outputs: list[np.ndarray], width: int, height: int) -> Candidates:
    """(M, 6): box, score, class; what stands behind these columns is left alone."""
    rows = outputs[0]
    if rows.ndim != 2 or rows.shape[1] < 6:
        raise BackendError(f"output of shape {rows.shape} a picture, expected (M, 6) for "
                           f"{head.kind!r}: box, score, class.")
    return Candidates(_placed(head, rows[:, :4], width, height), _activated(head, rows[:, 4]),
                      _indices(rows[:, 5]))


def _yolox(head: Head, outputs: list[np.ndarray], width: int, height: int) -> Candidates:
    """(A, 5 + C) in units of grids: middle as an offset in its place, size as a logarithm."""
    rows = _rows(head, outputs[0], 5, "(A, 5 + C)")
    places, steps = [], []
    for stride in head.strides:
        y, x = np.mgrid[: height // stride, : width // stride]
        places.append(np.column_stack([x.ravel(), y.ravel()]))
        steps.append(np.full((x.size, 1), stride))
    grid, step = np.concatenate(places), np.concatenate(steps)
    if len(grid) != len(rows):
        raise BackendError(
            f"{len(rows)} candidates, but the strides {head.strides} of an input of {width} x "
            f"{height} make {len(grid)}; declare the strides."
        )
    size = np.exp(np.clip(rows[:, 2:4], -50, 50)) * step
    boxes = corners(np.hstack([(rows[:, :2] + grid) * step, size]), "cxcywh")
    scores = _activated(head, rows[:, 4:])
    return _best(boxes, scores[:, 1:] * scores[:, :1])


def _detr(head: Head, outputs: list[np.ndarray], width: int, height: int) -> Candidates:
    """(Q, 4) boxes and (Q, C) logits, or (Q, C + 1) with "no object" as the last column."""
    boxes, logits = outputs
    if boxes.ndim != 2 or boxes.shape[1] != 4 or logits.ndim != 2 or len(boxes) != len(logits):
        raise BackendError(f"outputs of shape {boxes.shape} and {logits.shape} a picture, expected "
                           "boxes (Q, 4) and scores (Q, C) for the head 'detr'.")
    scores = _activated(head, logits)
    known = head.classes
    if head.background or head.setting("activation") == "softmax" or (
        known is not None and logits.shape[1] == known + 1
    ):
        scores = scores[:, :-1]
    return _best(_placed(head, boxes, width, height), scores)


def _listed(head: Head, outputs: list[np.ndarray], width: int, height: int) -> Candidates:
    """(M, 4) boxes, (M,) labels, (M,) scores, already chosen by the model."""
    boxes, labels, scores = (o.reshape(-1, 4) if i == 0 else o.ravel()
                             for i, o in enumerate(outputs))
    if not len(boxes) == len(labels) == len(scores):
        raise BackendError(f"{len(boxes)} boxes, {len(labels)} labels, {len(scores)} scores; name "
                           'the outputs in this order: "outputs": ["boxes", "labels", "scores"].')
    return Candidates(_placed(head, boxes, width, height), _activated(head, scores),
                      _indices(labels))


def _indices(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), np.round(values), -1).astype(np.int64)


_PIXELS = {"boxes": "cxcywh", "coordinates": "pixels", "activation": "none"}
_CORNERS = {**_PIXELS, "boxes": "xyxy"}
HEADS: dict[str, _Family] = {
    "yolov5": _Family(_yolov5, 1, _PIXELS, True),
    "yolov8": _Family(_yolov8, 1, _PIXELS, True),
    "yolox": _Family(_yolox, 1, _PIXELS, True),
    "end2end": _Family(_end_to_end, 1, _CORNERS, False),
    "rtdetr": _Family(_yolov8, 1, {**_PIXELS, "coordinates": "relative"}, False),
    "detr": _Family(_detr, 2, {"boxes": "cxcywh", "coordinates": "relative",
                               "activation": "sigmoid"}, False),
    "torchvision": _Family(_listed, 3, _CORNERS, False),
}

__all__ = ["ACTIVATIONS", "COORDINATES", "FORMATS", "HEADS", "Candidates", "Head", "corners",
           "decode"]
