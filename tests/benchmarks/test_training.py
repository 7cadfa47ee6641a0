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


def test_top_one_of_coats_is_perfect_or_chance():
    worlds = import_module("coats_worlds")
    test = worlds.coats({s: [12] * 6 for s in worlds.SMALL}, 0, 0.2, size=16)
    rng = np.random.default_rng(0)
    flanks = [f"{n} {v}" for n, v in zip(test.individual, test.viewpoint, strict=True)]
    truth = {name: rng.normal(size=16) for name in sorted(set(flanks))}
    perfect = np.array([truth[f] for f in flanks]) + 0.05 * rng.normal(size=(len(test), 16))
    assert worlds.top_one(perfect, test) == 1
    assert worlds.top_one(rng.normal(size=perfect.shape), test) < 0.4


def test_long_tails_of_coats_are_split_and_answered():
    worlds, heads = import_module("coats_worlds"), import_module("coats_heads")
    assert import_module("coats_networks").long_tail(5, 12) == [12, 6, 4, 3, 3]
    sizes = {f"{s} {i:03d}": n for s in worlds.SMALL[:2] for i, n in enumerate((8, 4, 2))}
    whole = worlds.coats({s: [12, 8, 6] for s in worlds.SMALL[:2]}, 0, 0.2, size=16)
    trains = worlds.split_long_tail(whole, sizes)
    kept = {name: int((whole.individual[trains] == name).sum()) for name in sizes}
    assert kept == sizes
    names, number = np.unique(whole.individual.astype(str), return_inverse=True)
    noise = 0.1 * np.random.default_rng(0).normal(size=(len(whole), len(names)))
    space = np.eye(len(names))[number] + noise
    train, new = whole.take(trains), whole.take(~trains)
    found = heads.by_nearest(space[~trains], space[trains], new, train)
    assert (found == new.individual.astype(str)).all()
    head = heads.SubCenterArcFace(dimensions=4, epochs=2, held_out=0.0, random_state=0)
    shown = head.fit(space[trains], train.individual).transform(space)[~trains]
    assert (heads.by_centres(head, shown, new) == new.individual.astype(str)).mean() > 0.8


def test_galleries_of_coats_hold_early_encounters_of_every_other_individual():
    pytest.importorskip("cv2")
    worlds, known = import_module("coats_worlds"), import_module("coats_open")
    test = worlds.coats({worlds.SMALL[0]: [8] * 4}, 0, 1.0, size=64, per_encounter=2)
    rows = known.gallery_rows(test)
    assert {n[-3:] for n in test.individual[rows]} == {"000", "002"}
    assert not set(test.encounter[rows]) & set(test.encounter[~rows])
    local, every = known.LocalScore(test.pictures), np.arange(len(test))
    score = local.between(every, every)
    left, right = np.array([0, 1, 0]), np.array([1, 0, 2])
    values = score(left, right)
    assert values[0] == values[1] and len(local.kept) == 2
