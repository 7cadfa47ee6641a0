"""`ecotone check` and `ecotone repair`."""

from __future__ import annotations

from pathlib import Path

import click

from ecotone.cli.common import example, json_option, open_project, project_option, show
from ecotone.cli.progress import progress


@click.command(epilog=example("ecotone check", "ecotone check --quick --json"))
@click.option("--quick", is_flag=True, help="Compare sizes alone, without reading every file.")
@project_option
@json_option
def check(quick: bool, project: Path | None, as_json: bool) -> None:
    """Look whether the project is whole; nothing is changed.

    The catalogue, people's labels and decisions, scores and embeddings, records, models, kept
    studies and pictures: one line a problem, and how to mend it. Exit status 1 when there are any.
    """
    with open_project(project) as opened:
        result = opened.check(quick)
    show({"whole": result.whole, "problems": result.problems, "notes": result.notes}, as_json,
         result.lines)
    if not result.whole:
        raise click.exceptions.Exit(1)


@click.command(epilog=example("ecotone repair"))
@project_option
@json_option
def repair(project: Path | None, as_json: bool) -> None:
    """Mend what `ecotone check` finds, and say what could not be saved.

    What is replaced is kept in the project's folder `damaged`. No label and no decision is ever
    deleted. Exit status 1 when problems are left.
    """
    with open_project(project) as opened, progress() as report:
        result = opened.repair(report)
    show(result, as_json, result.lines)
    if result.left:
        raise click.exceptions.Exit(1)
