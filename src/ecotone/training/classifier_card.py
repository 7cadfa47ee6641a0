"""What a training on soft labels leaves behind: the model, its card, its curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ecotone.bundle.card_text import table
from ecotone.export.atomic import csv_files, replaced
from ecotone.fusion.selection import fit_temperature
from ecotone.training.card import write_card
from ecotone.training.checkpoints import LAST, load_checkpoint, save_tensors
from ecotone.training.classifier_network import ClassifierNetwork
from ecotone.training.curves import curves_svg
from ecotone.training.export import export_onnx
from ecotone.training.inference import predict_logits, softmax
from ecotone.training.loop import Loop
from ecotone.training.soft_split import LABELS

if TYPE_CHECKING:
    from ecotone.training.classifier import Job

MODEL, WEIGHTS, CURVES, CHART = "model.onnx", "model.pt", "curves.csv", "curves.svg"
LEAST_LABELS = 30  # held-out labels from which the probabilities are calibrated
USE = (
    "To name animals on pictures like those it was trained on: the same area, the same kind of "
    "cameras and the same classes. It gives probabilities; look at the pictures where they are low."
)


def finish_classifier(
    job: Job, loop: Loop, network: ClassifierNetwork, use: str, best: dict[str, float],
    history: list[dict[str, float]], failed: list[str],
) -> tuple[dict[str, Any], float]:
    """Write the model, the curves and the card; the card and the difference of ONNX from torch."""
    folder, data, split = job.folder, job.data, job.split
    temperature = calibrate(network, job)
    some = np.stack([job.crops.load(int(row)) for row in job.rows[:4]])
    names = json.dumps(list(data.classes), ensure_ascii=False)
    difference = export_onnx(
        network, folder / MODEL, *job.normalisation,
        {"license": job.begun.licence, "task": "classification", "classes": names}, some)
    save_tensors(folder / WEIGHTS, {
        "state_dict": network.state_dict(), "architecture": network.name,
        "license": job.begun.licence, "mean": job.normalisation[0], "std": job.normalisation[1],
        "classes": list(data.classes)})
    write_curves(folder, history)
    state = load_checkpoint(folder / LAST)
    card = {
        "name": folder.name, "task": "soft labels", "intended_use": USE,
        "backbone": network.name, "dimension": network.dimension, "classes": list(data.classes),
        "start": {"source": job.begun.source, "licence": job.begun.licence},
        "settings": job.settings.as_dict(), "precision": loop.precision,
        "seed": job.settings.seed, "counts": _counts(job, failed), "per_class": _per_class(job),
        "validation": {"kind": split.kind, "by": split.by, "pictures": len(split.held),
                       "strict": split.strict, "left_out": len(split.left_out)},
        "logit_adjustment": job.shift[1], "temperature": temperature, "exported": use,
        "curve": history, "best": best, "stopped": state["finished"],
        "processes": job.world.size, "device": job.world.device, "onnx_difference": difference,
        "notes": [*split.notes, *job.begun.notes, *_said(job, use, temperature)],
        "failed": failed,
    }
    return write_card(folder, card, soft_page), difference


@torch.no_grad()
def calibrate(network: ClassifierNetwork, job: Job) -> float:
    """Fit a temperature on held-out labels and put it into the head; 1 where they are too few."""
    held = job.split.held
    if job.split.kind != LABELS or len(held) < LEAST_LABELS:
        return 1.0
    logits, _ = predict_logits(network, job.crops, held, "cpu", job.normalisation)
    found = fit_temperature(softmax(logits), job.data.target[held].argmax(axis=1))
    network.head.weight /= found
    network.head.bias /= found
    return found


def write_curves(folder: Path, history: list[dict[str, float]]) -> None:
    """`curves.csv`, a row an epoch, and `curves.svg`."""
    names = list(dict.fromkeys(name for row in history for name in row if name != "score"))
    with csv_files(folder, {CURVES: names}) as sheets:
        for row in history:
            sheets[CURVES].write([_number(row.get(name)) for name in names])
    with replaced(folder / CHART) as file:
        file.write(curves_svg(history))


def _number(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.6g}"


def _said(job: Job, use: str, temperature: float) -> list[str]:
    lines = []
    if job.shift[1]:
        lines.append(
            f"Classes are long-tailed: the loss adds {job.shift[1]:g} log of the classes' shares. "
            "The exported scores are without it: they treat all classes as equally frequent.")
    if use == "teacher":
        lines.append("Exported is the moving mean of the weights (EMA).")
    if temperature != 1.0:
        lines.append(f"Logits are divided by {temperature:.3g}, fitted on the held-out labels.")
    return lines


def _counts(job: Job, failed: list[str]) -> dict[str, int]:
    split, data = job.split, job.data
    return {
        "pictures given": len(data), "pictures that could not be read": len(failed),
        "training pictures with a label": len(split.labelled),
        "training pictures with a pseudo-label": len(split.soft),
        "pictures with neither": len(split.bare), split.kind: len(split.held),
        "left out at held-out locations": len(split.left_out),
        "locations": len(set(data.location) - {""}),
    }


def _per_class(job: Job) -> list[list[Any]]:
    split, target = job.split, job.data.target
    labels, soft = target[split.labelled].sum(axis=0), target[split.soft].sum(axis=0)
    held = target[split.held].sum(axis=0)
    return [[name, round(float(a)), round(float(b), 1), round(float(c), 1)] for name, a, b, c
            in zip(job.data.classes, labels, soft, held, strict=True)]


def soft_page(card: dict[str, Any]) -> str:
    """The card of a training on soft labels as Markdown."""
    start = card["start"]
    shown = [n for n in dict.fromkeys(k for r in card["curve"] for k in r) if n != "score"]
    rows = [[row.get(n, "") for n in shown] for row in card["curve"]]
    parts = [
        [f"# Network {card['name']}", "", f"Made {card['created']} by ecotone "
         f"{card['versions']['ecotone']}.", "", card["intended_use"]],
        ["## Starting weights", "", f"{card['backbone']}, {start['source']}. Licence: "
         f"{start['licence']}.", "", "The network inherits what that licence asks for."],
        ["## Data", "", *table(("what", "number"), list(card["counts"].items()))],
        ["### Classes", "", *table(("class", "labels", "pseudo-labels", "held out"),
                                   card["per_class"])],
        ["## Validation", "", f"On {card['validation']['kind']}"
         + (f", split by {card['validation']['by']}." if card["validation"]["by"] else "."), "",
         *table(("figure", "best epoch"), [(k, v) for k, v in card["best"].items()
                                           if k != "score"])],
        ["## Curve", "", f"![{CHART}]({CHART})", "", *table(shown, rows)],
        ["## Settings", "", *table(("setting", "value"), list(card["settings"].items()))],
        ["## Notes", "", *(f"- {note}" for note in card["notes"])] if card["notes"] else [],
        ["## Pictures that could not be read", "",
         *(f"- {line}" for line in card["failed"])] if card["failed"] else [],
        ["## Versions", "", ", ".join(f"{k} {v}" for k, v in card["versions"].items())],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


__all__ = ["finish_classifier", "soft_page", "write_curves"]
