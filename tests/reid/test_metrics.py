"""Measures of re-identification against values worked by hand or by another library."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_curve

from ecotone.errors import InputError
from ecotone.reid.metrics import (
    clusters,
    hit_ranks,
    open_set,
    probability_ece,
    rank_figures,
    verification,
)


def test_ranks_and_average_precision_by_hand():
    similarity = np.array([[0.9, 0.8, 0.7, 0.6, -np.inf], [0.1, 0.2, 0.3, 0.4, 0.5]])
    relevant = np.array([[False, True, False, True, True], [False] * 5])
    first, precision = rank_figures(similarity, relevant)
    assert first.tolist() == [2, 0]
    assert precision[0] == pytest.approx((1 / 2 + 2 / 4) / 2) and np.isnan(precision[1])


def test_a_tie_never_helps():
    same = np.full(4, 0.5)
    assert hit_ranks(same, np.array([True, False, False, True])).tolist() == [3, 4]


def test_average_precision_as_scikit_learn():
    rng = np.random.default_rng(0)
    similarity, relevant = rng.random((20, 50)), rng.random((20, 50)) < 0.2
    relevant[:, 0] = True
    _, precision = rank_figures(similarity, relevant)
    expected = [average_precision_score(r, s) for r, s in zip(relevant, similarity, strict=True)]
    np.testing.assert_allclose(precision, expected)


def test_verification_by_hand_and_as_the_roc_curve():
    x = np.array([0.9, 0.8, 0.4, 0.7, 0.5, 0.3, 0.2])
    same = np.array([1, 1, 1, 0, 0, 0, 0], dtype=bool)
    assert verification(x, same, (0.25, 0.1, 0.5)) == {
        0.25: pytest.approx(2 / 3), 0.1: pytest.approx(2 / 3), 0.5: 1.0}
    rng = np.random.default_rng(1)
    same = rng.random(5000) < 0.1
    x = rng.normal(same * 1.5, 1.0)
    wrong, right, _ = roc_curve(same, x, drop_intermediate=False)
    for far, tar in verification(x, same, (0.01, 0.001)).items():
        assert tar == pytest.approx(right[wrong <= far].max())


def test_verification_without_pairs_of_a_kind():
    assert np.isnan(verification(np.ones(3), np.ones(3))[0.01])
    with pytest.raises(InputError, match="shapes"):
        verification(np.ones(3), np.ones(2))


def test_open_set_by_hand():
    truth = ["a", "a", "a", "b", "x", "x", "y"]
    said = ["a", "b", "new", "b", "new", "a", "new"]
    found = open_set(truth, said, known=["a", "b", "c"])
    assert found["baks"] == pytest.approx((1 / 3 + 1) / 2)
    assert found["baus"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["geometric_mean"] == pytest.approx(np.sqrt(2 / 3 * 3 / 4))
    assert found["aks"] == pytest.approx(2 / 4) and found["aus"] == pytest.approx(2 / 3)
    assert found["normalised"] == pytest.approx((2 / 4 + 2 / 3) / 2)
    assert (found["known"], found["new"]) == (4, 3)


def test_open_set_without_new_ones():
    found = open_set(["a"], ["a"], known=["a"])
    assert found["baks"] == 1 and np.isnan(found["baus"]) and np.isnan(found["geometric_mean"])


def test_clusters_by_hand():
    truth, found = ["a", "a", "a", "b", "b"], [0, 0, 1, 1, 1]
    out = clusters(truth, found)
    assert out["bcubed_precision"] == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3) / 5)
    assert out["bcubed_recall"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5)
    p, r = out["bcubed_precision"], out["bcubed_recall"]
    assert out["bcubed_f1"] == pytest.approx(2 * p * r / (p + r))
    assert out["ari"] == pytest.approx(1 / 6)  # 2 pairs right of 4 and 4, expected 1.6 of 10
    assert (out["individuals"], out["clusters"]) == (2, 2)
    assert clusters(truth, truth)["ari"] == clusters(truth, truth)["bcubed_f1"] == 1


def test_calibration_error_by_hand():
    p = np.array([0.05, 0.05, 0.95, 0.95])
    assert probability_ece(p, np.array([0, 1, 1, 1]), bins=10) == pytest.approx(
        0.5 * 0.45 + 0.5 * 0.05)
