"""The bound of a precision, and the search for the lowest threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from ecotone.confidence.bounds import HEAD, certify, clopper_pearson_lower, fewest_units


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.floats(0, 1), st.floats(0.01, 0.4))
def test_the_bound_is_that_of_the_beta_and_binomial_distributions(n, share, delta):
    right = round(share * n)
    bound = float(clopper_pearson_lower(right, n, delta))
    if right == 0:
        assert bound == 0.0
        return
    assert bound == pytest.approx(beta.ppf(delta, right, n - right + 1), abs=1e-9)
    # The lowest share under which as many right ones are not too much of a surprise.
    assert binom.sf(right - 1, n, bound) == pytest.approx(delta, abs=1e-6)


def test_nothing_accepted_has_the_bound_zero():
    assert clopper_pearson_lower(np.array([0, 0]), np.array([0, 7]), 0.1).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("precision", "delta", "units"),
                         [(0.95, 0.1, 45), (0.95, 0.05, 59), (0.9, 0.1, 22), (0.5, 0.5, 1)])
def test_fewest_units(precision, delta, units):
    assert fewest_units(precision, delta) == units
    assert clopper_pearson_lower(units, units, delta) >= precision - 1e-12
    assert units == 1 or clopper_pearson_lower(units - 1, units - 1, delta) < precision


def slow_certify(score, right, precision, delta, groups):
    """Every threshold from the top, counted anew; (threshold cut, n, right) of the last to pass."""
    units = set(groups)
    first = max(fewest_units(precision, delta), len(units) // HEAD)
    best = None
    for cut in [*sorted(set(score), reverse=True), -math.inf]:
        above = {g for g, s in zip(groups, score, strict=True) if s > cut}
        if len(above) < first:
            continue
        wrong = {g for g, s, r in zip(groups, score, right, strict=True) if s > cut and not r}
        waiting = [s for g, s in zip(groups, score, strict=True) if g not in above]
        if cut != max(waiting, default=-math.inf):
            continue  # only the score of the next unit to come in is a cut
        if clopper_pearson_lower(len(above - wrong), len(above), delta) < precision - 1e-12:
            break
        best = (cut, len(above), len(above - wrong))
    return best


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 90), st.booleans(), st.booleans(),
       st.sampled_from([0.5, 0.7, 0.9]))
def test_the_search_against_the_slow_way(seed, n, coarse, grouped, precision):
    rng = np.random.default_rng(seed)
    score = rng.random(n).round(1 if coarse else 6)
    right = rng.random(n) < 0.6 + 0.4 * score
    groups = rng.integers(max(n // 3, 1), size=n) if grouped else np.arange(n)
    found = certify(score, right, precision, 0.1, groups)
    slow = slow_certify(score.tolist(), right.tolist(), precision, 0.1, groups.tolist())
    assert found.units == len(set(groups.tolist()))
    if slow is None:
        assert math.isinf(found.threshold)
        return
    assert (found.n, found.right) == slow[1:]
    assert np.array_equal(score >= found.threshold, score > slow[0])
    assert found.bound >= precision - 1e-12


def naive(score, right, precision, delta):
    """What one would do at first: the lowest of all thresholds whose bound is good enough."""
    order = np.argsort(-score)
    n = np.arange(1, len(score) + 1)
    fine = clopper_pearson_lower(np.cumsum(right[order]), n, delta) >= precision
    return score[order][fine.nonzero()[0][-1]] if fine.any() else math.inf


def violations(n, local, true_precision, rounds=1200, coarse=None):
    """Shares of draws whose threshold is too low: by the search, and naively."""
    rng, searched, lucky = np.random.default_rng(n), 0, 0
    for _ in range(rounds):
        score = rng.random(n)
        if coarse:
            score = np.floor(score * coarse) / coarse
        right = rng.random(n) < local(score)
        found = certify(score, right, 0.9, 0.1, np.arange(n)).threshold
        searched += math.isfinite(found) and true_precision(found) < 0.9
        found = naive(score, right, 0.9, 0.1)
        lucky += math.isfinite(found) and true_precision(found) < 0.9
    return searched / rounds, lucky / rounds


@pytest.mark.parametrize("n", [50, 200])
def test_a_threshold_is_too_low_no_more_often_than_delta(n):
    # Precision rises with the score; at t it is the mean of .75 + .25 s over s >= t.
    searched, _ = violations(n, lambda s: 0.75 + 0.25 * s, lambda t: 0.875 + 0.125 * t)
    assert searched <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / 1200)


@pytest.mark.parametrize("n", [50, 200])
def test_where_no_threshold_is_good_enough_luck_is_held_to_delta(n):
    searched, lucky = violations(n, lambda s: np.full(len(s), 0.895), lambda t: 0.895)
    assert searched <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / 1200)
    assert lucky > 0.12  # picking the best of many thresholds does not keep the promise


def test_scores_that_many_rows_share_keep_the_promise_too():
    searched, _ = violations(200, lambda s: np.full(len(s), 0.895), lambda t: 0.895, coarse=5)
    assert searched <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / 1200)


def test_a_burst_is_one_piece_of_evidence():
    score, right = np.full(60, 0.9), np.ones(60, dtype=bool)
    assert certify(score, right, 0.95, 0.1, np.arange(60)).threshold == 0.0
    bursts = np.arange(60) // 10
    assert math.isinf(certify(score, right, 0.95, 0.1, bursts).threshold)
    # Enough bursts, one with a mistake: one wrong unit, however many rows it has.
    many = np.arange(600) // 10
    wrong = np.arange(600) != 5
    found = certify(np.full(600, 0.9), wrong, 0.9, 0.1, many)
    assert (found.n, found.right, found.units) == (60, 59, 60)


def test_one_wrong_label_at_the_top_does_not_end_the_search():
    score, right = np.linspace(1.0, 0.5, 400), np.ones(400, dtype=bool)
    right[0] = False
    assert certify(score, right, 0.95, 0.1, np.arange(400)).threshold == 0.0


@pytest.mark.parametrize("precision", [0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("mistakes", [0, 1, 3])
def test_fewest_units_with_mistakes(precision, mistakes):
    n = fewest_units(precision, 0.1, mistakes)
    assert clopper_pearson_lower(n - mistakes, n, 0.1) >= precision - 1e-12
    assert clopper_pearson_lower(n - 1 - mistakes, n - 1, 0.1) < precision
