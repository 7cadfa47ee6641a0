"""`ecotone fix-time` and `ecotone events`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import example, in_file, json_option, open_project, project_option, show


@click.command("fix-time", epilog=example(
    "ecotone fix-time --deployment cam1 --shift +1h --time-zone Europe/Brussels",
    'ecotone fix-time --deployment cam1 --from "2020-01-01T00:00:00" --to "2023-05-04T10:11:12"',
    "ecotone fix-time --from-file shifts.csv --dry-run",
))
@click.option("--deployment", "deployments", multiple=True, help="A deployment; may be repeated.")
@click.option("--shift", default=None, help="What to add to the camera's clock: +1h, -30m, +1d2h.")
@click.option("--from", "said", default=None, help="What the camera said at a moment ...")
@click.option("--to", "true", default=None, help="... and what was true.")
@click.option("--from-file", "file", type=in_file(), default=None,
              help="Csv with deploymentID and shift (or from and to), timeZone, reason.")
@click.option("--time-zone", default=None,
              help="Of the corrected time: Europe/Brussels, or +01:00 for a camera that keeps one "
                   "time all year.")
@click.option("--reason", default="", help="Why; it is kept and exported.")
@click.option("--undo", is_flag=True, help="Back to what counted before the newest correction.")
@click.option("--dry-run", is_flag=True, help="Say what would be, and change nothing.")
@project_option
@json_option
def fix_time(
    deployments: Sequence[str], project: Path | None, as_json: bool, **options: Any
) -> None:
    """Correct the clock of a deployment's camera.

    A shift is counted from what the camera said, which is kept; the newest one counts. Events are
    made anew, and exports carry the corrected times.
    """
    with open_project(project) as opened:
        result = opened.fix_time(list(deployments), **options)
    show(result, as_json, result.lines)


@click.command(epilog=example("ecotone events", "ecotone events --gap 120"))
@click.option("--gap", type=float, default=None,
              help="Seconds between two pictures of one event; becomes event_gap in ecotone.toml.")
@project_option
@json_option
def events(gap: float | None, project: Path | None, as_json: bool) -> None:
    """Group the pictures of each deployment into events.

    Pictures that follow each other within the gap are one event.
    """
    with open_project(project) as opened:
        result = opened.events(gap)
    show(result, as_json, result.lines)
