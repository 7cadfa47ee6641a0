"""MegaDetector's package by a double: what is asked of it, what comes back, what is told without
it. The double has the functions of `megadetector.detection.run_detector` that are called."""

from __future__ import annotations

import sys
import types
from inspect import signature

import numpy as np
import pytest
from PIL import Image

from ecotone.backends.detector import open_detector
from ecotone.backends.megadetector import read_entry
from ecotone.errors import BackendError, InputError, MissingExtraError


class Double:
    """A loaded detector: an animal, a person and something of a category nobody knows."""

    def generate_detections_one_batch(self, img_original, image_id, detection_threshold):
        print("chatter that must not reach stdout")
        assert all(isinstance(p, Image.Image) and p.mode == "RGB" for p in img_original)
        found = [{"category": "1", "conf": 0.3, "bbox": [0.1, 0.2, 0.3, 0.4]},
                 {"category": "2", "conf": 0.9, "bbox": [0.5, 0.5, 0.1, 0.1]},
                 {"category": "7", "conf": 0.8, "bbox": [0.5, 0.5, 0.1, 0.1]}]
        return [{"file": name, "detections": found} for name in image_id]


@pytest.fixture
def package(monkeypatch):
    """The double as `megadetector.detection`, and a torch that is only there."""
    run = types.ModuleType("megadetector.detection.run_detector")
    run.asked = []
    run.try_download_known_detector = lambda name: name
    run.load_detector = lambda path, force_cpu=False: (
        run.asked.append((path, force_cpu)) or Double())
    run.get_detector_version_from_model_file = lambda path: "v5a.0.0"
    run.get_detector_metadata_from_version_string = lambda version: {
        "megadetector_version": version, "typical_detection_threshold": 0.25}
    detection = types.ModuleType("megadetector.detection")
    detection.run_detector = run
    detection.pytorch_detector = types.ModuleType("megadetector.detection.pytorch_detector")
    for name, module in {
        "torch": types.ModuleType("torch"), "megadetector": types.ModuleType("megadetector"),
        "megadetector.detection": detection, "megadetector.detection.run_detector": run,
        "megadetector.detection.pytorch_detector": detection.pytorch_detector,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    return run


def test_weights_on_the_disk(package, tmp_path, capsys):
    (tmp_path / "md_v5a.0.0.pt").write_bytes(b"weights")
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    detector = open_detector(tmp_path / "md_v5a.0.0.pt", device="cpu")
    assert package.asked == [(str(tmp_path / "md_v5a.0.0.pt"), True)]
    assert (detector.name, detector.version, detector.threshold) == ("md_v5a.0.0", "v5a.0.0", 0.25)
    prepared = detector.prepare(tmp_path / "a.png")
    assert (prepared.width, prepared.height) == (64, 48)
    boxes = detector.detect([prepared] * 2)[1]
    assert boxes.category.tolist() == ["human", "animal"]
    np.testing.assert_allclose(boxes.bbox[1], [0.1, 0.2, 0.3, 0.4])
    assert capsys.readouterr().out == ""


def test_weights_that_cannot_be_fetched(package):
    def offline(name):
        raise OSError("no route to host")

    package.try_download_known_detector = offline
    with pytest.raises(BackendError, match="no route to host.*--model /path/md_v5a"):
        open_detector("megadetector")
    with pytest.raises(BackendError, match="no such model file"):
        open_detector("megadetector:nowhere.pt")
    with pytest.raises(InputError, match="declaration is for"):
        open_detector("megadetector", {"head": "yolov5"})


def test_a_file_that_is_no_model(package, tmp_path):
    def broken(path, force_cpu=False):
        raise RuntimeError("bad magic number\nat line 3")

    package.load_detector = broken
    (tmp_path / "a.pt").write_bytes(b"no weights")
    with pytest.raises(BackendError, match=r"a\.pt: .* cannot load it \(bad magic number\)"):
        open_detector(tmp_path / "a.pt")


def test_without_the_package_its_licence_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"AGPL-3.0.*ecotone\[megadetector\]"):
        open_detector("megadetector")


def test_failures_of_the_package_stay_failures():
    assert read_entry({"failure": "inference failure", "detections": None}) == "inference failure"
    assert read_entry({"detections": None}) == "no detections"
    nan = {"detections": [{"category": "1", "conf": float("nan"), "bbox": [0, 0, 1, 1]}]}
    assert "NaN" in read_entry(nan)
    assert len(read_entry({"detections": []})) == 0


def test_the_real_package_has_what_the_double_has():
    run = pytest.importorskip("megadetector.detection.run_detector")
    asked = {name: signature(getattr(run, name)).parameters for name in (
        "try_download_known_detector", "load_detector", "get_detector_version_from_model_file",
        "get_detector_metadata_from_version_string")}
    assert "force_cpu" in asked["load_detector"]
    told = run.get_detector_metadata_from_version_string("v5a.0.0")
    assert {"megadetector_version", "typical_detection_threshold"} <= set(told)
