"""The demo's global model: a valid ONNX file that learned from pictures, and a real gradient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecotone.project import demo_model
from ecotone.project.demo_model import extract, learn_filters, train_dense, train_global_model
from ecotone.simulate.lessons import SIDE


def toy_pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Stripes across, stripes along, and a blob, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=count)
    y, x = np.mgrid[:SIDE, :SIDE]
    motifs = np.stack([np.sin(x / 2.5), np.sin(y / 2.5),
                       2 * (np.hypot(x - 48, y - 48) < 25) - 1.0])
    values = 120 + 50 * motifs[labels][..., None] * rng.uniform(0.5, 1, (count, 1, 1, 3))
    values = values + rng.normal(0, 25, (count, SIDE, SIDE, 3))
    return np.clip(values, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pictures, labels = toy_pictures(240, 0)
    names = ["Striped across", "Striped along", "Round"]
    return train_global_model(pictures, labels, names, tmp_path_factory.mktemp("model"))


def test_the_file_is_valid_onnx_and_runs_as_a_backend(model: tuple[Path, Path]) -> None:
    import onnx

    from ecotone.backends.base import open_backend

    path, names = model
    onnx.checker.check_model(onnx.load(str(path)), full_check=True)
    backend = open_backend(path, names)
    assert backend.classes == ("Striped across", "Striped along", "Round")
    assert backend.preprocessing.shape == (SIDE, SIDE, 3)
    assert backend.preprocessing.dtype == "uint8"
    pictures, labels = toy_pictures(60, 1)
    scores = backend.classify(pictures)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert (scores.argmax(axis=1) == labels).mean() > 0.9
    assert backend.encode(pictures).shape == (60, demo_model.HIDDEN)


def test_training_is_the_same_again(model: tuple[Path, Path], tmp_path: Path) -> None:
    pictures, labels = toy_pictures(240, 0)
    path, _ = train_global_model(pictures, labels, ["a", "b", "c"], tmp_path)
    assert path.read_bytes() == model[0].read_bytes()


def test_brightness_does_not_matter() -> None:
    pictures, _ = toy_pictures(4, 2)
    rng = np.random.default_rng(0)
    weights, bias = learn_filters(pictures, rng)
    dim = (pictures // 2).astype(np.uint8)
    one, two = extract(pictures, weights, bias), extract(dim, weights, bias)
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.9


def test_features_are_the_slow_convolution() -> None:
    pictures, _ = toy_pictures(2, 3)
    weights, bias = learn_filters(pictures, np.random.default_rng(1))
    normal = demo_model._standardised(pictures)[0]
    window = demo_model.MAP // demo_model.PLACES
    step, size = demo_model.STRIDE, demo_model.PATCH
    total = 0.0
    for i in range(window):
        for j in range(window):
            patch = normal[i * step : i * step + size, j * step : j * step + size]
            total += max(float((patch.transpose(2, 0, 1) * weights[5]).sum() + bias[5]), 0.0)
    features = extract(pictures[:1], weights, bias).reshape(-1, demo_model.PLACES**2)
    assert features[5, 0] == pytest.approx(np.sqrt(total / window**2), rel=1e-3, abs=1e-4)


def test_gradients_are_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_model, "DROP", 0.0)
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(7, 5)), rng.integers(3, size=7)
    layers = [rng.normal(size=s) for s in ((5, 4), (4,), (4, 3), (3,))]

    def loss() -> float:
        hidden = np.maximum(x @ layers[0] + layers[1], 0)
        logits = hidden @ layers[2] + layers[3]
        shifted = logits - logits.max(axis=1, keepdims=True)
        log = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return float(-log[np.arange(7), labels].mean())

    found = demo_model._gradients(layers, x, labels, rng)
    for layer, gradient in zip(layers, found, strict=True):
        place = tuple(0 for _ in layer.shape)
        before = layer[place]
        layer[place] = before + 1e-5
        high = loss()
        layer[place] = before - 1e-5
        low = loss()
        layer[place] = before
        assert gradient[place] == pytest.approx((high - low) / 2e-5, abs=1e-5)


def test_dense_layers_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=400)
    features = (rng.normal(size=(400, 20)) + 4 * np.eye(4, 20)[labels]).astype(np.float32)
    dense = train_dense(features, labels, 4, rng)
    hidden = np.maximum((features - dense.mean) * dense.scale @ dense.first + dense.first_bias, 0)
    guess = (hidden @ dense.second + dense.second_bias).argmax(axis=1)
    assert (guess == labels).mean() > 0.8
