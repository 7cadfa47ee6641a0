"""Bursts decided together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.hierarchy.bursts import FEW, choose_gain, pool_bursts

EVEN = np.full(3, 1 / 3)


def test_frames_of_one_species_help_each_other():
    p = np.array([[0.9, 0.05, 0.05], [0.4, 0.5, 0.1], [0.8, 0.1, 0.1]])
    out = pool_bursts(p, ["b", "b", "b"], EVEN)
    assert (out.argmax(axis=1) == 0).all()
    assert np.allclose(out[0], out[1])
    mean = np.exp(np.log(p).mean(axis=0))
    assert np.allclose(out[0], mean / mean.sum(), atol=1e-3)


def test_two_species_of_one_burst_survive():
    p = np.array([[0.95, 0.04, 0.01], [0.9, 0.05, 0.05], [0.01, 0.04, 0.95], [0.05, 0.05, 0.9]])
    out = pool_bursts(p, ["b"] * 4, EVEN)
    assert list(out.argmax(axis=1)) == [0, 0, 2, 2]
    assert np.allclose(out[0], out[1]) and np.allclose(out[2], out[3])
    assert out[0, 0] > 0.9 and out[2, 2] > 0.9


def test_rows_without_a_burst_stay_as_they_are():
    p = np.random.default_rng(0).dirichlet(np.ones(3), size=4)
    assert np.array_equal(pool_bursts(p, ["", None, "a", "b"], EVEN), p)


def test_more_gain_is_more_sure():
    p = np.tile([0.6, 0.3, 0.1], (4, 1))
    sure = [pool_bursts(p, ["b"] * 4, EVEN, gain)[0, 0] for gain in (0.0, 0.5, 1.0)]
    assert sure[0] == pytest.approx(0.6, abs=1e-3) and sure[0] < sure[1] < sure[2]


def test_lengths_must_agree():
    with pytest.raises(InputError, match="bursts: 1 entries, expected 2"):
        pool_bursts(np.ones((2, 3)) / 3, ["a"], EVEN)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 70))
def test_probabilities_and_permutations(seed, n):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(3, 0.4), size=n)
    bursts = np.array([f"b{i}" for i in rng.integers(3, size=n)], dtype=object)
    out = pool_bursts(p, bursts, EVEN, 0.25)
    assert np.allclose(out.sum(axis=1), 1) and (out >= 0).all()
    order = rng.permutation(n)
    assert np.allclose(pool_bursts(p[order], bursts[order], EVEN, 0.25), out[order])


def test_the_gain_is_chosen_by_labelled_members():
    rng = np.random.default_rng(1)
    truth = np.repeat(rng.integers(3, size=60), 3)
    p = rng.dirichlet(np.ones(3), size=180) + 0.6 * np.eye(3)[truth]
    p /= p.sum(axis=1, keepdims=True)
    bursts = np.repeat(np.arange(60), 3)
    rows = np.arange(180)
    assert choose_gain(p, bursts, EVEN, rows, truth) is not None
    mixed = rng.permutation(bursts)  # bursts that say nothing: pooling must not be worse than none
    gain = choose_gain(p, mixed, EVEN, rows, truth)
    pooled = p if gain is None else pool_bursts(p, mixed, EVEN, gain)
    loss = [-np.log(q[rows, truth] + 1e-9).mean() for q in (p, pooled)]
    assert loss[1] <= loss[0] + 1e-6
    assert choose_gain(p, bursts, EVEN, rows[: FEW - 1], truth[: FEW - 1]) == 0.0
    assert choose_gain(p, [""] * 180, EVEN, rows, truth) is None
