"""`ecotone accept`."""

from __future__ import annotations

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

MOST = 40  # classes listed on a terminal


@click.command(epilog=example(
    "ecotone accept --precision 0.95", "ecotone accept --precision 0.95 --write",
    "ecotone accept --label-errors -o doubtful.csv",
))
@click.option("--precision", type=float, default=0.95, show_default=True,
              help="Share of accepted detections that has to be right, of each species.")
@click.option("--confidence", type=float, default=0.9, show_default=True,
              help="Of the bound, for each species.")
@click.option("--pool-rare", is_flag=True,
              help="Species with too few labels share one threshold, which speaks for them all "
                   "together.")
@click.option("--by", type=click.Choice(["event", "deployment"]), default="event",
              show_default=True, help="What counts as one piece of evidence.")
@click.option("--alpha", type=float, default=0.1, show_default=True,
              help="Share of prediction sets that may miss the truth.")
@click.option("--write", is_flag=True,
              help="Keep it: exports and the report tell what is accepted.")
@click.option("--label-errors", is_flag=True, help="List the labels that look wrong instead.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="With --label-errors: a csv file to correct them in, for ecotone add labels.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Seed of everything random.")
@project_option
@json_option
def accept(project: Path | None, as_json: bool, label_errors: bool, output: Path | None,
           **options: Any) -> None:
    """Tell which detections need no eye, species by species.

    From labels that the models had not seen: a threshold above which at least the wanted share is
    right, with its exact bound, or how many labels are missing for one. Also prediction sets, how
    right the surest answers are, how common each species is, and labels that look wrong.
    """
    if output is not None and not label_errors:
        raise click.UsageError("-o is for --label-errors")
    with open_project(project) as opened, progress() as bar:
        result = opened.accept(progress=bar, **options)
    if output is not None:
        from ecotone.project.accepting import write_suspects

        write_suspects(output, result)
    lines = error_lines if label_errors else accept_lines
    show(result, as_json, lambda: [
        *lines(result), *([f"written to {output}"] if output else []), *first_lines(result.notes)])


def accept_lines(result: Any) -> list[str]:
    """What an acceptance says to people."""
    share = result.accepted / result.detections if result.detections else 0.0
    lines = [
        f"{result.accepted:,} of {result.detections:,} detections without a label need no eye "
        f"({share:.0%}): at least {result.precision:g} right, species by species, with confidence "
        f"{result.confidence:g}",
        f"{'species':32s} {'called so':>10s} {'no eye':>10s} {'from':>7s} {'bound':>6s}  labels",
    ]
    lines += [_row(row) for row in result.species[:MOST]]
    if len(result.species) > MOST:
        lines.append(f"... and {len(result.species) - MOST:,} more (all with --json)")
    lines += [*_set_lines(result.sets), _risk_line(result.risk), *_share_lines(result.prevalence)]
    lines.append(f"{len(result.label_errors):,} of {result.labels:,} labels look wrong"
                 + ("; list them: ecotone accept --label-errors" if result.label_errors else ""))
    if result.run:
        lines.append(f"kept as {result.run}: exports tell it in the column accepted")
    return lines


def _row(row: Any) -> str:
    start = f"{row.name[:32]:32s} {row.called:10,} {row.accepted:10,}"
    if row.threshold is not None:
        return f"{start} {row.threshold:7.3f} {row.bound:6.3f}  {row.labels:,}" + (
            f"; {row.note}" if row.note else "")
    what = row.note if row.missing is None else f"{row.labels:,}, {row.missing:,} more needed"
    return f"{start} {'-':>7s} {'-':>6s}  {what}"


def _set_lines(sets: dict[str, Any]) -> list[str]:
    if not sets:
        return []
    worst = [c for c in sets["classes"] if c["coverage"] is not None]
    worst.sort(key=lambda c: c["coverage"])
    low = f"; least for {worst[0]['name']} ({worst[0]['coverage']:.0%})" if worst else ""
    return [f"sets of {sets['mean_size']:.2f} species on average hold the truth in "
            f"{sets['coverage']:.0%} (wanted {1 - sets['alpha']:.0%}){low}"]


def _risk_line(risk: dict[str, Any]) -> str:
    parts = [f"{p['accuracy']:.1%} of the surest {p['coverage']:.0%}" for p in risk["points"][:-1]]
    return f"right: {', '.join(parts)}, {risk['points'][-1]['accuracy']:.1%} of all"


def _share_lines(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    shown = ", ".join(f"{r['name']} {r['share']:.1%} ({r['low']:.1%} to {r['high']:.1%})"
                      for r in rows[:5])
    return [f"shares among them: {shown}" + (", ..." if len(rows) > 5 else "")]


def error_lines(result: Any) -> list[str]:
    """The labels that look wrong, for people."""
    lines = [f"{len(result.label_errors):,} of {result.labels:,} labels look wrong; have a second "
             "look, the worst first"]
    lines += [f"  {r['filePath']}  {r['label']}, perhaps {r['suggested']}"
              for r in result.label_errors[:MOST]]
    if len(result.label_errors) > MOST:
        lines.append(f"  ... and {len(result.label_errors) - MOST:,} more (-o FILE has all)")
    return lines
