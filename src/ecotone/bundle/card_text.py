"""The training card as a page to read (Markdown)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SCORE_NAMES = {
    "accuracy": "accuracy", "per_class_accuracy": "mean accuracy of the classes",
    "macro_f1": "macro F1", "log_loss": "log-loss", "ece": "calibration error (ECE)",
}  # fmt: skip


def card_text(card: Mapping[str, Any]) -> str:
    """The page of a card made by `card.make_card`."""
    name = card.get("name") or "local model"
    parts = [
        [f"# Local model {name}", "", f"Made {card['created']} by ecotone "
         f"{card['versions'].get('ecotone', '')}.", "", card["intended_use"]],
        ["## Limits", "", *(f"- {line}" for line in card["limits"])],
        _scores(card), _labels(card), _data(card), _method(card), _backbone(card),
        _notes("Notes", card.get("notes")), _notes("Not resolved", card.get("unresolved")),
        ["## Versions", "", ", ".join(f"{k} {v}" for k, v in card["versions"].items())],
        _files(),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = [_row(header), "|" + " --- |" * len(header)]
    return lines + [_row([_cell(v) for v in row]) for row in rows]


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names with commas between, and how many more there are."""
    text = ", ".join(names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _scores(card: Mapping[str, Any]) -> list[str]:
    scores = card.get("scores") or {}
    rows = [(SCORE_NAMES.get(k, k), v) for k, v in scores.items()]
    if not rows:
        return []
    total = sum(card["label_counts"].values())
    said = f"Out-of-fold on {total:,} labelled detections: each was judged by a model that had " \
        "not seen its label, nor those of its group."
    return ["## Scores", "", said, "", *table(("score", "value"), rows)]


def _labels(card: Mapping[str, Any]) -> list[str]:
    kinds = card.get("kinds") or {}
    header = ("class", "labels", *(f"known to {name} as" for name in kinds))
    rows = [
        (name, count, *(kind.get(name, "") for kind in kinds.values()))
        for name, count in card["label_counts"].items()
    ]
    return ["## Classes", "", *table(header, rows)]


def _data(card: Mapping[str, Any]) -> list[str]:
    rows = []
    for key, value in (card.get("counts") or {}).items():
        if isinstance(value, Mapping):
            rows += [(f"{key.replace('_', ' ')} of {k}", v) for k, v in value.items()]
        else:
            rows.append((key.replace("_", " "), value))
    return ["## Data", "", *table(("what", "count"), rows)] if rows else []


def _method(card: Mapping[str, Any]) -> list[str]:
    calibration = card["calibration"]
    lines = [
        "## Method", "",
        f"A pool of {calibration['heads']} linear heads on {calibration['features']} projected "
        f"features of the embedding, temperature {calibration['temperature']:.4g}.",
    ]  # fmt: skip
    selection = card.get("selection") or {}
    if selection.get("chosen"):
        said = "Candidates were chosen or pooled by their out-of-fold loss"
        lines += ["", f"{said}; the first of them: {selection['chosen']}."]
    if card.get("score_models"):
        lines += ["", f"Global models: {', '.join(card['score_models'])}."]
    if card.get("seed") is not None:
        lines += ["", f"Seed {card['seed']}."]
    candidates = [dict(row) for row in selection.get("table") or []]
    if candidates:
        header = [k for k in candidates[0] if not isinstance(candidates[0][k], (list, dict))]
        rows = [[row.get(k, "") for k in header] for row in candidates]
        lines += ["", *table(header, rows)]
    return lines


def _backbone(card: Mapping[str, Any]) -> list[str]:
    backbone = card["backbone"]
    if not backbone:
        return ["## Backbone", "", "None: it takes embeddings, not pictures."]
    names = (("spec", "model"), ("source", "file"), ("dimension", "embedding dimensions"),
             ("tensor", "embedding tensor"), ("licence", "licence"), ("note", "note"))
    rows = [(label, backbone[key]) for key, label in names if backbone.get(key)]
    return ["## Backbone", "", *table(("what", "value"), rows)]


def _notes(heading: str, lines: Sequence[str] | None) -> list[str]:
    return [f"## {heading}", "", *(f"- {line}" for line in lines)] if lines else []


def _files() -> list[str]:
    return [
        "## Use", "", "```", "ecotone predict PICTURES --model THIS_FOLDER -o out.csv", "```", "",
        "`head.onnx` takes embeddings (N, D), `model.onnx` (where there is one) takes pictures "
        "prepared as `preprocessing.json` says; the columns of `probability` are the lines of "
        "`classes.txt`.",
    ]  # fmt: skip
