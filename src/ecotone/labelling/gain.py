"""What more labels bring, from the project's own learning curve.

C points of the curve: a number of labels, the accuracy with so many on rows that were held out.

    error(n) = e (f + (1 - f) (n / n_last)^-b)

e: error now; f: share of it that no label mends; b: how fast the rest goes. Every combination on a
grid is weighed by how well it explains the points (normal noise of the test rows), with flat priors
on f and log b, and some weight on f = 1, a curve at its end. The gain is the mean over them, its
interval their middle 90 %. A curve that has just begun to fall says little about where it ends, and
the interval says so. It is one of the mean curve; a single draw of labels strays further.
Source: Figueroa et al. 2012 (inverse power law of learning curves); Viering and Loog 2023, survey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError

TEST_ROWS = 100.0  # that a point rests on, where nobody says
LEAST_POINTS = 3
LEAST_LABELS = 10
LEAST_SPAN = 2.0  # largest count over the smallest
MISFIT = 0.015  # sd of what a smooth curve cannot follow: which labels were drawn
LEVEL = 0.9
EXPONENTS = np.exp(np.linspace(np.log(0.2), np.log(2.0), 12))
FIXED = np.append(np.linspace(0.0, 0.96, 13), 1.0)  # shares of the error that no label mends
NOTHING_LEFT = 0.2  # prior probability that all of it is such


@dataclass(frozen=True)
class Gain:
    """Accuracy now and after `more` labels, 0..1; the gain in between, and its 90 % interval."""

    now: float
    then: float
    gain: float
    low: float
    high: float
    more: int

    def __str__(self) -> str:
        return (f"{self.more} more labels: {100 * self.gain:+.1f} points of accuracy "
                f"({100 * self.low:+.1f} to {100 * self.high:+.1f})")


def expected_gain(
    counts: Sequence[float],
    accuracies: Sequence[float] | np.ndarray,
    more: int,
    *,
    test_rows: float | Sequence[float] = TEST_ROWS,
) -> Gain | None:
    """What `more` labels bring, or None where the curve is too short to tell.

    counts: (C,) labels. accuracies: (C,) in 0..1, or (C, R) repeats (NaN where missing).
    test_rows: held-out rows behind one value; one number or (C,). Labels that were chosen, not
    drawn, need accuracies that are weighted to stand for all rows, see `representation`.
    Raises InputError when shapes or values do not fit.
    """
    n, accuracy, noise = _points(counts, accuracies, test_rows)
    if more < 1:
        raise InputError(f"more: {more}, expected at least 1 label.")
    if len(n) < LEAST_POINTS or n[-1] < LEAST_LABELS or n[-1] < LEAST_SPAN * n[0]:
        return None
    error = 1.0 - accuracy
    centre, spread = float(error[-2:].mean()), 4.0 * float(noise[-2:].max())
    now = np.linspace(max(centre - spread, 1e-4), min(centre + spread, 1.0), 41)
    e, f, b = np.meshgrid(now, FIXED, EXPONENTS, indexing="ij")
    misfit = np.zeros(e.shape)
    for count, seen, sd in zip(n, error, noise, strict=True):
        expected = np.minimum(e * (f + (1.0 - f) * (count / n[-1]) ** -b), 1.0)
        misfit += ((seen - expected) / sd) ** 2
    prior = np.where(f == 1.0, NOTHING_LEFT, (1.0 - NOTHING_LEFT) / (len(FIXED) - 1))
    weight = prior * np.exp(-0.5 * (misfit - misfit.min()))
    weight /= weight.sum()
    gain = e * (1.0 - f) * (1.0 - ((n[-1] + more) / n[-1]) ** -b)
    low, high = _quantiles(gain.ravel(), weight.ravel(), (0.5 - LEVEL / 2, 0.5 + LEVEL / 2))
    mean = float((weight * gain).sum())
    at = 1.0 - float((weight * e).sum())
    # Where all curves gain next to nothing, the weighted quantile can lie beyond the mean.
    return Gain(at, min(at + mean, 1.0), mean, min(low, mean), max(high, mean), int(more))


def _points(
    counts: Sequence[float], accuracies: Sequence[float] | np.ndarray,
    test_rows: float | Sequence[float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct counts in order, mean accuracy of each, and the sd of its noise."""
    n = np.asarray(counts, dtype=np.float64)
    values = np.asarray(accuracies, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if n.ndim != 1 or values.ndim != 2 or len(values) != len(n):
        raise InputError(
            f"learning curve: counts {n.shape}, accuracies {np.shape(accuracies)}; expected (C,) "
            "and (C,) or (C, R)."
        )
    rows = np.broadcast_to(np.asarray(test_rows, dtype=np.float64), n.shape)
    seen = np.isfinite(values)
    bad = (values[seen] < 0).any() or (values[seen] > 1).any() or not (n > 0).all()
    if bad or not (rows > 0).all():
        raise InputError("learning curve: counts and test_rows must be above 0, accuracies 0..1.")
    keep = np.unique(n[seen.any(axis=1)])
    mean, noise = np.empty(len(keep)), np.empty(len(keep))
    for i, count in enumerate(keep):
        own = values[n == count]
        own = own[np.isfinite(own)]
        m = float(rows[n == count].mean())
        # Never surer than one test set allows: repeats share their rows.
        p = (own.mean() * m + 1.0) / (m + 2.0)
        mean[i] = own.mean()
        noise[i] = np.sqrt(p * (1.0 - p) / m + MISFIT**2)
    return keep, mean, noise


def _quantiles(
    values: np.ndarray, weight: np.ndarray, at: Sequence[float]
) -> tuple[float, ...]:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return tuple(float(values[order][np.searchsorted(total, q * total[-1])]) for q in at)
