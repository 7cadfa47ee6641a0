"""Preprocessing is declared, never guessed: where a declaration may stand, and how it is read.

In this order: given by the caller; a JSON file named after the model (`net.onnx.json`, `net.json`);
the model's own metadata; `model.json`, `preprocessing.json`, `preprocessor_config.json` or
`config.json` in its folder; and last the type of its input: bytes are the picture's own bytes.
Size, layout and type that the network's input fixes need not be repeated.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecotone.errors import BackendError, InputError
from ecotone.media.preprocess import BYTE, Preprocessing

IMAGENET = {"scale": BYTE, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
CLIP = {
    "scale": BYTE,
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
}
PRESETS: dict[str, dict[str, Any]] = {
    "bytes": {},
    "unit": {"scale": BYTE},
    "symmetric": {"scale": 2 * BYTE, "mean": 1.0},
    "imagenet": IMAGENET,
    "clip": CLIP,
}
FOLDER_FILES = ("model.json", "preprocessing.json", "preprocessor_config.json", "config.json")
VALUES = ("preset", "scale", "mean", "std")  # fields that say how bytes become numbers
OUTPUTS = ("probabilities", "logits", "independent")
RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
MEND = (
    "give --preprocessing {names} (0..255, 0..1, -1..1, ImageNet's or CLIP's mean and std), or "
    'write {sidecar} with {{"preprocessing": {{"preset": "imagenet"}}}}.'
)


@dataclass(frozen=True)
class ModelInput:
    """A network's picture input: name, shape (None where open), and type as NumPy names it."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Declaration:
    """What is declared of a model. preprocessing: field values, perhaps with a `preset`.

    output: one of OUTPUTS or "". embedding, scores: tensor names or "". source: where it stood.
    """

    preprocessing: Mapping[str, Any] | None = None
    output: str = ""
    embedding: str = ""
    scores: str = ""
    source: str = ""


def find_declaration(
    model: Path, given: Any = None, metadata: Mapping[str, Any] | None = None
) -> Declaration:
    """The first declaration found for a model file; an empty one when there is none.

    given: a preset name, a JSON path, a mapping, a Preprocessing, or None. metadata: what the model
    file itself declares, in the same form as a JSON file beside it.

    Raises InputError when a declaration cannot be understood.
    """
    if given is None:
        return _found(model, metadata)
    stated = _given(given)
    if stated.preprocessing is not None and set(VALUES) & set(stated.preprocessing):
        return stated
    # Single fields, such as the way of resizing, are laid over what the model declares.
    below = _found(model, metadata)
    fields = {**(below.preprocessing or {}), **(stated.preprocessing or {})}
    return Declaration(
        fields, stated.output or below.output, stated.embedding or below.embedding,
        stated.scores or below.scores, f"{stated.source} over {below.source or 'the model'}",
    )


def _found(model: Path, metadata: Mapping[str, Any] | None) -> Declaration:
    for path in (model.with_name(model.name + ".json"), model.with_suffix(".json")):
        if path.is_file():
            return parse_declaration(_read_json(path), str(path))
    if metadata:
        return parse_declaration(metadata, f"{model} (its own metadata)")
    for name in FOLDER_FILES:
        path = model.with_name(name)
        if path.is_file():
            found = parse_declaration(_read_json(path), str(path), strict=False)
            if found.preprocessing is not None:
                return found
    return Declaration()


def parse_declaration(values: Any, source: str, strict: bool = True) -> Declaration:
    """A declaration from the content of a JSON file in one of the known forms.

    Ours: {"preprocessing": {...}, "output": ..., "embedding": ..., "scores": ...} or the
    preprocessing alone; timm's `pretrained_cfg`; transformers' `image_mean` and so on. strict:
    raise on any other content; else such a file declares nothing.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{source}: expected a JSON object, found {type(values).__name__}.")
    if isinstance(values.get("preprocessing"), (Mapping, str)):
        inner = values["preprocessing"]
        fields = {"preset": inner} if isinstance(inner, str) else dict(inner)
        output = str(values.get("output") or "")
        if output and output not in OUTPUTS:
            raise InputError(f"{source}: output is {output!r}, expected one of {OUTPUTS}.")
        names = {k: str(values.get(k) or "") for k in ("embedding", "scores")}
        return Declaration(fields, output, source=source, **names)
    if isinstance(values.get("pretrained_cfg"), Mapping):
        return Declaration(timm_fields(values["pretrained_cfg"]), source=source)
    if "image_mean" in values or "do_normalize" in values or "do_rescale" in values:
        return Declaration(_transformers(values), source=source)
    known = {"preset", *(f.name for f in dataclasses.fields(Preprocessing))}
    if set(values) & known and (strict or set(values) <= known):
        return Declaration(dict(values), source=source)
    if not strict:
        return Declaration()
    raise InputError(f'{source}: no "preprocessing" in it; expected {{"preprocessing": {{...}}}}.')


def resolve(model: Path, tensor: ModelInput, declared: Declaration) -> Preprocessing:
    """The preprocessing of a model from its input tensor and its declaration.

    Raises BackendError when the two disagree or something needed is not declared.
    """
    layout, height, width = _layout(model, tensor)
    fixed = {"layout": layout, "height": height, "width": width, "dtype": _dtype(model, tensor)}
    stated = dict(declared.preprocessing or {})
    if fixed["dtype"] == "float32" and not set(VALUES) & set(stated):
        names, sidecar = "|".join(PRESETS), model.with_suffix(".json").name
        raise BackendError(
            f"{model}: its input is {tensor.dtype} and nothing says how a picture becomes its "
            "numbers; " + MEND.format(names=names, sidecar=sidecar)
        )
    fields = expand_preset(stated, declared.source)
    for name, value in fixed.items():
        said = fields.get(name)
        if value is not None and said is not None and said != value:
            raise BackendError(
                f"{declared.source}: {name} is {said!r}, but the input of {model.name} takes "
                f"{value!r} (shape {_shape_text(tensor.shape)}); mend the declaration."
            )
        fields[name] = value if value is not None else said
    for name in ("width", "height"):
        if fields[name] is None:
            raise BackendError(
                f"{model}: its input has an open {name} (shape {_shape_text(tensor.shape)}); state "
                f'the size: {{"preprocessing": {{"width": 224, "height": 224, ...}}}} in '
                f"{model.with_suffix('.json').name}."
            )
    return Preprocessing.from_dict(fields, declared.source or str(model))


def expand_preset(fields: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Fields with the `preset` replaced by what it stands for; fields beside it win."""
    rest = {k: v for k, v in fields.items() if k != "preset"}
    name = fields.get("preset")
    if name is None:
        return rest
    if name not in PRESETS:
        raise InputError(f"{source}: preset {name!r} is none of {', '.join(PRESETS)}.")
    return {**PRESETS[name], **rest}


def overlay(fields: Mapping[str, Any], given: Any, source: str) -> Preprocessing:
    """The preprocessing a library declares (`fields`), with the caller's fields laid over it."""
    stated = dict(_given(given).preprocessing or {}) if given is not None else {}
    return Preprocessing.from_dict({**fields, **expand_preset(stated, source)}, source)


def timm_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The preprocessing fields of a timm data configuration (mean and std for pixels in 0..1)."""
    size = config.get("input_size") or (3, 224, 224)
    mode = str(config.get("crop_mode") or "center")
    return {
        "height": int(size[1]),
        "width": int(size[2]),
        "resize": {"squash": "squash", "border": "pad"}.get(mode, "crop"),
        "crop_fraction": float(config.get("crop_pct") or 1.0) if mode == "center" else 1.0,
        "interpolation": str(config.get("interpolation") or "bicubic"),
        "scale": BYTE,
        "mean": list(config.get("mean") or (0.0, 0.0, 0.0)),
        "std": list(config.get("std") or (1.0, 1.0, 1.0)),
    }


def _transformers(config: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if config.get("do_rescale", True):
        fields["scale"] = float(config.get("rescale_factor", BYTE))
    if config.get("do_normalize", True):
        fields["mean"] = list(config.get("image_mean", IMAGENET["mean"]))
        fields["std"] = list(config.get("image_std", IMAGENET["std"]))
    fields["interpolation"] = RESAMPLE.get(config.get("resample", 2), "bicubic")
    size, cut = config.get("size"), config.get("crop_size")
    cropped = bool(config.get("do_center_crop")) and cut is not None
    target = cut if cropped else size
    if isinstance(target, Mapping) and "height" in target:
        fields["height"], fields["width"] = int(target["height"]), int(target["width"])
    elif isinstance(target, int):
        fields["height"] = fields["width"] = target
    edge = size.get("shortest_edge") if isinstance(size, Mapping) else None
    if cropped and edge and "height" in fields:
        fields["resize"], fields["crop_fraction"] = "crop", min(1.0, fields["height"] / edge)
    return fields


def _given(given: Any) -> Declaration:
    if isinstance(given, Preprocessing):
        return Declaration(given.to_dict(), source="preprocessing")
    if isinstance(given, Mapping):
        return parse_declaration(given, "preprocessing")
    if str(given) in PRESETS:
        return Declaration({"preset": str(given)}, source="--preprocessing")
    path = Path(str(given))
    if path.is_file():
        return parse_declaration(_read_json(path), str(path))
    raise InputError(
        f"--preprocessing {given!r} is neither a preset ({', '.join(PRESETS)}) nor a JSON file."
    )


def _layout(model: Path, tensor: ModelInput) -> tuple[str, int | None, int | None]:
    shape = tensor.shape
    if len(shape) == 4 and shape[3] == 3:
        return "NHWC", shape[1], shape[2]
    if len(shape) == 4 and shape[1] == 3:
        return "NCHW", shape[2], shape[3]
    raise BackendError(
        f"{model}: its input {tensor.name!r} has shape {_shape_text(shape)}, expected pictures of "
        "three channels: (n, height, width, 3) or (n, 3, height, width)."
    )


def _dtype(model: Path, tensor: ModelInput) -> str:
    names = {"uint8": "uint8", "int8": "int8", "float32": "float32", "float16": "float32"}
    if tensor.dtype not in names:
        raise BackendError(f"{model}: its input is {tensor.dtype}, expected uint8, int8 or float.")
    return names[tensor.dtype]


def _shape_text(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("?" if s is None else str(s) for s in shape) + ")"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a JSON file that can be read ({error}).") from None
