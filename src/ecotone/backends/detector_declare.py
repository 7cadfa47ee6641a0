"""How an ONNX detector is read: declared beside the model, in it, or by the caller.

One field overrides another in this order: given by the caller; the first of `net.json`,
`net.onnx.json`, `net.toml`, `detector.json` and `detector.toml` beside the model; the entry
`detector` (json) of the model's own metadata; what Ultralytics' exporters write there.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ecotone.backends.declare import PRESETS
from ecotone.backends.detector_classes import read_categories
from ecotone.detection.letterbox import PLACES
from ecotone.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

GREY = 114  # of the bars around a picture, as the YOLO family is trained
RESIZE = ("letterbox", "stretch")
NMS = ("class", "agnostic", "none")
RANGES = {"max_detections": (1, 10**6), "stride": (0, 10**4), "pad_value": (0, 255)}
OPEN = "640 (width and height) or [height, width]"


@dataclass(frozen=True)
class DetectorDeclaration:
    """What is declared of a detector; "" and None mean not declared.

    head, outputs, boxes, coordinates, activation, strides, background: see `detection.heads.Head`.
    classes: class index -> name; categories: name -> animal, human, vehicle or "". size: height and
    width of the input. preset, scale, mean, std, channels, layout: as for classifiers. resize:
    "letterbox" or "stretch"; pad_value: grey of the bars; pad_place: "centre" or "corner"; stride:
    where the input is open, the smallest multiple of so many pixels is enough; antialias: smooth
    when shrinking. confidence: below it a box is not written; typical_threshold: from it on a box
    is believed. nms: "class", "agnostic" or "none"; nms_iou: its overlap; max_detections: boxes a
    picture. detector, version: how it is called. source: where all this stood.
    """

    head: str = ""
    outputs: tuple[str, ...] = ()
    boxes: str = ""
    coordinates: str = ""
    activation: str = ""
    strides: tuple[int, ...] = (8, 16, 32)
    background: bool | None = None
    classes: Mapping[int, str] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    preset: str = ""
    scale: float | None = None
    mean: Any = None
    std: Any = None
    channels: str = ""
    layout: str = ""
    resize: str = "letterbox"
    pad_value: int = GREY
    pad_place: str = "centre"
    stride: int = 0
    antialias: bool = True
    confidence: float = 0.05
    typical_threshold: float | None = None
    nms: str = ""
    nms_iou: float = 0.45
    max_detections: int = 300
    detector: str = ""
    version: str = ""
    ultralytics: bool = False
    source: str = ""

    @property
    def says_values(self) -> bool:
        """Whether it says how bytes become the model's numbers."""
        return bool(self.preset) or any(v is not None for v in (self.scale, self.mean, self.std))


def find_detector_declaration(
    model: Path, given: Any = None, metadata: Mapping[str, str] | None = None
) -> DetectorDeclaration:
    """The declaration of a model file. given: a json or toml file, a mapping, or None.

    Raises InputError when one cannot be understood.
    """
    fields: dict[str, Any] = dict(_ultralytics(metadata or {}))
    sources = [f"{model} (its metadata)"] if fields else []
    for values, where in (_inside(model, metadata or {}), _beside(model), _given(given)):
        if values:
            fields.update(check_fields(values, where))
            sources.append(where)
    return DetectorDeclaration(**fields, source=", ".join(reversed(sources)))


def check_fields(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of a declaration with their types, from a json or toml object.

    Raises InputError on unknown names and impossible values.
    """
    own = {f.name for f in dataclasses.fields(DetectorDeclaration)} - {"source", "ultralytics"}
    out: dict[str, Any] = {}
    for name, value in values.items():
        if name not in own:
            near = get_close_matches(str(name), own, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(own))}."
            raise InputError(f"{where}: unknown field {name!r}; {hint}")
        out[name] = _value(name, value, where)
    return out


def _value(name: str, value: Any, where: str) -> Any:
    choices = {"resize": RESIZE, "nms": NMS, "pad_place": PLACES, "preset": tuple(PRESETS),
               "channels": ("RGB", "BGR"), "layout": ("NCHW", "NHWC")}
    if name == "classes":
        return read_names(value, where)
    if name == "categories":
        return read_categories(value, where)
    if name in choices and value not in choices[name]:
        raise InputError(f"{where}: {name} is {value!r}, expected one of "
                         f"{', '.join(choices[name])}.")
    try:
        return _typed(name, value)
    except (TypeError, ValueError):
        expected = OPEN if name == "size" else "another kind of value"
        raise InputError(f"{where}: {name} is {value!r}, expected {expected}.") from None


def _typed(name: str, value: Any) -> Any:
    if name == "size":
        pair = (value, value) if isinstance(value, int) else tuple(value)
        if len(pair) != 2 or min(pair) < 1:
            raise ValueError
        return int(pair[0]), int(pair[1])
    if name in ("confidence", "typical_threshold", "nms_iou"):
        if not 0 <= float(value) <= 1:
            raise ValueError
        return float(value)
    if name in ("max_detections", "stride", "pad_value"):
        number = int(value)
        low, high = RANGES[name]
        if number != value or not low <= number <= high:
            raise ValueError
        return number
    if name == "strides":
        return tuple(int(v) for v in value)
    if name == "outputs":
        return (value,) if isinstance(value, str) else tuple(str(v) for v in value)
    if name in ("background", "antialias") and not isinstance(value, bool):
        raise ValueError
    if name == "scale":
        return float(value)
    return value if name in ("mean", "std", "background", "antialias") else str(value)


def read_names(value: Any, where: str) -> dict[int, str]:
    """Class index -> name, from a list, an object {"1": "animal"}, or lines of text.

    Raises InputError when it is none of these.
    """
    if isinstance(value, str):
        with contextlib.suppress(ValueError, SyntaxError):
            value = ast.literal_eval(value)
    if isinstance(value, str):
        value = [line.strip() for line in value.splitlines() if line.strip()]
    if isinstance(value, (list, tuple)) and value:
        return {i: str(name) for i, name in enumerate(value)}
    if isinstance(value, Mapping) and value and all(str(k).strip().isdigit() for k in value):
        return {int(str(k)): str(name) for k, name in value.items()}
    raise InputError(
        f'{where}: classes are {str(value)[:60]}, expected a list of names or {{"1": "animal"}}.'
    )


def _inside(model: Path, metadata: Mapping[str, str]) -> tuple[Mapping[str, Any], str]:
    where = f"{model} (its metadata)"
    if not metadata.get("detector", "").lstrip().startswith("{"):
        return {}, where
    try:
        return json.loads(metadata["detector"]), where
    except ValueError as error:
        raise InputError(f"{where}: the entry 'detector' is no json ({error}).") from None


def _beside(model: Path) -> tuple[Mapping[str, Any], str]:
    own = (model.with_suffix(".json"), model.with_name(model.name + ".json"),
           model.with_suffix(".toml"))
    for path in (*own, model.with_name("detector.json"), model.with_name("detector.toml")):
        if path.is_file():
            values = read_declaration(path, strict=False)
            if values:
                return values, str(path)
    return {}, ""


def _given(given: Any) -> tuple[Mapping[str, Any], str]:
    if given is None:
        return {}, ""
    if isinstance(given, Mapping):
        inner = given.get("detector")
        return (inner if isinstance(inner, Mapping) else given), "declaration"
    return read_declaration(Path(str(given))), str(given)


def read_declaration(path: Path, strict: bool = True) -> Mapping[str, Any]:
    """The object `detector` of a json or toml file, or the whole of it.

    strict: raise where the file declares nothing of a detector; else {} (a classifier's file).
    Raises InputError when it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except ValueError as error:
        raise InputError(f"{path}: neither json nor toml ({error}).") from None
    if isinstance(values, Mapping) and isinstance(values.get("detector"), Mapping):
        return values["detector"]
    if isinstance(values, Mapping) and {"head", "classes"} & set(values):
        return values
    if strict:
        raise InputError(f'{path}: declares no detector; expected {{"detector": {{"head": ...}}}}.')
    return {}


def _ultralytics(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What the exporters of YOLOv5, YOLOv8 and their successors write of a model."""
    names = metadata.get("names", "")
    if not names:
        return {}
    task = metadata.get("task") or "detect"
    if task != "detect":
        raise InputError(
            f"the model's metadata say that its task is {task!r}, expected 'detect'."
        )
    fields: dict[str, Any] = {"classes": read_names(names, "metadata, names")}
    with contextlib.suppress(ValueError, SyntaxError, TypeError):
        size = ast.literal_eval(metadata.get("imgsz", ""))
        fields["size"] = _typed("size", size if isinstance(size, int) else list(size))
    if "stride" in metadata or metadata.get("author") == "Ultralytics":
        fields.update(preset="unit", ultralytics=True)
    return fields


__all__ = ["DetectorDeclaration", "find_detector_declaration", "read_declaration"]
