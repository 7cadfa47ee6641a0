"""Margins by the formula, worked by hand, and what they must never do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone import dynamic_margins
from ecotone.errors import InputError


def test_hand_worked_margins():
    # t = 1, 1/2, 1/4
    margins = dynamic_margins([1, 16, 256], low=0.2, high=0.5)
    np.testing.assert_allclose(margins, [0.5, 0.2 + 0.3 / 3, 0.2], rtol=1e-12)
    np.testing.assert_allclose(dynamic_margins([256, 1]), [0.2, 0.32841])


@pytest.mark.parametrize("counts", [[3], [5, 5, 5], np.array([2.0, 2.0])])
def test_equal_counts_have_the_low_margin(counts):
    np.testing.assert_array_equal(dynamic_margins(counts), np.full(len(counts), 0.2))


def test_no_counts_no_margins():
    assert dynamic_margins([]).shape == (0,)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=30), st.floats(0, 0.7),
       st.floats(0, 0.7))
def test_rarer_is_wider_and_the_order_of_individuals_changes_nothing(counts, low, more):
    margins = dynamic_margins(counts, low, low + more)
    assert np.isfinite(margins).all()
    assert margins.min() >= low and margins.max() <= low + more + 1e-9
    order = np.argsort(counts, kind="stable")
    assert (np.diff(margins[order]) <= 1e-12).all()
    np.testing.assert_array_equal(dynamic_margins(counts[::-1], low, low + more), margins[::-1])


@pytest.mark.parametrize("counts", [[2, 0], [-1], [np.nan, 2], [1.5], ["2"], [[1, 2]], [np.inf]])
def test_counts_that_are_none(counts):
    with pytest.raises(InputError, match="counts"):
        dynamic_margins(counts)


@pytest.mark.parametrize("low, high", [(0.4, 0.2), (-0.1, 0.2), (0.2, 1.6), (np.nan, 1.0)])
def test_margins_that_are_no_angles(low, high):
    with pytest.raises(InputError, match="margins from"):
        dynamic_margins([1, 2], low, high)
