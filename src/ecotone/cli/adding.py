"""`ecotone add`: images, labels, detections, scores, a taxonomy, deployments, whole studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import (
    example,
    first_lines,
    in_file,
    in_place,
    json_option,
    open_project,
    project_option,
    show,
)
from ecotone.cli.progress import progress
from ecotone.errors import InputError


@click.group()
def add() -> None:
    """Add images, labels, detections, scores, a taxonomy, deployments or whole studies.

    Adding the same thing again changes nothing; an interrupted command continues where it stopped.
    """


add.epilog = example(
    "ecotone add images PHOTOS", "ecotone add labels labels.csv", "ecotone add data md.json STUDY"
)


def _finish(what: str, report: Any, as_json: bool) -> None:
    if report.problems and not report.added + report.updated + report.skipped:
        more = len(report.problems) - 1
        tail = f" (and {more} more like it)" if more else ""
        raise InputError(f"no {what} added: {report.problems[0]}{tail}")

    def lines() -> list[str]:
        counts = f"{report.added:,} {what} added, {report.updated:,} updated"
        return [f"{counts}, {report.skipped:,} already there", *first_lines(report.problems)]

    show(report, as_json, lines)


@add.command(epilog=example("ecotone add images PHOTOS --project my-reserve",
                            "ecotone add images s3://bucket/photos",
                            "ecotone add images VIDEOS --frames motion:16"))
@click.argument("folder", type=in_place())
@click.option("--frames", default="", metavar="rate:1|motion:16|all",
              help="Which frames of a video: so many a second, so many with the most motion, or "
                   "all; default: video_frames in ecotone.toml, else rate:1.")
@project_option
@json_option
def images(folder: str, frames: str, project: Path | None, as_json: bool) -> None:
    """Register the pictures and videos of a FOLDER and its subfolders, of a URL, or of a list.

    Times and cameras come from EXIF; a subfolder is a deployment. Pictures stay where they are. A
    URL is a prefix of an object storage (s3://, gs://, az://); a list is a text file with one path
    or URL a line, or a csv or parquet with a column filePath or url.
    """
    with open_project(project) as opened, progress() as report:
        result = opened.add_images(folder, progress=report, frames=frames)
    _finish("pictures", result, as_json)


@add.command(epilog=example("ecotone add labels labels.csv --author Kim"))
@click.argument("file", type=in_file())
@click.option("--author", default="", help="Who gave these labels.")
@project_option
@json_option
def labels(file: Path, author: str, project: Path | None, as_json: bool) -> None:
    """Add labels that people gave, from a csv FILE.

    Columns: filePath (or filename, mediaID, observationID) and scientificName, vernacularName,
    label or category. Labels are never overwritten: the newest one of a picture counts.
    """
    with open_project(project) as opened, progress() as report:
        result = opened.add_labels(file, author=author, progress=report)
    _finish("labels", result, as_json)


@add.command(epilog=example("ecotone add detections md.json"))
@click.argument("file", type=in_file())
@project_option
@json_option
def detections(file: Path, project: Path | None, as_json: bool) -> None:
    """Add the boxes of a detector, from a MegaDetector json FILE (versions 1.2 to 1.6).

    Without detections the whole picture is one detection.
    """
    with open_project(project) as opened, progress() as report:
        result = opened.add_detections(file, progress=report)
    _finish("detections", result, as_json)


@add.command(epilog=example("ecotone add scores speciesnet.json", "ecotone add scores scores.csv"))
@click.argument("file", type=in_file())
@click.option("--name", default=None, help="Name of the global model; default: what the file says.")
@project_option
@json_option
def scores(file: Path, name: str | None, project: Path | None, as_json: bool) -> None:
    """Add the scores of a global model.

    FILE is SpeciesNet json, MegaDetector json with classifications, or csv or parquet with a column
    filePath and one column a class.
    """
    with open_project(project) as opened, progress() as report:
        result = opened.add_scores(file, name=name, progress=report)
    _finish("scores", result, as_json)


@add.command(epilog=example("ecotone add taxonomy taxonomy_release.txt"))
@click.argument("file", type=in_file())
@project_option
@json_option
def taxonomy(file: Path, project: Path | None, as_json: bool) -> None:
    """Add a taxonomy, so that names are related by the tree and not by their words alone.

    FILE is SpeciesNet's taxonomy, or csv with scientificName, vernacularName and rank columns.
    """
    with open_project(project) as opened:
        result = opened.add_taxonomy(file)
    _finish("taxa", result, as_json)


def _anything(**more: Any) -> click.Path:
    return click.Path(exists=True, path_type=Path, **more)


@add.command(epilog=example("ecotone add study camtrap-dp", "ecotone add study export.zip "
                            "--time-zone Europe/Brussels"))
@click.argument("path", type=_anything())
@click.option("--time-zone", default=None,
              help="Of times that have none: Europe/Brussels, +01:00.")
@project_option
@json_option
def study(path: Path, time_zone: str | None, project: Path | None, as_json: bool) -> None:
    """Add a whole study: Camtrap DP (folder, json or zip), COCO, a Wildlife Insights download.

    Its tables are kept as they came, its pictures found by path or name; what people observed
    becomes labels, what machines said does not. A newer version adds what is new.
    """
    with open_project(project) as opened, progress() as report:
        result = opened.add_study(path, time_zone=time_zone, progress=report)
    show(result, as_json, lambda: [*result.lines(), *first_lines(result.problems)])


@add.command(epilog=example("ecotone add deployments deployments.csv"))
@click.argument("file", type=in_file())
@project_option
@json_option
def deployments(file: Path, project: Path | None, as_json: bool) -> None:
    """Add where and when cameras stood, from a csv FILE.

    Columns: deploymentID (or station, site, camera, locationName), latitude, longitude,
    deploymentStart, deploymentEnd, timeZone.
    """
    with open_project(project) as opened, progress() as report:
        result = opened.add_deployments(file, progress=report)
    _finish("deployments", result, as_json)


@add.command(epilog=example("ecotone add data PHOTOS labels.csv md.json camtrap-dp.zip"))
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=_anything())
@click.option("--time-zone", default=None, help="Of a study's times that have none.")
@project_option
@json_option
def data(
    paths: tuple[Path, ...], time_zone: str | None, project: Path | None, as_json: bool
) -> None:
    """Add anything: each PATH is recognised by its content.

    Pictures come first, then studies, detections, scores and labels, whatever their order here.
    """
    with open_project(project) as opened, progress() as report:
        result = opened.add_data(list(paths), time_zone=time_zone, progress=report)
    show(result, as_json, lambda: [
        line for part in result for line in (*part.lines(), *first_lines(part.problems))
    ])
