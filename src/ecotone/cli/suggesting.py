"""`ecotone suggest`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import (
    example,
    first_lines,
    json_option,
    open_project,
    project_option,
    show,
)
from ecotone.cli.progress import progress


@click.command(epilog=example(
    "ecotone suggest -n 50 -o suggestions.csv", "ecotone add labels suggestions.csv",
    'ecotone suggest --species "grey fox" -n 20',
))
@click.option("-n", "n", type=int, default=50, show_default=True, help="How many questions.")
@click.option("--species", default=None, metavar="NAME",
              help="Hunt this species: the detections most like those labelled so.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="A csv file to fill in, for ecotone add labels.")
@click.option("--gain/--no-gain", default=True, show_default=True,
              help="Tell what so many labels bring; may take a short measurement.")
@click.option("--embedding", "embedding_model", default=None,
              help="Name of the embeddings to choose by.")
@click.option("--scores", "score_models", multiple=True,
              help="Name of a global model to use; may be repeated.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Seed of everything random.")
@project_option
@json_option
def suggest(project: Path | None, as_json: bool, score_models: Sequence[str],
            **options: Any) -> None:
    """Choose the pictures whose labels bring most.

    Works from the first picture on: typical ones without any label, then what is uncertain, rare or
    disputed; one question a burst, spread over the sites. The questions are kept: labels that are
    added later answer them, and the figures of fuse know which labels were chosen.
    """
    with open_project(project) as opened, progress() as bar:
        result = opened.suggest(
            progress=bar, score_models=list(score_models) or None, **options,
        )
    show(result, as_json, lambda: [*result.lines(), *first_lines(result.notes)])
