"""A model folder for AddaxAI: run as AddaxAI runs it, it says what the local model says."""

from __future__ import annotations

import ast
import contextlib
import csv
import importlib.util
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ecotone.backends import backend_info, open_backend
from ecotone.bundle import onnx_proto as o
from ecotone.bundle.folder import load_bundle, save_bundle
from ecotone.errors import BackendError, InputError
from ecotone.export import addaxai_classify, addaxai_inference
from ecotone.export.addaxai import class_names, write_addaxai
from ecotone.media.crop import crop
from ecotone.media.preprocess import CHOICES, Preprocessing
from tests.bundle.models import backbone, local_model

CLASSES = ("Red deer", "grey fox", "blank")
ROWS = [{"label": "Red deer", "scientificName": "Cervus elaphus", "class": "Mammalia",
         "order": "Artiodactyla", "family": "Cervidae", "genus": "Cervus",
         "species": "Cervus elaphus"},
        {"label": "grey fox", "scientificName": "Urocyon cinereoargenteus", "class": "Mammalia"}]


def make_bundle(folder: Path, rows: int | str = "batch", taxonomy=ROWS, **options) -> Path:
    network = folder / "net.onnx"
    o.save_model(backbone(rows=rows), network)
    info = backend_info(open_backend(network, preprocessing="imagenet"))
    model = local_model(k=3)
    object.__setattr__(model, "classes", CLASSES)
    return save_bundle(folder / "models" / "run-1", model, {**info, **options}, taxonomy)


def opened(folder: Path):
    """A model as AddaxAI 7 opens it: inference.py by its path, ModelInference(folder, weights)."""
    spec = importlib.util.spec_from_file_location("of_addaxai", folder / "inference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    model = module.ModelInference(folder, folder / manifest["model_fname"])
    assert model.check_gpu() is False
    model.load_model()
    return model


BOXES = [(0.1, 0.2, 0.5, 0.4), (0.0, 0.0, 1.0, 1.0), (0.9, 0.9, 0.1, 0.1)]


@pytest.mark.parametrize("rows", ["batch", 1, 2])
def test_it_says_what_the_local_model_says(tmp_path, pictures, rows):
    bundle = make_bundle(tmp_path, rows)
    folder = write_addaxai(bundle, tmp_path / "RESERVE-v1").path
    model, local = opened(folder), load_bundle(bundle)
    for path in sorted(pictures.rglob("*.jpg"))[:3]:
        image = Image.open(path)
        batch = np.stack([model.get_tensor(model.get_crop(image, box)) for box in BOXES])
        found = model.classify_batch(batch)
        assert [[n for n, _ in row] for row in found] == [["red deer", "grey fox", "blank"]] * 3
        backend = local.backend()
        inputs = backend.preprocessing.prepare(path, np.array(BOXES))
        expected = local.predict_proba(backend.encode(inputs))
        np.testing.assert_allclose([[p for _, p in row] for row in found], expected, atol=1e-4)
        one = model.get_classification(model.get_crop(image, BOXES[0]))
        assert [n for n, _ in one] == model.names
        np.testing.assert_allclose([p for _, p in one], expected[0], atol=1e-4)
        json.dumps(found)  # AddaxAI writes it down as it is
    assert model.get_class_names() == {"1": "red deer", "2": "grey fox", "3": "blank"}


def test_turned_pictures_are_seen_upright(tmp_path, make_picture):
    folder = write_addaxai(make_bundle(tmp_path), tmp_path / "RESERVE-v1").path
    model = opened(folder)
    upright = Image.open(make_picture(tmp_path / "up.png", size=(64, 48)))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    box = (0.1, 0.1, 0.3, 0.2)
    turned = model.get_crop(Image.open(tmp_path / "turned.png"), box)
    assert np.array_equal(np.asarray(turned), np.asarray(model.get_crop(upright, box)))


@st.composite
def ways(draw):
    """Any preprocessing that a model may declare."""
    dtype = draw(st.sampled_from(CHOICES["dtype"]))
    numbers = {"scale": 1 / 255, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}
    return Preprocessing(
        draw(st.integers(3, 20)), draw(st.integers(3, 20)), dtype,
        draw(st.sampled_from(CHOICES["layout"])), draw(st.sampled_from(CHOICES["resize"])),
        draw(st.floats(0.5, 1)), draw(st.sampled_from(CHOICES["interpolation"])),
        draw(st.booleans()), draw(st.sampled_from(CHOICES["channels"])),
        fill=draw(st.integers(0, 255)), context=draw(st.floats(0, 0.5)), square=draw(st.booleans()),
        **(numbers if dtype == "float32" else {}),
    )


@settings(max_examples=80, deadline=None)
@given(ways(), st.integers(1, 40), st.integers(1, 40), st.lists(st.floats(0, 1), min_size=4,
                                                                max_size=4), st.integers(0, 9))
def test_the_script_prepares_pictures_as_ecotone_does(how, width, height, box, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    values = json.loads(json.dumps(how.to_dict()))
    cut = picture.crop(addaxai_inference.pixel_box(
        box, picture.size, values["context"], values["square"]))
    expected = crop(picture, box, how.context, how.square)
    assert np.array_equal(np.asarray(cut), np.asarray(expected))
    found = addaxai_inference.prepare(cut, values)
    assert found.dtype == how.apply(expected).dtype
    assert np.array_equal(found, how.apply(expected))


def test_without_onnxruntime_it_takes_onnx2torch(tmp_path, monkeypatch):
    """With stand-ins for torch and onnx2torch, which are no part of the tests' environment."""
    folder = write_addaxai(make_bundle(tmp_path), tmp_path / "RESERVE-v1").path
    model = opened(folder)
    batch = np.zeros((2, 3, 32, 32), np.float32)
    expected = model.classify_batch(batch)
    run = model.run

    class Tensor:
        def __init__(self, value):
            self.value = value

        def to(self, _device):
            return self

        def cpu(self):
            return self

        def numpy(self):
            return self.value

    class Network:
        def eval(self):
            return self

        def to(self, _device):
            return self

        def __call__(self, tensor):
            return [Tensor(run(tensor.value)), "embedding"]

    torch = types.SimpleNamespace(
        cuda=types.SimpleNamespace(is_available=lambda: False), device=str,
        no_grad=contextlib.nullcontext, from_numpy=Tensor)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "onnx2torch", types.SimpleNamespace(
        convert=lambda path: Network()))
    again = type(model)(folder, folder / "model.onnx")
    assert again.check_gpu() is False
    again.load_model()
    assert again.classify_batch(batch) == expected


def test_the_files_that_addaxai_7_reads(tmp_path):
    written = write_addaxai(make_bundle(tmp_path), tmp_path / "RESERVE-v1", name="My reserve",
                            developer="Kim")
    folder = written.path
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    required = ("model_id", "friendly_name", "env", "model_fname", "description", "developer",
                "info_url", "min_app_version")
    assert all(isinstance(manifest[key], str) for key in required)
    assert (manifest["model_id"], manifest["friendly_name"], manifest["env"]) == (
        "RESERVE-v1", "My reserve", "pytorch")
    assert manifest["license"] == "CC0-1.0" and manifest["developer"] == "Kim"
    weights = [p.name for p in folder.rglob("*") if p.suffix in (".onnx", ".pt", ".pth")]
    assert weights == [manifest["model_fname"]]  # it wants exactly one
    with (folder / "taxonomy.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows[0] == {"model_class": "red deer", "class": "mammalia", "order": "artiodactyla",
                       "family": "cervidae", "genus": "cervus", "species": "elaphus",
                       "variant": ""}
    assert (rows[1]["genus"], rows[1]["species"]) == ("urocyon", "cinereoargenteus")
    assert [row["model_class"] for row in rows] == ["red deer", "grey fox", "blank"]
    tree = ast.parse((folder / "inference.py").read_text(encoding="utf-8"), feature_version=(3, 8))
    (model,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "ModelInference"]
    methods = {n.name for n in model.body if isinstance(n, ast.FunctionDef)}
    assert {"check_gpu", "load_model", "get_crop", "get_classification",
            "get_class_names"} <= methods
    assert written.counts == {"classes": 3} and written.warnings == []


def test_the_files_that_addaxai_6_reads(tmp_path):
    folder = write_addaxai(make_bundle(tmp_path), tmp_path / "RESERVE-v1", threshold=0.15).path
    variables = json.loads((folder / "variables.json").read_text(encoding="ascii"))
    assert variables["type"] == "ecotone" and variables["model_fname"] == "model.onnx"
    assert variables["all_classes"] == variables["selected_classes"] == [
        "red deer", "grey fox", "blank"]
    assert variables["var_cls_detec_thresh"] == "0.15"
    with (folder / "taxon-mapping.csv").open(encoding="utf-8", newline="") as handle:
        deer, fox, blank = csv.DictReader(handle)
    assert (deer["level_class"], deer["level_species"]) == ("mammalia", "cervus elaphus")
    assert fox["level_order"] == "" and blank["level_class"] == blank["level_species"] == "blank"
    script = folder / "model_types/ecotone/classify_detections.py"
    ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_the_script_of_addaxai_6_gives_its_library_crops_and_classes(
    tmp_path, pictures, monkeypatch
):
    folder = write_addaxai(make_bundle(tmp_path), tmp_path / "RESERVE-v1").path
    seen = {}

    def classify(crop_function, inference_function, **given):
        image = Image.open(next(pictures.rglob("*.jpg")))
        seen.update(given, found=inference_function(crop_function(image, [0.1, 0.1, 0.5, 0.5])))

    library = types.SimpleNamespace(classify_MD_json=classify)
    monkeypatch.setitem(sys.modules, "AddaxAI", types.ModuleType("AddaxAI"))
    monkeypatch.setitem(sys.modules, "AddaxAI.classification_utils", types.SimpleNamespace(
        inference_lib=library))
    monkeypatch.setattr(sys, "path", list(sys.path))
    addaxai_classify.main(["/opt/AddaxAI_files", str(folder / "model.onnx"), "0.2", "0.5", "True",
                           "md.json", "None", "True", "1"])
    assert [n for n, _ in seen.pop("found")] == ["red deer", "grey fox", "blank"]
    assert seen == {
        "cls_model_fpath": str(folder / "model.onnx"), "cls_detec_thresh": 0.2,
        "cls_class_thresh": 0.5, "smooth_bool": True, "json_path": "md.json",
        "temp_frame_folder": None, "cls_tax_fallback": True, "cls_tax_levels_idx": 1,
        "GPU_availability": False}
    short = addaxai_classify.arguments(["x", "m", "0.2", "0.5", "False", "j", "frames"])
    assert "cls_tax_fallback" not in short and short["temp_frame_folder"] == "frames"


def test_without_a_taxonomy_it_is_told(tmp_path):
    written = write_addaxai(make_bundle(tmp_path, taxonomy=()), tmp_path / "RESERVE-v1")
    assert "2 classes without a taxonomic class (red deer, grey fox)" in written.warnings[0]
    assert not (written.path / "taxon-mapping.csv").exists()


def test_names_are_lower_case_and_unique():
    assert class_names(["Fox", "fox", "Red  Deer", ""]) == ["fox", "fox 2", "red deer", "unnamed"]


def test_only_a_folder_of_its_own_is_replaced(tmp_path):
    bundle = make_bundle(tmp_path)
    photos = tmp_path / "PHOTOS"
    photos.mkdir()
    write_addaxai(bundle, photos)  # empty
    write_addaxai(bundle, photos)  # its own
    other = tmp_path / "mine"
    other.mkdir()
    (other / "precious.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="exists and is no model folder written here"):
        write_addaxai(bundle, other)
    assert (other / "precious.jpg").exists()


def test_what_cannot_be_written_is_told(tmp_path):
    bundle = make_bundle(tmp_path)
    with pytest.raises(InputError, match="cannot be the name of a model"):
        write_addaxai(bundle, tmp_path / "my reserve")
    with pytest.raises(BackendError, match="no such folder"):
        write_addaxai(tmp_path / "none", tmp_path / "out")
    plain = save_bundle(tmp_path / "models" / "run-2", local_model(k=3), None)
    with pytest.raises(InputError, match="whose encoder is an ONNX network"):
        write_addaxai(plain, tmp_path / "out")
    assert not (tmp_path / "out").exists()
