"""Every figure against scikit-learn or a slow recomputation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as referee

from ecotone.errors import InputError
from ecotone.evaluation import metrics


def case(seed: int, rows: int = 60, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    proba = rng.dirichlet(np.full(classes, 0.4), rows)
    proba[np.arange(rows), truth] += rng.random(rows)
    return truth, proba / proba.sum(axis=1, keepdims=True)


@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(2, 9))
@settings(max_examples=60, deadline=None)
def test_the_five_figures_agree_with_scikit_learn(seed, rows, classes):
    truth, proba = case(seed, rows, classes)
    predicted, present = proba.argmax(axis=1), np.unique(truth)
    found = metrics.measure(truth, proba)
    assert found["accuracy"] == pytest.approx(referee.accuracy_score(truth, predicted))
    assert found["per_class_accuracy"] == pytest.approx(
        referee.recall_score(truth, predicted, labels=present, average="macro", zero_division=0)
    )
    assert found["macro_f1"] == pytest.approx(
        referee.f1_score(truth, predicted, labels=present, average="macro", zero_division=0)
    )
    labels = np.arange(classes)
    clipped = np.maximum(proba, metrics.FLOOR)
    p = clipped / clipped.sum(axis=1, keepdims=True)
    assert found["log_loss"] == pytest.approx(
        referee.log_loss(truth, p, labels=labels), abs=1e-4
    )


def test_confusion_agrees_with_scikit_learn():
    truth, proba = case(3)
    predicted = proba.argmax(axis=1)
    wanted = referee.confusion_matrix(truth, predicted, labels=np.arange(6))
    assert np.array_equal(metrics.confusion(truth, predicted, 6), wanted)


def test_a_class_that_is_never_predicted_counts_with_nought():
    truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    assert metrics.per_class_accuracy(truth, predicted) == 0.5
    assert metrics.accuracy(truth, predicted) == 0.75
    each = metrics.class_accuracy(truth, predicted, 3)
    assert each[0] == 1 and each[1] == 0 and np.isnan(each[2])


def test_no_answer_is_wrong_and_in_no_column():
    truth, predicted = np.array([0, 1, 1]), np.array([-1, 1, -1])
    assert metrics.accuracy(truth, predicted) == pytest.approx(1 / 3)
    assert metrics.per_class_accuracy(truth, predicted) == pytest.approx(0.25)
    assert metrics.confusion(truth, predicted, 2).sum() == 1


def test_log_loss_of_a_class_never_considered_is_bounded():
    assert metrics.log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-6))


def slow_ece(truth: np.ndarray, proba: np.ndarray, edges: np.ndarray) -> float:
    total = 0.0
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == truth
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            total += inside.mean() * gap
    return total


@given(st.integers(0, 10_000), st.integers(2, 30))
@settings(max_examples=40, deadline=None)
def test_ece_of_equal_width_is_recomputed_bin_by_bin(seed, bins):
    truth, proba = case(seed)
    wanted = slow_ece(truth, proba, np.linspace(0, 1, bins + 1))
    assert metrics.ece(truth, proba, bins) == pytest.approx(wanted, abs=1e-9)


def test_ece_by_mass_has_even_bins_and_vanishes_for_the_calibrated():
    rng = np.random.default_rng(0)
    top = rng.uniform(0.5, 1.0, 30_000)
    truth = (rng.random(30_000) > top).astype(int)
    proba = np.stack([top, 1 - top], axis=1)
    table = metrics.reliability(truth, proba, 15, "mass")
    assert set(table["rows"]) == {2000}
    assert metrics.ece(truth, proba, 15, "mass") < 0.02
    assert metrics.ece(truth, proba) < 0.02
    sure = np.stack([np.full(30_000, 0.99), np.full(30_000, 0.01)], axis=1)
    assert metrics.ece(truth, sure) == pytest.approx(abs(0.99 - (truth == 0).mean()))


@pytest.mark.parametrize(
    ("truth", "proba", "words"),
    [
        ([], np.zeros((0, 3)), "no test rows"),
        ([0, 1], np.ones((3, 2)) / 2, "expected"),
        ([2], np.ones((1, 2)) / 2, "outside"),
        ([0], np.array([[np.nan, 0.5]]), "NaN"),
    ],
)
def test_wrong_input_is_named(truth, proba, words):
    with pytest.raises(InputError, match=words):
        metrics.measure(np.array(truth, dtype=int), proba)


def test_unknown_binning_is_named():
    truth, proba = case(0)
    with pytest.raises(InputError, match="'width' or 'mass'"):
        metrics.ece(truth, proba, binning="depth")


def test_a_row_of_weight_two_is_two_rows():
    rng = np.random.default_rng(4)
    truth, proba = rng.integers(0, 3, 40), rng.dirichlet(np.ones(3), 40)
    weight = rng.integers(1, 4, 40)
    again = np.repeat(np.arange(40), weight)
    weighted = metrics.measure(truth, proba, weight.astype(float))
    assert weighted == pytest.approx(metrics.measure(truth[again], proba[again]))
    assert metrics.measure(truth, proba, np.ones(40)) == pytest.approx(
        metrics.measure(truth, proba))
