from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from ecotone.backends import backend_info, open_backend
from ecotone.bundle import onnx_proto as o
from ecotone.bundle.folder import load_bundle, save_bundle
from ecotone.bundle.predict import predict_folder, predict_to_file
from ecotone.errors import BackendError, FormatError, InputError
from tests.bundle.models import backbone, local_model


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "net.onnx"
    o.save_model(backbone(), path)
    return path


@pytest.fixture
def model_folder(tmp_path, network):
    info = backend_info(open_backend(network, preprocessing="imagenet"))
    model = local_model(k=3)
    object.__setattr__(model, "classes", ("red deer", "grey fox", "wild boar"))
    rows = [{"label": "red deer", "scientificName": "Cervus elaphus"}]
    return save_bundle(tmp_path / "models" / "run-1", model, info, rows)


def expected_of(network, model_folder, paths, boxes=((0, 0, 1, 1),)):
    backend = open_backend(network, preprocessing="imagenet")
    batch = np.concatenate([backend.preprocessing.prepare(p, np.array(boxes)) for p in paths])
    return load_bundle(model_folder).predict_proba(backend.encode(batch))


def detector_file(path, images):
    content = {
        "info": {"format_version": "1.4", "detector_metadata": {
            "typical_detection_threshold": 0.2}},
        "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "images": images,
    }  # fmt: skip
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_every_picture_is_a_row_in_order(pictures, model_folder, network):
    rows = list(predict_folder(pictures, model_folder, batch_size=5))
    paths = sorted(pictures.rglob("*.jpg"), key=lambda p: p.relative_to(pictures).as_posix())
    assert [r["filePath"] for r in rows] == [p.relative_to(pictures).as_posix() for p in paths]
    expected = expected_of(network, model_folder, paths)
    found = [r["classificationProbability"] for r in rows]
    np.testing.assert_allclose(found, expected.max(axis=1), atol=1e-4)
    names = np.array(["red deer", "grey fox", "wild boar"])
    assert [r["localClass"] for r in rows] == list(names[expected.argmax(axis=1)])
    latin = {"red deer": "Cervus elaphus"}
    assert all(r["scientificName"] == latin.get(r["localClass"], "") for r in rows)
    assert all(r["alternatives"].count(":") >= 1 and r["error"] == "" for r in rows)
    assert {r["deploymentID"] for r in rows} == {"cam1", "cam2"}
    assert len({r["detectionID"] for r in rows}) == len(rows)


def test_the_folder_alone_is_enough(pictures, model_folder, network, tmp_path):
    first = list(predict_folder(pictures, model_folder))
    network.unlink()
    moved = tmp_path / "moved" / "model"
    moved.parent.mkdir()
    shutil.move(model_folder, moved)
    assert list(predict_folder(pictures, moved)) == first


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_broken_pictures_become_rows_and_stop_nothing(
    pictures, model_folder, batch_size, make_picture
):
    (pictures / "cam1" / "aaa_empty.jpg").write_bytes(b"")
    whole = next(pictures.rglob("*.jpg")).with_name("zzz_cut.jpg")
    make_picture(whole, size=(400, 300))
    whole.write_bytes(whole.read_bytes()[:3000])
    (pictures / "cam2" / "text.jpg").write_text("no picture")
    rows = list(predict_folder(pictures, model_folder, batch_size=batch_size))
    assert [r["filePath"] for r in rows] == sorted(r["filePath"] for r in rows)
    wrong = {r["filePath"].rpartition("/")[2]: r for r in rows if r["error"]}
    assert set(wrong) == {"aaa_empty.jpg", whole.name, "text.jpg"}
    assert "empty" in wrong["aaa_empty.jpg"]["error"]
    assert "truncated" in wrong[whole.name]["error"]
    assert all(r["localClass"] == "" for r in wrong.values())
    assert all(np.isnan(r["classificationProbability"]) for r in wrong.values())
    assert len(rows) == 27


def test_a_table_is_written_with_failures_listed(pictures, model_folder, tmp_path):
    (pictures / "cam1" / "empty.jpg").write_bytes(b"")
    seen = []
    result = predict_to_file(
        pictures, model_folder, tmp_path / "out.csv", batch_size=4,
        progress=lambda done, total, text: seen.append((done, total)),
    )  # fmt: skip
    assert (result.rows, result.pictures, len(result.failures)) == (25, 25, 1)
    assert "empty.jpg" in result.failures[0]
    assert seen == [(i, 25) for i in range(1, 26)]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 25
    (wrong,) = [r for r in rows if r["error"]]
    assert wrong["classificationProbability"] == "" and wrong["filePath"] == "cam1/empty.jpg"
    predict_to_file(pictures, model_folder, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [r["filePath"] for r in table] == [r["filePath"] for r in rows]
    for ours, theirs in zip(rows, table, strict=True):
        if not ours["error"]:
            assert float(ours["classificationProbability"]) == pytest.approx(
                theirs["classificationProbability"], abs=1e-6
            )


def test_boxes_of_a_detector_are_rows(pictures, model_folder, network, tmp_path):
    one, two, three, four = ["cam1/red_deer_0.jpg", "cam1/red_deer_1.jpg", "cam1/red_deer_2.jpg",
                             "cam1/red_deer_3.jpg"]  # fmt: skip
    boxes = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.4, 0.4]]
    file = detector_file(tmp_path / "md.json", [
        {"file": one, "detections": [
            {"category": "1", "conf": 0.5, "bbox": boxes[1]},
            {"category": "1", "conf": 0.9, "bbox": boxes[0]},
            {"category": "1", "conf": 0.1, "bbox": [0, 0, 0.1, 0.1]},
        ]},
        {"file": two, "detections": [{"category": "2", "conf": 0.8, "bbox": boxes[0]}]},
        {"file": three, "detections": []},
        {"file": four, "detections": None, "failure": "image access failure"},
    ])  # fmt: skip
    rows = list(predict_folder(pictures, model_folder, file))
    by_file = {}
    for row in rows:
        by_file.setdefault(row["filePath"], []).append(row)
    found = by_file[one]
    assert [r["detectionConfidence"] for r in found] == pytest.approx([0.9, 0.5])
    assert [r["bboxX"] for r in found] == pytest.approx([0.1, 0.5])
    expected = expected_of(network, model_folder, [pictures / one], boxes)
    np.testing.assert_allclose(
        [r["classificationProbability"] for r in found], expected.max(axis=1), atol=1e-4
    )
    (person,) = by_file[two]
    assert (person["category"], person["localClass"]) == ("human", "")
    (blank,) = by_file[three]
    assert (blank["category"], blank["localClass"], blank["bboxWidth"]) == ("blank", "", 1.0)
    (unseen,) = by_file[four]
    assert unseen["category"] == "animal" and unseen["localClass"]
    assert len(by_file) == 24


def test_the_threshold_can_be_given(pictures, model_folder, tmp_path):
    file = detector_file(tmp_path / "md.json", [{"file": "cam1/red_deer_0.jpg", "detections": [
        {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]},
        {"category": "1", "conf": 0.1, "bbox": [0, 0, 0.1, 0.1]},
    ]}])  # fmt: skip
    for threshold, count in ((None, 1), (0.05, 2), (0.95, 1)):
        rows = predict_folder(pictures, model_folder, file, threshold=threshold)
        found = [r for r in rows if r["filePath"] == "cam1/red_deer_0.jpg"]
        assert len(found) == count
    assert found[0]["category"] == "blank"


def test_a_model_that_knows_people_classifies_them(pictures, tmp_path, network):
    model = local_model(k=3)
    object.__setattr__(model, "classes", ("red deer", "person", "empty"))
    info = backend_info(open_backend(network, preprocessing="imagenet"))
    folder = save_bundle(tmp_path / "m", model, info)
    file = detector_file(tmp_path / "md.json", [
        {"file": "cam1/red_deer_1.jpg", "detections": [
            {"category": "2", "conf": 0.8, "bbox": [0.1, 0.1, 0.5, 0.5]},
            {"category": "3", "conf": 0.8, "bbox": [0.1, 0.1, 0.5, 0.5]}]},
        {"file": "cam1/red_deer_2.jpg", "detections": []},
    ])  # fmt: skip
    rows = [r for r in predict_folder(pictures, folder, file) if r["category"] != "animal"]
    assert [(r["category"], bool(r["localClass"])) for r in rows] == [
        ("human", True), ("vehicle", False), ("blank", True)
    ]


def test_pictures_that_only_one_side_has_are_told(pictures, model_folder, tmp_path):
    other = {"file": "other/x.jpg", "detections": []}
    file = detector_file(tmp_path / "md.json", [
        other, {"file": "C:\\old disk\\pictures\\cam1\\red_deer_0.jpg", "detections": []}
    ])  # fmt: skip
    result = predict_to_file(pictures, model_folder, tmp_path / "out.csv", file)
    assert result.rows == 24
    notes = "\n".join(result.notes)
    assert "1 of its pictures are not among those given: other/x.jpg" in notes
    assert "nothing on 23 pictures" in notes
    with pytest.raises(InputError, match="none of its 1 pictures is among the 24 given"):
        predict_folder(pictures, model_folder, detector_file(tmp_path / "x.json", [other]))


def test_other_files_are_no_detections(pictures, model_folder, tmp_path):
    (tmp_path / "x.json").write_text('{"annotations": []}')
    with pytest.raises(FormatError, match="x.json"):
        predict_folder(pictures, model_folder, tmp_path / "x.json")


def test_one_picture_or_a_list(pictures, model_folder):
    one = pictures / "cam1" / "red_deer_0.jpg"
    (row,) = predict_folder(one, model_folder)
    assert row["filePath"] == "red_deer_0.jpg"
    rows = list(predict_folder([one, pictures / "gone.jpg"], model_folder))
    assert rows[0]["classificationProbability"] == row["classificationProbability"]
    assert "missing" in rows[1]["error"]


def test_mistakes_are_told_before_the_work(pictures, model_folder, tmp_path):
    with pytest.raises(InputError, match="no such"):
        predict_folder(tmp_path / "nowhere", model_folder)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        predict_folder(tmp_path / "none", model_folder)
    with pytest.raises(BackendError, match="not the folder of a local model"):
        predict_folder(pictures, pictures)
    with pytest.raises(InputError, match="csv or .parquet"):
        predict_to_file(pictures, model_folder, tmp_path / "out.xlsx")
    assert not (tmp_path / "out.xlsx").exists()


def test_the_handcrafted_encoder_needs_no_file(pictures, tmp_path):
    backend = open_backend("handcrafted")
    model = local_model(dims=1024, small=32, k=3)
    folder = save_bundle(tmp_path / "m", model, backend_info(backend))
    rows = list(predict_folder(pictures, folder))
    batch = np.concatenate([
        backend.preprocessing.prepare(p, [[0, 0, 1, 1]])
        for p in sorted(pictures.rglob("*.jpg"))
    ])  # fmt: skip
    half = backend.encode(batch).astype(np.float16).astype(np.float32)
    expected = model.predict_proba(half).max(axis=1)
    found = [r["classificationProbability"] for r in rows]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_real_tflite_network_is_copied_and_agrees(shared_data, tmp_path):
    pytest.importorskip("ai_edge_litert")
    file = shared_data / "models" / "imagenet_mobilenet_v2.tflite"
    backend = open_backend(file)
    model = local_model(dims=1280, small=64, k=10, heads=4)
    folder = save_bundle(tmp_path / "m", model, backend_info(backend))
    assert (folder / "backbone.tflite").read_bytes() == file.read_bytes()
    files = sorted((shared_data / "monkeys" / "images").iterdir())[:6]
    broken = [shared_data / "robustness" / n for n in
              ("african_elephants_truncated_file.jpg", "zero_bytes.jpg")]
    rows = list(predict_folder([*files, *broken], folder, batch_size=4))
    batch = np.concatenate([backend.preprocessing.prepare(p, [[0, 0, 1, 1]]) for p in files])
    half = backend.encode(batch).astype(np.float16).astype(np.float32)
    found = [r["classificationProbability"] for r in rows]
    np.testing.assert_allclose(found[:6], model.predict_proba(half).max(axis=1), atol=1e-4)
    assert "truncated" in rows[6]["error"] and "empty" in rows[7]["error"]
