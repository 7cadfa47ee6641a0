from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.report import choose


def world(n, k, seed):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(k) * 0.5, n), rng.random(n) < 0.7, rng.integers(0, n, n)


@given(st.integers(1, 80), st.integers(1, 9), st.integers(0, 20), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_only_usable_rows_and_one_a_burst(n, k, most, seed):
    proba, usable, units = world(n, k, seed)
    change = np.random.default_rng(seed).random(n)
    for rows in (choose.surest(proba, usable, units, most),
                 choose.least_certain(proba, usable, units, most),
                 choose.most_changed(proba, change, usable, units, most)):
        assert len(rows) == len(set(rows)) <= most
        assert usable[rows].all()
        assert len(set(units[rows].tolist())) == len(rows)


def test_the_surest_of_each_class_come_first():
    proba = np.array([[0.9, 0.1], [0.99, 0.01], [0.2, 0.8], [0.95, 0.05]])
    everything, units = np.ones(4, bool), np.arange(4)
    assert choose.surest(proba, everything, units, 3) == [1, 2, 3]


def test_the_least_certain_have_the_smallest_margin():
    proba = np.array([[0.5, 0.5], [0.9, 0.1], [0.6, 0.4], [0.45, 0.55]])
    assert choose.least_certain(proba, np.ones(4, bool), np.arange(4), 3) == [0, 3, 2]
    assert choose.least_certain(np.ones((3, 1)), np.ones(3, bool), np.arange(3), 3) == []


def test_one_class_does_not_fill_a_gallery_while_others_wait():
    proba = np.repeat(np.eye(2), [20, 2], axis=0)
    change = np.linspace(1.0, 0.3, 22)
    rows = choose.most_changed(proba, change, np.ones(22, bool), np.arange(22), 8)
    assert {20, 21} <= set(rows) and len(rows) == 8


def test_change_is_the_distance_to_what_was_said_before():
    proba = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    before = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.5, 0.0]])
    change = choose.change_of(proba, before, np.array([1.0, 1.0, 1.0, 0.5]))
    assert change == pytest.approx([0.0, 1.0, 1.0, 0.25])


def test_disputed_labels_are_those_it_is_surest_against():
    proba = np.array([[0.9, 0.1], [0.55, 0.45], [0.2, 0.8], [0.4, 0.3]])
    assert choose.disputed(proba, np.array([1, 1, 1, 1]), 5) == [0, 1]
