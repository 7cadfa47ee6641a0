"""Class shares of a place, by maximum likelihood, with intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ecotone.confidence.prevalence import adjust_posteriors, estimate_prevalence
from ecotone.errors import InputError
from tests.confidence.worlds import PRIOR, draw

K = len(PRIOR)
SHIFTS = ([0.1, 0.2, 0.2, 0.5], [0.02, 0.02, 0.9, 0.06], [0.25, 0.25, 0.25, 0.25])


@pytest.mark.parametrize("shares", SHIFTS)
def test_a_known_shift_is_found(shares):
    proba, truth = draw(6000, np.random.default_rng(0), np.array(shares))
    found = estimate_prevalence(proba, PRIOR, replicates=0)
    real = np.bincount(truth, minlength=K) / 6000
    assert found.converged
    assert np.abs(found.share - real).max() < 0.02
    assert np.abs(found.share - real).max() < np.abs(found.predicted - real).max()


def slow_shares(proba, source, counts):
    """The penalised likelihood, maximised by a general optimiser."""
    def cost(logits):
        share = np.exp(logits - logits.max())
        share /= share.sum()
        return -np.log(proba @ (share / source)).sum() - counts @ np.log(share)

    logits = minimize(cost, np.zeros(len(source)), tol=1e-10).x
    share = np.exp(logits - logits.max())
    return share / share.sum()


@pytest.mark.parametrize("counts", [[0, 0, 0, 0], [5, 0, 20, 3]])
def test_em_finds_the_maximum(counts):
    proba, _ = draw(300, np.random.default_rng(1), np.array([0.2, 0.3, 0.2, 0.3]))
    found = estimate_prevalence(proba, PRIOR, counts=np.array(counts), replicates=0)
    assert np.abs(found.share - slow_shares(proba, PRIOR, np.array(counts))).max() < 1e-3


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng, held, rounds = np.random.default_rng(2), np.zeros(K), 60
    shares = np.array([0.2, 0.3, 0.2, 0.3])
    for seed in range(rounds):
        proba, _ = draw(400, rng, shares)
        found = estimate_prevalence(proba, PRIOR, replicates=60, random_state=seed)
        held += (found.low <= shares) & (shares <= found.high)
    # 240 intervals at .9, those of one round hanging together.
    assert 0.82 <= held.sum() / (K * rounds) <= 0.97


def test_whole_groups_are_resampled():
    rng = np.random.default_rng(3)
    places = np.repeat(np.arange(25), 40)
    mixes = rng.dirichlet(np.full(K, 0.5), size=25)
    proba = np.concatenate([draw(40, rng, mix)[0] for mix in mixes])
    rows = estimate_prevalence(proba, PRIOR)
    grouped = estimate_prevalence(proba, PRIOR, groups=places)
    assert (rows.n, rows.groups, grouped.groups) == (1000, 1000, 25)
    assert np.allclose(rows.share, grouped.share)
    assert ((grouped.high - grouped.low) > 1.5 * (rows.high - rows.low)).all()
    one = estimate_prevalence(proba, PRIOR, groups=np.zeros(1000))
    assert np.allclose(one.high - one.low, 0.0, atol=1e-3)


def test_labels_of_here_count_as_rows_known_for_certain():
    proba = np.repeat(PRIOR[None, :], 50, axis=0)  # tells nothing
    labels = np.array([10, 20, 30, 40])
    found = estimate_prevalence(proba, PRIOR, counts=labels, random_state=1)
    assert found.share == pytest.approx(labels / 100, abs=1e-4)
    assert (found.low < labels / 100).all() and (found.high > labels / 100).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 5))
def test_properties(seed, n, n_classes):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, 0.5), size=n)
    source = rng.dirichlet(np.full(n_classes, 3.0))
    found = estimate_prevalence(proba, source, replicates=20)
    assert found.share.sum() == pytest.approx(1.0)
    assert ((found.low <= found.share) & (found.share <= found.high)).all()
    assert np.isfinite(found.low).all() and found.low.min() >= 0 and found.high.max() <= 1
    columns, order = rng.permutation(n_classes), rng.permutation(n)
    moved = estimate_prevalence(proba[order][:, columns], source[columns], replicates=0)
    assert np.allclose(moved.share, found.share[columns], atol=1e-7)
    again = estimate_prevalence(proba, 100 * source, replicates=20)
    assert np.allclose(again.low, found.low) and np.allclose(again.high, found.high)
    adjusted = adjust_posteriors(proba, source, found.share)
    assert np.allclose(adjusted.sum(axis=1), 1.0)
    # The fixed point: shares are the mean of the posteriors that know them.
    if found.converged:
        assert np.abs(adjusted.mean(axis=0) - found.share).max() < 1e-5


def test_adjusted_posteriors_answer_better_and_are_calibrated():
    shares = np.array([0.05, 0.05, 0.2, 0.7])
    proba, truth = draw(5000, np.random.default_rng(4), shares)
    adjusted = adjust_posteriors(proba, PRIOR, shares)
    right = (adjusted.argmax(axis=1) == truth).mean()
    assert right > (proba.argmax(axis=1) == truth).mean() + 0.05
    assert adjusted.max(axis=1).mean() == pytest.approx(right, abs=0.02)
    assert np.allclose(adjust_posteriors(proba, PRIOR, PRIOR), proba)


def test_edges():
    one = estimate_prevalence(np.ones((5, 1)), np.array([3.0]))
    assert one.share.tolist() == one.low.tolist() == one.high.tolist() == [1.0]
    sure = estimate_prevalence(np.eye(3)[[0] * 20], np.ones(3))
    assert sure.share == pytest.approx([1, 0, 0]) and sure.high == pytest.approx([1, 0, 0])
    gone = estimate_prevalence(np.eye(3)[[0, 1] * 10], np.array([5, 5, 0]))
    assert gone.share == pytest.approx([0.5, 0.5, 0.0])
    kept = adjust_posteriors(np.eye(2), np.ones(2), np.array([1.0, 0.0]))
    assert kept.tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(("proba", "source", "more", "words"), [
    (np.zeros((0, 2)), [1, 1], {}, "no rows"),
    (np.full((2, 2), 0.5), [1, 0], {}, "class 1 has share 0"),
    (np.full((2, 2), 0.5), [0, 0], {}, "all 0"),
    (np.full((2, 2), 0.5), [1, -1], {}, "negative"),
    (np.full((2, 2), 0.5), [1, 1, 1], {}, r"expected \(2,\)"),
    (np.full((2, 2), 0.5), [1, 1], {"counts": [1, np.nan]}, "counts: negative, NaN"),
    (np.full((2, 2), 0.5), [1, 1], {"groups": ["a"]}, "groups: 1 entries, expected 2"),
    (np.full((2, 2), 0.5), [1, 1], {"level": 90}, "level: 90"),
])
def test_what_does_not_fit_is_said(proba, source, more, words):
    with pytest.raises(InputError, match=words):
        estimate_prevalence(proba, np.array(source), **more)
