"""Whether known classes stay as good when new ones are named: the same labels, before and after.

n labels that both fusions held out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

REPLICATES = 1000
LEAST = 2  # labels in common


def compare_known(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What two run records say of the labels that both held out and that mean a class of before;
    {} where the later one has no new class, or they share too few labels.

    labels: how many. before, after: accuracy on them, and per class (per_class_before, after).
    change: after - before, with a 95 % interval (low, high) from resampled labels. worst: class
    with the largest fall (name, labels, before, after). new_classes: names.
    """
    new = [c for c in after.get("classes", ()) if c not in set(before.get("classes", ()))]
    if not new:
        return {}
    old_right, new_right = _right(before), _right(after)
    both = [i for i in old_right if i in new_right and old_right[i][0] == new_right[i][0]]
    if len(both) < LEAST:
        return {}
    name = np.array([old_right[i][0] for i in both], dtype=object)
    was = np.array([old_right[i][1] for i in both], dtype=float)
    now = np.array([new_right[i][1] for i in both], dtype=float)
    draws = np.random.default_rng(0).integers(len(both), size=(REPLICATES, len(both)))
    changes = (now - was)[draws].mean(axis=1)
    low, high = np.quantile(changes, [0.025, 0.975])
    classes = sorted(set(name.tolist()))
    by_class = [(c, int((name == c).sum()), float(was[name == c].mean()),
                 float(now[name == c].mean())) for c in classes]
    worst = min(by_class, key=lambda row: (row[3] - row[2], row[0]))
    return {
        "new_classes": new, "labels": len(both), "before": float(was.mean()),
        "after": float(now.mean()), "change": float(now.mean() - was.mean()),
        "low": float(low), "high": float(high),
        "per_class_before": float(np.mean([row[2] for row in by_class])),
        "per_class_after": float(np.mean([row[3] for row in by_class])),
        "worst": dict(zip(("name", "labels", "before", "after"), worst, strict=True)),
        "run_before": before.get("run", ""),
    }


def _right(record: Mapping[str, Any]) -> dict[str, tuple[str, bool]]:
    """Detection id -> its label then, and whether the held-out prediction was right."""
    held, classes = record.get("out_of_fold", {}), record.get("classes", ())
    return {
        name: (label, classes[int(np.argmax(proba))] == label)
        for name, label, proba in zip(
            held.get("ids", ()), held.get("labels", ()), held.get("proba", ()), strict=True)
    }
