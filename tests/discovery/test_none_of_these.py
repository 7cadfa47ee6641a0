"""The share of new rows, probabilities, and the class for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from ecotone.discovery import (
    NovelShare,
    estimate_novel_share,
    novelty_probability,
    with_none_of_these,
)
from ecotone.discovery.novelty_ranks import Ranks, rank_average
from ecotone.errors import InputError


def tails(n_known: int, n_pool: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Tails of a pool against a finite sample of known rows; new rows score 2.5 sd higher."""
    new = int(round(share * n_pool))
    pool = np.concatenate([rng.normal(size=n_pool - new), rng.normal(2.5, 1.0, new)])
    return Ranks.fit(rng.normal(size=n_known)).tail(pool)


@pytest.mark.parametrize("n_known", [20, 60, 500])
def test_nothing_new_gets_about_no_mass(n_known):
    rng = np.random.default_rng(0)
    mass = []
    for _ in range(40):
        p = tails(n_known, 400, 0.0, rng)
        mass.append(novelty_probability(p, estimate_novel_share(p, n_known)).mean())
    assert np.mean(mass) < (0.06 if n_known < 60 else 0.03)
    assert np.quantile(mass, 0.9) < 0.16


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_share_and_mass_are_right_and_the_interval_holds(share):
    rng = np.random.default_rng(1)
    found, inside, mass = [], [], []
    for _ in range(40):
        p = tails(300, 1500, share, rng)
        estimate = estimate_novel_share(p, 300)
        found.append(estimate.value)
        inside.append(estimate.low <= share <= estimate.high)
        mass.append(novelty_probability(p, estimate).mean())
    assert abs(np.mean(found) - share) < 0.04
    assert abs(np.mean(mass) - share) < 0.05
    assert np.mean(inside) >= 0.85


def test_probabilities_are_calibrated_on_both_kinds():
    rng = np.random.default_rng(2)
    p = tails(500, 4000, 0.3, rng)
    new = np.arange(4000) >= 2800
    q = novelty_probability(p, estimate_novel_share(p, 500))
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.0)):
        rows = (q >= low) & (q <= high)
        assert abs(q[rows].mean() - new[rows].mean()) < 0.1


def test_probability_is_bayes_rule():
    share = NovelShare(0.2, 0.1, 0.3, (0.3, 4.0), 100)
    p = np.array([1e-6, 0.01, 0.3, 0.9])
    new = 0.2 * beta.pdf(p, 0.3, 4.0)
    np.testing.assert_allclose(novelty_probability(p, share), new / (new + 0.8), rtol=1e-6)
    assert (np.diff(novelty_probability(p, share)) < 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(0, 8), st.integers(0, 99))
def test_rows_sum_to_one_and_keep_their_order(k, n, seed):
    rng = np.random.default_rng(seed)
    proba, novelty = rng.dirichlet(np.ones(k), n), rng.random(n)
    out = with_none_of_these(proba.reshape(n, k), novelty)
    assert out.shape == (n, k + 1)
    np.testing.assert_allclose(out.sum(axis=1), 1.0)
    np.testing.assert_allclose(out[:, -1], novelty)
    np.testing.assert_allclose(out[:, :-1], proba.reshape(n, k) * (1 - novelty)[:, None])
    flagged = rng.random(n) < 0.5
    first = with_none_of_these(proba.reshape(n, k), novelty, flagged).argmax(axis=1) == k
    assert not (first & ~flagged).any()


def test_bad_shares_name_the_row():
    proba = np.full((2, 2), 0.5)
    with pytest.raises(InputError, match="row 1"):
        with_none_of_these(proba, np.array([0.5, np.nan]))
    with pytest.raises(InputError, match="row 0"):
        with_none_of_these(np.array([[np.nan, 1.0]]), np.array([0.5]))
    with pytest.raises(InputError, match="3 rows"):
        with_none_of_these(proba, np.zeros(3))
    with pytest.raises(InputError, match="some of each"):
        estimate_novel_share(np.empty(0), 5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(0, 99))
def test_tails_fall_stay_in_range_and_turn_round(known, seed):
    ranks = Ranks.fit(np.array(known, dtype=float))
    scores = np.sort(np.random.default_rng(seed).normal(5, 5, 40))
    tail = ranks.tail(scores)
    assert ((tail > 0) & (tail <= 1)).all() and (np.diff(tail) <= 1e-12).all()
    for wanted in (0.03, 0.2):
        at = float(ranks.score_at(wanted))
        assert float(ranks.tail(np.array([at + 1e-9]))[0]) <= wanted + 1e-3 or len(set(known)) < 30


def test_tail_is_exact_on_average_at_the_threshold():
    rng = np.random.default_rng(0)
    for n in (8, 19, 60):
        beyond = [1 - np.mean(rng.random(200) <= Ranks.fit(rng.random(n)).score_at(0.1))
                  for _ in range(300)]
        assert abs(np.mean(beyond) - 0.1) < 0.03


def test_average_of_ranks_is_weighted():
    known = np.arange(9.0)
    ranks = {"a": Ranks.fit(known), "b": Ranks.fit(known)}
    parts = {"a": np.array([0.0, 8.0]), "b": np.array([8.0, 0.0])}
    got = rank_average(parts, ranks, {"a": 3.0, "b": 1.0})
    np.testing.assert_allclose(got, [0.75 * 0.1 + 0.25 * 0.9, 0.75 * 0.9 + 0.25 * 0.1])
