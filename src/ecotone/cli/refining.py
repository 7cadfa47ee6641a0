"""`ecotone refine`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import (
    example,
    first_lines,
    in_file,
    json_option,
    open_project,
    project_option,
    show,
)
from ecotone.cli.progress import progress


@click.command(epilog=example(
    "ecotone refine", "ecotone refine --alpha 0.1 --species list.csv",
    "ecotone refine --method five-stage", "ecotone refine --undo",
))
@click.option("--method", type=click.Choice(["climb", "five-stage"]), default=None,
              help="climb: posteriors summed up the tree, with a bound (default). five-stage: the "
                   "reference pipeline.")
@click.option("--alpha", type=float, default=None,
              help="Of climb: share of answers that may be wrong.  [default: 0.05]")
@click.option("--species", default=None, metavar="FILE|labels",
              help="What occurs here: a csv, names one a line, a Camtrap DP, or the word labels.")
@click.option("--country", default=None, help="For SpeciesNet's geofence, three letters: KEN.")
@click.option("--admin1", "admin1_region", default=None, help="State of the USA, two letters.")
@click.option("--geofence", type=in_file(), default=None,
              help="SpeciesNet's geofence_release.json.")
@click.option("--geofence-fixes", type=in_file(), default=None, help="Corrections to it, a csv.")
@click.option("--thresholds", default=None, metavar="NAME=VALUE,...",
              help="Of SpeciesNet's decision: roll_up=0.5,animal=0.7.")
@click.option("--trusted-score", type=click.FloatRange(0, 1), default=None,
              help="Score from which a global model's own species is an example.  [default: 0.8]")
@click.option("--embedding", "embedding_model", default=None,
              help="Name of the embeddings to learn on.")
@click.option("--scores", "score_models", multiple=True,
              help="Name of a global model to use; may be repeated.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Seed of everything random.")
@click.option("--no-check", is_flag=True, help="Do not measure how good it is; faster.")
@click.option("--undo", is_flag=True, help="Take the newest refinement back, or that of --run.")
@click.option("--run", "run", default=None, help="Which refinement to undo.")
@project_option
@json_option
def refine(project: Path | None, as_json: bool, undo: bool, run: str | None, no_check: bool,
           thresholds: str | None, score_models: Sequence[str], **options: Any) -> None:
    """Name what the global model left at "animal", "mammal" or "blank".

    Learns from labels and from the global model's sure species, answers with a species or with an
    ancestor where that is all that can be said, and keeps an audit row of every detection. Labels
    by people are never changed. The result is in the next report and in the exports.
    """
    if undo:
        _refuse(options, score_models, thresholds, no_check)
        with open_project(project) as opened:
            back = opened.undo_refine(run)
        show(back, as_json, lambda: [
            f"{back.undone} is undone; " + (f"{back.now} counts again" if back.now else
                                            "labels are as they were before")])
        return
    if run is not None:
        raise click.UsageError("--run is for --undo")
    with open_project(project) as opened, progress() as bar:
        result = opened.refine(
            progress=bar, check=not no_check, score_models=list(score_models) or None,
            thresholds=_thresholds(thresholds), **options,
        )
    show(result, as_json, lambda: refine_lines(result))


def refine_lines(result: Any) -> list[str]:
    """What a refinement says to people."""
    c = result.counts
    stages = ", ".join(f"{n:,} by {name}" for name, n in sorted(result.stages.items()))
    lines = [
        f"{c['detections']:,} detections: {c['changed']:,} have a finer label now"
        + (f" ({stages})" if len(result.stages) > 1 else ""),
        f"at species level: {c['species_before']:,} before, {c['species_after']:,} now "
        f"({c['labelled']:,} labelled by people)",
        *figure_lines(result.figures),
        f"run {result.run}; back: ecotone refine --undo",
    ]
    return [*lines, *first_lines(result.notes)]


def figure_lines(figures: dict[str, Any]) -> list[str]:
    """How good it is on hidden labels."""
    s = figures.get("scores")
    if not s:
        return []
    text = f"on {figures['labels']:,} hidden labels: {s['coverage']:.1%} refined"
    if s["changed"]:
        text += (
            f", {s['hierarchical_accuracy']:.1%} of these right (95 % interval {s['low']:.1%} to "
            f"{s['high']:.1%}), {s['species_share']:.1%} at species level"
        )
    return [text]


def _thresholds(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    values = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, value = part.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError:
            raise click.UsageError(
                f"--thresholds {part!r}: expected NAME=VALUE, like roll_up=0.5"
            ) from None
    return values


def _refuse(
    options: dict[str, Any], score_models: Sequence[str], thresholds: str | None, no_check: bool
) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given or score_models or thresholds or no_check:
        raise click.UsageError("--undo takes no other option than --run")
