"""`ecotone classify` and `ecotone embed`: run models on the project's pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import (
    check_model,
    example,
    first_lines,
    in_file,
    json_option,
    open_project,
    project_option,
    show,
)
from ecotone.cli.progress import progress
from ecotone.errors import FormatError, InputError

# option -> (field of Preprocessing, help)
FIELDS = {
    "--size": ("size", "Input size in pixels: 224 or 224x320 (width x height)."),
    "--resize": ("resize", "squash, crop or pad."),
    "--crop-fraction": ("crop_fraction", "Part of the scaled picture that a middle crop keeps."),
    "--interpolation": ("interpolation", "nearest, bilinear, bicubic or lanczos."),
    "--channels": ("channels", "RGB or BGR."),
    "--layout": ("layout", "NHWC or NCHW."),
    "--dtype": ("dtype", "uint8, int8 or float32."),
    "--scale": ("scale", "Factor on the bytes, for example 0.00392157 (1/255)."),
    "--mean": ("mean", "Mean of each channel after scaling: 0.485,0.456,0.406."),
    "--std": ("std", "Standard deviation of each channel: 0.229,0.224,0.225."),
}


def preprocessing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that declare how pictures become the model's input."""
    for option, (name, text) in reversed(FIELDS.items()):
        command = click.option(option, f"pre_{name}", default=None, help=text)(command)
    return click.option(
        "--preprocessing", "pre_base", default=None, metavar="PRESET|FILE",
        help="bytes, unit, symmetric, imagenet or clip, or a json file; default: what the model or "
             "a file beside it declares. The options below change single fields.",
    )(command)


def declared(values: dict[str, Any]) -> str | dict[str, Any] | None:
    """The preprocessing among a command's options (taken out of `values`), None when not given.

    Raises InputError when a value is not what its field takes.
    """
    base = values.pop("pre_base", None)
    texts = {name: values.pop(f"pre_{name}", None) for name, _ in FIELDS.values()}
    fields: dict[str, Any] = {}
    for name, text in texts.items():
        if text is not None:
            fields.update(_field(name, text))
    if not fields:
        return base
    if base is not None and Path(base).is_file():
        content = _read_object(Path(base))
        fields = {**content.get("preprocessing", content), **fields}
    elif base is not None:
        fields = {"preset": base, **fields}
    return {"preprocessing": fields}


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise FormatError(f"{path}: not valid json ({error}).") from error
    if not isinstance(content, dict):
        raise FormatError(f"{path}: expected a json object of fields.")
    return content


def _field(name: str, text: str) -> dict[str, Any]:
    try:
        if name == "size":
            width, _, height = text.lower().partition("x")
            return {"width": int(width), "height": int(height or width)}
        if name in ("mean", "std"):
            return {name: [float(v) for v in text.split(",")]}
        return {name: float(text)} if name in ("scale", "crop_fraction") else {name: text}
    except ValueError:
        option = next(o for o, (n, _) in FIELDS.items() if n == name)
        raise InputError(f"{option} {text!r}: not a number; see --help for the form.") from None


def model_options(declare: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `classify` and `embed` share."""
    options = (
        click.option("--batch-size", type=click.IntRange(1, 4096), default=None,
                     help="Pictures given to the model at once; default: from ecotone.toml."),
        click.option("--threads", type=click.IntRange(0, 1024), default=None,
                     help="Threads of the model; default: all cores."),
        click.option("--embedding", default=None,
                     help="Name of the tensor to use as embedding; default: the pooled layer."),
        click.option("--checkpoint", default=None,
                     help="Weights on this disk, for models that are otherwise downloaded."),
        click.option("--device", default=None, help="cpu, cuda ... for the torch backends."),
        project_option, json_option,
    )
    for option in reversed(options):
        declare = option(declare)
    return declare


@click.command(epilog=example(
    "ecotone classify --model model.onnx --classes labels.txt",
    "ecotone classify --model model.onnx --classes labels.txt --preprocessing imagenet",
))
@click.option("--model", required=True, callback=check_model,
              help="A .onnx or .tflite file, or a name: openclip, timm:NAME, speciesnet.")
@click.option("--classes", type=in_file(), default=None,
              help="Names of the model's outputs: one a line, csv or json.")
@click.option("--output", default=None,
              type=click.Choice(["probabilities", "logits", "independent"]),
              help="What the model puts out; default: what its graph shows.")
@preprocessing_options
@model_options
def classify(model: str, classes: Path | None, project: Path | None, as_json: bool,
             **options: Any) -> None:
    """Run a global model on all detections that it has not seen yet.

    Scores are kept, and embeddings where the network has a pooled layer. Pictures that cannot be
    read are recorded and tried again by the next run.
    """
    given = _given(options)
    with open_project(project) as opened, progress() as report:
        result = opened.classify(model, classes, progress=report, **given)
    show(result, as_json, lambda: _lines("classified", result))


@click.command(epilog=example("ecotone embed --model encoder.onnx", "ecotone embed"))
@click.option("--model", default="handcrafted", show_default=True, callback=check_model,
              help="A .onnx or .tflite file, or a name: handcrafted, timm:NAME, openclip:NAME.")
@preprocessing_options
@model_options
def embed(model: str, project: Path | None, as_json: bool, **options: Any) -> None:
    """Run an encoder on all detections that have no embedding of it yet."""
    given = _given(options)
    with open_project(project) as opened, progress() as report:
        result = opened.embed(model, progress=report, **given)
    show(result, as_json, lambda: _lines("embedded", result))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that the user gave, the preprocessing ones gathered in one value."""
    preprocessing = declared(options)
    given = {name: value for name, value in options.items() if value is not None}
    return {**given, "preprocessing": preprocessing} if preprocessing else given


def _lines(what: str, result: Any) -> list[str]:
    lines = [f"{result.done:,} detections {what} by {result.model}, {result.skipped:,} before"]
    if result.failed:
        lines += [f"{len(result.failed):,} pictures failed:", *first_lines(result.failed)]
    return lines
