"""The whole path on generated scenes, without torch: detect, classify, fuse, export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ecotone import cli
from ecotone.detection.precision import overlaps
from ecotone.project import Project
from ecotone.simulate.reserve import draw_events, make_plan

MODEL = Path(__file__).resolve().parents[1] / "detection" / "model" / "generated.onnx"
SEED, CAMERA = 77, 0  # a reserve that the detector has not learned on


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A folder of pictures of one camera, and the true boxes and labels by file."""
    folder, truth = tmp_path_factory.mktemp("scene"), {}
    plan = [e for e in make_plan(150, SEED) if e.camera == CAMERA and not e.night][:9]
    for shot in draw_events(plan, SEED):
        file = f"plain/{len(truth):02d}.jpg"
        (folder / "plain").mkdir(exist_ok=True)
        Image.fromarray(shot.pixels).save(folder / file, quality=85)
        label = shot.event.label if shot.seen else "blank"
        truth[file] = (label, np.array([s.box for s in shot.seen]).reshape(-1, 4))
    return folder, truth


def test_it_finds_animals_of_a_camera_that_it_has_not_seen(scene, tmp_path, capsys):
    folder, truth = scene
    words = ["detect", str(folder), "--model", str(MODEL), "-o", str(tmp_path / "md.json"),
             "--threads", "1", "--json"]
    assert cli.run(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["done"] == len(truth) and told["failed"] == []
    found = right = true = 0
    for image in json.loads((tmp_path / "md.json").read_text("utf-8"))["images"]:
        boxes = truth[image["file"]][1]
        sure = [d for d in image["detections"] if d["conf"] >= told["threshold"]]
        if len(boxes) and sure:
            hits = overlaps(np.array([d["bbox"] for d in sure]), boxes)
            right += int((hits >= 0.4).any(axis=0).sum())
        found, true = found + len(sure), true + len(boxes)
    assert right >= true / 2 and found <= 3 * true


def test_detect_classify_fuse_export(scene, tmp_path, onnx_model):
    folder, truth = scene
    with Project.init(tmp_path / "reserve") as project:
        project.add_images(folder)
        report = project.detect(str(MODEL), threads=1)
        assert report.boxes > 0
        project.classify(str(onnx_model), tmp_path / "classes.txt", threads=1)
        project.embed("handcrafted")
        rows = [f"{file},{label}" for file, (label, _) in truth.items()]
        (tmp_path / "labels.csv").write_text(
            "filePath,vernacularName\n" + "\n".join(rows[::2]) + "\n", "utf-8")
        project.add_labels(tmp_path / "labels.csv")
        fused = project.fuse()
        count = project.catalog.counts()["detections"]
        assert fused.detections == count == report.boxes + report.blank
        project.export(tmp_path / "out.csv")
        assert len((tmp_path / "out.csv").read_text("utf-8").splitlines()) == 1 + count
        project.export(tmp_path / "md.json", format="megadetector")
    entries = json.loads((tmp_path / "md.json").read_text("utf-8"))["images"]
    classified = [d for i in entries for d in i["detections"] if d.get("classifications")]
    assert len(classified) == report.boxes  # every box has a class
