"""Thresholds per class, and what they say needs no eye."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.confidence.accept import AcceptRule
from ecotone.errors import InputError
from tests.confidence.worlds import PRIOR, draw

NAMES = ("red deer", "roe deer", "wild boar", "lynx")
K = len(NAMES)


def test_a_table_a_class():
    rng = np.random.default_rng(0)
    proba, target = draw(1500, rng)
    rule = AcceptRule(precision=0.9).fit(proba, target, NAMES)
    assert [row.name for row in rule] == list(NAMES)
    called = proba.argmax(axis=1)
    for k, row in enumerate(rule.table_):
        inside = (called == k) & (proba.max(axis=1) >= rule.threshold_[k])
        assert row.n == (called == k).sum()
        if row.threshold is None:
            assert row.note and math.isinf(rule.threshold_[k]) and row.bound is None
            continue
        assert row.threshold == rule.threshold_[k]
        assert (row.accepted, row.right) == (inside.sum(), (target[inside] == k).sum())
        assert 0.9 <= row.bound <= row.right / row.accepted
        assert row.as_dict()["note"] == ""
    assert rule.table_[0].threshold is not None


def test_accepted_and_left_make_all():
    rng = np.random.default_rng(1)
    rule = AcceptRule(0.85).fit(*draw(1500, rng), NAMES)
    proba, truth = draw(4000, rng)
    taken, counts = rule.accepted(proba), rule.counts(proba)
    called = proba.argmax(axis=1)
    assert counts["accepted"].sum() == taken.sum() > 0
    assert np.array_equal(counts["accepted"] + counts["left"], np.bincount(called, minlength=K))
    for k in np.flatnonzero(counts["accepted"] > 300):
        assert (truth[taken & (called == k)] == k).mean() > 0.85 - 0.03


def test_the_promise_holds_by_class_in_all_but_delta_of_cases():
    rng, low, tries = np.random.default_rng(2), np.zeros(K), 150
    proba, truth = draw(40_000, rng)
    called, top = proba.argmax(axis=1), proba.max(axis=1)
    for _ in range(tries):
        rule = AcceptRule(0.9, delta=0.2).fit(*draw(300, rng))
        for k in range(K):
            inside = (called == k) & (top >= rule.threshold_[k])
            low[k] += inside.sum() > 100 and (truth[inside] == k).mean() < 0.9
    assert (low / tries <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / tries)).all()
    assert low.sum() > 0  # the bound is not so wide that it never errs


def test_too_few_labels_are_told_with_the_number_needed():
    proba = np.repeat(np.eye(3), [50, 44, 0], axis=0)
    target = np.repeat([0, 1], [50, 44])
    rule = AcceptRule(0.95).fit(proba, target, ["fox", "hare", "owl"])
    assert rule.needed_ == 45
    assert [row.threshold for row in rule] == [0.0, None, None]
    assert rule.table_[1].note == "not enough labels: 44, needs at least 45"
    assert rule.table_[2].note == "not enough labels: 0, needs at least 45"
    assert rule.accepted(np.eye(3)).tolist() == [True, False, False]


def test_a_class_that_is_often_wrong_says_so():
    proba = np.repeat([[0.9, 0.1]], 100, axis=0)
    target = np.arange(100) % 2
    note = AcceptRule(0.95).fit(proba, target).table_[0].note
    assert note.startswith("not precise enough: 50 of the surest 100 are right")


def test_rare_classes_may_share_a_threshold():
    proba = np.repeat(np.eye(3), [100, 30, 25], axis=0)
    target = np.repeat([0, 1, 2], [100, 30, 25])
    alone = AcceptRule(0.95).fit(proba, target)
    assert [row.threshold for row in alone] == [0.0, None, None]
    together = AcceptRule(0.95, pool_rare=True).fit(proba, target)
    assert [row.threshold for row in together] == [0.0, 0.0, 0.0]
    assert "rare classes together" in together.table_[1].note
    assert together.table_[1].accepted == 55 and together.table_[1].n == 30
    assert together.table_[0].note == ""


def test_bursts_count_once():
    proba, target = np.repeat([[0.9, 0.1]], 400, axis=0), np.zeros(400, dtype=int)
    frames = [f"burst {i // 10}" for i in range(400)]
    assert AcceptRule(0.95).fit(proba, target).table_[0].threshold == 0.0
    row = AcceptRule(0.95).fit(proba, target, groups=frames).table_[0]
    assert row.threshold is None and row.n == 40
    assert AcceptRule(0.9).fit(proba, target, groups=frames).table_[0].accepted == 40
    # Rows without a burst are on their own.
    assert AcceptRule(0.95).fit(proba, target, groups=[""] * 400).table_[0].n == 400


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 0.95), st.floats(0.5, 0.95))
def test_properties(seed, one, two):
    rng = np.random.default_rng(seed)
    proba, target = draw(200, rng)
    rows = draw(50, rng)[0]
    low, high = AcceptRule(min(one, two)), AcceptRule(max(one, two))
    low.fit(proba, target), high.fit(proba, target)
    taken = low.accepted(rows)
    found = np.isfinite(low.threshold_) & np.isfinite(high.threshold_)
    if low.needed_ == high.needed_:
        assert (low.threshold_ <= high.threshold_).all()
    assert (low.threshold_[found] <= high.threshold_[found]).all()
    order, columns = rng.permutation(200), rng.permutation(K)
    moved = AcceptRule(low.precision).fit(
        proba[order][:, columns], np.argsort(columns)[target[order]]
    )
    assert np.array_equal(moved.threshold_, low.threshold_[columns])
    assert np.array_equal(moved.accepted(rows[:, columns]), taken)


def test_a_row_between_two_classes_is_never_accepted():
    rule = AcceptRule(0.5).fit(np.repeat(np.eye(2), 40, axis=0), np.repeat([0, 1], 40))
    assert rule.threshold_.tolist() == [0.0, 0.0]
    assert rule.accepted(np.array([[0.5, 0.5], [0.6, 0.4]])).tolist() == [False, True]
    assert rule.counts(np.array([[0.5, 0.5]]))["left"].tolist() == [1, 0]


def test_one_class_and_no_rows():
    rule = AcceptRule(0.9).fit(np.ones((30, 1)), np.zeros(30, dtype=int), ["fox"])
    assert rule.table_[0].threshold == 0.0
    assert rule.accepted(np.zeros((0, 1))).shape == (0,)
    assert rule.counts(np.zeros((0, 1)))["accepted"].tolist() == [0]


def test_half_precision_is_compared_as_it_is():
    proba, target = draw(600, np.random.default_rng(3))
    stored = proba.astype(np.float16)
    rule = AcceptRule(0.9).fit(stored, target)
    assert sum(row.accepted for row in rule) == rule.accepted(stored).sum()


@pytest.mark.parametrize(("options", "more", "words"), [
    ({"precision": 1.0}, {}, "precision: 1.0"),
    ({"delta": 0}, {}, "delta: 0"),
    ({}, {"classes": ["a"]}, "1 names, proba has 4 columns"),
    ({}, {"groups": ["a"]}, "groups: 1 entries, expected 30"),
])
def test_what_does_not_fit_is_said(options, more, words):
    proba, target = draw(30, np.random.default_rng(4))
    with pytest.raises(InputError, match=words):
        AcceptRule(**options).fit(proba, target, **more)


def test_use_needs_a_fit_and_the_same_classes():
    with pytest.raises(InputError, match="not fitted"):
        AcceptRule().accepted(np.ones((1, 1)))
    rule = AcceptRule(0.9).fit(*draw(30, np.random.default_rng(5)))
    with pytest.raises(InputError, match=f"1 columns, expected {len(PRIOR)}"):
        rule.counts(np.ones((1, 1)))
