"""Declarations are found in their order, in the forms that other tools write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecotone.backends.declare import (
    PRESETS,
    Declaration,
    ModelInput,
    find_declaration,
    parse_declaration,
    resolve,
)
from ecotone.errors import BackendError, InputError
from ecotone.media.preprocess import Preprocessing

FLOATS = ModelInput("x", (None, 3, 224, 224), "float32")
OURS = {"preprocessing": {"preset": "unit"}, "output": "logits", "embedding": "pool"}


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def test_order(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    assert find_declaration(model) == Declaration()
    write(tmp_path / "config.json", {"architectures": ["Other"], "dtype": "float32"})
    assert find_declaration(model).preprocessing is None
    write(tmp_path / "model.json", {"format": "layers-model"})
    assert find_declaration(model).preprocessing is None
    write(tmp_path / "preprocessing.json", {"preset": "clip"})
    assert find_declaration(model).preprocessing == {"preset": "clip"}
    inside = {"preprocessing": {"preset": "symmetric"}}
    assert find_declaration(model, metadata=inside).preprocessing == {"preset": "symmetric"}
    write(tmp_path / "net.json", OURS)
    found = find_declaration(model, metadata=inside)
    assert (found.preprocessing, found.output) == ({"preset": "unit"}, "logits")
    assert found.embedding == "pool" and found.source.endswith("net.json")
    assert find_declaration(model, "bytes").preprocessing == {"preset": "bytes"}
    over = find_declaration(model, {"resize": "pad"})
    assert over.preprocessing == {"preset": "unit", "resize": "pad"}
    assert over.output == "logits"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_complete(tmp_path: Path, name: str) -> None:
    made = resolve(tmp_path / "n.onnx", FLOATS, find_declaration(tmp_path / "n.onnx", name))
    low, high = ((v * made.scale - made.mean[0]) / made.std[0] for v in (0, 255))
    expected = {"bytes": (0, 255), "unit": (0, 1), "symmetric": (-1, 1)}
    if name in expected:
        assert (low, high) == pytest.approx(expected[name])
    else:
        assert -3 < low < -1.5 and 1.5 < high < 3


def test_timm_config(tmp_path: Path) -> None:
    config = {"architecture": "resnet50", "pretrained_cfg": {
        "input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.95,
        "crop_mode": "center", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}
    write(tmp_path / "config.json", config)
    made = resolve(tmp_path / "n.onnx", FLOATS, find_declaration(tmp_path / "n.onnx"))
    assert (made.resize, made.crop_fraction, made.mean) == ("crop", 0.95, (0.5, 0.5, 0.5))


def test_transformers_config(tmp_path: Path) -> None:
    config = {"do_center_crop": True, "crop_size": {"height": 224, "width": 224},
              "size": {"shortest_edge": 256}, "do_rescale": True, "rescale_factor": 1 / 255,
              "do_normalize": True, "image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 3],
              "resample": 3}
    write(tmp_path / "preprocessor_config.json", config)
    made = resolve(tmp_path / "n.onnx", FLOATS, find_declaration(tmp_path / "n.onnx"))
    assert made == Preprocessing(
        224, 224, "float32", "NCHW", resize="crop", crop_fraction=0.875, scale=1 / 255,
        mean=(0.1, 0.2, 0.3), std=(1, 2, 3),
    )
    plain = parse_declaration({"do_normalize": False, "size": {"height": 9, "width": 8}}, "x")
    assert plain.preprocessing["height"] == 9 and "mean" not in plain.preprocessing


def test_integer_input_takes_bytes(tmp_path: Path) -> None:
    for dtype in ("uint8", "int8"):
        tensor = ModelInput("x", (1, 10, 12, 3), dtype)
        made = resolve(tmp_path / "n.tflite", tensor, Declaration())
        assert made == Preprocessing(12, 10, dtype, "NHWC")


@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        (ModelInput("x", (1, 10, 12, 1), "uint8"), "three channels"),
        (ModelInput("x", (1, 100), "float32"), "three channels"),
        (ModelInput("x", (1, 3, 8, 8), "int64"), "expected uint8"),
    ],
)
def test_inputs_that_are_no_pictures(tmp_path: Path, tensor: ModelInput, word: str) -> None:
    with pytest.raises(BackendError, match=word):
        resolve(tmp_path / "n.onnx", tensor, Declaration({"preset": "unit"}))


def test_bad_declarations(tmp_path: Path) -> None:
    model = tmp_path / "n.onnx"
    with pytest.raises(InputError, match="neither a preset"):
        find_declaration(model, "imagnet")
    with pytest.raises(InputError, match="preset 'imagnet' is none of"):
        resolve(model, FLOATS, find_declaration(model, {"preset": "imagnet"}))
    with pytest.raises(InputError, match="output is 'softmax'"):
        find_declaration(model, {"preprocessing": {"preset": "unit"}, "output": "softmax"})
    (tmp_path / "n.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="n.json: not a JSON file"):
        find_declaration(model)
    write(tmp_path / "n.json", {"colour": "red"})
    with pytest.raises(InputError, match='no "preprocessing" in it'):
        find_declaration(model)
