"""A whole ReportData of made-up numbers: six classes, 90 held-out rows, curves, a map, pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecotone.report import (
    Counts,
    Failure,
    Gallery,
    GlobalMap,
    HeldOut,
    Picture,
    ReportData,
    Run,
)
from ecotone.report.pictures import make_pictures

CLASSES = ("red deer", "grey fox", "wild boar", "badger", "hare", "blank")


def evaluation(counts=(10, 20, 50), seeds=4, gain=(0.3, 0.15, 0.02)):
    """Records of three methods; "ecotone" is ahead of "local only" by `gain` on average."""
    rng = np.random.default_rng(5)
    base = dict(zip(counts, np.linspace(0.4, 0.8, len(counts)), strict=True))
    records = []
    for count, more in zip(counts, gain, strict=True):
        for seed in range(seeds):
            noise = rng.normal(0, 0.01)
            for method, value in (("local only", base[count]), ("global by names", 0.5),
                                  ("ecotone", base[count] + more)):
                share = float(np.clip(value + noise + rng.normal(0, 0.002), 0, 1))
                records.append({
                    "method": method, "n_labels": count, "seed": seed, "split": "location",
                    "test_rows": 40, "accuracy": share, "per_class_accuracy": share - 0.05,
                    "groups": {
                        "head": {"classes": 2, "rows": 20, "accuracy": share,
                                 "per_class_accuracy": share},
                        "unknown": {"classes": 1, "rows": 5, "accuracy": share,
                                    "per_class_accuracy": share / 2},
                    },
                })
    return tuple(records)


def held_out(rows=90, classes=6, seed=0, right=0.8):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    proba = rng.dirichlet(np.ones(classes) * 0.3, rows) * 0.4
    said = np.where(rng.random(rows) < right, truth, rng.integers(0, classes, rows))
    proba[np.arange(rows), said] += 0.6
    return HeldOut(truth, proba)


@pytest.fixture
def whole(tmp_path: Path, make_picture: Callable[..., Path]) -> ReportData:
    """A ReportData with every part filled."""
    file = make_picture(tmp_path / "cam1" / "a.jpg", size=(320, 240))
    crop, full, size = make_pictures(file, (0.2, 0.2, 0.4, 0.5))
    picture = Picture("cam1/a.jpg", "grey fox", 0.91, (("badger", 0.05),), "gray fox", 0.4,
                      label="badger", crop=crop, whole=full, size=size)
    lost = Picture("cam1/b.jpg", "hare", 0.5, problem="file is missing")
    links = {c: ((f"{c} of the world", 0.7), ("something else", 0.2)) for c in CLASSES}
    return ReportData(
        title="A reserve", created="21 November 2026",
        counts=Counts(300, 400, 90, 7, {"animal": 380, "blank": 20}),
        run=Run("run-1", "today", 3.2, 7, "co-trained", "fused", "encoder", ("world",),
                ({"name": "co-trained", "loss": 0.5, "accuracy": 0.8, "weight": 1.0,
                  "chosen": True},
                 {"name": "map only", "loss": None, "accuracy": None, "weight": 0.0}),
                {"random_state": 7}, {"ecotone": "0.1.0"}),
        classes=CLASSES, label_counts=np.array([30, 25, 20, 12, 3, 0]),
        found=np.array([120.0, 90, 70, 60, 40, 20]), held_out=held_out(),
        evaluation=evaluation(),
        maps=(GlobalMap("world", dict.fromkeys(CLASSES, "exact"), links),),
        galleries=(Gallery("confident", "Surest", "Why", (picture, lost)),),
        failures=(Failure("cam2/broken.jpg", "classify", "truncated"),),
        unresolved=("'hare': two taxa have this name",), notes=("a note",),
    )
