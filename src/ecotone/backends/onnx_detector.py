"""Any ONNX detector whose input and output are declared or plain to see, by ONNX Runtime.

n pictures in a batch, C classes, M boxes of a picture.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.backends.base import check_options
from ecotone.backends.declare import PRESETS, Declaration, ModelInput, resolve
from ecotone.backends.detector import TYPICAL, Prepared
from ecotone.backends.detector_classes import category_of_class
from ecotone.backends.detector_declare import find_detector_declaration
from ecotone.backends.session import DTYPES, Network, first_line
from ecotone.detection.boxes import Boxes, choose_boxes
from ecotone.detection.guessing import guess_head
from ecotone.detection.heads import HEADS, Head, decode
from ecotone.detection.letterbox import Letterbox, fit
from ecotone.errors import BackendError, InputError
from ecotone.media.decode import load_picture
from ecotone.media.preprocess import Preprocessing

SIZES = "orig_target_sizes"  # the second input of RT-DETR's own export: width and height


def open_onnx_detector(
    argument: str, declaration: Any = None, **options: Any
) -> OnnxDetector:
    """Open an .onnx file, see `OnnxDetector`."""
    return OnnxDetector(
        Path(argument), declaration, **check_options(OnnxDetector, options, argument)
    )


class OnnxDetector:
    """A detector in an .onnx file.

    declaration: see `detector_declare`. name: as declared, else the file's. threshold: the
    confidence from which on boxes are believed. head: how its outputs are read.

    Raises BackendError, InputError (declaration).
    """

    def __init__(
        self, path: Path, declaration: Any = None, threads: int | None = None, device: str = ""
    ) -> None:
        self.path = path
        network = Network(path, max(1, threads or os.cpu_count() or 1), device)
        self._session, self.device = network.session, network.device
        self.notes = [network.note] if network.note else []
        metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        declared = find_detector_declaration(path, declaration, metadata)
        self._declared = declared
        self.name = declared.detector or path.stem
        self.threshold = (
            TYPICAL if declared.typical_threshold is None else declared.typical_threshold
        )
        tensor = self._inputs()
        self._half, self._fixed = tensor.dtype == "float16", tensor.shape[0]
        self._open = tensor.shape[1:].count(None) >= 2
        self.preprocessing = self._resolved(tensor)
        self.head, self._outputs = self._choose_head()
        self._nms = declared.nms or ("class" if HEADS[self.head.kind].suppress else "none")
        self._categories = self._named()

    @property
    def version(self) -> str:
        """The version that the declaration names, "" when it does not."""
        return self._declared.version

    @property
    def lowest(self) -> float:
        """The confidence below which a box is none."""
        return self._declared.confidence

    def prepare(self, path: Path) -> Prepared:
        """A picture as it goes into the model. Raises MediaError when it cannot be read."""
        whole: list[int] = []

        def size(width: int, height: int) -> tuple[int, int] | None:
            whole[:] = width, height
            place = self._fit(width, height)
            return (place.inner_width, place.inner_height) if self._declared.antialias else None

        picture = load_picture(path, size)
        place = self._fit(picture.width, picture.height)
        return Prepared((self._laid(picture, place), place), *(whole or picture.size))

    def detect(self, prepared: Sequence[Prepared]) -> list[Boxes | str]:
        """The boxes of prepared pictures. Raises BackendError when the model cannot be run."""
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, one in enumerate(prepared):
            groups[one.input[0].size].append(i)
        found: dict[int, Boxes | str] = {}
        for rows in groups.values():
            step = self._fixed or len(rows)
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                places = [prepared[i].input[1] for i in part]
                outputs = self._run([prepared[i].input[0] for i in part], step)
                for k, i in enumerate(part):
                    found[i] = self._boxes(self._of_picture(outputs, k), places[k])
        return [found[i] for i in range(len(prepared))]

    def info(self) -> dict[str, Any]:
        """What must be written down to run the same again."""
        declared = self._declared
        kept = ("resize", "pad_value", "pad_place", "stride", "antialias", "confidence", "nms_iou",
                "max_detections", "version")
        return {
            "spec": str(self.path), "file": str(self.path), "head": self.head.kind,
            "boxes": self.head.setting("boxes"), "activation": self.head.setting("activation"),
            "coordinates": self.head.setting("coordinates"), "outputs": list(self._outputs),
            "categories": self._categories, "preprocessing": self.preprocessing.to_dict(),
            "nms": self._nms, **{name: getattr(declared, name) for name in kept},
        }

    def _fit(self, width: int, height: int) -> Letterbox:
        declared, size = self._declared, self.preprocessing
        return fit(width, height, size.width, size.height, stretch=declared.resize == "stretch",
                   place=declared.pad_place, stride=declared.stride if self._open else 0)

    def _laid(self, picture: Any, place: Letterbox) -> Any:
        """The picture scaled and laid on grey, as an image of the input's size."""
        from PIL import Image

        inner = replace(self.preprocessing, width=place.inner_width, height=place.inner_height)
        scaled = inner.resized(picture)
        if (place.inner_width, place.inner_height) == (place.input_width, place.input_height):
            return scaled
        grey = (self._declared.pad_value,) * 3
        canvas = Image.new("RGB", (place.input_width, place.input_height), grey)
        canvas.paste(scaled, (place.left, place.top))
        return canvas

    def _run(self, pictures: list[Any], count: int) -> list[np.ndarray]:
        """The outputs of the head for pictures of one size, padded to `count` of them."""
        numbers = replace(self.preprocessing, width=pictures[0].width, height=pictures[0].height)
        batch = np.stack([numbers.apply(p) for p in pictures])
        if self._fixed and len(batch) < count:
            rest = np.zeros((count - len(batch), *batch.shape[1:]), batch.dtype)
            batch = np.concatenate([batch, rest])
        feed = {self._input: batch.astype(np.float16) if self._half else batch}
        if self._sizes is not None:
            size = [pictures[0].width, pictures[0].height]
            feed[self._sizes.name] = np.tile(np.array(size, self._sizes.dtype), (len(batch), 1))
        try:
            outputs = self._session.run(list(self._outputs) or None, feed)
        # ONNX Runtime raises its own types and plain RuntimeError alike.
        except Exception as error:
            raise BackendError(f"{self.path}: the model failed ({first_line(error)}).") from error
        return [np.asarray(o) for o in outputs]

    def _of_picture(self, outputs: list[np.ndarray], row: int) -> list[np.ndarray]:
        """One picture's part of the outputs."""
        if self._flat:
            return outputs
        for output in outputs:
            if output.ndim < 1 or len(output) <= row:
                raise BackendError(
                    f"{self.path}: an output has shape {output.shape}, expected one row a picture."
                )
        return [output[row] for output in outputs]

    def _boxes(self, outputs: list[np.ndarray], place: Letterbox) -> Boxes | str:
        declared = self._declared
        try:
            found = decode(self.head, outputs, place.input_width, place.input_height)
        except BackendError as error:
            raise BackendError(f"{self.path}: {error}") from None
        unfit = ~np.isfinite(found.scores)
        if unfit.any():
            return f"{int(unfit.sum()):,} of {len(unfit):,} scores of the model are NaN or infinite"
        sure = found.scores >= declared.confidence
        if not np.isfinite(found.boxes[sure]).all():
            return "boxes of the model are NaN or infinite"
        try:
            return choose_boxes(
                found, place, self._categories, lowest=declared.confidence,
                overlap=declared.nms_iou, nms=self._nms, most=declared.max_detections)
        except BackendError as error:
            raise BackendError(f"{self.path}: {error}") from None

    def _inputs(self) -> ModelInput:
        """The picture's input; what else the model takes is the size of the picture, or refused."""
        tensors = [
            ModelInput(i.name, tuple(s if isinstance(s, int) and s > 0 else None for s in i.shape),
                       DTYPES.get(i.type, i.type))
            for i in self._session.get_inputs()
        ]
        sizes = [t for t in tensors if t.name == SIZES]
        pictures = [t for t in tensors if t.name != SIZES]
        if len(pictures) != 1:
            names = ", ".join(t.name for t in tensors)
            raise BackendError(
                f"{self.path}: it takes {len(tensors)} inputs ({names}), expected a picture alone "
                f"(and perhaps {SIZES})."
            )
        self._sizes = sizes[0] if sizes else None
        tensor = pictures[0]
        self._input = tensor.name
        if len(tensor.shape) == 4 and tensor.shape[1:].count(None) == 3:  # all open: as declared
            shape = [tensor.shape[0], None, None, None]
            shape[3 if self._declared.layout == "NHWC" else 1] = 3
            tensor = replace(tensor, shape=tuple(shape))
        return tensor

    def _resolved(self, tensor: ModelInput) -> Preprocessing:
        """How pixels become the input's numbers."""
        declared = self._declared
        sidecar = self.path.with_suffix(".json").name
        if "float" in tensor.dtype and not declared.says_values:
            raise BackendError(
                f"{self.path}: its input is {tensor.dtype} and nothing says how a picture becomes "
                f'its numbers; write {sidecar} with {{"detector": {{"preset": "unit", ...}}}} '
                f"({', '.join(PRESETS)}: 0..255, 0..1, -1..1, ImageNet's or CLIP's mean and std)."
            )
        fields: dict[str, Any] = {"preset": declared.preset} if declared.preset else {}
        for name in ("scale", "mean", "std", "channels", "layout"):
            value = getattr(declared, name)
            if value not in (None, ""):
                fields[name] = value
        height, width = self._size(tensor, sidecar)
        fields.update(height=height, width=width)
        if "float" not in tensor.dtype:
            for name in ("preset", "scale", "mean", "std"):
                fields.pop(name, None)
        fields.update(interpolation="bilinear", antialias=declared.antialias)
        return resolve(
            self.path, tensor, Declaration(fields, source=declared.source or str(self.path)))

    def _size(self, tensor: ModelInput, sidecar: str) -> tuple[int | None, int | None]:
        """Height and width of the input: the model's own where it fixes them."""
        if len(tensor.shape) != 4:
            return None, None  # which `resolve` refuses, and says why
        own = tensor.shape[1:3] if tensor.shape[3] == 3 else tensor.shape[2:]
        said = self._declared.size or (None, None)
        size = tuple(o if o is not None else s for o, s in zip(own, said, strict=True))
        if None in size:
            raise BackendError(
                f"{self.path}: its input has an open size (shape {tensor.shape}); state it: "
                f'{{"detector": {{"size": 640, ...}}}} in {sidecar}.'
            )
        return size

    def _choose_head(self) -> tuple[Head, tuple[str, ...]]:
        """The declared head, or the only one that fits the outputs of an empty picture."""
        declared = self._declared
        classes = 1 + max(declared.classes) if declared.classes else None
        known = {o.name: o for o in self._session.get_outputs()}
        for name in declared.outputs:
            if name not in known:
                raise InputError(f"{declared.source}: the model has no output {name!r}; it has "
                                 f"{', '.join(known)}.")
        self._outputs, self._flat = declared.outputs, False
        shapes = self._shapes(list(declared.outputs or known))
        if declared.head:
            head = Head(
                declared.head, declared.boxes, declared.coordinates, declared.activation,
                declared.strides, classes, bool(declared.background))
            names = declared.outputs or _in_order(head, shapes)
        else:
            try:
                head, names = guess_head(shapes, classes, declared.ultralytics)
            except InputError as error:
                raise BackendError(f"{self.path}: {error}") from None
            stated = {name: getattr(declared, name) for name in ("boxes", "coordinates",
                      "activation") if getattr(declared, name)}
            head = replace(head, **stated, strides=declared.strides)
            if declared.background is not None:
                head = replace(head, background=declared.background)
        # A model that lists its boxes without a row a picture is run on one picture at a time.
        ranks = {name: len(shape) for name, shape, _ in shapes}
        flat = HEADS[head.kind].outputs == 3 and ranks.get(names[0]) == 2
        self._flat = flat or (head.kind == "end2end" and ranks.get(names[0]) == 2)
        self._fixed = 1 if self._flat else self._fixed
        return head, tuple(names)

    def _shapes(self, names: list[str]) -> list[tuple[str, tuple[int, ...], str]]:
        """Names, shapes and types of the outputs of one empty picture."""
        from PIL import Image

        self._outputs = tuple(names)
        size = self.preprocessing
        blank = Image.new("RGB", (size.width, size.height), (self._declared.pad_value,) * 3)
        found = self._run([blank], self._fixed or 1)
        return [(name, o.shape, str(o.dtype)) for name, o in zip(names, found, strict=True)]

    def _named(self) -> list[str]:
        """The category of each class, "" for one that is left out or has no name."""
        classes = self._declared.classes
        if not classes:
            raise BackendError(
                f"{self.path}: the names of its classes are not known; write "
                f'{self.path.with_suffix(".json").name} with {{"detector": {{"classes": '
                '["animal", "person", "vehicle"]}}.'
            )
        names = [classes.get(i, "") for i in range(1 + max(classes))]
        return [category_of_class(n, self._declared.categories) if n else "" for n in names]


def _in_order(head: Head, shapes: Sequence[tuple[str, tuple[int, ...], str]]) -> tuple[str, ...]:
    """Which outputs a declared head takes, where their names are not declared."""
    names = tuple(name for name, _, _ in shapes)
    if HEADS[head.kind].outputs == 1:
        return names[:1]
    try:
        return guess_head(shapes, head.classes)[1]
    except InputError:
        return names


__all__ = ["OnnxDetector", "open_onnx_detector"]
