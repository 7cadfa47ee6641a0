"""The benchmark of networks without a network: what is taught, counted and resumed."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module

import numpy as np
import pytest

from ecotone.types import GlobalScores
from tests.benchmarks.test_benchmarks import FOLDER

CLASSES = ("fox", "hare", "roe")


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    """Benchmarks import their neighbours."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])


def problem() -> dict[str, np.ndarray]:
    """Six pictures; the last two are held out, the first two have labels."""
    fused = np.array([[.2, .8, 0], [.1, .2, .7], [.5, .3, .2], [0, .4, .6], [0] * 3, [0] * 3])
    return {"classes": np.array(CLASSES), "truth": np.array([0, 1, 2, 1, 0, 2]),
            "test-7": np.array([0, 0, 0, 0, 1, 1], bool),
            "labels-7-2": np.array([0, 1, -1, -1, -1, -1]),
            "argmax-7-2": np.array([2, 2, 2, -1, -1, -1]),
            "mapped-7-2": np.array([1, 1, 0, 2, -1, -1]), "fused-7-2": fused.astype(np.float16)}


def test_pictures_come_back_and_are_shrunk_by_means():
    targets, network = import_module("network_targets"), import_module("network")
    ramp = np.linspace(0, 255, 32)
    pictures = np.stack([np.tile(ramp[:, None, None], (1, 32, 3)),
                         np.tile(ramp[None, :, None], (32, 1, 3))]).astype(np.uint8)
    back = targets.unpacked(targets.packed(pictures))
    assert back.shape == pictures.shape and back.dtype == np.uint8
    assert np.abs(back.astype(int) - pictures).max() < 8
    means = pictures.reshape(2, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    assert np.abs(network.shrunk(pictures, 8) - means).max() <= 1
    assert network.shrunk(pictures, 0) is pictures


@pytest.mark.parametrize(("method", "rows", "last"), [
    ("LABELS", [0, 1], [0, 1, 0]),
    ("ARGMAX", [0, 1, 2], [0, 0, 1]),  # the fourth is named by nothing
    ("MAPPED", [0, 1, 2, 3], [0, 0, 1]),
    ("FUSED", [0, 1, 2, 3], [0, .4, .6]),
    ("HARD", [0, 1, 2, 3], [0, 0, 1]),
    ("TRUE", [0, 1, 2, 3], [0, 1, 0]),
])
def test_people_are_clamped_and_held_out_pictures_never_train(method, rows, last):
    network = import_module("network")
    found, target, labelled = network.taught(problem(), getattr(network, method), 7, 2)
    assert found.tolist() == rows
    assert target[:2].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert target[-1] == pytest.approx(last, abs=1e-3)
    assert np.allclose(target.sum(axis=1), 1)
    assert labelled.tolist() == [method == "TRUE" or row < 2 for row in rows]


def record(name: str, seed: int, fox: float, hare: float) -> dict:
    return {"name": name, "count": 2, "seed": seed, "accuracy": (fox + hare) / 2, "seconds": 3.0,
            "classes": {"fox": fox, "hare": hare}, "day": fox, "infrared": None}


def test_the_table_has_means_over_seeds_and_the_worst_class():
    network = import_module("network")
    lines = network.table([record(network.LABELS, 1, .5, .5), record(network.LABELS, 2, .5, .3),
                           record(network.FUSED, 1, .9, .4), record(network.FUSED, 2, .7, .4)])
    row = next(line for line in lines if network.FUSED in line)
    cells = row.replace(network.FUSED, "").split()
    assert cells == ["2", "60.0", "5.0", "60.0", "+15.0", "+15.0", "+0.0", "hare", "80.0", "3"]


def test_a_resumed_run_trains_what_is_missing_and_what_was_cut_off(tmp_path, monkeypatch):
    network, started = import_module("network"), []

    class Training:
        """Stands for a process that writes its line and ends well."""

        returncode = 0

        def __init__(self, command: list[str]) -> None:
            job = json.loads(command[-1])
            started.append((job["name"], job["seed"]))
            with (tmp_path / "out.jsonl").open("a") as file:
                file.write(json.dumps({**job, "accuracy": 1.0}) + "\n")

        def poll(self) -> int:
            return 0

    monkeypatch.setattr(network.subprocess, "Popen", Training)
    monkeypatch.setattr(network.time, "sleep", lambda seconds: None)
    args = argparse.Namespace(seeds=9, count=0, parts=False, jobs=2, out=tmp_path / "out.jsonl")
    jobs = network.jobs_of(args, {"seeds": np.array([1, 2]), "counts": np.array([2])})
    assert len(jobs) == 2 * len(network.METHODS)
    lines = [json.dumps(job) for job in jobs]
    args.out.write_text("\n".join([*lines[:5], lines[5][:30]]) + "\n")
    network.work_through(jobs, args)
    assert started == [(job["name"], job["seed"]) for job in jobs[5:]]
    assert len(network.read(args.out)) == len(jobs)
    network.work_through(jobs, args)
    assert len(started) == len(jobs) - 5


def test_every_part_can_be_left_out():
    network = import_module("network")
    settings = import_module("ecotone.training.soft_settings").SoftLabelSettings
    whole = settings.from_dict(network.PARTS["everything"]).as_dict()
    for name, values in network.PARTS.items():
        changed = settings.from_dict(values).as_dict()
        assert (changed == whole) == (name == "everything"), name


def test_pseudo_labels_are_of_training_pictures_alone():
    targets = import_module("network_targets")
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 20)
    place = np.eye(3)[truth] @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(60, 8))
    scores = GlobalScores.from_dense(0.8 * np.eye(3)[truth] + 0.2 / 3, ("fox", "hare", "roe deer"))
    pool = targets.Pool(CLASSES, np.zeros((60, 2, 2, 3), np.uint8), truth,
                        place.astype(np.float32), scores, np.arange(60),
                        np.array([f"camera {i % 4}" for i in range(60)], dtype=object),
                        np.zeros(60, bool))
    test = targets.held_out(pool, 3)
    assert len(set(pool.location[test])) == targets.HELD_CAMERAS
    assert not set(pool.location[test]) & set(pool.location[~test])
    made = targets.targets(pool, test, 3, 12)
    assert (made["labels"] >= 0).sum() == 12
    for name in ("labels", "argmax", "mapped"):
        assert (made[name][test] == -1).all()
    assert not made["fused"][test].any()
    assert np.allclose(made["fused"][~test].astype(float).sum(axis=1), 1, atol=0.01)
    assert (made["fused"][~test].argmax(axis=1) == truth[~test]).mean() > 0.9
