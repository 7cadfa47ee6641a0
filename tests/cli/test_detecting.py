"""`ecotone detect` and `ecotone run --detector`: what they print, what they refuse in a line."""

from __future__ import annotations

import json

import pytest

from ecotone import cli
from ecotone.project import Project
from tests.detectors import NAMES, make_detector, yolov8


@pytest.fixture
def detector(tmp_path):
    declared = {"preset": "unit", "classes": NAMES, "detector": "constant 1"}
    return make_detector(tmp_path / "det.onnx", {"o": yolov8()}, declared)


def test_in_a_project(tmp_path, pictures, detector, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("init", "reserve")
    call("add", "images", pictures)
    out = call("detect", "--model", detector, "-o", "md.json", "--threshold", "0.6")
    assert out.splitlines() == [
        "24 pictures looked at by constant 1, 0 before",
        "24 boxes from confidence 0.6 on, 0 pictures without one", "boxes written to md.json"]
    assert "(boxes by constant 1 on 24 pictures)" in call("status")
    told = json.loads(call("detect", "--model", detector, "--json"))
    assert (told["done"], told["skipped"], told["boxes"]) == (0, 24, 48)  # of the model's 0.2 on
    out = call("add", "detections", "md.json")  # which says 0.6
    assert out.startswith("0 detections added, 24 updated") or "24" in out


def test_a_folder(tmp_path, pictures, detector, call):
    out = call("detect", pictures, "--model", detector, "-o", tmp_path / "md.json")
    assert out.splitlines()[0] == "24 pictures looked at by constant 1, 0 before"
    images = json.loads((tmp_path / "md.json").read_text("utf-8"))["images"]
    assert {len(i["detections"]) for i in images} == {3}


def test_run_with_a_detector(tmp_path, pictures, labels_csv, detector, call, monkeypatch):
    for name in ("fuse", "report", "evaluate"):  # the other steps are tested elsewhere
        monkeypatch.setattr(Project, name, lambda self, **options: None)
    monkeypatch.setattr("ecotone.cli.starting.fuse_lines", lambda fusion: [])
    out = call("run", pictures, "--labels", labels_csv, "--detector", detector,
               "-o", tmp_path / "reserve")
    assert "48 boxes by constant 1, 0 pictures without one" in out
    assert cli.run(["run", str(pictures), "--labels", str(labels_csv), "--detector", str(detector),
                    "--detections", str(labels_csv), "-o", str(tmp_path / "two")]) == 2


@pytest.mark.parametrize(("words", "said"), [
    (["detect", "PICTURES", "--model", "DETECTOR"], "-o md.json"),
    (["detect", "PICTURES", "--model", "missing.onnx", "-o", "md.json"], "no such model file"),
    (["detect", "PICTURES", "--model", "megadetectr", "-o", "md.json"], "did you mean"),
    (["detect", "PICTURES", "--model", "DETECTOR", "-o", "md.json", "--declaration", "BAD"],
     "neither json nor toml"),
    (["detect", "nowhere", "--model", "DETECTOR", "-o", "md.json"], "nowhere"),
])
def test_mistakes_are_told_in_one_line(tmp_path, pictures, detector, capsys, words, said,
                                       monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text("{", "utf-8")
    named = {"PICTURES": str(pictures), "DETECTOR": str(detector), "BAD": "bad.json"}
    assert cli.run([named.get(w, w) for w in words]) in (1, 2)
    err = capsys.readouterr().err.strip()
    assert said in err and "\n" not in err
