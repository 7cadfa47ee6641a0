"""`ecotone fuse` and `ecotone evaluate`."""

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
    read_names,
    show,
)
from ecotone.cli.progress import progress


@click.command(epilog=example("ecotone fuse", "ecotone fuse --classes classes.txt --seed 1"))
@click.option("--classes", type=in_file(), default=None,
              help="Local classes, one a line; default: ecotone.toml, else every label in use.")
@click.option("--embedding", default=None, help="Name of the embeddings to learn on.")
@click.option("--scores", multiple=True, help="Name of a global model to use; may be repeated.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Seed of everything random.")
@click.option("--context/--no-context", "use_context", default=None,
              help="Whether place, time and neighbours may count; default: ecotone.toml, else yes.")
@project_option
@json_option
def fuse(classes: Path | None, embedding: str | None, scores: Sequence[str], seed: int | None,
         use_context: bool | None, project: Path | None, as_json: bool) -> None:
    """Fuse global scores and local labels.

    Maps the global classes to the local ones, co-trains a local model, selects by out-of-fold loss.
    Writes posteriors, models/latest and a run record.
    """
    with open_project(project) as opened, progress() as report:
        result = opened.fuse(
            classes=read_names(classes) if classes else None, embedding_model=embedding,
            score_models=list(scores) or None, seed=seed, progress=report, use_context=use_context,
        )
    show(result, as_json, lambda: fuse_lines(result))


def fuse_lines(result: Any) -> list[str]:
    """What a fusion says to people."""
    lines = [
        f"{result.detections:,} detections, {result.labelled:,} labelled, "
        f"{len(result.classes)} local classes: {result.chosen} chosen"
    ]
    if result.unweighted:
        lines.append("out-of-fold, for all detections: " + _figures(result.scores))
        lines.append(
            f"  {result.chosen_labels:,} of the labels were chosen (by suggest or discover), not "
            f"drawn, so labels are weighted; as they are: {_figures(result.unweighted)}"
        )
    elif result.scores:
        lines.append("out-of-fold on the labels: " + _figures(result.scores))
    lines += known_lines(result.known_classes)
    lines += [f"local model: {result.model}", *first_lines(result.notes)]
    return lines


def known_lines(known: dict[str, Any]) -> list[str]:
    """How the classes of before did, now that there are new ones."""
    if not known:
        return []
    worst = known["worst"]
    fell = (f"; most for {worst['name']}, {worst['before']:.0%} to {worst['after']:.0%} of "
            f"{worst['labels']:,}") if worst["after"] < worst["before"] else "; none got worse"
    return [
        f"new: {', '.join(known['new_classes'])}; the classes of before on the same "
        f"{known['labels']:,} labels: {known['before']:.1%} right before, {known['after']:.1%} now "
        f"({100 * known['change']:+.1f} points, {100 * known['low']:+.1f} to "
        f"{100 * known['high']:+.1f}){fell}"
    ]


def _figures(scores: dict[str, float]) -> str:
    return (f"{scores['accuracy']:.1%} right, {scores['per_class_accuracy']:.1%} per class, "
            f"log-loss {scores['log_loss']:.3f}, ECE {scores['ece']:.3f}")


@click.command(epilog=example("ecotone evaluate", "ecotone evaluate --counts 10,50 --seeds 3"))
@click.option("--counts", default=None, help="Numbers of labels, or fractions below 1: 10,20,50.")
@click.option("--seeds", type=click.IntRange(1), default=None, help="Random splits for each.")
@project_option
@json_option
def evaluate(counts: str | None, seeds: int | None, project: Path | None, as_json: bool) -> None:
    """Learning curves on this project's own labels, against the baselines.

    Splits keep locations, events and copies of a picture on one side. The curves appear in the
    next report.
    """
    numbers = _numbers(counts) if counts else None
    with open_project(project) as opened, progress() as report:
        result = opened.evaluate(counts=numbers, seeds=seeds, progress=report)
    show(result, as_json, result.lines)


def _numbers(text: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or min(values) <= 0:
        raise click.UsageError(f"--counts {text!r}: expected numbers above 0, like 10,20,50")
    return [int(v) if v >= 1 else v for v in values]
