"""`ecotone classify` and `ecotone embed`: run models on the project's pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import (
    DEVICE,
    check_model,
    engine_of,
    engine_options,
    example,
    first_lines,
    in_file,
    in_place,
    json_option,
    need_some,
    open_project,
    project_option,
    show,
)
from ecotone.cli.progress import progress
from ecotone.errors import FormatError, InputError

KINDS = ("probabilities", "logits", "independent")
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
                     help="Pictures given to the model at once, fewer when memory runs out; "
                          "default: by the free memory."),
        click.option("--threads", type=click.IntRange(0, 1024), default=None,
                     help="Threads of the model; default: all cores."),
        click.option("--embedding", default=None,
                     help="Name of the tensor to use as embedding; default: the pooled layer."),
        click.option("--checkpoint", default=None,
                     help="Weights on this disk, for models that are otherwise downloaded."),
        click.option("--device", default=None, help=DEVICE),
        click.option("--int8", is_flag=True, default=None,
                     help="An .onnx network in 8 bits, calibrated on the project's pictures: "
                          "faster; what it costs in accuracy is told."),
        click.option("--images", type=in_place(), default=None,
                     help="Without a project: a folder, URL or list of pictures; with -o."),
        click.option("--detections", type=in_file(), default=None,
                     help="With --images: a MegaDetector json, whose boxes are looked at."),
        click.option("--shard-rows", type=click.IntRange(1), default=None,
                     help="Detections of a shard; default: 1024."),
        *engine_options, project_option, json_option,
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
@click.option("-o", "--output", multiple=True, metavar="KIND|PLACE",
              help="probabilities, logits or independent: what the model puts out; default: what "
                   "its graph shows. Anything else: the folder or URL that shards are written to.")
@preprocessing_options
@model_options
def classify(model: str, classes: Path | None, output: tuple[str, ...], project: Path | None,
             as_json: bool, **options: Any) -> None:
    """Run a global model on all detections that it has not seen yet.

    Scores are kept, and embeddings where the network has a pooled layer. Pictures that cannot be
    read are recorded and tried again by the next run. With --engine daft or ray, or a place for
    --output, results are Parquet shards that the project uses where they lie; with --images no
    project is needed, and `ecotone attach` takes the shards later.
    """
    given = _given({**options, **_outputs(output)})
    if given.get("images"):
        _loose(model, project, as_json, classes=classes, **given)
        return
    _no_images(given)
    with open_project(project) as opened, progress() as report:
        result = opened.classify(model, classes, progress=report, **given)
    show(result, as_json, lambda: _lines("classified", result))
    need_some(result)


@click.command(epilog=example("ecotone embed --model encoder.onnx", "ecotone embed"))
@click.option("--model", default="handcrafted", show_default=True, callback=check_model,
              help="A .onnx or .tflite file, or a name: handcrafted, timm:NAME, openclip:NAME.")
@click.option("-o", "--output", "shards", default=None, metavar="PLACE",
              help="The folder or URL that shards are written to.")
@preprocessing_options
@model_options
def embed(model: str, project: Path | None, as_json: bool, **options: Any) -> None:
    """Run an encoder on all detections that have no embedding of it yet.

    --engine, --output and --images: as in `ecotone classify`.
    """
    given = _given(options)
    if given.get("images"):
        _loose(model, project, as_json, scores=False, **given)
        return
    _no_images(given)
    with open_project(project) as opened, progress() as report:
        result = opened.embed(model, progress=report, **given)
    show(result, as_json, lambda: _lines("embedded", result))
    need_some(result)


@click.command(epilog=example("ecotone attach SHARDS"))
@click.argument("place")
@project_option
@json_option
def attach(place: str, project: Path | None, as_json: bool) -> None:
    """Use scores and embeddings in the shards of PLACE, a folder or URL, where they lie.

    Made by `ecotone classify --images ... -o PLACE`, on a cluster for instance. Only ids are
    copied; the files must stay (or be attached again from their new place).
    """
    with open_project(project) as opened, progress() as report:
        result = opened.attach(place, progress=report)

    def lines() -> list[str]:
        text = [f"{result.rows:,} detections of {result.model} attached in {result.shards:,} "
                f"shards, {result.skipped:,} shards before", *first_lines(result.problems)]
        if result.failed:
            text += [f"{len(result.failed):,} pictures failed:", *first_lines(result.failed)]
        return text

    show(result, as_json, lines)


def _outputs(texts: tuple[str, ...]) -> dict[str, str]:
    """What --output says: of the model's outputs, and the place of shards."""
    kinds = [text for text in texts if text in KINDS]
    places = [text for text in texts if text not in KINDS]
    if len(kinds) > 1 or len(places) > 1:
        raise InputError(f"--output {' '.join(texts)}: at most one of {', '.join(KINDS)}, and at "
                         "most one folder or URL.")
    found = {"output": kinds[0]} if kinds else {}
    return {**found, "shards": places[0]} if places else found


def _no_images(given: dict[str, Any]) -> None:
    if given.pop("detections", None):
        raise InputError("--detections goes with --images; in a project: ecotone add detections.")


def _loose(model: str, project: Path | None, as_json: bool, **given: Any) -> None:
    """Run a model without a project."""
    from ecotone.engine.loose import run_loose

    if given.pop("int8", None):
        raise InputError("--int8 is calibrated on a project's pictures: leave --images out.")
    if project is not None:
        raise InputError("--images works without a project; leave --project out.")
    place = given.pop("shards", None)
    if place is None:
        raise InputError("--images needs a folder or URL for the shards: -o SHARDS.")
    engine = engine_of(given)
    with progress() as report:
        result = run_loose(given.pop("images"), model, place, engine=engine, progress=report,
                           **{k: v for k, v in given.items() if v is not None})

    def lines() -> list[str]:
        text = [f"{result.done:,} detections in {result.shards:,} shards by {result.model}, "
                f"{result.skipped:,} before: {result.output}", *first_lines(result.notes)]
        if result.failed:
            text += [f"{len(result.failed):,} pictures failed:", *first_lines(result.failed)]
        return [*text, f"next, in a project with these pictures: ecotone attach {place}"]

    show(result, as_json, lines)
    need_some(result)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that the user gave, the preprocessing ones gathered in one value."""
    preprocessing = declared(options)
    given = {name: value for name, value in options.items() if value is not None}
    return {**given, "preprocessing": preprocessing} if preprocessing else given


def _lines(what: str, result: Any) -> list[str]:
    lines = [f"{result.done:,} detections {what} by {result.model}, {result.skipped:,} before"]
    if result.failed:
        lines += [f"{len(result.failed):,} pictures failed:", *first_lines(result.failed)]
    return [*lines, *result.notes]
