"""Windows, times and the fit, against slow and obvious ways."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.context.choosing import Gate, default_pool, mean_and_error, same_share
from ecotone.context.model import BOUND, Columns, fit_context
from ecotone.context.neighbours import WINDOWS, neighbour_evidence, window_sums
from ecotone.context.when import covers_the_year, name_numbers, seconds_of, situation
from tests.context.worlds import world


def slow_sums(values, key, seconds, width, rows):
    total, count = np.zeros((len(rows), values.shape[1])), np.zeros(len(rows))
    for out, i in enumerate(rows):
        for j in range(len(values)):
            if i == j or key[i] == "" or key[i] != key[j]:
                continue
            if width is None or abs(seconds[i] - seconds[j]) <= width:
                total[out] += values[j]
                count[out] += 1
    return total, count


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.sampled_from([None, 0.0, 60.0, 5000.0]))
def test_window_sums_are_those_of_two_loops(seed, n, width):
    rng = np.random.default_rng(seed)
    key = np.array(["", "a", "b", "c"], dtype=object)[rng.integers(4, size=n)]
    seconds = rng.integers(0, 20000, n).astype(float)
    seconds[rng.random(n) < 0.2] = np.nan
    values = rng.dirichlet(np.ones(3), size=n)
    rows = np.flatnonzero(rng.random(n) < 0.7)
    found = window_sums(values, name_numbers(key), seconds, width, rows)
    expected = slow_sums(values, key, seconds, width, rows)
    assert np.allclose(found[0], expected[0], atol=1e-9)
    assert np.array_equal(found[1], expected[1])


def test_a_lonely_picture_has_no_evidence():
    where = situation(["a"], ["2024-05-01T10:00:00"], 1)
    for phi in neighbour_evidence(np.array([[0.9, 0.1]]), where, np.array([0.5, 0.5])):
        assert np.array_equal(phi, np.zeros((1, 2), dtype=np.float32))


def test_times_in_every_form_are_the_same():
    forms = [
        ["2024-05-01T10:00:00", "", "2024-05-01 10:00:00+02:00"],
        np.array(["2024-05-01T10:00:00", "NaT", "2024-05-01T10:00:00"], dtype="datetime64[s]"),
        [datetime(2024, 5, 1, 10), None, datetime(2024, 5, 1, 10)],
    ]
    for form in forms:
        seconds = seconds_of(form)
        assert seconds[0] == seconds[2] == 1714557600.0 and np.isnan(seconds[1])


def test_events_are_made_where_none_are_given():
    time = ["2024-05-01T10:00:00", "2024-05-01T10:00:50", "2024-05-01T10:05:00", ""]
    where = situation(["a"] * 4, time, 4)
    assert where.event[0] == where.event[1] != where.event[2] and where.event[3] == ""
    apart = situation(["a"] * 4, time, 4, camera=["l", "r", "l", "l"])
    assert apart.event[0] != apart.event[1]


def test_a_season_needs_most_of_a_year():
    day = 86400.0
    assert not covers_the_year(np.arange(0, 150 * day, day))
    assert covers_the_year(np.arange(0, 360 * day, day))
    assert not covers_the_year(np.array([np.nan]))


def test_the_slope_of_the_fit_is_zero_at_its_end():
    rng = np.random.default_rng(0)
    w = world(5, effects=True, n=200)
    where = situation(w.site, w.seconds, 200)
    target = np.eye(5)[w.y]
    windows = list(neighbour_evidence(w.proba, where, np.full(5, 0.2)))
    columns = Columns.of(where, True, True)
    log_image = np.log(w.proba)
    model = fit_context(log_image, target, windows, where, columns)

    def cost(beta, weights):
        z = log_image + sum(b * p for b, p in zip(beta, windows, strict=True))
        z = z + columns.values(where) @ weights
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -(target * log_p).sum() + 0.5 * (beta**2).sum() + 2.0 * (weights**2).sum()

    least = cost(model.beta, model.weights)
    for _ in range(20):
        moved = cost(model.beta + rng.normal(0, 0.05, model.beta.shape),
                     model.weights + rng.normal(0, 0.05, model.weights.shape))
        assert moved > least
    context = model.evidence(windows, where)
    assert np.abs(context).max() <= BOUND + 1e-9 and len(windows) == len(WINDOWS)


def test_a_shut_gate_changes_nothing_and_an_open_one_is_bounded():
    rng = np.random.default_rng(1)
    image, context = rng.dirichlet(np.ones(4), size=9), rng.normal(size=(9, 4))
    assert Gate(0.0).apply(image, context) is image
    full = image * np.exp(context)
    assert np.allclose(Gate(1.0).apply(image, context), full / full.sum(axis=1, keepdims=True))
    unsure = Gate(0.5, 0.8).of(np.array([[0.25] * 4, [1.0, 0, 0, 0]]))
    assert unsure[0, 0] == pytest.approx(0.5) and unsure[1, 0] == pytest.approx(0.1)


def test_the_standard_error_counts_bursts_not_pictures():
    rng = np.random.default_rng(2)
    values = rng.normal(size=50)
    mean, error = mean_and_error(values, np.arange(50))
    assert error == pytest.approx(values.std(ddof=1) / 50**0.5)
    again, wider = mean_and_error(values.repeat(4), np.arange(50).repeat(4))
    assert again == pytest.approx(mean) and wider == pytest.approx(error)
    assert mean_and_error(values, np.zeros(50))[1] == float("inf")


def test_pictures_tell_whether_bursts_are_of_one_class():
    for seed in range(3):
        shares = []
        for effects in (False, True):
            w = world(seed, effects)
            where = situation(w.site, w.seconds, len(w.y))
            shares.append(same_share(w.proba, where.event))
        assert shares[0] < 0.3 and shares[1] > 0.7
    assert default_pool(w.proba, where.event, 0.75) is not None
    assert default_pool(w.proba, np.array([""] * len(w.y), dtype=object), 0.75) is None
