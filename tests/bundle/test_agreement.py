"""A project's own posteriors and `predict` with the model it left behind, on the same pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ecotone.bundle import onnx_proto as o
from ecotone.bundle.predict import predict_folder
from ecotone.project import Project
from ecotone.store.vectors import read_posteriors
from tests.bundle.models import backbone


def agree(rows, posteriors):
    found = {row["detectionID"]: row for row in rows}
    assert set(posteriors.id) <= set(found)
    for detection, values in zip(posteriors.id, posteriors.values, strict=True):
        row = found[detection]
        given = dict(
            text.rpartition(":")[::2] for text in row["alternatives"].split(" | ") if text
        )
        given = {row["localClass"]: row["classificationProbability"], **given}
        for name, probability in given.items():
            expected = values[posteriors.classes.index(name)]
            assert float(probability) == pytest.approx(expected, abs=1e-4)
        assert max(values) == pytest.approx(row["classificationProbability"], abs=1e-4)


def test_boxes_agree_with_the_project_too(pictures, labels_csv, tmp_path):
    names = sorted(p.relative_to(pictures).as_posix() for p in pictures.rglob("*.jpg"))
    rng = np.random.default_rng(0)
    images = []
    for i, name in enumerate(names):
        boxes = [
            {"category": "123"[j % 3], "conf": round(float(rng.uniform(0.1, 1)), 3),
             "bbox": [0.1 * j, 0.1, 0.5, 0.4]} for j in range(i % 4)
        ]  # fmt: skip
        images.append({"file": name, "detections": boxes})
    whole = {"category": "1", "conf": 0.7, "bbox": [0.0, 0.0, 1.0, 1.0]}
    images[1]["detections"].append(whole)
    file = tmp_path / "md.json"
    kinds = {"1": "animal", "2": "person", "3": "vehicle"}
    file.write_text(json.dumps({"images": images, "detection_categories": kinds, "info": {}}))
    with Project.init(tmp_path / "reserve") as project:
        project.add_images(pictures)
        project.add_detections(file)
        project.add_labels(labels_csv)
        project.embed("handcrafted")
        run = project.fuse().run
        posteriors = read_posteriors(project.catalog, project.vectors, f"{run}-local")
        stored = project.catalog.detections()
    rows = list(predict_folder(pictures, tmp_path / "reserve" / "models" / "latest", file))
    agree(rows, posteriors)
    known = dict(zip(stored.id, zip(stored.category, stored.confidence, strict=True), strict=True))
    assert {r["detectionID"] for r in rows} == set(known)
    for row in rows:
        category, confidence = known[row["detectionID"]]
        assert row["category"] == category
        assert row["detectionConfidence"] == pytest.approx(confidence, abs=1e-6)
    classified = {r["detectionID"] for r in rows if r["localClass"]}
    assert classified == set(posteriors.id)


@pytest.mark.parametrize("model", ["onnx", "handcrafted"])
def test_predict_agrees_with_the_project(pictures, labels_csv, scores_csv, tmp_path, model):
    (pictures / "cam1" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    spec = model
    if model == "onnx":
        spec = str(tmp_path / "net.onnx")
        o.save_model(backbone(dims=48), spec)
    with Project.init(tmp_path / "reserve") as project:
        project.add_images(pictures)
        project.add_labels(labels_csv)
        project.add_scores(scores_csv)
        options = {"preprocessing": "imagenet"} if model == "onnx" else {}
        project.embed(spec, batch_size=7, **options)
        run = project.fuse().run
        posteriors = read_posteriors(project.catalog, project.vectors, f"{run}-local")
    assert len(posteriors) == 24
    rows = list(predict_folder(pictures, tmp_path / "reserve" / "models" / "latest"))
    assert [r["filePath"] for r in rows if r["error"]] == ["cam1/broken.jpg"]
    agree(rows, posteriors)
    assert np.ptp(posteriors.values) > 0.1
