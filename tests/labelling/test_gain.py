"""What more labels bring: known curves, honesty on the average, and when nothing is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.labelling.gain import expected_gain


def power_law(n, now=0.2, fixed=0.3, b=0.6, last=60):
    return now * (fixed + (1 - fixed) * (np.asarray(n, float) / last) ** -b)


def test_a_clean_curve_is_carried_on():
    counts = [15, 30, 45, 60]
    gain = expected_gain(counts, 1 - power_law(counts), 60, test_rows=5000)
    truth = float(power_law(60) - power_law(120))
    assert gain.low <= truth <= gain.high
    assert gain.gain == pytest.approx(truth, abs=0.012)
    assert gain.then == pytest.approx(gain.now + gain.gain)
    assert "60 more labels: +" in str(gain)


def simulated(error, seeds, more=50):
    """Mean estimate, mean truth and coverage over noisy curves of 200 test rows."""
    rng = np.random.default_rng(5)
    counts = np.array([25, 50, 75, 100])
    found = []
    for _ in range(seeds):
        easy = rng.random(200)  # most test rows are the same at every point
        seen = [np.where(rng.random(200) < 0.3, rng.random(200), easy) > error(n) for n in counts]
        gain = expected_gain(counts, [s.mean() for s in seen], more, test_rows=200)
        truth = float(error(100) - error(100 + more))
        found.append((gain.gain, truth, gain.low - 1e-9 <= truth <= gain.high + 1e-9))
    return np.mean(found, axis=0)


def test_it_promises_no_more_than_comes_on_the_average():
    shapes = [(0.3, 0.0), (0.5, 0.8), (0.7, 0.3), (1.2, 0.6)]
    found = np.array([simulated(lambda n, b=b, f=f: power_law(n, 0.25, f, b, 100), 40)
                      for b, f in shapes])
    estimate, truth, inside = found.mean(axis=0)
    assert estimate <= truth
    assert (found[:, 0] <= found[:, 1] + 0.01).all()
    assert inside >= 0.85


def test_a_curve_at_its_end_promises_next_to_nothing():
    estimate, _, inside = simulated(lambda n: 0.15, 60)
    assert estimate < 0.01
    assert inside >= 0.9


def test_faster_than_a_power_law_is_underrated_not_overrated():
    estimate, truth, _ = simulated(lambda n: 0.1 + 0.3 * np.exp(-n / 60), 40)
    assert estimate <= truth


@pytest.mark.parametrize("counts", [[], [50], [20, 60], [2, 4, 8], [50, 60, 70]])
def test_too_little_to_tell(counts):
    assert expected_gain(counts, np.linspace(0.5, 0.7, len(counts)), 20) is None


def test_repeats_and_missing_values():
    accuracy = [[0.6, np.nan], [0.7, 0.72], [0.78, 0.8], [np.nan, np.nan]]
    one = expected_gain([20, 40, 80, 160], accuracy, 40)
    other = expected_gain([20, 40, 80], [0.6, 0.71, 0.79], 40)
    assert one == other


@pytest.mark.parametrize("counts, accuracy, more, match", [
    ([1, 2], [0.5], 5, "counts"), ([10, 20, 40], [0.5, 0.6, 1.2], 5, "accuracies 0..1"),
    ([0, 20, 40], [0.5, 0.6, 0.7], 5, "above 0"), ([10, 20, 40], [0.5, 0.6, 0.7], 0, "more"),
])
def test_what_does_not_fit_is_said(counts, accuracy, more, match):
    with pytest.raises(InputError, match=match):
        expected_gain(counts, accuracy, more)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(1, 1000))
def test_any_curve_gives_a_sane_gain(accuracy, more):
    gain = expected_gain([10, 20, 40, 80], accuracy, more)
    assert 0 <= gain.low <= gain.gain + 1e-9
    assert gain.gain <= 1 - gain.now + 1e-9
    assert gain.low <= gain.high <= 1
    assert 0 <= gain.now <= gain.then <= 1
