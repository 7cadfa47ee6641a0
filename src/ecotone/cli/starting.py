"""`ecotone demo`, `init`, `run` and `status`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import (
    DEMO_FOLDER,
    check_model,
    example,
    in_file,
    in_folder,
    json_option,
    open_project,
    project_option,
    show,
)
from ecotone.cli.fusing import fuse_lines
from ecotone.cli.models import declared, preprocessing_options
from ecotone.cli.progress import progress


@click.command(epilog=example("ecotone demo", "ecotone demo my-demo --seed 3"))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=DEMO_FOLDER)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
              help="Another seed is another reserve.")
@json_option
def demo(folder: Path, seed: int, as_json: bool) -> None:
    """Do the whole job on generated pictures of a reserve; nothing is downloaded.

    Draws the pictures, runs a global model from another region, fuses, evaluates, and writes a
    report to open. Takes about two minutes.
    """
    from ecotone.project.demo import run_demo

    with progress() as report:
        result = run_demo(folder, seed=seed, progress=report)
    show(result, as_json, result.lines)


@click.command(epilog=example("ecotone init my-reserve"))
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def init(folder: Path, as_json: bool) -> None:
    """Make a project FOLDER: settings, a catalogue, room for models and reports."""
    from ecotone.project import Project

    with Project.init(folder) as project:
        counts = project.catalog.counts()
        path = project.path
    text = f"project {folder} is ready; next: ecotone add images PHOTOS"
    if counts.get("media"):
        text = f"project {folder} was here already and is unchanged; see: ecotone status"
    show({"project": path}, as_json, lambda: [text])


@click.command(epilog=example("ecotone status", "ecotone status --json"))
@project_option
@json_option
def status(project: Path | None, as_json: bool) -> None:
    """Say what the project holds, and the one command to run next."""
    with open_project(project) as opened:
        result = opened.status()
    show(result, as_json, result.lines)


@click.command(epilog=example(
    "ecotone run PHOTOS --labels labels.csv --scores speciesnet.json -o my-reserve",
    "ecotone run PHOTOS --labels labels.csv --model model.onnx --classes labels.txt -o my-reserve",
))
@click.argument("pictures", type=in_folder())
@click.option("--labels", required=True, type=in_file(), help="Csv of the labels people gave.")
@click.option("--detections", type=in_file(), default=None, help="MegaDetector json of boxes.")
@click.option("--detector", default=None, callback=check_model,
              help="A detector to run: .onnx, or megadetector.")
@click.option("--scores", type=in_file(), default=None, help="Scores of a global model.")
@click.option("--model", default=None, callback=check_model,
              help="A global model to run: .onnx, .tflite or a name.")
@click.option("--classes", type=in_file(), default=None, help="Names of the model's outputs.")
@click.option("--taxonomy", type=in_file(), default=None, help="Taxonomy file.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Seed of everything random.")
@preprocessing_options
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="The project folder to make or continue.")
@json_option
def run(pictures: Path, output: Path, as_json: bool, **options: Any) -> None:
    """All of it: add PICTURES and labels, find boxes, run or read a global model, fuse, report.

    Without scores and model, a weight-free encoder and the labels alone do the work.
    """
    from ecotone.project import Project

    preprocessing = declared(options)
    with Project.init(output) as project, progress() as report:
        result = project.run(
            pictures, preprocessing=preprocessing or None, progress=report, **options
        )
    show(result, as_json, lambda: [
        *result.steps, *fuse_lines(result.fusion), f"report: {result.report}",
    ])
