"""`ecotone train`: a network on soft labels, in a project or from a csv of labelled pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import (
    example,
    first_lines,
    in_file,
    in_folder,
    json_option,
    open_project,
    project_option,
    show,
)
from ecotone.cli.progress import progress
from ecotone.errors import InputError

PARTS = ("head", "last", "lora", "all")


@click.command(epilog=example(
    "ecotone train --network efficientnet_b0 --start pretrained",
    "ecotone train --network mobilenetv3_small_050 --size 96 --epochs 10 --rounds 1",
    "ecotone train data.csv mapping.csv --pictures PHOTOS --detections md.json -o my-network",
))
@click.argument("tables", type=in_file(), nargs=-1, metavar="[CSV]...")
@click.option("--network", "backbone", default=None, metavar="BACKBONE",
              help="A timm name; default: efficientnet_b0.")
@click.option("--start", default="", metavar="WEIGHTS",
              help="pretrained (timm's), a file or folder of weights, a published name, "
                   "speciesnet; default: from scratch.")
@click.option("--size", "image_size", type=click.IntRange(16), default=None,
              help="Pictures are so many pixels wide and high; default: 224.")
@click.option("--epochs", type=click.IntRange(1), default=None)
@click.option("--batch-size", type=click.IntRange(2), default=None)
@click.option("--part", "trainable", type=click.Choice(PARTS), default=None,
              help="What learns: the head, the last stage too, LoRA, or all (default).")
@click.option("--set", "more", multiple=True, metavar="NAME=VALUE",
              help="Any other setting, as lr=0.0003; may be repeated.")
@click.option("--rounds", type=click.IntRange(0), default=0, show_default=True,
              help="Rounds of self-improvement: the network's scores go back into fusion where "
                   "held-out labels are told better for it.")
@click.option("--folds", type=click.IntRange(2, 10), default=3, show_default=True,
              help="With --rounds: parts of the labels; a round is so many trainings and one more.")
@click.option("--labels-only", is_flag=True, help="People's labels alone, no pseudo-labels.")
@click.option("--mapping", type=in_file(), default=None,
              help="Other names of classes, csv: input,output; \"remove\" leaves one out.")
@click.option("--name", default="", help="Name of the network; default: the backbone's.")
@click.option("--pictures", type=in_folder(), default=None,
              help="With a csv: where its pictures lie; default: beside it.")
@click.option("--detections", type=in_file(), default=None,
              help="With a csv: MegaDetector json; its animals are learned, not whole pictures.")
@click.option("--threshold", type=click.FloatRange(0, 1), default=None,
              help="With --detections: boxes below are left out; default: what the file says.")
@click.option("--min-pictures", type=click.IntRange(1), default=None,
              help="With a csv: classes with fewer pictures are left out.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=None,
              help="With a csv: the folder of the network.")
@click.option("--device", default="", help="cpu, cuda ...; default: a graphics card if there is.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Seed of everything random.")
@click.option("--accept-license", is_flag=True, help="Of published weights, after reading it.")
@project_option
@json_option
def train(tables: Sequence[Path], more: Sequence[str], project: Path | None, as_json: bool,
          rounds: int, folds: int, labels_only: bool, name: str, mapping: Path | None,
          pictures: Path | None, detections: Path | None, threshold: float | None,
          min_pictures: int | None, output: Path | None, **options: Any) -> None:
    """Train a network on soft labels (extra torch).

    In a project: crops of its detections, with the fused posteriors as soft targets and people's
    labels as they are; kept in models/networks. With a CSV (filename,category,location, and
    input,output for other names) without a project. What was stopped goes on when it is run again.
    """
    options = {k: v for k, v in options.items() if v is not None}
    options.update(_settings(more))
    files = (pictures, detections, threshold, min_pictures, output)
    if not tables:
        if any(v is not None for v in files):
            raise click.UsageError("--pictures, --detections, --threshold, --min-pictures and -o "
                                   "are for a csv; in a project leave them out")
        with open_project(project) as opened, progress() as bar:
            result = opened.train(
                name=name, labels_only=labels_only, names=_names(mapping), rounds=rounds,
                folds=folds, progress=bar, **options)
    else:
        if rounds or labels_only or name:
            raise click.UsageError("--rounds, --labels-only and --name are for a project, not for "
                                   "a csv")
        result = _from_tables(tables, mapping, files, options)
    if os.environ.get("RANK", "0") == "0":  # of the processes of torchrun one speaks
        show(result, as_json, lambda: _lines(result, bool(tables)))


def _from_tables(tables: Sequence[Path], mapping: Path | None, files: tuple[Any, ...],
                 options: dict[str, Any]) -> Any:
    from ecotone.ingest.training_table import NAMES, kind_of_table
    from ecotone.project.network_training import train_files

    kinds = [kind_of_table(path) for path in tables]
    names = [p for p, kind in zip(tables, kinds, strict=True) if kind == NAMES]
    names += [mapping] if mapping else []
    data = [p for p, kind in zip(tables, kinds, strict=True) if kind != NAMES]
    if len(data) != 1 or len(names) > 1:
        raise InputError(
            f"{len(data)} tables of pictures and {len(names)} of names; give one table of pictures "
            "(filename,category,location) and at most one of names (input,output).")
    pictures, detections, threshold, least, output = files
    if output is None:
        raise click.UsageError("say where the network goes: -o FOLDER")
    with progress() as bar:
        return train_files(
            data[0], output, pictures, _names(names[0] if names else None), detections, threshold,
            least or 1, progress=bar, **options)


def _names(path: Path | None) -> dict[str, str] | None:
    if path is None:
        return None
    from ecotone.ingest.training_table import read_names_table

    return read_names_table(path)


def _settings(more: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE with json values, as lr=0.001, curriculum=false, or plain words."""
    out: dict[str, Any] = {}
    for text in more:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise click.UsageError(f"--set {text!r}: expected NAME=VALUE, as lr=0.0003")
        try:
            out[name.strip().replace("-", "_")] = json.loads(value)
        except ValueError:
            out[name.strip().replace("-", "_")] = value.strip()
    return out


def _lines(result: Any, alone: bool) -> list[str]:
    best = ", ".join(f"{k.replace('_', ' ')} {v:.3f}" for k, v in result.best.items()
                     if k in ("accuracy", "log_loss"))
    soft = result.pictures - result.labelled
    lines = [f"{result.name}: {len(result.classes)} classes from {result.labelled:,} labels and "
             f"{soft:,} pseudo-labels"
             + (f"; on {result.validation}: {best}" if best else "")]
    lines += [one.line() for one in result.rounds]
    lines.append(f"kept in {result.folder} (card, curves, model.onnx)")
    model = result.folder if alone else result.name
    if alone or result.rounds:
        lines.append(f"next: ecotone predict NEW_PHOTOS --model {result.folder} -o new.csv")
    else:
        lines.append(f"next: ecotone predict NEW_PHOTOS --model {result.folder} -o new.csv; to let "
                     f"fusion learn from {model}: ecotone train --rounds 1 with the same options")
    return [*lines, *first_lines(result.notes)]
