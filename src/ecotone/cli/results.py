"""`ecotone report` and `ecotone export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import example, json_option, open_project, project_option, show
from ecotone.cli.progress import progress


@click.command(epilog=example("ecotone report", "ecotone report -o report.html"))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="Where to write it; default: reports/report.html in the project.")
@project_option
@json_option
def report(output: Path | None, project: Path | None, as_json: bool) -> None:
    """Write one self-contained html page with figures and pictures; it opens offline."""
    options = {"path": output} if output else {}
    with open_project(project) as opened, progress() as bar:
        path = opened.report(progress=bar, **options)
    show({"report": path}, as_json, lambda: [f"report: {path}"])


FORMATS = (
    "csv", "parquet", "camtrapdp", "megadetector", "timelapse", "speciesnet", "coco",
    "wildlife-insights", "camtrapr", "geojson", "addaxai",
)


@click.command(epilog=example(
    "ecotone export csv -o out.csv", "ecotone export camtrapdp -o package",
    "ecotone export timelapse -o PHOTOS/recognitionData.json",
    "ecotone export wildlife-insights -o upload --no-machine",
))
@click.argument("form", metavar="FORMAT", type=click.Choice(FORMATS))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path),
              help="The file to write; a folder for camtrapdp (or a .zip), wildlife-insights and "
                   "addaxai.")
@click.option("--of", "source", default="best", show_default=True,
              type=click.Choice(["best", "fused", "local", "refined", "novel"]),
              help="Probabilities of the fused predictor, of the local model alone, or the better "
                   "of the two; the answers of refine; or those with \"none of these\", of "
                   "discover.")
@click.option("--machine/--no-machine", default=None,
              help="Observations by machines, in formats of whole studies; default: with them.")
@click.option("--people/--no-people", default=None,
              help="Observations by people, in formats of whole studies; default: with them.")
@click.option("--events", is_flag=True,
              help="Also one machine observation an event and species, with counts.")
@click.option("--incomplete", type=click.Choice(["refuse", "skip"]), default="refuse",
              show_default=True,
              help="Rows that lack what camtrapdp requires, such as a deployment's place.")
@click.option("--time-zone", default=None, help="Of times that have none: Europe/Brussels, +01:00.")
@click.option("--network", default="", metavar="NAME",
              help="With addaxai: a trained network of the project, by name or folder.")
@project_option
@json_option
def export(
    form: str, output: Path, project: Path | None, as_json: bool, **options: Any
) -> None:
    """Write the project for another program.

    \b
    csv, parquet        every detection: local class, probability, alternatives
    camtrapdp           Camtrap DP 1.0.2: what came in as it was, and ecotone's rows
    megadetector        MegaDetector results json
    timelapse           recognition json for Timelapse
    speciesnet          SpeciesNet predictions json
    coco                COCO Camera Traps json
    wildlife-insights   four csv for a batch upload
    camtrapr            record table for camtrapR
    geojson             deployments and what was seen there, for maps
    addaxai             the local model, or a network, as a model folder of AddaxAI
    """
    with open_project(project) as opened, progress() as bar:
        result = opened.export(output, format=form, progress=bar, **options)
    show(result, as_json, result.lines)
