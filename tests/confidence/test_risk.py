"""Risk-coverage curves."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.confidence.risk import risk_coverage, threshold_for_risk, top_class
from ecotone.errors import InputError
from tests.confidence.worlds import draw


def answers(seed, n, coarse=False):
    rng = np.random.default_rng(seed)
    confidence = rng.random(n).round(1 if coarse else 9)
    return confidence, rng.random(n) < confidence


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.booleans())
def test_against_the_slow_way(seed, n, coarse):
    confidence, right = answers(seed, n, coarse)
    curve = risk_coverage(confidence, right)
    assert curve.threshold.tolist() == sorted(set(confidence.tolist()), reverse=True)
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        inside = confidence >= threshold
        assert coverage == pytest.approx(inside.mean())
        assert risk == pytest.approx(1 - right[inside].mean())
    assert curve.coverage[-1] == 1.0
    assert curve.accuracy_at(1.0) == pytest.approx(right.mean())


def test_area_with_ties_is_the_mean_over_their_orders():
    confidence, right = np.array([0.9, 0.5, 0.5, 0.5]), np.array([True, True, False, False])
    areas = []
    for tied in itertools.permutations([0, 1, 1]):
        mistakes = np.cumsum([0, *tied])
        areas.append((mistakes / np.arange(1, 5)).mean())
    curve = risk_coverage(confidence, right)
    assert curve.aurc == pytest.approx(np.mean(areas))
    assert curve.accuracy_at(0.5) == pytest.approx(1 - (2 / 3) / 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.booleans())
def test_properties(seed, n, coarse):
    confidence, right = answers(seed, n, coarse)
    curve = risk_coverage(confidence, right)
    order = np.random.default_rng(seed).permutation(n)
    again = risk_coverage(confidence[order], right[order])
    assert again.aurc == pytest.approx(curve.aurc)
    assert np.allclose(again.risk, curve.risk)
    assert np.allclose(risk_coverage(np.exp(confidence), right).risk, curve.risk)
    best = risk_coverage(right.astype(float), right)
    assert best.excess == pytest.approx(0.0)
    assert curve.excess == pytest.approx(curve.aurc - best.aurc)
    worst = risk_coverage(-right.astype(float), right)
    assert best.aurc - 1e-12 <= curve.aurc <= worst.aurc + 1e-12


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_threshold_on_these_rows(seed, n, one, two):
    confidence, right = answers(seed, n, coarse=True)
    threshold = threshold_for_risk(confidence, right, one)
    for t in np.unique(confidence):
        if t < threshold:
            assert 1 - right[confidence >= t].mean() > one
        if t == threshold:
            assert 1 - right[confidence >= t].mean() <= one + 1e-12
    strict, lax = sorted([one, two])
    assert threshold_for_risk(confidence, right, strict) >= threshold_for_risk(
        confidence, right, lax
    )


def test_a_promise_costs_coverage():
    confidence, right = top_class(*draw(800, np.random.default_rng(0)))
    plain = threshold_for_risk(confidence, right, 0.1)
    sure = threshold_for_risk(confidence, right, 0.1, delta=0.1)
    assert plain < sure < 1
    surer = threshold_for_risk(confidence, right, 0.1, delta=0.01)
    assert surer >= sure
    bursts = np.arange(800) // 40
    assert math.isinf(threshold_for_risk(confidence, right, 0.1, delta=0.1, groups=bursts))


def test_all_wrong_and_all_right():
    confidence = np.array([0.2, 0.8])
    assert math.isinf(threshold_for_risk(confidence, np.zeros(2, bool), 0.5))
    assert threshold_for_risk(confidence, np.ones(2, bool), 0.01) == 0.2
    assert risk_coverage(confidence, np.ones(2, bool)).aurc == 0.0
    assert risk_coverage(confidence, np.zeros(2, bool)).aurc == 1.0
    assert risk_coverage(np.array([0.3]), np.array([True])).accuracy_at(0.01) == 1.0


def test_top_class_is_the_answer():
    proba, target = draw(200, np.random.default_rng(1))
    confidence, right = top_class(proba, target)
    assert np.array_equal(confidence, proba.max(axis=1))
    assert right.mean() == (proba.argmax(axis=1) == target).mean()


@pytest.mark.parametrize(("confidence", "right", "words"), [
    ([], np.zeros(0, bool), "no rows"),
    ([0.1], [True, False], "expected"),
    ([0.1], [1], "expected bool"),
    ([np.nan], [True], "row 0 is nan"),
])
def test_what_does_not_fit_is_said(confidence, right, words):
    with pytest.raises(InputError, match=words):
        risk_coverage(np.array(confidence), np.array(right))


def test_settings_that_do_not_fit_are_said():
    confidence, right = answers(0, 10)
    with pytest.raises(InputError, match="risk: 0"):
        threshold_for_risk(confidence, right, 0)
    with pytest.raises(InputError, match="delta: 2"):
        threshold_for_risk(confidence, right, 0.1, delta=2)
    with pytest.raises(InputError, match="coverage: 0"):
        risk_coverage(confidence, right).accuracy_at(0)
