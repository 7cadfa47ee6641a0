from __future__ import annotations

import json
import os
import shutil

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from ecotone.backends import backend_info, open_backend
from ecotone.bundle import files
from ecotone.bundle import onnx_proto as o
from ecotone.bundle.folder import load_bundle, save_bundle
from ecotone.errors import BackendError, InputError, ProjectError
from tests.bundle.models import SIDE, backbone, embeddings, local_model

ROWS = [
    {"label": "class 0", "scientificName": "Vulpes vulpes", "vernacularName": "red fox"},
    {"label": "class 1", "genus": "Cervus"},
]
CARD = {
    "run": "run-1", "seed": 7, "label_counts": {"class 0": 30, "class 1": 3},
    "counts": {"detections": 99, "labelled": 33, "groups": 4, "global_classes": {"net": 4}},
    "scores": {"accuracy": 0.81, "log_loss": 0.6}, "score_models": ["net"], "preferred": "local",
    "selection": {"chosen": "pool", "table": [{"name": "em", "loss": 0.6, "chosen": True}]},
    "mapping": {"net": {"kind": {"class 0": "exact"}, "explain": {}}},
    "out_of_fold": {"proba": [[0.1] * 5] * 33}, "notes": ["a note"], "unresolved": ["class 4"],
    "versions": {"scipy": "9.9"},
}  # fmt: skip


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "elsewhere" / "net.onnx"
    path.parent.mkdir()
    o.save_model(backbone(), path)
    return path


def info_of(path, **options):
    options = {"preprocessing": "imagenet", **options}
    return backend_info(open_backend(path, **options))


def picture_batch(n=3):
    return np.random.default_rng(0).normal(size=(n, 3, SIDE, SIDE)).astype(np.float32)


@pytest.fixture
def bundle_folder(tmp_path, network):
    folder = tmp_path / "models" / "run-1"
    return save_bundle(folder, local_model(), info_of(network), ROWS, CARD)


def test_the_folder_holds_what_is_needed_and_nothing_else(bundle_folder):
    assert sorted(p.name for p in bundle_folder.iterdir()) == sorted([
        "head.onnx", "model.onnx", "classes.txt", "taxonomy.csv", "preprocessing.json",
        "calibration.json", "card.json", "CARD.md", "manifest.json",
    ])  # fmt: skip
    assert [p.name for p in bundle_folder.parent.iterdir()] == ["run-1"]
    for name in ("head.onnx", "model.onnx"):
        onnx.checker.check_model(onnx.load(bundle_folder / name), full_check=True)


def test_it_works_alone_when_moved(bundle_folder, tmp_path, network):
    moved = tmp_path / "usb stick" / "modèle"
    moved.parent.mkdir()
    shutil.move(bundle_folder, moved)
    shutil.rmtree(network.parent)
    bundle = load_bundle(moved)
    model, x = local_model(), embeddings(9, 12)
    assert bundle.classes == model.classes
    assert bundle.dimension == 12
    np.testing.assert_allclose(bundle.predict_proba(x), model.predict_proba(x), atol=1e-5)
    assert list(bundle.predict(x)) == list(model.predict(x))
    assert bundle.scientific_names == ("Vulpes vulpes", "", "", "", "")
    vectors = bundle.backend(threads=1).encode(picture_batch())
    assert vectors.shape == (3, 12)


def test_no_path_of_this_machine_is_kept(bundle_folder, tmp_path):
    for path in bundle_folder.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path.name


def test_backbone_and_head_agree_with_the_joined_graph(bundle_folder, network):
    picture = picture_batch()
    theirs = open_backend(network, preprocessing="imagenet").encode(picture)
    bundle = load_bundle(bundle_folder)
    ours = bundle.backend().encode(picture)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    session = ort.InferenceSession(str(bundle_folder / "model.onnx"))
    joined = session.run(["probability"], {"image": picture})[0]
    np.testing.assert_allclose(joined, bundle.predict_proba(theirs), atol=1e-4)


def test_the_joined_graph_is_a_classifier_for_ecotone_too(bundle_folder):
    backend = open_backend(bundle_folder / "model.onnx")
    assert backend.classes == local_model().classes
    assert backend.preprocessing.to_dict()["mean"] == [0.485, 0.456, 0.406]
    scores = backend.classify(picture_batch())
    bundle = load_bundle(bundle_folder)
    expected = bundle.predict_proba(bundle.backend().encode(picture_batch()))
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_the_card_says_what_it_must(bundle_folder):
    card = json.loads((bundle_folder / "card.json").read_text(encoding="utf-8"))
    assert card["label_counts"] == {
        "class 0": 30, "class 1": 3, "class 2": 0, "class 3": 0, "class 4": 0
    }
    assert card["counts"]["detections"] == 99
    assert card["scores"]["accuracy"] == 0.81
    assert card["selection"]["chosen"] == "pool"
    assert card["backbone"]["licence"] == "CC0-1.0"
    assert {"ecotone", "numpy", "scikit-learn", "onnxruntime"} <= set(card["versions"])
    assert card["versions"]["scipy"] == "9.9"
    assert card["created"]
    assert "out_of_fold" not in card
    limits = " ".join(card["limits"])
    assert "Without a single label, learned from the global model's map: class 2, class 3" in limits
    assert "Fewer than 10 labels: class 1." in limits
    assert "91% of the 33 labels are class 0" in limits
    page = (bundle_folder / "CARD.md").read_text(encoding="utf-8")
    for text in ("# Local model run-1", "| class 1 | 3 |", "CC0-1.0", "| accuracy | 0.81 |",
                 "a note", "- class 4", "ecotone predict", "exact", "| features |"):
        assert text in page, text


def test_a_model_without_a_card_or_labels_still_has_one(tmp_path):
    model = local_model(k=1)
    folder = save_bundle(tmp_path / "m", model, None)
    page = (folder / "CARD.md").read_text(encoding="utf-8")
    assert "How good it is was not measured" in page
    assert "None: it takes embeddings" in page
    bundle = load_bundle(folder)
    np.testing.assert_allclose(bundle.predict_proba(embeddings(3, 12)), 1.0)
    with pytest.raises(BackendError, match="takes embeddings, not pictures"):
        bundle.backend()


def test_a_named_encoder_is_named(tmp_path):
    info = backend_info(open_backend("handcrafted")) | {"spec": "handcrafted"}
    folder = save_bundle(tmp_path / "m", local_model(dims=1024), info)
    assert not (folder / "model.onnx").exists()
    backend = load_bundle(folder).backend()
    side = backend.preprocessing.width
    batch = np.random.default_rng(0).integers(0, 255, (2, side, side, 3)).astype(np.uint8)
    assert backend.encode(batch).shape == (2, 1024)


def test_an_encoder_of_another_length_is_refused(tmp_path):
    info = backend_info(open_backend("handcrafted")) | {"spec": "handcrafted"}
    folder = save_bundle(tmp_path / "m", local_model(dims=12), info)
    with pytest.raises(BackendError, match="gives 1024 dimensions, the local model takes 12"):
        load_bundle(folder).backend()


def test_a_network_that_cannot_be_joined_is_copied(tmp_path, network):
    o.save_model(backbone(opset=8), network)
    folder = save_bundle(tmp_path / "m", local_model(), info_of(network))
    assert (folder / "backbone.onnx").read_bytes() == network.read_bytes()
    assert "joining needs opset 9" in (folder / "CARD.md").read_text(encoding="utf-8")
    network.unlink()
    assert load_bundle(folder).backend().encode(picture_batch()).shape == (3, 12)


def test_weights_in_a_file_of_their_own_come_along(tmp_path):
    folder = tmp_path / "big"
    folder.mkdir()
    whole = onnx.ModelProto.FromString(backbone(dims=64).SerializeToString())
    onnx.save(whole, str(folder / "net.onnx"), save_as_external_data=True, location="net.data",
              size_threshold=100)
    info = info_of(folder / "net.onnx")
    bundle = save_bundle(tmp_path / "m", local_model(dims=64), info)
    assert (bundle / "net.data").is_file()
    expected = open_backend(folder / "net.onnx", preprocessing="imagenet").encode(picture_batch())
    shutil.rmtree(folder)
    found = load_bundle(bundle).backend().encode(picture_batch())
    np.testing.assert_allclose(found, expected, atol=1e-6)
    (bundle / "net.data").unlink()
    with pytest.raises(BackendError, match="net.data: this file of the model is missing"):
        load_bundle(bundle)


def test_a_network_that_is_gone_is_told(tmp_path, network):
    info = info_of(network)
    network.unlink()
    folder = save_bundle(tmp_path / "m", local_model(), info)
    bundle = load_bundle(folder)
    assert bundle.predict_proba(embeddings(1, 12)).shape == (1, 5)
    with pytest.raises(BackendError, match="net.onnx was missing when this folder was made"):
        bundle.backend()


@pytest.mark.parametrize("name", [
    "head.onnx", "model.onnx", "classes.txt", "taxonomy.csv", "preprocessing.json",
    "calibration.json", "card.json", "manifest.json",
])  # fmt: skip
def test_a_missing_file_is_named_in_one_line(bundle_folder, name):
    (bundle_folder / name).unlink()
    with pytest.raises(BackendError) as error:
        load_bundle(bundle_folder)
    text = str(error.value)
    assert f"{name}: this file of the model is missing" in text
    assert "\n" not in text and "ecotone fuse" in text


@pytest.mark.parametrize("name", [
    "head.onnx", "model.onnx", "classes.txt", "preprocessing.json", "calibration.json",
    "card.json", "manifest.json",
])  # fmt: skip
@pytest.mark.parametrize("damage", ["cut", "empty", "changed"])
def test_a_damaged_file_is_named_in_one_line(bundle_folder, name, damage):
    path = bundle_folder / name
    data = path.read_bytes()
    changed = data.replace(b"{", b"[", 1) if b"{" in data else b"\xff" + data[1:]
    if name.endswith("onnx"):
        changed = data[:200] + bytes([data[200] ^ 255]) + data[201:]
    path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "changed": changed}[damage])
    with pytest.raises(BackendError) as error:
        load_bundle(bundle_folder)
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["taxonomy.csv", "CARD.md", "classes.txt", "calibration.json",
                                  "preprocessing.json", "card.json", "head.onnx"])
def test_one_changed_byte_of_any_file_is_found(bundle_folder, name):
    path = bundle_folder / name
    data = bytearray(path.read_bytes())
    data[-3] ^= 1  # still text, and json where it was
    path.write_bytes(data)
    with pytest.raises(BackendError, match=f"{name}: damaged .its bytes were changed"):
        load_bundle(bundle_folder)


def test_a_folder_whose_manifest_names_fewer_files_stays_usable(bundle_folder):
    path = bundle_folder / "manifest.json"
    manifest = json.loads(path.read_text())
    assert set(manifest["files"]) == {p.name for p in bundle_folder.iterdir()} - {path.name}
    manifest["files"] = {"head.onnx": manifest["files"]["head.onnx"]}
    path.write_text(json.dumps(manifest))
    (bundle_folder / "CARD.md").write_text("edited by hand")
    assert load_bundle(bundle_folder).heads


def test_a_newer_format_is_told(bundle_folder):
    path = bundle_folder / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(BackendError, match="newer ecotone"):
        load_bundle(bundle_folder)


def test_other_folders_are_told_from_models(tmp_path, bundle_folder):
    with pytest.raises(BackendError, match="no such folder"):
        load_bundle(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BackendError, match="not the folder of a local model"):
        load_bundle(tmp_path / "empty")
    files.point_latest(bundle_folder)
    with pytest.raises(BackendError, match="did you mean .*models.latest"):
        load_bundle(tmp_path)
    with pytest.raises(BackendError, match="did you mean .*latest"):
        load_bundle(tmp_path / "models")


def test_latest_follows_the_newest(tmp_path, bundle_folder):
    latest = files.point_latest(bundle_folder)
    assert latest == tmp_path / "models" / "latest"
    assert load_bundle(latest).folder == bundle_folder.resolve()
    second = save_bundle(tmp_path / "models" / "run-2", local_model(k=3), None)
    files.point_latest(second)
    assert len(load_bundle(latest).classes) == 3


def test_latest_is_a_text_file_where_links_are_refused(tmp_path, bundle_folder, monkeypatch):
    def refuse(*_args, **_named):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    latest = files.point_latest(bundle_folder)
    assert latest.read_text() == "run-1\n" and not latest.is_symlink()
    assert load_bundle(latest).folder == bundle_folder.resolve()
    latest.write_text("run-9\n")
    with pytest.raises(BackendError, match="names no folder"):
        load_bundle(latest)
    latest.write_bytes(bytes(range(256)))
    with pytest.raises(BackendError, match="names no folder"):
        load_bundle(latest)


def test_latest_never_replaces_a_real_folder(tmp_path, bundle_folder):
    (tmp_path / "models" / "latest").mkdir()
    with pytest.raises(ProjectError, match="rename it"):
        files.point_latest(bundle_folder)


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path, bundle_folder, monkeypatch):
    before = {p.name: p.read_bytes() for p in bundle_folder.iterdir()}

    def fail(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ecotone.bundle.folder.card_text", fail)
        with pytest.raises(KeyboardInterrupt):
            save_bundle(bundle_folder, local_model(k=2), None)
    assert {p.name: p.read_bytes() for p in bundle_folder.iterdir()} == before
    assert [p.name for p in bundle_folder.parent.iterdir()] == ["run-1"]
    save_bundle(bundle_folder, local_model(k=2), None)
    assert len(load_bundle(bundle_folder).classes) == 2
    assert [p.name for p in bundle_folder.parent.iterdir()] == ["run-1"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ProjectError, match="cannot be written"):
        save_bundle(tmp_path / "file" / "m", local_model(), None)


def test_other_embeddings_are_refused(bundle_folder):
    with pytest.raises(InputError, match=r"shape \(2, 13\), expected \(N, 12\)"):
        load_bundle(bundle_folder).predict_proba(np.zeros((2, 13)))


def test_many_rows_are_predicted_in_parts(bundle_folder, monkeypatch):
    bundle = load_bundle(bundle_folder)
    x = embeddings(100, 12)
    whole = bundle.predict_proba(x)
    monkeypatch.setattr("ecotone.bundle.folder.CHUNK", 105)  # seven rows at once
    np.testing.assert_allclose(bundle.predict_proba(x), whole, atol=1e-7)


def test_names_of_classes_survive(tmp_path):
    model = local_model(k=4)
    names = ("1 deer", "[x] ", "Fächer, \"q\"", "two\nlines")
    object.__setattr__(model, "classes", names)
    folder = save_bundle(tmp_path / "m", model, None)
    assert load_bundle(folder).classes == ("1 deer", "[x] ", 'Fächer, "q"', "two lines")


def test_what_killed_runs_left_is_cleared(bundle_folder):
    left = bundle_folder.with_name(".ecotone-unfinished-abc")
    young = bundle_folder.with_name(".ecotone-unfinished-xyz")
    left.mkdir()
    young.mkdir()
    os.utime(left, (1, 1))
    save_bundle(bundle_folder, local_model(), None)
    assert not left.exists() and young.exists()


def test_the_folder_can_be_read_by_others(bundle_folder):
    assert os.stat(bundle_folder).st_mode & 0o055 == 0o055
