"""Weights that make chosen labels speak for all rows."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone import FusionClassifier
from ecotone.errors import InputError
from ecotone.evaluation.metrics import measure
from ecotone.labelling.representation import held_out, label_weights, reheat
from ecotone.labelling.suggesting import suggest
from ecotone.simulate.worlds import make_world


def test_a_label_stands_for_the_rows_nearest_to_it():
    rng = np.random.default_rng(0)
    x = np.repeat(np.eye(3, 6) * 5, [80, 15, 5], axis=0) + rng.normal(0, 0.1, (100, 6))
    weight = label_weights(x, [0, 85, 97])
    assert weight == pytest.approx(np.array([80, 15, 5]) * 3 / 100)


def test_copies_share_what_they_stand_for():
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    x[1] = x[0]
    weight = label_weights(x, [0, 1, 2])
    assert weight[0] == pytest.approx(weight[1])
    assert weight.sum() == pytest.approx(3)
    with pytest.raises(InputError, match="no labelled row"):
        label_weights(x, [])


@pytest.fixture(scope="module")
def chosen():
    """A world with 45 chosen labels, the fusion on them, and rows that it never saw."""
    world = make_world("gaussian", 1400, 32, seed=4)
    pool, test = np.arange(1000), np.arange(1000, 1400)
    labels = np.full(1000, None, dtype=object)
    clf = None
    for n in (25, 20):
        found = suggest(world.embeddings[pool], world.scores.take(pool), list(labels),
                        classifier=clf, n=n).row
        labels[found] = world.labels[found]
        clf = FusionClassifier(world.local_classes, world.global_classes)
        clf.fit(world.embeddings[pool], world.scores.take(pool), list(labels))
    y = np.array([world.local_classes.index(v) for v in world.labels[test]])
    proba = clf.predict_proba(world.embeddings[test], world.scores.take(test))
    return world.embeddings[pool], labels, clf, proba, y


def test_held_out_accuracy_of_chosen_labels_is_mended(chosen):
    x, labels, clf, proba, y = chosen
    stands = held_out(clf, x, list(labels))
    truth = measure(y, proba)["accuracy"]
    rows = np.flatnonzero([v is not None for v in labels])
    plain = np.mean(clf.classes_[clf.selection_.oof_proba[rows].argmax(axis=1)] == labels[rows])
    assert plain < stands.accuracy
    assert abs(stands.accuracy - truth) < abs(plain - truth)
    assert stands.n == len(rows)
    assert 1 <= stands.effective <= stands.n


def test_few_labels_tell_nothing(chosen):
    x, labels, clf, _, _ = chosen
    few = np.full(len(labels), None, dtype=object)
    few[:9] = clf.classes_[0]
    assert held_out(clf, x, list(few)) is None
    with pytest.raises(InputError, match="fitted on"):
        held_out(clf, x[:5], list(labels[:5]))


def test_reheating_keeps_the_order_of_classes():
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], dtype=np.float32)
    cold, warm = reheat(p, 0.5), reheat(p, 2.0)
    assert cold.sum(axis=1) == pytest.approx([1, 1])
    assert (cold.max(axis=1) > p.max(axis=1)).all() and (warm.max(axis=1) < p.max(axis=1)).all()
    assert reheat(p, 1.0) == pytest.approx(p, abs=1e-5)
    assert (np.argsort(cold, axis=1) == np.argsort(p, axis=1))[0].all()
