"""Tables of records: means with spread, and differences to the labels alone, paired by split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ecotone.evaluation.baselines import LOCAL_ONLY
from ecotone.evaluation.metrics import SCALARS

Record = dict[str, Any]

PAIRED = ("accuracy", "per_class_accuracy")
FIELDS = ("method", "n_labels", "fraction", "seed", "split", "test_rows")


def summarise(records: Sequence[Record], reference: str = LOCAL_ONLY) -> list[Record]:
    """One row a method and number of labels, in the order of the records.

    A row holds method, n_labels, runs; mean and `_sd` of every metric; and for accuracy and
    per-class accuracy the difference to `reference` on the same splits and labels: `_gain`,
    `_gain_sd`, `_gain_worst` (None without the reference). The sd is over splits (n - 1; 0 for
    a single one).
    """
    base = {(r["n_labels"], r["seed"]): r for r in records if r["method"] == reference}
    rows = []
    for (method, n_labels), runs in _by(records, "method", "n_labels").items():
        row: Record = {"method": method, "n_labels": n_labels, "runs": len(runs)}
        for metric in SCALARS:
            row[metric], row[f"{metric}_sd"] = _mean_sd([r[metric] for r in runs])
        for metric in PAIRED:
            pairs = [(r, base.get((n_labels, r["seed"]))) for r in runs]
            gains = [r[metric] - b[metric] for r, b in pairs if b is not None]
            mean, sd = _mean_sd(gains) if gains else (None, None)
            row[f"{metric}_gain"], row[f"{metric}_gain_sd"] = mean, sd
            row[f"{metric}_gain_worst"] = min(gains) if gains else None
        rows.append(row)
    return sorted(rows, key=lambda row: row["n_labels"])


def summarise_groups(records: Sequence[Record]) -> list[Record]:
    """One row a number of labels, group of classes and method: means over the splits that have it.

    A row holds n_labels, group, method, runs, classes and rows (means), accuracy and
    per_class_accuracy.
    """
    flat = [
        {"method": r["method"], "n_labels": r["n_labels"], "group": name, **values}
        for r in records
        for name, values in r["groups"].items()
    ]
    rows = []
    for (n_labels, group, method), runs in _by(flat, "n_labels", "group", "method").items():
        row: Record = {"n_labels": n_labels, "group": group, "method": method, "runs": len(runs)}
        for key in ("classes", "rows", *PAIRED):
            row[key] = float(np.mean([r[key] for r in runs]))
        rows.append(row)
    return rows


def table_lines(rows: Sequence[Record]) -> list[str]:
    """Rows of `summarise` as aligned text, in percent and nats."""
    head = ["labels", "method", "accuracy", "per class", "macro-F1", "log-loss", "ECE",
            "gain", "worst", "gain per class", "worst"]
    body = []
    last: Any = None
    for row in rows:
        cells = ["" if row["n_labels"] == last else f"{row['n_labels']:,}", row["method"]]
        cells += [_percent(row["accuracy"], row["accuracy_sd"], row["runs"])]
        cells += [_percent(row["per_class_accuracy"], row["per_class_accuracy_sd"], row["runs"])]
        cells += [f"{100 * row['macro_f1']:.1f}", f"{row['log_loss']:.3f}", f"{row['ece']:.3f}"]
        for metric in PAIRED:
            for key in ("gain", "gain_worst"):
                value = row[f"{metric}_{key}"]
                cells.append("" if value is None else f"{100 * value:+.1f}")
        body.append(cells)
        last = row["n_labels"]
    return align([head, *body])


def group_lines(rows: Sequence[Record], methods: Sequence[str]) -> list[str]:
    """Rows of `summarise_groups` as aligned text: per-class accuracy, a column a method."""
    body = []
    last: Any = None
    for (n_labels, group), items in _by(rows, "n_labels", "group").items():
        each = {r["method"]: r["per_class_accuracy"] for r in items}
        first = items[0]
        cells = ["" if n_labels == last else f"{n_labels:,}", group, f"{first['classes']:.1f}"]
        cells += [f"{100 * each[m]:.1f}" if m in each else "" for m in methods]
        body.append(cells)
        last = n_labels
    return align([["labels", "group", "classes", *methods], *body])


def align(table: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines of equal columns; the second column to the left, others right."""
    width = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return [
        "  ".join(
            cell.ljust(width[i]) if i == 1 else cell.rjust(width[i]) for i, cell in enumerate(row)
        ).rstrip()
        for row in table
    ]


def flat_records(records: Iterable[Record]) -> dict[str, list[Any]]:
    """Records as columns for a csv file: fields, metrics, then two columns a group."""
    records = list(records)
    groups = list(dict.fromkeys(name for r in records for name in r["groups"]))
    columns: dict[str, list[Any]] = {k: [r[k] for r in records] for k in (*FIELDS, *SCALARS)}
    for group in groups:
        for key in PAIRED:
            name = f"{key}_{group.replace(' ', '_')}"
            columns[name] = [r["groups"].get(group, {}).get(key, "") for r in records]
    return columns


def _by(records: Iterable[Record], *keys: str) -> dict[tuple[Any, ...], list[Record]]:
    found: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        found.setdefault(tuple(record[k] for k in keys), []).append(record)
    return found


def _mean_sd(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _percent(mean: float, sd: float, runs: int) -> str:
    return f"{100 * mean:.1f}" + (f" ± {100 * sd:.1f}" if runs > 1 else "")
