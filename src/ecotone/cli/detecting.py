"""`ecotone detect`: a detector on the project's pictures, or on a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import (
    DEVICE,
    example,
    first_lines,
    in_file,
    json_option,
    need_some,
    open_project,
    project_option,
    show,
)
from ecotone.cli.progress import progress
from ecotone.errors import InputError


@click.command(epilog=example(
    "ecotone detect --model detector.onnx",
    "ecotone detect --model md_v5a.0.1.onnx --threshold 0.2 -o md.json",
    "ecotone detect PHOTOS --model detector.onnx -o md.json",
))
@click.argument("folder", required=False, default=None,
                type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", required=True,
              help="A detector's .onnx file, or megadetector, megadetector:NAME, or its .pt file.")
@click.option("--declaration", type=in_file(), default=None,
              help="Json or toml that says how the .onnx file is read; default: what stands beside "
                   "or in it.")
@click.option("--threshold", type=click.FloatRange(0, 1), default=None,
              help="Confidence from which on a box is a detection; default: from ecotone.toml, "
                   "else what the detector recommends. The json holds less sure ones, too.")
@click.option("-o", "--output", default=None, type=click.Path(dir_okay=False, path_type=Path),
              help="Where to write MegaDetector json; without a project it is needed.")
@click.option("--batch-size", type=click.IntRange(1, 4096), default=None,
              help="Pictures given to the model at once.")
@click.option("--threads", type=click.IntRange(0, 1024), default=None,
              help="Threads of the model; default: all cores.")
@click.option("--device", default=None, help=DEVICE)
@project_option
@json_option
def detect(folder: Path | None, model: str, output: Path | None, project: Path | None,
           as_json: bool, **options: Any) -> None:
    """Find animals, people and vehicles: boxes for all pictures this detector has not seen yet.

    In a project its boxes become the detections of their pictures; then classify them. With a
    FOLDER no project is needed. A stopped run goes on where it stopped when it is run again.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if folder is not None:
        from ecotone.project.detecting_folder import detect_folder

        if output is None:
            raise InputError("say where the boxes of the folder go: -o md.json")
        with progress() as report:
            result = detect_folder(folder, model, output, progress=report, **given)
    else:
        with open_project(project) as opened, progress() as report:
            result = opened.detect(model, output=output, progress=report, **given)
    show(result, as_json, lambda: _lines(result))
    need_some(result)


def _lines(result: Any) -> list[str]:
    lines = [
        f"{result.done:,} pictures looked at by {result.detector}, {result.skipped:,} before",
        f"{result.boxes:,} boxes from confidence {result.threshold:g} on, "
        f"{result.blank:,} pictures without one",
    ]
    if result.failed:
        lines += [f"{len(result.failed):,} pictures failed:", *first_lines(result.failed)]
    return [*lines, *result.notes, f"boxes written to {result.output}"]
