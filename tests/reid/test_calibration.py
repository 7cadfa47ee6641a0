"""Similarities to probabilities of the same individual."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.reid.calibration import SimilarityCalibrator
from ecotone.reid.metrics import probability_ece
from ecotone.reid.pairs import calibration_pairs


def pairs_of(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    same = rng.random(n) < 0.2
    return np.where(same, rng.normal(0.6, 0.15, n), rng.normal(0.2, 0.15, n)), same


@pytest.mark.parametrize("method", ["isotonic", "logistic"])
def test_probabilities_are_calibrated_on_other_pairs(method):
    x, same = pairs_of(seed=0)
    other, truth = pairs_of(seed=1)
    p = SimilarityCalibrator(method).fit(x, same).probability(other)
    assert probability_ece(p, truth) < 0.02
    assert abs(p.mean() - truth.mean()) < 0.02


@pytest.mark.parametrize("method", ["isotonic", "logistic"])
@pytest.mark.parametrize("scale", [1.0, 250.0])  # cosines, numbers of matched points
def test_strictly_increasing_inside_and_outside_the_pairs(method, scale):
    x, same = pairs_of(300)
    calibrator = SimilarityCalibrator(method).fit(scale * x, same)
    p = calibrator.probability(scale * np.linspace(-2, 3, 400))
    assert (np.diff(p) > 0).all()
    assert p.min() > 0 and p.max() < 1


def test_the_scale_of_a_similarity_does_not_matter():
    x, same = pairs_of(500)
    one = SimilarityCalibrator().fit(x, same).probability(x)
    other = SimilarityCalibrator().fit(1000 * x + 7, same).probability(1000 * x + 7)
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_a_step_of_few_pairs_is_no_certainty():
    x = np.concatenate([np.linspace(0, 0.4, 100), np.linspace(0.5, 0.6, 25)])
    p = SimilarityCalibrator().fit(x, np.arange(125) >= 100).probability(np.array([0.6]))
    assert 0.9 < p[0] < 0.99


@pytest.mark.parametrize(("same", "word"), [(False, "second picture"), (True, "second individual")])
def test_one_kind_of_pairs_keeps_the_order_and_says_so(same, word):
    x = np.array([0.1, 0.5, 0.3])
    calibrator = SimilarityCalibrator().fit(x, np.full(3, same))
    assert not calibrator.informative_ and word in calibrator.note_
    p = calibrator.probability(x)
    assert (np.argsort(p) == np.argsort(x)).all()
    assert (p.mean() > 0.5) == same


def test_equal_similarities_say_nothing():
    calibrator = SimilarityCalibrator().fit(np.ones(40), np.arange(40) < 20)
    assert not calibrator.informative_ and "same similarity" in calibrator.note_
    assert calibrator.probability(np.array([1.0]))[0] == pytest.approx(0.5, abs=0.01)


def test_a_misleading_similarity_is_flat_not_turned_round():
    x, same = pairs_of(400)
    calibrator = SimilarityCalibrator("logistic").fit(-x, same)
    p = calibrator.probability(np.array([-1.0, 0.0, 1.0]))
    assert (np.diff(p) > 0).all() and p.max() - p.min() < 0.1
    assert "does not tell" in calibrator.note_


def test_missing_similarities_are_left_out_and_stay_missing():
    x, same = pairs_of(200)
    x[:5] = np.nan
    calibrator = SimilarityCalibrator().fit(x, same)
    assert calibrator.n_same_ + calibrator.n_different_ == 195
    assert np.isnan(calibrator.probability(np.array([np.nan, 0.2]))).tolist() == [True, False]


def test_bad_input():
    with pytest.raises(InputError, match="none of"):
        SimilarityCalibrator("spline")
    with pytest.raises(InputError, match="one length"):
        SimilarityCalibrator().fit(np.zeros(3), np.zeros(2))
    with pytest.raises(InputError, match="no pair"):
        SimilarityCalibrator().fit(np.full(3, np.nan), np.zeros(3))
    with pytest.raises(InputError, match="infinite"):
        SimilarityCalibrator().fit(np.array([0.0, np.inf]), np.array([0, 1]))
    with pytest.raises(InputError, match="not fitted"):
        SimilarityCalibrator().probability(np.zeros(1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.booleans()), min_size=1, max_size=60))
def test_any_pairs_give_probabilities_in_order(rows):
    x, same = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    p = SimilarityCalibrator().fit(x, same).probability(np.sort(x))
    assert ((p > 0) & (p < 1)).all() and (np.diff(p) >= -1e-12).all()


# Pairs


def test_pairs_of_a_group_without_bursts_and_copies():
    who = ["a", "a", "a", "b", "", "a"]
    group = ["g", "g", "g", "g", "g", "h"]
    met = ["1", "1", "2", "", "", "3"]
    pairs = calibration_pairs(who, group, met)
    found = {(i, j): s for i, j, s in zip(pairs.left, pairs.right, pairs.same, strict=True)}
    assert found == {(0, 2): True, (1, 2): True, (0, 3): False, (1, 3): False, (2, 3): False}
    assert (pairs.weight == 1).all() and not pairs.note
    without = calibration_pairs(who, group, met, copies=np.array([0, 1, 0, 2, 3, 4]))
    assert not ((without.left == 0) & (without.right == 2)).any()


def test_bursts_alone_count_a_tenth():
    pairs = calibration_pairs(["a", "a", "b", "b"], None, ["1", "1", "2", "2"])
    assert pairs.weight[pairs.same].tolist() == [0.1, 0.1]
    assert "encounter" in pairs.note


def test_many_pairs_are_drawn_with_weights_that_keep_the_share():
    rng = np.random.default_rng(0)
    who = rng.integers(0, 40, 600).astype(str)
    everything = calibration_pairs(who)
    drawn = calibration_pairs(who, most=3000)
    assert len(drawn) < 7000 < len(everything)
    share = everything.weight[everything.same].sum() / everything.weight.sum()
    same = drawn.same
    different = everything.weight[~everything.same].sum()
    assert drawn.weight[~same].sum() == pytest.approx(different, rel=0.05)
    assert share == pytest.approx(1 / 40, abs=0.01)
    assert (who[drawn.left[same]] == who[drawn.right[same]]).all()
    assert (who[drawn.left[~same]] != who[drawn.right[~same]]).all()
    again = calibration_pairs(who, most=3000)
    assert (again.left == drawn.left).all()
