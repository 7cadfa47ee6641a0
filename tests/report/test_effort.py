"""Effort worked out by hand: given dates, dates from pictures, gaps, overlaps, wrong clocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.report.effort import NAT, by_site, measure_effort, overlapping


def times(*texts):
    return np.array(texts, dtype="datetime64[s]")


def test_days_between_given_dates_and_pictures_outside_of_them():
    found = measure_effort(
        np.array([0, 0, 0, 1]),
        times("2023-12-31T23:00:00", "2024-01-03T00:00:00", "2024-02-01T00:00:00", "NaT"),
        times("2024-01-01T00:00:00", "2024-01-01T00:00:00"),
        times("2024-01-11T12:00:00", "2024-01-02T00:00:00"),
    )
    assert found.days.tolist() == [10.5, 1.0]
    assert found.given.all()
    assert found.outside.tolist() == [2, 0]
    assert (found.pictures.tolist(), found.timed.tolist()) == ([3, 1], [3, 0])


def test_first_and_last_picture_stand_for_missing_dates():
    found = measure_effort(
        np.array([0, 0, 0, 1, 2]),
        times("2024-01-05", "2024-01-01", "2024-01-03", "2024-01-01", "NaT"),
        times("NaT", "NaT", "NaT"), times("NaT", "2024-01-04", "NaT"),
    )
    np.testing.assert_array_equal(found.days, [4.0, 3.0, np.nan])
    assert not found.given.any() and np.isnat(found.start[2])


def test_an_end_before_the_start_counts_as_no_dates():
    found = measure_effort(np.array([0, 0]), times("2024-05-01", "2024-05-03"),
                           times("2024-06-01"), times("2024-01-01"))
    assert found.days.tolist() == [2.0] and not found.given[0] and not found.outside[0]


def test_gaps_of_more_than_two_weeks_begin_at_start_picture_or_end():
    found = measure_effort(
        np.array([0, 0, 1]), times("2024-01-21", "2024-01-30", "2024-03-01"),
        times("2024-01-01", "NaT"), times("2024-03-01", "NaT"),
    )
    assert found.gap_of.tolist() == [0, 0]
    assert found.gap_days.tolist() == [31.0, 20.0]
    assert [str(t)[:10] for t in found.gap_from] == ["2024-01-30", "2024-01-01"]


def test_overlapping_deployments_of_a_site():
    site = np.array([0, 0, 0, 1, 1])
    start = times("2024-01-01", "2024-01-08", "2024-01-20", "2024-01-01", "NaT")
    end = times("2024-01-11", "2024-01-20", "2024-01-30", "2024-01-05", "NaT")
    found, days = overlapping(site, start, end)
    assert found.tolist() == [False, True, False, False, False] and days == 3.0


def test_sums_by_site_are_unknown_where_no_deployment_is_known():
    total = by_site(np.array([1.0, np.nan, 2.0, np.nan]), np.array([0, 0, 0, 1]), 3)
    np.testing.assert_array_equal(total, [3.0, np.nan, np.nan])


def test_nothing_at_all_and_lengths_that_differ():
    empty = np.zeros(0, dtype="datetime64[s]")
    assert len(measure_effort(np.zeros(0, dtype=int), empty, empty, empty).days) == 0
    with pytest.raises(InputError, match="one length"):
        measure_effort(np.zeros(2, dtype=int), empty, empty, empty)


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 10**7)), max_size=40),
       st.randoms(use_true_random=False))
def test_the_order_of_pictures_changes_nothing(rows, random):
    def measured(rows):
        where = np.array([d for d, _ in rows], dtype=int)
        when = np.datetime64("2024-01-01", "s") + np.array([t for _, t in rows], dtype=int)
        none = np.full(4, NAT)
        return measure_effort(where, when, none, none)

    first = measured(rows)
    random.shuffle(rows)
    second = measured(rows)
    for name in ("days", "pictures", "gap_days"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for d in range(4):
        of = [t for p, t in rows if p == d]
        expected = (max(of) - min(of)) / 86400 if of else np.nan
        np.testing.assert_allclose(first.days[d], expected)
