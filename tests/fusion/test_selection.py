"""Folds, pool weights, agreement and temperature."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.fusion.selection import agreement, fit_temperature, make_folds, pool_weights


def keys_for(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, n).astype(np.uint64)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(1, 6), st.integers(0, 10**6))
def test_folds_are_balanced_within_classes(n, k, seed):
    labels = np.random.default_rng(seed).integers(0, k, n)
    fold = make_folds(labels, keys_for(n, seed), None, 3)
    for c in np.unique(labels):
        counts = np.bincount(fold[labels == c], minlength=3)
        assert counts.max() - counts.min() <= 1


def test_equal_pictures_share_a_fold():
    keys = keys_for(30)
    keys[7] = keys[21]
    fold = make_folds(np.zeros(30, int), keys, None, 3)
    assert fold[7] == fold[21]


def test_groups_are_never_split():
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 8, 90).astype(str)
    fold = make_folds(rng.integers(0, 3, 90), keys_for(90), groups, 3)
    for g in np.unique(groups):
        assert len(np.unique(fold[groups == g])) == 1
    assert len(np.unique(fold)) == 3


def test_pool_weights_follow_evidence_and_fall_back_to_labels_only():
    is_local = np.array([True, False])
    silent = pool_weights(None, np.zeros(2), is_local)
    assert silent[0] > 0.8  # nothing speaks for the student
    spoken = pool_weights(None, np.array([0.0, 1.0]), is_local)
    assert spoken[1] > 0.95  # the student foretells the global model
    rng = np.random.default_rng(0)
    likelihood = np.stack([rng.uniform(0.2, 0.4, 300), rng.uniform(0.7, 0.9, 300)])
    learned = pool_weights(likelihood, np.zeros(2), is_local)
    assert learned[1] > 0.9
    for w in (silent, spoken, learned):
        assert abs(w.sum() - 1) < 1e-9


def test_agreement_of_truth_beats_chance_and_noise():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 400)
    evidence = np.log(0.2 + 3.2 * np.eye(4)[y])
    good = np.log(0.04 + 0.84 * np.eye(4)[y])
    flat = np.full((400, 4), np.log(0.25))
    assert agreement(good, evidence) > agreement(flat, evidence) + 0.3
    shuffled = good[rng.permutation(400)]
    assert agreement(shuffled, evidence) < agreement(flat, evidence) + 0.05
    assert agreement(good[:0], evidence[:0]) == 0


def test_temperature_mends_overconfidence():
    rng = np.random.default_rng(0)
    p = np.array([0.7, 0.3])
    y = (rng.random(800) < 0.3).astype(int)
    loud = np.tile(p**2.2 / (p**2.2).sum(), (800, 1))
    assert 1.7 < fit_temperature(loud, y) <= 2.5
    assert fit_temperature(loud[:5], y[:5]) == 1.0
