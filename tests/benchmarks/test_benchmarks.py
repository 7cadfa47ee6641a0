"""The benchmarks run: small versions of each, and the arithmetic of the bar."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ecotone.evaluation.baselines import LOCAL_ONLY, PREFERRED

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(method: str, count: int, seed: int, accuracy: float) -> dict:
    figures = {k: accuracy for k in ("accuracy", "per_class_accuracy", "macro_f1")}
    return {"method": method, "n_labels": count, "seed": seed, **figures, "log_loss": 1.0,
            "ece": 0.1, "groups": {}}


def test_the_bar_is_missed_by_one_figure_and_reached_by_all():
    monkeys = load("monkeys")
    records = [record(LOCAL_ONLY, n, s, 0.5) for n in (10, 976) for s in (0, 1)]
    good = [record(PREFERRED, 10, s, 0.81) for s in (0, 1)]
    good += [record(PREFERRED, 976, s, 0.498) for s in (0, 1)]
    lines, reached = monkeys.bar_table(records + good, LOCAL_ONLY)
    assert reached and lines[1].endswith("reached") and "+31.0" in lines[1]
    good[-1]["per_class_accuracy"] = 0.49
    lines, reached = monkeys.bar_table(records + good, LOCAL_ONLY)
    assert not reached and lines[2].endswith("missed")


def test_monkeys_are_extracted_through_the_backend(shared_data, tmp_path):
    monkeys = load("monkeys")
    files, names = monkeys.read_labels(shared_data / "monkeys")
    assert len(files) == len(names) == 1301 and len(set(names)) == 10
    models = shared_data / "models"
    some = files[:3]
    x, scores = monkeys.extract(
        shared_data / "monkeys", some, models / "imagenet_mobilenet_v2.tflite",
        models / "imagenet_labels.txt", tmp_path / "kept.npz",
    )
    assert x.shape == (3, 1280) and scores.values.shape == (3, 1001)
    again, _ = monkeys.extract(
        shared_data / "monkeys", some, models / "imagenet_mobilenet_v2.tflite",
        models / "imagenet_labels.txt", tmp_path / "kept.npz",
    )
    assert np.array_equal(x, again)


@pytest.mark.parametrize("what", ["fit", "peer"])
def test_cost_measures_time_memory_and_accuracy(what):
    cost = load("cost")
    local, world = cost.names()
    assert len(set(local)) == 60 and len(set(world)) == 2498 and len(set(local) & set(world)) == 40
    cost.DIMENSIONS, cost.NOISE = 32, 1.0
    found = cost.measure(900, what)
    assert found["seconds"] > 0 and found["peak"] >= found["data"] > 0
    assert found["right"] > 0.5


def test_commands_run_on_a_generated_project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    commands = load("commands")
    project = commands.generate(tmp_path, 120, 16, 60)
    wall, processor, peak = commands.run("status", project)
    assert processor > 0 and wall > 0 and 0.01 < peak < 5
    with pytest.raises(SystemExit, match="no such option|No such option"):
        commands.run("status --nonsense", project)


def test_generated_worlds_give_records():
    worlds = load("worlds")
    given = argparse.Namespace(rows=400, dim=32, top=5, no_taxonomy=False, places=True,
                               fractions="0.2")
    records = worlds.run_world("gaussian", 0, given, (LOCAL_ONLY, "global by names"))
    assert {r["method"] for r in records} == {LOCAL_ONLY, "global by names"}
    assert all(r["split"] == "location" and r["fraction"] == pytest.approx(0.2, abs=0.01)
               for r in records)
    assert worlds.cell(records[0]).count("/") == 1
