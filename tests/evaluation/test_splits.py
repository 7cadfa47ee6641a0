"""Splits: nothing that belongs together stands on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.evaluation import splits

keys = st.lists(st.sampled_from(["", "a", "b", "c", "d", "e", "f"]), min_size=2, max_size=40)


@given(keys, st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_linked_rows_are_the_components_of_shared_keys(first, seed):
    rng = np.random.default_rng(seed)
    second = list(rng.permutation(first))
    units = splits.link_rows(len(first), first, None, second)
    together = np.eye(len(first), dtype=bool)
    for key in (first, second):
        for i, a in enumerate(key):
            for j, b in enumerate(key):
                together[i, j] |= a == b != ""
    for _ in range(len(first)):
        together = (together.astype(int) @ together.astype(int)) > 0
    assert np.array_equal(units[:, None] == units[None, :], together)


@given(st.lists(st.integers(0, 12), min_size=4, max_size=80), st.integers(0, 50),
       st.floats(0.1, 0.6))
@settings(max_examples=80, deadline=None)
def test_a_split_cuts_no_unit_and_loses_no_row(units, seed, fraction):
    units = np.array(units)
    if len(set(units)) < 2:
        with pytest.raises(InputError, match="cannot be split"):
            splits.split_units(units, fraction, seed)
        return
    train, test = splits.split_units(units, fraction, seed)
    assert len(train) and len(test)
    assert sorted([*train, *test]) == list(range(len(units)))
    assert not set(units[train]) & set(units[test])
    again = splits.split_units(units, fraction, seed)
    assert np.array_equal(test, again[1])


def test_single_rows_give_exactly_a_quarter_and_seeds_differ():
    train, test = splits.split_units(np.arange(1301), 0.25, 0)
    assert len(test) == 325
    assert not np.array_equal(test, splits.split_units(np.arange(1301), 0.25, 1)[1])


def test_copies_of_a_picture_share_a_unit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 8)).astype(np.float32)
    x[7] = x[3]
    x[11] = -0.0  # rows of zeros have no embedding, and are no copies
    x[12] = 0.0
    units = splits.link_rows(20, splits.duplicate_keys(x))
    assert units[7] == units[3] and len(set(units)) == 19


def test_locations_are_kept_whole_from_five_on():
    place = [f"cam{i % 6}" for i in range(60)]
    event = [f"burst{i // 3}" for i in range(60)]
    units, name = splits.make_units(60, locations=place)
    assert name == "location" and len(set(units)) == 6
    labelled = np.array([i % 6 < 4 for i in range(60)])
    units, name = splits.make_units(60, locations=place, events=event, labelled=labelled)
    assert name == "event" and len(set(units)) == 20
    assert splits.make_units(60, locations=place, min_locations=7)[1] == "random"


def test_a_picture_that_lies_everywhere_does_not_glue_all_places():
    place = [f"cam{i % 6}" for i in range(60)]
    copies = ["same" if i < 6 else "" for i in range(60)]
    units, name = splits.make_units(60, locations=place, duplicates=[copies])
    assert name == "random" and len(set(units[:6])) == 1 and len(set(units)) == 55


def test_draws_are_random_nested_and_of_the_asked_size():
    rows = np.arange(100, 200)
    few, many = splits.draw_labels(rows, 10, 3), splits.draw_labels(rows, 40, 3)
    assert len(few) == 10 and set(few) <= set(many) <= set(rows)
    assert set(few) != set(splits.draw_labels(rows, 10, 4))
    with pytest.raises(InputError, match="cannot draw 101"):
        splits.draw_labels(rows, 101)


@given(st.lists(st.sampled_from("aabbc"), min_size=4, max_size=60), st.integers(2, 5),
       st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_folds_spread_every_class(labels, n_folds, seed):
    fold = splits.stratified_folds(np.array(labels), np.arange(len(labels)), n_folds, seed)
    assert len(set(fold)) == min(n_folds, len(labels))
    for name in set(labels):
        held = np.bincount(fold[np.array(labels) == name], minlength=min(n_folds, len(labels)))
        assert held.max() - held.min() <= 1


def test_folds_keep_units_whole():
    units = np.repeat(np.arange(9), 3)
    fold = splits.stratified_folds(np.tile(["a", "b", "c"], 9), units, 4, 0)
    assert all(len(set(fold[units == u])) == 1 for u in range(9)) and len(set(fold)) == 4
    with pytest.raises(InputError, match="cannot be split"):
        splits.stratified_folds(np.array(["a", "b"]), np.zeros(2), 2, 0)
