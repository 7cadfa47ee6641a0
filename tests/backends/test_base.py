"""Backends are found by file, by name, and in other packages."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from ecotone.backends import (
    Classifier,
    Encoder,
    backend_info,
    base,
    model_name,
    open_backend,
    registry,
    run_backend,
)
from ecotone.errors import BackendError, InputError
from ecotone.media.preprocess import Preprocessing


class Greenness:
    """The ten lines of the module's docstring."""

    preprocessing = Preprocessing(64, 64, "uint8", "NHWC")

    def encode(self, batch: np.ndarray) -> np.ndarray:
        return batch.mean(axis=(1, 2)).astype("float32")


def open_greenness(argument: str, classes: Path | None = None, **options: object) -> Greenness:
    return Greenness()


def test_names() -> None:
    assert model_name("models/my net.v2.onnx") == "my net.v2"
    assert model_name("NET.TFLITE") == "NET"
    assert model_name("timm:resnet50.a1_in1k") == "timm:resnet50.a1_in1k"
    assert model_name(" handcrafted ") == "handcrafted"


def test_backend_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("greenness", f"{__name__}:open_greenness", base.BACKENDS.group)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    backend = open_backend("greenness:anything")
    assert isinstance(backend, Encoder) and not isinstance(backend, Classifier)
    batch = np.zeros((2, 64, 64, 3), np.uint8)
    outputs = run_backend(backend, batch)
    assert outputs.scores is None and outputs.embeddings.shape == (2, 3)
    assert backend_info(backend)["preprocessing"]["width"] == 64
    with pytest.raises(InputError, match="did you mean 'greenness'"):
        open_backend("greeness")


def test_handcrafted_needs_nothing() -> None:
    backend = open_backend("handcrafted", threads=2)
    picture = np.random.default_rng(0).integers(0, 256, (2, *backend.preprocessing.shape), np.uint8)
    assert backend.encode(picture).shape == (2, backend.dimension)
    for extra in ({"classes": Path("x")}, {"preprocessing": "unit"}):
        with pytest.raises(InputError, match="takes no settings"):
            open_backend("handcrafted", **extra)


def test_wrong_files(tmp_path: Path) -> None:
    weights = tmp_path / "net.pt"
    weights.write_bytes(b"")
    with pytest.raises(InputError, match="ends in .onnx or .tflite"):
        open_backend(weights)
    with pytest.raises(BackendError, match="no such model file"):
        open_backend(tmp_path / "net.tflite")


def test_backend_that_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        preprocessing = Greenness.preprocessing
        classes = ()

    monkeypatch.setattr(registry.Registry, "find",
                        lambda self, spec: (lambda *a, **k: Nothing(), ""))
    with pytest.raises(BackendError, match="neither scores nor embeddings"):
        open_backend("nothing")


def test_import_loads_no_slow_library() -> None:
    code = (
        "import sys, ecotone.backends, ecotone.engine.local, ecotone.media.preprocess\n"
        "slow = {'PIL', 'onnxruntime', 'sklearn', 'torch', 'ai_edge_litert', 'google.protobuf'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
