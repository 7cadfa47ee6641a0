"""The plan multiplies out; the pipeline's plain loop gives the numbers that ecotone gives."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def neighbours(monkeypatch):
    """Benchmarks import their neighbours."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])


def test_cores_end_in_time():
    plan = import_module("plan")
    seconds = 1e8 * 0.041
    for deadline in (plan.DAY, 7 * plan.DAY):
        cores, nodes = plan.cluster(seconds, deadline, 32)
        assert cores == 32 * nodes
        assert seconds / (cores * plan.UTILISED) <= deadline
        assert nodes == 1 or seconds / ((cores - 32) * plan.UTILISED) > deadline
    costs = plan.Costs(34, 0, 8, 0.1, 0.03, 0.05, boxes=2.0)
    assert costs.stages()["embed and classify"] == (0.016, True)
    assert plan.storage(768, 5, 30, 1.0)["embeddings, float16 x 768"] == 1554
    assert plan.reading(1e6, 3.0, 1000.0) == 3000


def test_the_plan_is_printed(monkeypatch, capsys):
    plan = import_module("plan")
    monkeypatch.setattr(sys, "argv", ["plan.py", "--gpu-rate", "500", "--pictures", "1e6"])
    plan.main()
    text = capsys.readouterr().out
    assert "cards, hours of them" in text and "1 projects" in text


def test_the_plain_loop_prepares_as_ecotone_does(tmp_path):
    pipeline = import_module("pipeline")
    from ecotone.media.preprocess import Preprocessing

    paths = pipeline.make_pictures(tmp_path / "made", (64, 48), 2)
    way = Preprocessing(32, 32, "float32", "NCHW", scale=1 / 255, mean=(0.5,) * 3, std=(0.2,) * 3)
    seen: list[np.ndarray] = []
    pipeline.plain_loop(paths, way, seen.append)
    ours = np.concatenate([way.prepare(path, pipeline.WHOLE) for path in paths])
    # Decoders that may leave out resolution round otherwise: a grey level is 0.02 here.
    assert np.abs(seen[0] - ours).mean() < 0.02


def test_measuring_takes_turns():
    pipeline = import_module("pipeline")
    calls: list[str] = []
    found = pipeline.measure({n: lambda n=n: calls.append(n) for n in "ab"}, 3)
    assert "".join(calls) == "abababab"
    assert set(found) == {"a", "b"} and all(wall >= 0 for wall, _ in found.values())
