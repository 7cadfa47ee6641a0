"""A project's own posteriors and `predict` with the model it left behind, on the same pictures."""

from __future__ import annotations

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
