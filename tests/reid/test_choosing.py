"""The choice of a head: better out of fold, or none."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.reid.choosing import best_head, mean_average_precision
from ecotone.reid.linear_heads import DiscriminantHead, LinearHead, WhiteningHead
from tests.reid.made import make_individuals, top1

CLOSED = {"whitening": WhiteningHead(), "discriminant": DiscriminantHead()}


def test_takes_the_head_that_helps_on_new_individuals():
    x, who = make_individuals(individuals=60, pictures=4)
    new, names = make_individuals(individuals=30, pictures=3, seed=5)
    found = best_head(x, who, heads=CLOSED)
    assert found.name in CLOSED and top1(found.head.transform(new), names) > top1(new, names) + 0.2
    assert np.mean(found.scores[found.name]) > np.mean(found.scores["identity"])
    assert type(found.fresh()) is type(found.head) and "mAP" in found.note


def test_keeps_the_embeddings_where_heads_only_learn_noise():
    rng = np.random.default_rng(0)
    worse = 0
    for seed in range(5):
        who = np.repeat([f"i{i}" for i in range(12)], 2)
        x = rng.normal(size=(24, 40)) + np.repeat(rng.normal(size=(12, 40)), 2, axis=0)
        found = best_head(x, who, heads=CLOSED, random_state=seed)
        worse += np.mean(found.scores[found.name]) < np.mean(found.scores["identity"])
    assert worse == 0


def test_too_few_to_judge_by():
    x, who = make_individuals(individuals=5, pictures=2)
    found = best_head(x, who, heads=CLOSED)
    assert found.name == "identity" and "stay as they are" in found.note
    np.testing.assert_allclose(found.head.transform(x), LinearHead().fit_transform(x, who))
    one = best_head(x[:1], who[:1], heads=CLOSED)
    assert one.name == "identity"


def test_a_head_that_cannot_learn_is_not_chosen():
    who = np.repeat([f"i{i}" for i in range(9)], 2)
    x = np.repeat(np.random.default_rng(1).normal(size=(9, 5)), 2, axis=0)  # identical pictures
    found = best_head(x, who, heads=CLOSED)
    assert found.name == "identity" and np.isnan(found.scores["whitening"]).all()


def test_the_order_of_rows_changes_nothing():
    x, who = make_individuals(individuals=24, pictures=3)
    order = np.random.default_rng(2).permutation(len(x))
    kinds = np.array(["a", "b"])[np.arange(len(x)) // 36]
    before = best_head(x, who, None, kinds, heads=CLOSED)
    after = best_head(x[order], who[order], None, kinds[order], heads=CLOSED)
    assert before.name == after.name
    np.testing.assert_allclose(before.scores["whitening"], after.scores["whitening"], atol=1e-5)


def test_average_precision_by_hand():
    space = np.array([[1, 0], [0.6, 0.8], [0.9, 0.19**0.5], [0, 1]])
    who, group = np.array(["a", "a", "b", "c"]), np.array(["", "", "", ""])
    # a0 meets b2 (.9), a1 (.6): 1/2; a1 meets b2 (.89), c3 (.8), a0 (.6): 1/3
    assert mean_average_precision(space, who, group) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert np.isnan(mean_average_precision(space, who, np.array(["l", "r", "l", "l"])))


def test_folds():
    with pytest.raises(InputError, match="folds"):
        best_head(np.eye(3), ["a", "b", "c"], folds=1)
