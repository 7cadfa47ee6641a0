"""`ecotone discover`."""

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

MOST = 30  # proposals and repeats listed on a terminal


@click.command(epilog=example(
    "ecotone discover", "ecotone report", 'ecotone discover --name 3 "snow leopard"',
    "ecotone fuse", "ecotone discover --benchmark",
))
@click.option("--false-alarm", type=float, default=0.05, show_default=True,
              help="Share of known detections that may be flagged as new.")
@click.option("--clusters", "n_clusters", type=int, default=None,
              help="The number of classes, where it is known.")
@click.option("--over-cluster", type=float, default=1.0, show_default=True,
              help="Parts that each cluster is split into, for sex, age or coat.")
@click.option("--name", "named", nargs=2, type=(int, str), default=None, metavar="NUMBER NAME",
              help="Say what a proposal is: its typical detections become labels.")
@click.option("--author", default="", help="With --name: who says so.")
@click.option("--members", default="usual", show_default=True, metavar="N|usual|all",
              help="With --name: how many bursts of the proposal get the label; usual: as many as "
                   "a class here has, 5 to 20.")
@click.option("--run", "run", default=None, help="With --name: of which discovery.")
@click.option("--benchmark", is_flag=True,
              help="Compare all ways of clustering on the project's own labels.")
@click.option("--reduction", "reductions", multiple=True,
              help="With --benchmark: pca, tsne, umap or none alone; may be repeated.")
@click.option("--embedding", "embedding_model", default=None,
              help="Name of the embeddings to look at.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Seed of everything random.")
@project_option
@json_option
def discover(
    project: Path | None, as_json: bool, named: tuple[int, str] | None, author: str, members: str,
    run: str | None, benchmark: bool, reductions: Sequence[str], embedding_model: str | None,
    seed: int | None, **options: Any,
) -> None:
    """Look for what no label names.

    Flags detections that look like none of the known classes, clusters all of them, proposes new
    classes by number, estimates how many classes there are, and lists boxes that come back at one
    camera. The report shows the pictures; a person names a proposal with --name, and fuse learns
    it.
    """
    if named is not None and benchmark:
        raise click.UsageError("--name and --benchmark are two different things; give one")
    if named is None and (author or run or members != "usual"):
        raise click.UsageError("--author, --members and --run are for --name")
    if reductions and not benchmark:
        raise click.UsageError("--reduction is for --benchmark")
    with open_project(project) as opened, progress() as bar:
        if named is not None:
            done = opened.name_proposal(
                named[0], named[1], author=author, members=_members(members), run=run)
            show(done, as_json, lambda: name_lines(done))
        elif benchmark:
            table = opened.cluster_benchmark(
                embedding_model=embedding_model, reductions=list(reductions) or None, seed=seed,
                progress=bar)
            show(table, as_json, table.lines)
        else:
            found = opened.discover(
                embedding_model=embedding_model, seed=seed, progress=bar, **options)
            show(found, as_json, lambda: discover_lines(found))


def _members(text: str) -> int | str:
    if text in ("usual", "all"):
        return text
    if not text.isdigit() or text == "0":
        raise click.UsageError(f"--members {text!r}: expected a number from 1, usual or all")
    return int(text)


def name_lines(done: Any) -> list[str]:
    """What naming a proposal says to people."""
    known = "a new class" if done.new else "a class that was known"
    more = f"; {done.skipped:,} had a label already" if done.skipped else ""
    return [f"proposal {done.proposal} is {done.label}, {known}: {done.labels:,} labels added"
            f"{more}",
            "to learn it, and see whether the classes of before stay as good: ecotone fuse"]


def discover_lines(found: Any) -> list[str]:
    """What a discovery says to people."""
    from ecotone.project.proposing import LEAST

    lines = [f"{found.detections:,} detections, {found.labelled:,} of them labelled: "
             f"{found.clusters:,} clusters, {found.rejected:,} detections in none"]
    if found.share is not None:
        value, low, high = found.share
        lines.append(
            f"{found.novel:,} look like none of the known classes (at a false-alarm rate of "
            f"{found.false_alarm:.0%}); about {value:.1%} are new ({low:.1%} to {high:.1%})")
    lines.append(f"classes among all of them: about {found.n_classes[0]} "
                 f"({found.n_classes[1]} to {found.n_classes[2]}); new ones with fewer than "
                 f"{LEAST} detections are not counted")
    lines.append(f"{_many(len(found.proposals), 'proposal')} of classes that nobody listed"
                 + (":" if found.proposals else ""))
    lines += [_proposal(p) for p in found.proposals[:MOST]]
    if len(found.proposals) > MOST:
        lines.append(f"  ... and {len(found.proposals) - MOST:,} more (all with --json)")
    if found.proposals:
        lines.append("look at them: ecotone report; say what one is: "
                     "ecotone discover --name 1 NAME")
    if found.repeats:
        lines.append(f"{len(found.repeats):,} boxes that come back and are hardly animals:")
        lines += [f"  {r.why}" for r in found.repeats[:MOST]]
    if found.posteriors:
        lines.append("probabilities with \"none of these\": "
                     "ecotone export csv --of novel -o out.csv")
    return [*lines, *first_lines(found.notes)]


def _proposal(p: Any) -> str:
    name = f" {p.name}" if p.name else ""
    return (f"  {p.number:3d}{name}  {_many(p.detections, 'detection')} in "
            f"{_many(p.bursts, 'burst')} at {_many(p.sites, 'site')}. {p.note}").rstrip()


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
