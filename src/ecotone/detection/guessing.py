"""Which head a model has, by the shapes of its outputs, where only one can be meant.

A candidates, C classes, Q queries, M boxes.
"""

from __future__ import annotations

from collections.abc import Sequence

from ecotone.detection.heads import Head
from ecotone.errors import InputError

FEW = 1000  # a model that has chosen its boxes itself gives no more of them
Shapes = Sequence[tuple[str, tuple[int, ...], str]]


def guess_head(outputs: Shapes, classes: int | None, ultralytics: bool = False
               ) -> tuple[Head, tuple[str, ...]]:
    """The head of a model and the names of its outputs, in the order that the head takes them.

    outputs: (name, shape with the batch first, type as NumPy names it) of each. classes: how many
    the model has, None when nothing says so. ultralytics: the file says that Ultralytics wrote it.

    Raises InputError, telling the shapes and what could be declared, when none or several fit.
    """
    shapes = {name: tuple(shape) for name, shape, _ in outputs}
    fitting = _single(shapes, classes, ultralytics) if len(shapes) == 1 else _several(
        shapes, {name: kind for name, _, kind in outputs}, classes)
    if len(fitting) == 1:
        return fitting[0]
    told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    known = "an unknown number of" if classes is None else str(classes)
    if not fitting:
        raise InputError(
            f"no head is known that has the outputs {told} for {known} classes; declare the classes"
            ' and the head, as {"detector": {"head": "yolov8", "classes": ["animal", ...]}}.'
        )
    which = " or ".join(repr(head.kind) for head, _ in fitting)
    raise InputError(
        f"the outputs {told} for {known} classes may be the head {which}; declare it, as "
        f'{{"detector": {{"head": "{fitting[0][0].kind}"}}}}.'
    )


def _single(shapes: dict[str, tuple[int, ...]], classes: int | None, ultralytics: bool
            ) -> list[tuple[Head, tuple[str, ...]]]:
    (name, shape), = shapes.items()
    if len(shape) != 3:
        return []
    rows, columns = shape[1:]
    kinds = []
    if classes is not None and columns == 5 + classes and rows > columns:
        kinds.append("yolov5")
    if classes is not None and rows == 4 + classes and columns > rows:
        kinds.append("yolov8")
    if classes is not None and columns == 4 + classes and rows > columns:
        # Turned, or a transformer's queries with boxes in 0..1: only Ultralytics writes the latter.
        kinds += ["rtdetr"] if ultralytics and rows <= FEW else ["yolov8"]
        if not ultralytics and rows <= FEW:
            kinds.append("rtdetr")
    if columns == 6 and rows <= FEW:
        kinds = ["end2end"] if ultralytics and classes != 2 else [*kinds, "end2end"]
    return [(Head(kind, classes=classes), (name,)) for kind in kinds]


def _several(shapes: dict[str, tuple[int, ...]], kinds: dict[str, str], classes: int | None
             ) -> list[tuple[Head, tuple[str, ...]]]:
    boxes = [n for n, s in shapes.items() if len(s) in (2, 3) and s[-1] == 4]
    if len(boxes) > 1:  # three classes and "no object" are four columns, too
        boxes = [n for n in boxes if "box" in n.casefold() or "dets" in n.casefold()]
    if len(boxes) != 1:
        return []
    queries = shapes[boxes[0]][-2]
    rest = {n: s for n, s in shapes.items() if n != boxes[0]}
    if len(rest) == 1 and len(shapes[boxes[0]]) == 3:
        (name, shape), = rest.items()
        if len(shape) != 3 or shape[1] != queries:
            return []
        if classes is None or shape[2] == classes:
            return [(Head("detr", classes=classes), (boxes[0], name))]
        if shape[2] != classes + 1:
            return []
        # DETR takes a softmax over classes and "no object", RF-DETR independent scores; of these
        # two only the latter names its outputs "dets" and "labels".
        kind = "sigmoid" if set(shapes) == {"dets", "labels"} else "softmax"
        head = Head("detr", activation=kind, classes=classes, background=True)
        return [(head, (boxes[0], name))]
    flat = [n for n, s in rest.items() if s[-1:] == (queries,) and len(s) in (1, 2)]
    labels = [n for n in flat if "int" in kinds[n]]
    scores = [n for n in flat if "float" in kinds[n]]
    if len(labels) == 1 and len(scores) == 1:
        return [(Head("torchvision", classes=classes), (boxes[0], labels[0], scores[0]))]
    return []


__all__ = ["guess_head"]
