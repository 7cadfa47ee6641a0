"""Two predictors on the same rows: by hand, in any order, and never surer than its groups allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.evaluation.paired import GUARD, paired_change


def draw(seed: int, m: int = 40, gain: float = 0.0):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, m)
    before = rng.dirichlet(np.ones(3), m)
    after = (1 - gain) * before + gain * np.eye(3)[target]
    return before, after, target, rng.integers(0, 12, m), rng.uniform(0.5, 2, m)


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_figures_by_hand_and_in_any_order(seed):
    before, after, target, groups, weight = draw(seed, gain=0.2)
    found = paired_change(before, after, target, groups, weight)
    losses = [-np.log((1 - GUARD) * p[np.arange(40), target] + GUARD / 3) for p in (before, after)]
    assert found.before == pytest.approx(np.average(losses[0], weights=weight))
    assert found.change == pytest.approx(np.average(losses[1] - losses[0], weights=weight))
    parts = []
    for g in set(groups):
        mine = groups == g
        parts.append((weight[mine] * (losses[1] - losses[0] - found.change)[mine]).sum())
    size = len(parts)
    by_hand = np.sqrt(np.sum(np.square(parts)) * size / (size - 1)) / weight.sum()
    assert found.error == pytest.approx(by_hand)
    order = np.random.default_rng(seed).permutation(40)
    again = paired_change(before[order], after[order], target[order], groups[order], weight[order])
    assert again.change == pytest.approx(found.change) and again.better == found.better


def test_a_clear_gain_is_kept_no_change_and_a_loss_are_not():
    before, after, target, groups, _ = draw(1, 200, 0.3)
    assert paired_change(before, after, target, groups).better
    assert not paired_change(after, before, target, groups).better
    assert not paired_change(before, before, target, groups).better


def test_one_group_is_one_draw_and_proves_nothing():
    before, after, target, _, _ = draw(2, 50, 0.9)
    found = paired_change(before, after, target, np.zeros(50))
    assert found.change < 0 and not found.better


def test_noise_is_seldom_kept():
    kept = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        target = rng.integers(0, 3, 60)
        pair = [rng.dirichlet(np.ones(3), 60) for _ in range(2)]
        kept += paired_change(*pair, target).better
    assert kept < 50  # one in six by the rule, half of them by the mean alone


def test_what_does_not_fit_is_told():
    with pytest.raises(InputError, match="no held-out rows"):
        paired_change(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, int))
    with pytest.raises(InputError, match="expected"):
        paired_change(np.ones((3, 2)), np.ones((2, 2)), np.zeros(3, int))
