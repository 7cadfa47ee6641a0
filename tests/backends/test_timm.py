"""The timm adaptor on a stand-in with timm's interface, and its errors without timm."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ecotone.backends import backend_info, open_backend
from ecotone.errors import BackendError, FormatError, InputError, MissingExtraError
from tests.backends.torch_double import Network, Tensor, module

CONFIG = {"input_size": (3, 8, 8), "interpolation": "bicubic", "mean": (0.5, 0.5, 0.5),
          "std": (0.25, 0.25, 0.25), "crop_pct": 0.9, "crop_mode": "center"}


class Net(Network):
    num_classes = 3
    pretrained_cfg: dict = {}

    def forward_features(self, x: Tensor) -> Tensor:
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        pooled = x.values.mean(axis=(2, 3))
        return Tensor(pooled if pre_logits else pooled @ np.diag([1.0, 2.0, 3.0]))


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    calls: list[tuple[str, dict]] = []

    def create_model(name: str, **settings: object) -> Net:
        calls.append((name, settings))
        net = Net()
        net.num_classes = settings.get("num_classes", 3)
        return net

    def load_checkpoint(model: Net, path: str, strict: bool = True) -> SimpleNamespace:
        calls.append((path, {"strict": strict}))
        return SimpleNamespace(missing_keys=["stem"] if path.endswith("other.pt") else [])

    class Info:
        def __init__(self, subset: str) -> None:
            assert subset == "imagenet-1k"

        def index_to_description(self, index: int) -> str:
            return ("tench, Tinca tinca", "goldfish", "shark")[index]

    data = SimpleNamespace(
        resolve_model_data_config=lambda model: CONFIG,
        infer_imagenet_subset=lambda model: "imagenet-1k", ImageNetInfo=Info,
    )
    models = SimpleNamespace(load_checkpoint=load_checkpoint)
    fake = SimpleNamespace(create_model=create_model, data=data, models=models, calls=calls)
    monkeypatch.setitem(sys.modules, "timm", fake)
    monkeypatch.setitem(sys.modules, "torch", module())
    return fake


def test_scores_embeddings_and_preprocessing(timm: SimpleNamespace) -> None:
    backend = open_backend("timm:resnet50.a1_in1k", threads=2)
    assert timm.calls == [("resnet50.a1_in1k", {"pretrained": True})]
    assert backend.classes == ("tench, Tinca tinca", "goldfish", "shark")
    declared = backend.preprocessing
    assert (declared.resize, declared.crop_fraction, declared.layout) == ("crop", 0.9, "NCHW")
    batch = np.random.default_rng(0).random((4, 3, 8, 8), dtype=np.float32)
    outputs = backend.run(batch)
    pooled = batch.mean(axis=(2, 3))
    np.testing.assert_allclose(outputs.embeddings, pooled, rtol=1e-6)
    e = np.exp(pooled * [1, 2, 3])
    np.testing.assert_allclose(outputs.scores, e / e.sum(axis=1, keepdims=True), rtol=1e-5)
    assert backend.dimension == 3 and backend_info(backend)["spec"] == "timm:resnet50.a1_in1k"


def test_weights_on_disk_need_no_network(timm: SimpleNamespace, tmp_path: Path) -> None:
    weights, names = tmp_path / "w.safetensors", tmp_path / "names.txt"
    weights.write_bytes(b"x")
    names.write_text("a\nb\nc\n", encoding="utf-8")
    backend = open_backend("timm:resnet50", names, checkpoint=str(weights), cache_dir=tmp_path)
    assert timm.calls == [
        ("resnet50", {"pretrained": False, "num_classes": 3, "cache_dir": str(tmp_path)}),
        (str(weights), {"strict": True}),
    ]
    assert backend.classes == ("a", "b", "c")
    nameless = open_backend("timm:resnet50", checkpoint=str(weights))
    assert nameless.classes == ()  # the head of one's own weights may be anything
    assert timm.calls[-2:] == [
        ("resnet50", {"pretrained": False, "num_classes": 0}), (str(weights), {"strict": False}),
    ]
    other = tmp_path / "other.pt"
    other.write_bytes(b"x")
    with pytest.raises(BackendError, match="lacks 'stem'"):
        open_backend("timm:resnet50", checkpoint=other)
    folder = open_backend("timm:hf-hub:org/model", checkpoint=tmp_path)
    assert timm.calls[-1] == (f"local-dir:{tmp_path}", {"pretrained": True})
    assert folder.checkpoint == str(tmp_path)


def test_names_in_the_models_configuration(
    timm: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"label_names": ["n1", "n2", "n3"], "label_descriptions": {"n1": "red deer"}}
    monkeypatch.setattr(Net, "pretrained_cfg", told)
    assert open_backend("timm:hf-hub:org/model").classes == ("red deer", "n2", "n3")


def test_hub_out_of_reach(timm: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("Max retries exceeded")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(BackendError, match="hub cannot be reached.*--checkpoint"):
        open_backend("timm:resnet50")


def test_unknown_model(timm: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Unknown model (resnet5)")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(BackendError, match="cannot be loaded .Unknown model"):
        open_backend("timm:resnet5")


def test_user_mistakes(timm: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which model"):
        open_backend("timm")
    with pytest.raises(BackendError, match="does not exist"):
        open_backend("timm:resnet50", checkpoint=tmp_path / "none.pt")
    with pytest.raises(InputError, match="no option 'embedding'"):
        open_backend("timm:resnet50", embedding="pool")
    names = tmp_path / "names.txt"
    names.write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(FormatError, match="2 class names"):
        open_backend("timm:resnet50", names)


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r'pip install "ecotone\[timm\]"'):
        open_backend("timm:resnet50")
