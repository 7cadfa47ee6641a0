"""The SpeciesNet adaptor on a stand-in with its interface, and its errors without it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ecotone.backends import open_backend
from ecotone.errors import BackendError, InputError, MissingExtraError
from tests.backends.torch_double import Tensor, module


class Linear:
    """A last layer of two outputs that tells who listens what goes in."""

    out_features = 2

    def __init__(self) -> None:
        self.hooks: list[Callable] = []

    def register_forward_pre_hook(self, hook: Callable) -> None:
        self.hooks.append(hook)

    def __call__(self, x: Tensor) -> Tensor:
        for hook in self.hooks:
            hook(self, (x,))
        return Tensor(x.values[:, :2] * 3)


class Net:
    def __init__(self, linear: bool) -> None:
        self.last = Linear() if linear else None

    def modules(self) -> list:
        return [self] + ([self.last] if self.last else [])

    def __call__(self, x: Tensor) -> Tensor:
        pooled = Tensor(x.values.mean(axis=(1, 2)))
        return self.last(pooled) if self.last else Tensor(pooled.values[:, :2] * 3)


def package(kind: str = "always_crop", linear: bool = True) -> SimpleNamespace:
    opened: list[str] = []

    class SpeciesNetClassifier:
        IMG_SIZE = 480

        def __init__(self, model_name: str, device: str | None = None) -> None:
            opened.append(model_name)
            self.device = device or "cpu"
            self.model_info = SimpleNamespace(type_=kind, version="4.0.2a")
            self.labels = {0: "u;mammalia;;;;;mammal", 1: "u;aves;;;;;bird"}
            self.model = Net(linear)

    return SimpleNamespace(
        SpeciesNetClassifier=SpeciesNetClassifier, DEFAULT_MODEL="kaggle:default", opened=opened
    )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    made = package()
    monkeypatch.setitem(sys.modules, "speciesnet", made)
    monkeypatch.setitem(sys.modules, "torch", module())
    return made


def test_scores_embeddings_preprocessing(fake: SimpleNamespace, tmp_path: Path) -> None:
    backend = open_backend("speciesnet")
    assert fake.opened == ["kaggle:default"]
    declared = backend.preprocessing
    assert declared.shape == (480, 480, 3) and not declared.antialias and not declared.square
    batch = np.random.default_rng(0).random((3, 480, 480, 3), dtype=np.float32)
    outputs = backend.run(batch)
    pooled = batch.mean(axis=(1, 2))
    e = np.exp(pooled[:, :2] * 3)
    np.testing.assert_allclose(outputs.scores, e / e.sum(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(outputs.embeddings, pooled, rtol=1e-5)
    assert backend.classes[1].endswith("bird") and backend.info()["version"] == "4.0.2a"
    open_backend("speciesnet", checkpoint=tmp_path)
    open_backend("speciesnet:hf:org/model")
    assert fake.opened[1:] == [str(tmp_path), "hf:org/model"]


def test_network_without_a_linear_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "speciesnet", package(linear=False))
    monkeypatch.setitem(sys.modules, "torch", module())
    backend = open_backend("speciesnet")
    assert backend.dimension is None
    outputs = backend.run(np.zeros((1, 480, 480, 3), np.float32), embeddings=False)
    assert outputs.embeddings is None and outputs.scores.shape == (1, 2)


def test_model_for_whole_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "speciesnet", package("full_image"))
    monkeypatch.setitem(sys.modules, "torch", module())
    with pytest.raises(BackendError, match="whole pictures"):
        open_backend("speciesnet")


def test_truncated_pictures_stay_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from PIL import ImageFile

    lines = "import PIL.ImageFile\nPIL.ImageFile.LOAD_TRUNCATED_IMAGES = True\n"
    (tmp_path / "speciesnet.py").write_text(lines, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "speciesnet", raising=False)
    monkeypatch.setitem(sys.modules, "torch", module())
    with pytest.raises(AttributeError):  # the stand-in has no model
        open_backend("speciesnet")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    monkeypatch.delitem(sys.modules, "speciesnet")


def test_user_mistakes(fake: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leave out --classes"):
        open_backend("speciesnet", tmp_path)
    with pytest.raises(BackendError, match="does not exist"):
        open_backend("speciesnet", checkpoint=tmp_path / "none")


def test_hub_out_of_reach(fake: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr(fake, "SpeciesNetClassifier", fail)
    with pytest.raises(BackendError, match="hub cannot be reached.*info.json"):
        open_backend("speciesnet")


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "speciesnet", None)
    with pytest.raises(MissingExtraError, match=r'pip install "ecotone\[speciesnet\]"'):
        open_backend("speciesnet")
