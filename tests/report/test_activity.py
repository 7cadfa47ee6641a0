"""Activity: the kernel against direct sums, midnight that stands for no time, the figure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import vonmises

from ecotone.report.activity import (
    activity_chart,
    activity_of,
    bandwidth,
    circular_density,
    concentration,
    times_of_day,
)

ANGLE = 2 * np.pi * (np.arange(1440) + 0.5) / 1440


def test_density_is_the_mean_of_von_mises_kernels():
    seconds = np.array([30, 6 * 3600 + 30, 6 * 3600 + 630, 18 * 3600 + 30, 86370])
    counts = np.bincount(seconds // 60, minlength=1440)
    kappa = bandwidth(ANGLE, counts)
    at = 2 * np.pi * seconds / 86400
    slow = np.mean([vonmises.pdf(ANGLE, kappa, loc=a) for a in at], axis=0) * 2 * np.pi
    np.testing.assert_allclose(circular_density(seconds), slow, rtol=1e-6, atol=1e-9)


def test_concentration_is_that_of_a_von_mises_sample():
    sample = vonmises.rvs(4.0, size=40000, random_state=1)
    counts = np.bincount(((sample % (2 * np.pi)) / (2 * np.pi) * 1440).astype(int), minlength=1440)
    # The largest of three estimates: the first is exact, the others are near it.
    assert concentration(ANGLE, counts) == pytest.approx(4.0, rel=0.05)


def test_two_humps_stay_two_humps():
    rng = np.random.default_rng(0)
    hours = np.concatenate([rng.normal(6, 1, 60), rng.normal(18, 1, 60)])
    density = circular_density((hours * 3600).astype(int))
    assert density[6 * 60] > 3 * density[12 * 60] and density[18 * 60] > 3 * density[0]


@given(st.lists(st.integers(0, 86399), min_size=1, max_size=50), st.integers(0, 1439))
def test_density_turns_with_the_clock(seconds, minutes):
    there = circular_density(np.array(seconds))
    assert there.mean() == pytest.approx(1.0) and there.min() >= 0
    turned = circular_density(np.array(seconds) + 60 * minutes)
    np.testing.assert_allclose(turned, np.roll(there, minutes), atol=1e-6 * there.max())


@pytest.mark.parametrize("texts, known, dated", [
    (["2024-01-01T00:00:00"] * 3, 0, 3),
    (["NaT", "NaT"], 0, 0),
    (["2024-01-01T00:00:00", "2024-01-01T05:00:00", "2024-01-01T06:00:00"], 3, 0),
    (["2024-01-01T00:00:00"] * 5 + ["2024-01-01T05:00:00"] * 5, 5, 5),
])
def test_midnight_as_a_date_without_a_time(texts, known, dated):
    seconds, found = times_of_day(np.array(texts, dtype="datetime64[s]"))
    assert (int((seconds >= 0).sum()), found) == (known, dated)


def test_chart_draws_a_curve_only_from_enough_events():
    few = activity_of("genet", np.array([3600] * 9))
    many = activity_of("<b>genet</b>", np.array([3600] * 10))
    assert few.density is None and few.hours[1] == 9
    assert "polyline" not in activity_chart(few) and "polyline" in activity_chart(many)
    assert "<b>" not in activity_chart(many)
