"""Closed-form heads: what they promise on covariances, on held-out individuals, on odd input."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.covariance import ledoit_wolf

from ecotone.errors import InputError
from ecotone.reid.linear_heads import DiscriminantHead, LinearHead, WhiteningHead, classes_of
from tests.reid.made import make_individuals, top1

HEADS = [WhiteningHead(), DiscriminantHead()]


def test_whitened_residuals_have_the_identity_as_covariance():
    x, who = make_individuals(individuals=80, pictures=5, dims=12, telling=3)
    head = WhiteningHead(shrinkage=0.0).fit(x, who)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    space = (unit - head.mean_) @ head.projection_
    residual = np.vstack([space[who == w] - space[who == w].mean(axis=0) for w in set(who)])
    np.testing.assert_allclose(residual.T @ residual / (len(x) - 80), np.eye(12), atol=5e-3)


def test_shrinkage_is_that_of_ledoit_and_wolf():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 10)) * np.linspace(0.5, 2, 10)
    pairs = np.vstack([x[:, None, :], -x[:, None, :]]).reshape(2, 400, 10)
    rows = np.concatenate([pairs[0], pairs[1]]) * 0.02
    rows = np.hstack([rows, np.ones((800, 1))])  # far away: unit rows are nearly the rows
    who = np.tile(np.arange(400), 2)
    found = WhiteningHead().fit(rows, who).shrinkage_
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    residual = unit - 0.5 * (unit[:400] + unit[400:])[who]
    expected = ledoit_wolf(residual, assume_centered=True)[1]
    assert found == pytest.approx(2 * expected, rel=0.2)  # half of the residuals are free


@pytest.mark.parametrize("head", HEADS, ids=str)
@pytest.mark.parametrize("pictures, dims", [(2, 200), (4, 60)])
def test_better_on_individuals_it_has_not_seen(head, pictures, dims):
    x, who = make_individuals(individuals=90, pictures=pictures, dims=dims)
    new, names = make_individuals(individuals=30, pictures=3, dims=dims, seed=5)
    before = top1(new, names)
    after = top1(clone(head).fit(x, who).transform(new), names)
    assert after > before + 0.2


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_order_of_rows_and_names_of_individuals_change_nothing(head):
    x, who = make_individuals(pictures=3)
    before = clone(head).fit(x, who).transform(x)
    order = np.random.default_rng(1).permutation(len(x))
    after = clone(head).fit(x[order], who[order]).transform(x)
    renamed = clone(head).fit(x, [w[::-1] for w in who]).transform(x)
    np.testing.assert_allclose(before @ before.T, after @ after.T, atol=1e-4)
    np.testing.assert_allclose(before @ before.T, renamed @ renamed.T, atol=1e-4)


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_identical_pictures_and_individuals_with_one_picture(head):
    x, who = make_individuals(individuals=10, pictures=3)
    x = np.vstack([x, x[:3], x[:1] + 1])
    who = np.concatenate([who, who[:3], ["alone"]])
    space = clone(head).fit(x, who).transform(x)
    assert np.isfinite(space).all()
    np.testing.assert_allclose(np.linalg.norm(space, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(space[:3], space[30:33], atol=1e-5)


def test_nothing_to_learn_from():
    with pytest.raises(InputError, match="there are none: 3 pictures of 3 individuals"):
        WhiteningHead().fit(np.eye(3), ["a", "b", "c"])
    with pytest.raises(InputError, match="there are none"):
        WhiteningHead().fit(np.ones((4, 3)), ["a", "a", "b", "b"])
    with pytest.raises(InputError, match="there are none"):
        WhiteningHead().fit(np.empty((0, 3)), [])
    with pytest.raises(InputError, match="2 individuals, expected three"):
        DiscriminantHead().fit(np.eye(4), ["a", "a", "b", "b"])


def test_discriminant_axes_are_at_most_as_many_as_asked():
    x, who = make_individuals()
    assert DiscriminantHead(dimensions=5).fit(x, who).projection_.shape == (60, 5)
    found = DiscriminantHead().fit(x, who).projection_.shape[1]
    assert 8 <= found < 30


def test_identity_and_checks():
    x, who = make_individuals(individuals=4)
    unit = LinearHead().fit_transform(x, who)
    np.testing.assert_allclose(unit, x / np.linalg.norm(x, axis=1, keepdims=True), rtol=1e-5)
    with pytest.raises(InputError, match="not fitted"):
        WhiteningHead().transform(x)
    with pytest.raises(InputError, match="60 dimensions|expected 60"):
        WhiteningHead().fit(x, who).transform(x[:, :5])
    with pytest.raises(InputError, match="row 2 is NaN"):
        x[2, 1] = np.nan
        WhiteningHead().fit(x, who)
    with pytest.raises(InputError, match="shrinkage"):
        WhiteningHead(shrinkage=2.0).fit(np.eye(2), ["a", "a"])
    with pytest.raises(InputError, match="row 1 has none"):
        WhiteningHead().fit(np.eye(2), ["a", ""])


def test_flanks_are_classes():
    names, number = classes_of(["a", "a", "b"], ["l", "r", None], 3)
    assert len(names) == 3 and sorted(number) == [0, 1, 2]
