"""What to label next: bursts, copies, sites, classes, the cold start, and the order of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone import FusionClassifier
from ecotone.errors import InputError
from ecotone.labelling import suggesting as module
from ecotone.labelling.suggesting import RARE, REASONS, TYPICAL, UNREACHED, suggest
from ecotone.simulate.worlds import make_world
from ecotone.types import GlobalScores


def blobs(sizes, dims=16, seed=0, spread=0.3):
    """Embeddings of groups of the given sizes, and the group of each row."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    centre = rng.normal(size=(len(sizes), dims))
    x = centre[group] + rng.normal(0, spread, (len(group), dims))
    return x.astype(np.float32), group


def test_cold_start_asks_once_in_every_group():
    x, group = blobs([200, 150, 100, 60, 30, 20, 15, 10])
    found = suggest(x, n=9)
    assert len(set(group[found.row])) == 8
    assert set(found.reason) == {TYPICAL}
    assert set(found.expected_class) == {""}
    assert (np.diff(found.score) <= 1e-9).all()
    assert found.reach[0] == 0 < found.reach[1] <= 1


def test_cold_start_takes_typical_rows_not_outliers():
    x, group = blobs([100, 100, 100])
    x[:5] += np.random.default_rng(1).normal(0, 3, (5, 16)).astype(np.float32)
    found = suggest(x, n=3)
    assert not set(found.row) & set(range(5))
    # A typical row is nearer to its group's middle than most of the group.
    for row in found.row:
        own = x[group == group[row]]
        far = np.linalg.norm(own - np.median(own, axis=0), axis=1)
        assert np.linalg.norm(x[row] - np.median(own, axis=0)) < np.median(far)


def test_what_is_labelled_is_not_asked_again():
    x, group = blobs([50, 50, 50, 50])
    labels = [f"class {g}" if g < 2 and i % 10 == 0 else None for i, g in enumerate(group)]
    found = suggest(x, None, labels, n=2)
    assert set(group[found.row]) == {2, 3}


def test_one_question_a_burst_and_none_where_it_has_a_label():
    x, _ = blobs([60, 60])
    bursts = [f"b{i // 10}" for i in range(120)]
    labels = [None] * 120
    labels[25] = "fox"
    found = suggest(x, None, labels, bursts=bursts, n=50)
    asked = [bursts[r] for r in found.row]
    assert sorted(asked) == sorted({f"b{i}" for i in range(12)} - {"b2"})


def test_the_clearest_of_a_burst_is_asked():
    x, _ = blobs([30, 30])
    x[0] += 5.0  # a bird in front of the lens
    found = suggest(x, bursts=[0] * 3 + list(range(1, 58)), n=58)
    assert 0 not in found.row
    assert len(set(found.row) & {1, 2}) == 1


def test_copies_of_a_picture_are_asked_once():
    x, _ = blobs([20, 20])
    x[10:20] = x[0]
    found = suggest(x, n=50)
    assert len(found) == 30
    assert len({x[r].tobytes() for r in found.row}) == 30
    labels = [None] * 40
    labels[15] = "fox"
    assert not set(suggest(x, None, labels, n=50).row) & {0, *range(10, 20)}


def test_rows_of_zeros_have_no_embedding_and_are_not_asked():
    x, _ = blobs([20, 20])
    x[::2] = 0
    found = suggest(x, n=50)
    assert sorted(found.row) == list(range(1, 40, 2))
    labels = [None] * 40
    labels[0] = "fox"  # of a row without embedding: says nothing of the others
    assert len(suggest(x, None, labels, n=50)) == 20
    with pytest.raises(InputError, match="all rows are zero"):
        suggest(np.zeros((5, 4), np.float32))


def test_questions_are_spread_over_sites():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1000, 12)).astype(np.float32)
    site = np.where(np.arange(1000) < 900, "big", np.where(np.arange(1000) < 950, "mid", "small"))
    plain = suggest(x, n=30).row
    spread = suggest(x, groups=site, n=30).row
    count = {s: int((site[spread] == s).sum()) for s in ("big", "mid", "small")}
    assert min(count["mid"], count["small"]) >= 3
    assert count["big"] < (site[plain] == "big").sum()
    labels = [None] * 1000
    for row in range(950, 980):  # the small site has had its questions
        labels[row] = "fox"
    later = suggest(x, None, labels, groups=site, n=30).row
    assert (site[later] == "small").sum() < count["small"]


def rare_case():
    """Two classes with labels, one without, of which the posteriors know a few rows."""
    x, group = blobs([100, 100, 12], spread=0.6)
    p = np.full((212, 3), 0.1, dtype=np.float32)
    p[np.arange(212), group] = 0.8
    labels = np.full(212, None, dtype=object)
    labels[:5], labels[100:105] = "fox", "deer"
    return x, p, labels, group


def test_a_class_without_labels_comes_first():
    x, p, labels, group = rare_case()
    found = suggest(x, None, labels, posteriors=p, classes=["fox", "deer", "lynx"], n=3)
    assert group[found.row[0]] == 2
    assert found.expected_class[0] == "lynx"
    assert found.reason[0] in (RARE, TYPICAL)


def test_rows_that_are_sure_are_asked_last():
    x, _ = blobs([300], spread=1.0)
    p = np.tile(np.array([[0.99, 0.01]], np.float32), (300, 1))
    p[:40] = 0.5
    labels = [None] * 300
    labels[100], labels[101] = "fox", "deer"
    found = suggest(x, None, labels, posteriors=p, classes=["fox", "deer"], n=10)
    assert (found.row < 40).mean() >= 0.8


@pytest.fixture(scope="module")
def fitted():
    world = make_world("gaussian", 700, 32, seed=3)
    labels = world.some_labels(25, 1)
    clf = FusionClassifier(world.local_classes, world.global_classes).fit(
        world.embeddings, world.scores, list(labels))
    return world, labels, clf


def ask(fitted, order=None, **more):
    world, labels, clf = fitted
    rows = np.arange(len(labels)) if order is None else order
    return suggest(world.embeddings[rows], world.scores.take(rows), list(labels[rows]),
                   classifier=clf, groups=world.groups[rows], n=20, **more)


def test_with_a_classifier_more_classes_are_found_than_at_random(fitted):
    world, labels, _ = fitted
    found = ask(fitted)
    assert len(set(found.row)) == 20
    assert all(labels[r] is None for r in found.row)
    assert set(found.reason) <= set(REASONS)
    assert set(found.expected_class) <= set(world.local_classes)
    new = {world.labels[r] for r in found.row} - {v for v in labels if v is not None}
    free = np.array([v is None for v in labels])
    rng = np.random.default_rng(0)
    known = {v for v in labels if v is not None}
    by_chance = np.mean([len({world.labels[r] for r in rng.permutation(np.flatnonzero(free))[:20]}
                             - known) for _ in range(20)])
    assert len(new) > by_chance
    assert found.reach[1] > found.reach[0]


def test_the_order_of_rows_plays_no_part(fitted):
    order = np.random.default_rng(1).permutation(700)
    assert list(order[ask(fitted, order).row]) == list(ask(fitted).row)


def test_a_class_that_the_global_model_does_not_know_is_named(fitted):
    world, labels, clf = fitted
    kinds = dict(zip(world.local_classes, clf.mapping_.kind, strict=True))
    found = ask(fitted)
    for row, reason in zip(found.expected_class, found.reason, strict=True):
        assert (kinds[row] == "unknown") or reason != UNREACHED


def test_the_learning_curve_is_carried_on():
    x, _ = blobs([40, 40])
    gain = suggest(x, n=30, curve=([10, 20, 40], [0.6, 0.7, 0.78])).expected_gain
    assert gain.more == 30 and gain.gain > 0
    assert suggest(x, n=30, curve=([40], [0.7])).expected_gain is None
    assert suggest(x, n=30).expected_gain is None


def test_scores_without_a_classifier_tell_groups_apart():
    x = 3 + np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)  # one group
    dense = np.full((300, 3), 0.02)
    kind = np.repeat([0, 1, 2], [240, 40, 20])
    dense[np.arange(300), kind] = 0.96
    scores = GlobalScores.from_dense(dense, ("a", "b", "c"))
    found = suggest(x, scores, n=15)
    assert set(kind[found.row]) == {0, 1, 2}
    assert (kind[found.row] > 0).sum() > (kind[suggest(x, n=15).row] > 0).sum()
    assert list(suggest(x, dense, n=15).row) == list(found.row)


def test_many_rows_are_sampled_and_nothing_rare_is_lost(monkeypatch):
    monkeypatch.setattr(module, "MOST_CANDIDATES", 400)
    x, group = blobs([4000, 2000, 15], spread=0.4)
    p = np.full((6015, 3), 0.02, np.float32)
    p[np.arange(6015), group] = 0.96
    p[6000:] = [0.3, 0.1, 0.6]
    labels = np.full(6015, None, dtype=object)
    labels[:3], labels[4000:4003] = "fox", "deer"
    found = suggest(x, None, labels, posteriors=p, classes=["fox", "deer", "lynx"], n=10)
    assert 2 in group[found.row]


def test_small_and_odd_inputs():
    x, _ = blobs([3])
    assert sorted(suggest(x, n=50).row) == [0, 1, 2]
    assert list(suggest(x[:1], n=1).row) == [0]
    assert len(suggest(x, None, ["fox"] * 3)) == 0
    one = suggest(x, None, ["fox", None, None], posteriors=np.ones((3, 1)), classes=["fox"])
    assert sorted(one.row) == [1, 2]


@pytest.mark.parametrize("change, match", [
    ({"n": 0}, "n: 0"),
    ({"groups": ["a"]}, "groups: 1 entries"),
    ({"bursts": ["a"]}, "bursts: 1 entries"),
    ({"labels": ["fox"]}, "labels: 1 entries"),
    ({"posteriors": np.ones((6, 2)) / 2}, "give classes"),
    ({"posteriors": np.ones((6, 2)) / 2, "classes": ["a"]}, "shape"),
    ({"posteriors": np.full((6, 1), np.nan), "classes": ["a"]}, "NaN"),
    ({"labels": ["wolf"] * 6, "classes": ["fox"]}, "not a local class"),
    ({"scores": np.ones((3, 2)) / 2}, "scores: 3 rows"),
])
def test_what_does_not_fit_is_said(change, match):
    x, _ = blobs([3, 3])
    with pytest.raises(InputError, match=match):
        suggest(x, **change)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 6), st.integers(1, 30), st.integers(0, 99))
def test_any_shape_gives_distinct_free_rows(rows, classes, n, seed):
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=(rows, 5)), 0).astype(np.float32)
    x[:, 0] += 10
    names = [f"c{k}" for k in range(classes)]
    p = rng.dirichlet(np.ones(classes), rows)
    labels = [names[rng.integers(classes)] if rng.random() < 0.3 else None for _ in range(rows)]
    bursts = rng.integers(10, size=rows)
    found = suggest(x, None, labels, posteriors=p, classes=names, bursts=bursts,
                    groups=rng.integers(3, size=rows), n=n)
    assert len(found) <= n
    assert len(set(bursts[found.row])) == len(found)
    assert all(labels[r] is None for r in found.row)
    told = {b for b, v in zip(bursts, labels, strict=True) if v is not None}
    assert not told & set(bursts[found.row])
