"""`ecotone report` and `ecotone export`."""

from __future__ import annotations

from pathlib import Path

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


@click.command(epilog=example("ecotone export csv -o out.csv", "ecotone export parquet -o out.pq"))
@click.argument("form", metavar="csv|parquet", type=click.Choice(["csv", "parquet"]))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="The file to write.")
@click.option("--of", "source", default="best", show_default=True,
              type=click.Choice(["best", "fused", "local"]),
              help="Probabilities of the fused predictor, of the local model alone, or the better "
                   "of the two.")
@project_option
@json_option
def export(form: str, output: Path, source: str, project: Path | None, as_json: bool) -> None:
    """Write every detection: local class, probability, alternatives, global label, run."""
    with open_project(project) as opened, progress() as bar:
        result = opened.export(output, format=form, source=source, progress=bar)
    show(result, as_json, lambda: [f"{result.rows:,} detections written to {result.path}"])
