"""The benchmarks of training, small: weights read from TFLite, protocols on embeddings that are
known to be perfect or to say nothing."""

from __future__ import annotations

import sys
from importlib import import_module

import numpy as np
import pytest

from tests.benchmarks.test_benchmarks import FOLDER

torch = pytest.importorskip("torch")
pytest.importorskip("timm")


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    """Benchmarks import their neighbours."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])


def test_weights_read_from_tflite_give_the_file_s_embeddings(shared_data):
    pytest.importorskip("ai_edge_litert")
    from ecotone.backends import open_backend
    from ecotone.media.preprocess import Preprocessing
    from ecotone.training.network import create_backbone

    weights = import_module("mobilenet_weights")
    source = shared_data / "models" / "imagenet_mobilenet_v2.tflite"
    files = sorted((shared_data / "monkeys" / "images").rglob("*.jpg"))[::300]
    way = Preprocessing(224, 224, "uint8", "NHWC", interpolation="bilinear")
    pictures = np.concatenate([way.prepare(f, [(0, 0, 1, 1)]) for f in files])
    network = create_backbone(weights.NETWORK, 224, weights.OPTIONS)
    weights.fill(network, weights.read_folded(source))
    folded = weights.pooled(network, pictures)
    weights.unfold(network, weights.scaled(pictures))
    assert np.abs(weights.pooled(network, pictures) - folded).max() < 1e-3
    assert weights.cosine(folded, open_backend(source).encode(pictures)) > 0.99


def test_the_protocols_of_coats(monkeypatch):
    coats = import_module("coats")
    assert coats.long_tail(5, 12) == [12, 6, 4, 3, 3]
    monkeypatch.setattr(coats, "SIZE", 16)
    test = coats.coats({s: [12] * 6 for s in coats.SMALL}, 0)
    rng = np.random.default_rng(0)
    flanks = [f"{n} {v}" for n, v in zip(test.individual, test.viewpoint, strict=True)]
    truth = {name: rng.normal(size=16) for name in sorted(set(flanks))}
    perfect = np.array([truth[f] for f in flanks]) + 0.05 * rng.normal(size=(len(test), 16))
    assert coats.top_one(perfect, test) == 1
    assert coats.known_or_new(perfect, test, 0)["known or new, by picture"] > 0.9
    nothing = rng.normal(size=perfect.shape)
    assert coats.top_one(nothing, test) < 0.4
    assert coats.known_or_new(nothing, test, 0)["known or new, by picture"] < 0.6
