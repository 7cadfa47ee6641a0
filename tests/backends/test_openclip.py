"""The open_clip adaptor on a stand-in with open_clip's interface, and its errors without it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ecotone.backends import open_backend
from ecotone.errors import BackendError, InputError, MissingExtraError
from tests.backends.torch_double import Network, Tensor, module

WORDS = ("red", "green", "blue")
CONFIG = {"size": 8, "mode": "RGB", "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0),
          "interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0}


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=1, keepdims=True)


class Clip(Network):
    """Pictures are their mean colour, texts the colours they name."""

    visual = SimpleNamespace(preprocess_cfg=CONFIG)
    logit_scale = Tensor(np.log(20.0))

    def encode_image(self, x: Tensor, normalize: bool = False) -> Tensor:
        assert normalize
        return Tensor(unit(x.values.mean(axis=(2, 3)) + 1e-3))

    def encode_text(self, tokens: Tensor, normalize: bool = False) -> Tensor:
        assert normalize
        return Tensor(unit(tokens.values.astype(float)))


@pytest.fixture
def clip(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    calls: list[tuple[str, str | None, dict]] = []

    def create_model_and_transforms(name: str, pretrained: str | None = None, **rest: object):
        calls.append((name, pretrained, rest))
        return Clip(), None, None

    def get_tokenizer(name: str, **rest: object):
        return lambda texts: Tensor(np.array([[1e-3 + (w in t) for w in WORDS] for t in texts]))

    fake = SimpleNamespace(
        create_model_and_transforms=create_model_and_transforms, get_tokenizer=get_tokenizer,
        calls=calls,
    )
    monkeypatch.setitem(sys.modules, "open_clip", fake)
    monkeypatch.setitem(sys.modules, "torch", module())
    return fake


def colours() -> np.ndarray:
    batch = np.zeros((3, 3, 8, 8), np.float32)
    for i in range(3):
        batch[i, i] = 1
    return batch


def test_zero_shot_from_descriptions(clip: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "texts.json"
    told = {"fox": ["a red animal", "red fur"], "frog": "a green animal", "whale": ["blue"]}
    path.write_text(json.dumps(told), encoding="utf-8")
    backend = open_backend("openclip", path)
    assert clip.calls[0][:2] == ("hf-hub:imageomics/bioclip-2", None)
    outputs = backend.run(colours())
    assert backend.classes == ("fox", "frog", "whale")
    assert outputs.scores.argmax(axis=1).tolist() == [0, 1, 2]
    assert (outputs.scores.max(axis=1) > 0.99).all()
    np.testing.assert_allclose(outputs.scores.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(outputs.embeddings, axis=1), 1, rtol=1e-5)
    assert backend.info()["texts"]["fox"] == ["a red animal", "red fur"]


def test_weights(clip: SimpleNamespace, tmp_path: Path) -> None:
    open_backend("openclip:ViT-B-32:laion2b_s34b_b79k")
    assert clip.calls[-1][:2] == ("ViT-B-32", "laion2b_s34b_b79k")
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"x")
    open_backend("openclip:ViT-L-14", checkpoint=weights, cache_dir=tmp_path)
    assert clip.calls[-1] == ("ViT-L-14", str(weights), {"cache_dir": str(tmp_path)})
    open_backend("openclip", checkpoint=tmp_path)
    assert clip.calls[-1][:2] == (f"local-dir:{tmp_path}", None)
    with pytest.raises(InputError, match="needs its architecture"):
        open_backend("openclip", checkpoint=weights)
    with pytest.raises(InputError, match="which weights"):
        open_backend("openclip:ViT-B-32")


def test_encoder_alone_and_declared_preprocessing(clip: SimpleNamespace) -> None:
    backend = open_backend("openclip", preprocessing={"resize": "squash"})
    assert backend.classes == () and backend.run(colours()).scores is None
    assert backend.dimension == 3
    assert (backend.preprocessing.resize, backend.preprocessing.scale) == ("squash", 1 / 255)


def test_hub_out_of_reach(clip: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    class LocalEntryNotFoundError(FileNotFoundError):
        """Named as the hub's client names it."""

    def fail(*_: object, **__: object) -> None:
        raise LocalEntryNotFoundError("not in the cache and no connection")

    monkeypatch.setattr(clip, "create_model_and_transforms", fail)
    with pytest.raises(BackendError, match="hub cannot be reached.*--checkpoint FOLDER"):
        open_backend("openclip")


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(MissingExtraError, match=r'pip install "ecotone\[openclip\]"'):
        open_backend("openclip")
