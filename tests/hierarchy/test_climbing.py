"""Climbing and its threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.hierarchy.climbing import (
    Evidence,
    climb,
    conformal_threshold,
    least_items,
    surest_wrong,
)
from ecotone.hierarchy.tree import ClassTree
from tests.hierarchy.trees import SPECIES, taxonomy

TREE = ClassTree.build([*SPECIES, "blank"], taxonomy())
K = len(TREE.classes)


def surety(p, node):
    below = [k for k in range(K) if TREE.under[k, node]]
    return max(1 - len(below) * (1 - sum(p[k] for k in below)), 0.0)


def slow_climb(p, theta):
    node = int(TREE.class_node[int(np.argmax(p))])
    while node > 0 and surety(p, node) <= theta:
        node = int(TREE.parent[node])
    return node


def slow_surest_wrong(p, truth):
    score, node = 0.0, int(TREE.class_node[int(np.argmax(p))])
    while node > 0:
        if node not in TREE.above(truth):
            score = max(score, surety(p, node))
        node = int(TREE.parent[node])
    return score


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 0.999), st.floats(0.05, 3))
def test_against_the_slow_way(seed, theta, spread):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(K, spread), size=8)
    evidence = Evidence.of(p, TREE)
    answer = climb(evidence, TREE, theta)
    assert list(answer) == [slow_climb(row, theta) for row in p]
    truth = TREE.class_node[rng.integers(K, size=8)]
    score = surest_wrong(evidence, TREE, truth)
    assert np.allclose(score, [slow_surest_wrong(r, int(t)) for r, t in zip(p, truth, strict=True)])
    # What makes the guarantee: an answer is wrong if and only if its score is above theta.
    right = TREE.holds(answer, truth)
    sure = np.abs(score - theta) > 1e-9
    assert (right == (score <= theta))[sure].all()


def test_no_answer_at_an_infinite_threshold():
    evidence = Evidence.of(np.eye(K), TREE)
    assert (climb(evidence, TREE, math.inf) == 0).all()
    assert (climb(evidence, TREE, 0.5) == TREE.class_node).all()


def test_mass_of_a_class_that_may_not_be_answered_speaks_for_its_genus():
    p = np.zeros((1, K))
    names = list(TREE.classes)
    p[0, names.index("Panthera leo")], p[0, names.index("Panthera pardus")] = 0.9, 0.1
    allowed = np.array([name != "Panthera leo" for name in names])
    evidence = Evidence.of(p, TREE, allowed)
    node = climb(evidence, TREE, 0.05)
    assert TREE.nodes[int(node[0])] == "panthera"
    # It holds two classes: its doubt may be half as large.
    assert evidence.needed(node, 0.9) == pytest.approx(0.95)


def test_an_answer_holds_what_was_spoken_of():
    p = np.eye(K)[[0]]
    spoken = np.array([TREE.class_node[list(TREE.classes).index("Equus quagga")]])
    node = climb(Evidence.of(p, TREE, None, spoken), TREE, 0.5)
    assert TREE.nodes[int(node[0])] == "mammalia"


@pytest.mark.parametrize("n, alpha, place", [(19, 0.05, 19), (99, 0.01, 99), (100, 0.1, 91)])
def test_the_threshold_is_the_order_statistic(n, alpha, place):
    scores = np.random.default_rng(0).permutation(np.arange(1, n + 1) / (n + 1))
    assert conformal_threshold(scores, alpha) == pytest.approx(place / (n + 1))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.2, 0.5])
def test_few_items_give_no_threshold(alpha):
    need = least_items(alpha)
    assert math.isinf(conformal_threshold(np.zeros(need - 1), alpha))
    assert math.isfinite(conformal_threshold(np.zeros(need), alpha))


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_alpha_out_of_range(alpha):
    with pytest.raises(InputError, match="alpha"):
        conformal_threshold(np.zeros(3), alpha)


def test_the_bound_holds_for_exchangeable_items():
    rng = np.random.default_rng(3)
    held = []
    for _ in range(300):
        scores = rng.beta(0.3, 2.0, size=60)
        held.append(rng.beta(0.3, 2.0, size=40) <= conformal_threshold(scores, 0.1))
    rate, error = np.mean(held), np.std([h.mean() for h in held]) / 300**0.5
    assert 0.9 - 3 * error <= rate <= 0.9 + 1 / 61 + 3 * error
