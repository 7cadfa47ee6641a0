"""Weights of labels: in what is measured and calibrated, not in what is learned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone import FusionClassifier
from ecotone.errors import InputError
from ecotone.fusion.inputs import check_label_weight
from ecotone.fusion.selection import fit_temperature, pool_weights, selection_table
from tests.fusion.test_classifier import MODEL, NAMES, reserve


def fit(label_weight=None, **options):
    x, p, labels, y = reserve(labelled=24, **options)
    clf = FusionClassifier(NAMES, MODEL).fit(x, p, labels, label_weight=label_weight)
    return clf, clf.predict_proba(x, p), y


def test_none_and_equal_weights_are_the_same_to_the_last_digit():
    plain, proba, _ = fit()
    for weight in (np.ones(24), np.full(160, 3.0), [2] * 24):
        same, other, _ = fit(weight)
        np.testing.assert_array_equal(proba, other)
        assert plain.selection_.table == same.selection_.table


def test_weights_change_figures_and_calibration_and_not_the_candidates():
    weight = np.where(np.arange(24) < 4, 12.0, 0.3)
    plain, _, _ = fit()
    clf, proba, _ = fit(weight)
    by_row, same, _ = fit(np.concatenate([weight, np.full(136, 99.0)]))
    np.testing.assert_array_equal(proba, same)  # weights of rows without a label say nothing
    assert by_row.selection_.table == clf.selection_.table
    assert plain.selection_.loss != clf.selection_.loss
    names = [row["name"] for row in plain.selection_]
    assert names == [row["name"] for row in clf.selection_]
    assert [r["agreement"] for r in plain.selection_] == [r["agreement"] for r in clf.selection_]


def test_a_label_of_weight_two_is_two_labels():
    rng = np.random.default_rng(3)
    likelihood = rng.uniform(0.05, 1, (4, 12))
    right = rng.random((4, 12)) < 0.7
    weight = np.array([2.0, 1, 3, 1, 1, 2, 1, 1, 1, 1, 1, 1])
    again = np.repeat(np.arange(12), weight.astype(int))
    agreements, local = rng.random(4), np.array([True, False, False, False])
    one = pool_weights(likelihood, agreements, local, weight)
    two = pool_weights(likelihood[:, again], agreements, local)
    np.testing.assert_allclose(one, two)
    proba = rng.dirichlet(np.ones(3), 12)
    labels = rng.integers(0, 3, 12)
    assert fit_temperature(proba, labels, weight) == pytest.approx(
        fit_temperature(proba[again], labels[again]))
    table = selection_table(list("abcd"), likelihood, right, agreements, one, one, weight)
    plain = selection_table(list("abcd"), likelihood[:, again], right[:, again], agreements, two,
                            two)
    for a, b in zip(table, plain, strict=True):
        assert a["loss"] == pytest.approx(b["loss"])
        assert a["accuracy"] == pytest.approx(b["accuracy"])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20))
def test_weights_sum_to_the_labels_they_are_worth(weights):
    target = np.array([0] * len(weights) + [-1, -1])
    own = check_label_weight(weights, target)
    worth = sum(weights) ** 2 / sum(w * w for w in weights)
    assert own.sum() == pytest.approx(worth)
    assert worth <= len(weights) * (1 + 1e-9)
    np.testing.assert_allclose(own / own[0], np.array(weights) / weights[0])


@pytest.mark.parametrize("weight, told", [
    (np.ones(7), "shape (7,), expected (160,), one a row, or (24,), one a labelled row"),
    (np.full(24, -1.0), "NaN, infinite or negative"), (np.full(24, np.nan), "NaN, infinite"),
    (np.zeros(24), "all 0"), (["a"] * 24, "expected numbers"), (np.ones((24, 1)), "shape (24, 1)"),
])
def test_weights_that_do_not_fit_are_refused(weight, told):
    with pytest.raises(InputError, match=".*") as error:
        fit(weight)
    assert told in str(error.value)
