"""Generated worlds: shapes, names that fit the tree, and figures that behave as they should."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.simulate.worlds import COUNTS, KINDS, World, make_world


def exact_accuracy(world: World) -> float:
    """Accuracy of the global argmax on detections of classes that it knows exactly."""
    vernacular = {row["scientificName"]: row["vernacularName"] for row in world.taxonomy}
    best = world.scores.values.toarray().argmax(axis=1)
    named = np.array([vernacular.get(world.global_classes[b], world.global_classes[b])
                      for b in best])
    kind = dict(zip(world.local_classes, world.kinds, strict=True))
    exact = np.array([kind[label] == "exact" for label in world.labels])
    return float((named == world.labels)[exact].mean())


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_names(kind: str) -> None:
    world = make_world(kind, n=500, dim=40, seed=3)
    assert world.embeddings.shape == (500, 40)
    assert world.scores.values.shape == (500, len(world.global_classes))
    assert len(world.groups) == len(world.labels) == 500
    assert set(world.labels) <= set(world.local_classes)
    assert len(set(world.global_classes)) == len(world.global_classes)
    assert Counter(world.kinds) == {**COUNTS, "exact": COUNTS["exact"] + 1}  # and blank
    assert world.scores.complete
    assert np.isfinite(world.embeddings).all()


def test_every_name_stands_in_the_tree() -> None:
    world = make_world("gaussian", n=50, seed=1)
    genera = {row["genus"] for row in world.taxonomy}
    species = {row["scientificName"] for row in world.taxonomy}
    vernacular = {row["vernacularName"] for row in world.taxonomy}
    for name, kind in zip(world.local_classes, world.kinds, strict=True):
        if kind == "merged":
            assert name.split()[0] in genera
        elif name != "blank":
            assert name in vernacular
    for name in world.global_classes:
        assert name in species or name == "blank" or name.split()[0] in genera


def test_unknown_classes_are_in_no_global_class() -> None:
    world = make_world("gaussian", n=50, seed=2)
    scientific = {row["vernacularName"]: row["scientificName"] for row in world.taxonomy}
    for name, kind in zip(world.local_classes, world.kinds, strict=True):
        if name in scientific:
            assert (scientific[name] in world.global_classes) == (kind == "exact")


def test_the_kinds_differ_as_told() -> None:
    accuracy = {kind: exact_accuracy(make_world(kind, n=3000, seed=0)) for kind in KINDS}
    assert accuracy["gaussian"] > 0.55
    assert accuracy["poor"] < accuracy["gaussian"] - 0.15
    assert accuracy["poor"] > 0.1

    def kurtosis(kind: str) -> float:
        x = make_world(kind, n=3000, seed=0).embeddings.astype(np.float64)
        x = (x - x.mean(axis=0)) / x.std(axis=0)
        return float((x**4).mean())

    assert kurtosis("heavy") > kurtosis("gaussian") + 0.2


def test_prevalence_has_a_long_tail() -> None:
    counts = sorted(Counter(make_world("gaussian", n=4000, seed=0).labels).values())
    assert counts[-1] > 20 * counts[0]


def test_only_the_largest_scores_are_kept() -> None:
    full = make_world("gaussian", n=200, seed=4)
    cut = make_world("gaussian", n=200, seed=4, top_k=5)
    assert not cut.scores.complete
    assert np.diff(cut.scores.values.indptr).max() <= 5
    assert (cut.scores.missing >= -1e-6).all() and cut.scores.missing.max() > 0
    best = full.scores.values.toarray().argmax(axis=1)
    np.testing.assert_array_equal(cut.scores.values.toarray().argmax(axis=1), best)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_a_seed_gives_the_same_world_again(seed: int) -> None:
    one, two = (make_world("heavy", n=60, seed=seed) for _ in range(2))
    np.testing.assert_array_equal(one.embeddings, two.embeddings)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.global_classes == two.global_classes


def test_some_labels_hides_the_rest() -> None:
    world = make_world("gaussian", n=100, seed=0)
    labels = world.some_labels(7, seed=1)
    shown = [i for i, label in enumerate(labels) if label is not None]
    assert len(shown) == 7
    assert all(labels[i] == world.labels[i] for i in shown)


@pytest.mark.parametrize("bad", [{"kind": "flat"}, {"n": 0}, {"dim": 3}, {"cameras": 0}])
def test_impossible_worlds_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(InputError, match="world"):
        make_world(**bad)  # type: ignore[arg-type]
