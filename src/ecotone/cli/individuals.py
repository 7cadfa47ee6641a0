"""`ecotone individuals`: train, embed, match, catalogue, evaluate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import (
    check_model,
    example,
    first_lines,
    in_file,
    json_option,
    need_some,
    open_project,
    project_option,
    show,
    with_engine,
)
from ecotone.cli.progress import progress

HEADS = ("auto", "none", "discriminant", "whitening", "arcface")
head_option = click.option(
    "--head", type=click.Choice(HEADS), default=None,
    help="What is trained on the embeddings; auto: what is best on individuals that it has not "
         "seen (in train of all, else of the fast ones). Default: what `train` chose, else auto.")
embedding_option = click.option("--embedding", "embedding_model", default=None,
                                help="Name of the embeddings; default: the newest.")
seed_option = click.option("--seed", type=click.IntRange(0), default=None,
                           help="Seed of everything random.")

ON, OFF = "on", "off"


def _order(declare: Callable[..., Any]) -> Callable[..., Any]:
    """--rerank and --expand: on, off, or auto."""
    def value(context: click.Context, option: click.Parameter, given: str) -> bool | str:
        return {ON: True, OFF: False}.get(given, given)

    for name, what in (("--expand", "Queries with their best candidates added"),
                       ("--rerank", "Shortlists in the order of shared neighbours")):
        declare = click.option(
            name, type=click.Choice((OFF, ON, "auto")), default=OFF, show_default=True,
            callback=value, help=f"{what}; auto: if better on labelled pictures.")(declare)
    return declare


@click.group()
def individuals() -> None:
    """Who is it? Match animals with known individuals: known, new, or cannot tell.

    Known individuals are those of labels with a column individualID (and, where flanks differ,
    viewpoint). One embedding serves all species.
    """


individuals.epilog = example(
    "ecotone add labels labels.csv", "ecotone individuals embed --model model.onnx",
    "ecotone individuals match", "ecotone report",
)


def _closely(declare: Callable[..., Any]) -> Callable[..., Any]:
    """The options of similarities beside the embedding."""
    for option in reversed((
        click.option("--local", is_flag=True,
                     help="Also compare points of the pictures, of each shortlist (extra local); a "
                          "stopped run goes on where it was."),
        click.option("--scores", type=in_file(), default=None,
                     help="A csv of scores of pairs by another program: first, second, score."),
        click.option("--shortlist", type=click.IntRange(5), default=25, show_default=True,
                     help="Pictures that each one is compared with closely."),
    )):
        declare = option(declare)
    return declare


def _which(declare: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which animals."""
    for option in reversed((
        click.option("--species", multiple=True, help="Only animals of it; may be repeated."),
        click.option("--deployment", "deployments", multiple=True, help="Only pictures of it."),
        click.option("--folder", default=None, help="Only pictures below it, as cam1/2024."),
        click.option("--alone", is_flag=True,
                     help="Decide picture by picture; else pictures of one event stay together."),
        click.option("--decisions", type=in_file(), default=None,
                     help="A csv of people's word on pairs: first, second, decision (same, "
                          "different, open). Kept for good."),
        click.option("--author", default="", help="Who made these decisions."),
        click.option("--undo", is_flag=True, help="Take the newest run back, or that of --run."),
        click.option("--run", "run", default=None, help="Which run to undo."),
    )):
        declare = option(declare)
    return declare


@individuals.command(epilog=example(
    "ecotone individuals train", "ecotone individuals train --head arcface",
    "ecotone individuals train --network efficientnetv2_rw_m --weights last.pt",
))
@head_option
@embedding_option
@click.option("--network", default=None, metavar="BACKBONE",
              help="Train a whole network, by a timm name (extra torch).")
@click.option("--weights", default=None, help="With --network: weights to start from.")
@click.option("--accept-license", is_flag=True, help="Of published weights, after reading it.")
@click.option("--epochs", type=click.IntRange(1), default=None, help="With --network.")
@click.option("--image-size", type=click.IntRange(32), default=None, help="With --network.")
@click.option("--batch-size", type=click.IntRange(2), default=None, help="With --network.")
@click.option("--device", default=None, help="With --network: cpu, cuda ...")
@seed_option
@project_option
@json_option
def train(project: Path | None, as_json: bool, network: str | None, head: str | None,
          embedding_model: str | None, seed: int | None, accept_license: bool,
          **options: Any) -> None:
    """Train a head on the embeddings of the project's individuals, or a whole network.

    The next match uses the head that was chosen. A network that was stopped goes on.
    """
    given = {k: v for k, v in options.items() if v is not None}
    if not network and (given or accept_license):
        raise click.UsageError("--weights, --epochs, --image-size, --batch-size, --device and "
                               "--accept-license are for --network")
    if network and (head or embedding_model):
        raise click.UsageError("--head and --embedding are for a head, --network trains a network")
    with open_project(project) as opened, progress() as bar:
        if network:
            result = opened.train_individuals(
                network, progress=bar, seed=seed, accept_license=accept_license, **given)
        else:
            result = opened.train_individuals(
                head=head or "auto", embedding_model=embedding_model, seed=seed, progress=bar)
    show(result, as_json, lambda: (_network_lines if network else _head_lines)(result))


def _head_lines(result: Any) -> list[str]:
    chosen = f"head {result.head}" if result.head != "none" else "no head helps here"
    lines = [f"{result.pictures:,} pictures of {result.individuals:,} individuals, {result.model}: "
             f"{chosen}", *(["on individuals that they have not seen:"] if result.map else [])]
    lines += [f"  {name}: mAP {v:.1%}" for name, v in result.map.items() if v == v]
    return [*lines, f"kept in {result.folder}", *first_lines(result.notes)]


def _network_lines(result: Any) -> list[str]:
    best = ", ".join(f"{k} {v:.3f}" for k, v in result.figures.items() if isinstance(v, float))
    return [f"{result.backbone}: {result.pictures:,} pictures of {result.individuals:,} individuals"
            f"{'; ' + best if best else ''}",
            f"next: ecotone individuals embed --model {result.model}", *first_lines(result.notes)]


@individuals.command(epilog=example(
    "ecotone individuals embed --model model.onnx", "ecotone individuals embed --head latest",
))
@click.option("--model", default=None, callback=check_model,
              help="A .onnx or .tflite file, or a name: handcrafted, timm:NAME, openclip:NAME.")
@click.option("--head", default=None, metavar="RUN|latest",
              help="A head of `individuals train`, applied to the embeddings.")
@click.option("--batch-size", type=click.IntRange(1, 4096), default=None,
              help="Pictures given to the model at once.")
@click.option("--device", default=None, help="cpu, cuda ... for the torch backends.")
@project_option
@json_option
def embed(model: str | None, head: str | None, project: Path | None, as_json: bool,
          **options: Any) -> None:
    """Run an encoder, or a trained head, on all detections that have no embedding of it yet."""
    given = {k: v for k, v in options.items() if v is not None}
    with open_project(project) as opened, progress() as bar:
        result = opened.embed_individuals(model, head=head, progress=bar, **given)
    show(result, as_json, lambda: [
        f"{result.done:,} detections embedded by {result.model}, {result.skipped:,} before",
        *first_lines(result.failed)])
    need_some(result)


@individuals.command(epilog=example(
    "ecotone individuals match", "ecotone individuals match --species leopard --precision 0.95",
    "ecotone individuals match --decisions pairs.csv", "ecotone individuals match --undo",
))
@head_option
@click.option("--precision", type=click.FloatRange(0, 1, min_open=True, max_open=True),
              default=0.9, show_default=True,
              help="Wanted share of right answers; less sure ones are \"cannot tell\".")
@click.option("--forced", is_flag=True, help='Never "cannot tell".')
@_closely
@_order
@_which
@embedding_option
@seed_option
@with_engine
@project_option
@json_option
def match(project: Path | None, as_json: bool, precision: float, forced: bool,
          **options: Any) -> None:
    """Match animals without an individualID with the known individuals.

    A new individual gets an ID (new-0001); pictures of one event stay together. People's word is
    never overridden. Results are in the report and in exports.
    """
    def lines(result: Any) -> list[str]:
        c, o = result.counts, result.open_set
        out = [
            f"{c['queries']:,} pictures ({c['encounters']:,} encounters) among {c['gallery']:,} of "
            f"{c['individuals']:,} known individuals: {c['known']:,} known, {c['new']:,} new "
            f"({c['new_individuals']:,} individuals), {c['cannot_tell']:,} cannot tell"
            + (f", {c['decided']:,} decided by people" if c["decided"] else "")]
        if "geometric_mean" in o:
            out.append(f"on labelled pictures left out: {o['baks']:.1%} of known and "
                       f"{o['baus']:.1%} of new ones right (geometric mean "
                       f"{o['geometric_mean']:.1%}); head {result.head}")
        return [*out, f"run {result.run}; back: ecotone individuals match --undo",
                *first_lines(result.notes)]

    _identify(project, as_json, "match_individuals", lines,
              precision=None if forced else precision, **options)


@individuals.command(epilog=example(
    "ecotone individuals catalogue", "ecotone individuals catalogue --method hdbscan",
))
@click.option("--method", type=click.Choice(["average", "hdbscan"]), default="average",
              show_default=True, help="Average linkage, or by density.")
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), default=None,
              help="Mean probability from which groups are joined; default: learned from labels.")
@head_option
@_closely
@_which
@embedding_option
@seed_option
@project_option
@json_option
def catalogue(project: Path | None, as_json: bool, **options: Any) -> None:
    """Group animals into individuals: a first catalogue, from nothing or around people's names.

    Animals with one individualID by people stay together, with two apart; other groups get an ID
    (new-0001).
    """
    def lines(result: Any) -> list[str]:
        c = result.counts
        return [f"{c['pictures']:,} pictures in {c['individuals']:,} individuals, {c['alone']:,} "
                f"of them with one picture, the largest with {c['largest']:,}",
                f"run {result.run}; back: ecotone individuals catalogue --undo",
                *first_lines(result.notes)]

    _identify(project, as_json, "catalogue_individuals", lines, **options)


def _identify(
    project: Path | None, as_json: bool, call: str, lines: Callable[[Any], list[str]],
    undo: bool, run: str | None, decisions: Path | None, author: str, alone: bool,
    species: Sequence[str], deployments: Sequence[str], **options: Any,
) -> None:
    if run is not None and not undo:
        raise click.UsageError("--run is for --undo")
    with open_project(project) as opened, progress() as bar:
        if undo:
            back = opened.undo_individuals(run)
            show(back, as_json, lambda: [
                f"{back.undone} is undone; " + (f"{back.now} counts again" if back.now else
                                                "nobody but people names individuals now")])
            return
        added = opened.add_decisions(decisions, author) if decisions else None
        result = getattr(opened, call)(
            progress=bar, species=species, deployments=deployments, encounters=not alone, **options)

    def words() -> list[str]:
        said = [] if added is None else [
            f"{added.added:,} decisions added, {added.skipped:,} already there",
            *first_lines(added.problems)]
        return [*said, *lines(result)]

    show(result, as_json, words)


@individuals.command(epilog=example(
    "ecotone individuals evaluate", "ecotone individuals evaluate --split split.csv --json",
))
@click.option("--split", type=in_file(), default=None,
              help="A published split: csv with identity, path, split (train or test).")
@head_option
@click.option("--max-pictures", type=click.IntRange(2), default=10, show_default=True,
              help="Of an individual, as queries.")
@click.option("--database-pictures", type=click.IntRange(1), default=None,
              help="Of an individual in the database.")
@click.option("--between-events", is_flag=True,
              help="Pictures of one event are not ranked among each other.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True,
              help="Splits with unknown individuals.")
@_order
@embedding_option
@seed_option
@project_option
@json_option
def evaluate(project: Path | None, as_json: bool, head: str | None, **options: Any) -> None:
    """Measure matching: ranks, verification, known or new, a catalogue, on labelled individuals.

    One-vs-all inside species and viewpoint, at least 2 and at most 10 pictures an individual;
    means over groups.
    """
    from ecotone.project.individual_evaluation import evaluation_lines

    with open_project(project) as opened, progress() as bar:
        result = opened.evaluate_individuals(head=head or "auto", progress=bar, **options)
    show(result, as_json, lambda: [*evaluation_lines(result), *first_lines(result.notes)])
