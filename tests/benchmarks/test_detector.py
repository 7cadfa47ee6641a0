"""The detector's benchmark: scenes with true boxes, scores of day and night, training where torch
is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ecotone.detection import Boxes

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import detector

    yield detector
    for name in ("detector", "detector_scenes", "detector_network", "detector_path"):
        sys.modules.pop(name, None)


def scene(bench, box, infrared):
    boxes = np.array([box]).reshape(-1, 4)
    return bench.Scene(Path("r/photos/c/a.jpg"), boxes, np.zeros(len(boxes), int), infrared)


def test_scores_of_day_night_and_classes(bench):
    box = [0.1, 0.1, 0.4, 0.4]
    pictures = [scene(bench, box, False), scene(bench, box, True), scene(bench, [], True)]
    one = Boxes(np.array([box]), np.array(["animal"]), np.array([0.9]))
    none = Boxes(np.zeros((0, 4)), np.array([]), np.zeros(0))
    found = [one, none, one]
    assert bench.score(found, pictures, night=False).average_precision == 1
    night = bench.score(found, pictures, night=True)
    assert (night.true, night.found, night.right) == (1, 1, 0)
    assert bench.score(found, pictures, "human").true == 0
    assert bench.harmonic(bench.score(found, pictures)) == pytest.approx(0.5)
    assert bench.harmonic(night) == 0


def test_training_exports_what_the_backend_reads(bench, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from PIL import Image

    from detector_network import Stage, export, train
    from ecotone.backends.detector import open_detector

    pictures = []
    for i in range(4):
        Image.new("RGB", (64, 48), (60, 90 + i, 60)).save(tmp_path / f"{i}.png")
        pictures.append(bench.Scene(tmp_path / f"{i}.png", np.array([[0.2, 0.2, 0.5, 0.5]]),
                                    np.zeros(1, int), False))
    stages = (Stage(1, 2, 1e-3, 64, 64, (0.8, 1.2), 0.1, 0.02, 0.1),
              Stage(1, 4, 1e-3, 64, 32, (1.0, 1.0), 0.0, 0.0, 0.3))
    path = export(train(pictures, stages), tmp_path / "net.onnx", 0.4)
    detector = open_detector(path, {"confidence": 0.001})
    assert detector.threshold == 0.4 and detector.preprocessing.shape == (3, 32, 64)
    assert len(bench.look(path, pictures)) == 4
