"""The map: its equations recomputed the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ecotone.errors import InputError
from ecotone.fusion.mapping import (
    FLOOR,
    RATIO_LIMIT,
    Mapping,
    complete_base,
    fit_theta,
    log_evidence,
    source_prior,
)
from ecotone.types import GlobalScores


def random_case(seed: int, n: int = 12, s: int = 6, k: int = 4):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(s, 0.4), n)
    theta = rng.dirichlet(np.ones(s), k)
    prior = rng.dirichlet(np.full(s, 5.0))
    return rng, p, theta, prior


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_evidence_of_complete_rows(seed):
    _, p, theta, prior = random_case(seed)
    slow = np.zeros((len(p), len(theta)))
    for i in range(len(p)):
        for k in range(len(theta)):
            slow[i, k] = sum(
                min(p[i, s] / prior[s], RATIO_LIMIT) * theta[k, s] for s in range(p.shape[1])
            )
    slow = np.log((1 - FLOOR) * slow + FLOOR)
    given_scores = GlobalScores.from_dense(p, [f"g{s}" for s in range(p.shape[1])])
    np.testing.assert_allclose(log_evidence(given_scores, theta, prior), slow, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_truncated_rows_spread_their_missing_mass_by_the_source_prior(seed):
    _, p, theta, prior = random_case(seed)
    top = np.argsort(-p, axis=1)[:, :2]
    kept = np.zeros_like(p)
    np.put_along_axis(kept, top, np.take_along_axis(p, top, 1), 1)
    spread = kept.copy()
    for i in range(len(p)):
        out = kept[i] == 0
        spread[i, out] = (1 - kept[i].sum()) * prior[out] / prior[out].sum()
    names = tuple(f"g{s}" for s in range(p.shape[1]))
    truncated = log_evidence(GlobalScores(sparse.csr_matrix(kept), names), theta, prior)
    dense = log_evidence(GlobalScores.from_dense(spread, names), theta, prior)
    np.testing.assert_allclose(truncated, dense, atol=1e-3)


def test_a_row_without_scores_says_nothing():
    _, p, theta, prior = random_case(3)
    p[4] = 0
    evidence = log_evidence(GlobalScores(sparse.csr_matrix(p), tuple("abcdef")), theta, prior)
    assert (evidence[4] == 0).all()
    assert (evidence[5] != 0).any()


def test_labels_move_theta_to_what_the_model_says_of_a_class():
    names = ("deer", "dog")
    scores = GlobalScores.from_dense(np.array([[0.1, 0.9]] * 30 + [[0.9, 0.1]] * 30), names)
    base = np.array([[0.5, 0.5], [0.9, 0.1]])
    prior = np.array([0.5, 0.5])
    targets = np.zeros((30, 2))
    targets[:, 0] = 1
    theta = fit_theta(scores, np.arange(30), targets, base, prior)
    assert theta[0, 1] > 0.8
    np.testing.assert_allclose(theta[1], base[1])  # no label, no change
    np.testing.assert_allclose(theta.sum(axis=1), 1)


def test_theta_is_the_fixed_point_of_em_without_floor():
    """With plain complete scores and no prior the EM maximises the labelled likelihood."""
    rng, p, _, prior = random_case(5, n=80, s=3, k=1)
    base = np.full((1, 3), 1 / 3)
    theta = fit_theta(
        GlobalScores.from_dense(p, "abc"), np.arange(80), np.ones((80, 1)), base, prior, kappa=1e-6
    )[0]
    ratio = p / prior

    def likelihood(t):
        return np.log((1 - FLOOR) * ratio @ t + FLOOR).sum()

    best = likelihood(theta)
    for other in rng.dirichlet(np.ones(3), 300):
        assert likelihood(other) <= best + 0.05


def test_source_prior_sums_to_one_also_when_truncated():
    scores = GlobalScores(sparse.csr_matrix([[0.5, 0, 0], [0, 0.2, 0]]), tuple("abc"))
    prior = source_prior(scores)
    assert prior.sum() == pytest.approx(1)
    assert prior[0] > prior[1] > prior[2] > 0


def test_base_measure_rows_sum_to_one():
    base = complete_base(np.array([[0.7, 0.0], [0.0, 0.0]]), np.array([0.25, 0.75]))
    np.testing.assert_allclose(base.sum(axis=1), 1)
    np.testing.assert_allclose(base[1], [0.25, 0.75])


def test_explain_both_ways_and_unknown_names():
    mapping = Mapping(
        theta=np.array([[0.8, 0.2], [0.1, 0.9]]),
        source_prior=np.array([0.5, 0.5]),
        prior=np.array([0.5, 0.5]),
        local_classes=("fox", "deer"),
        global_classes=("Vulpes", "Cervidae"),
        kind=np.array(["exact", "exact"], dtype=object),
    )
    assert mapping.explain("fox", top=1) == [("Vulpes", 0.8)]
    name, weight = mapping.explain("Vulpes")[0]
    assert name == "fox" and weight == pytest.approx(0.8 / 0.9)
    with pytest.raises(InputError, match="wolf"):
        mapping.explain("wolf")
