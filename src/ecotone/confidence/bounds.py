"""A lower bound of a precision, and the lowest threshold that a bound allows.

A *unit* is one event of evidence: a row, or a whole group of rows (a burst, a location).

Searching many thresholds for one whose bound is good enough would find one by luck. So the
thresholds are tested in a fixed order, from the top down, each at the full level 1 - delta, and the
first that fails ends the search: the chance that any threshold taken is too low stays below delta
(fixed-sequence testing: Maurer, Hothorn and Lehmacher 1995; for risk control Angelopoulos et al.
2021, Learn then Test, arXiv:2110.01052). The candidates are the scores themselves. Given the score
at rank r + 1, the r units above it are draws from all units above it, so each test is exact. The
order of the tests holds its level as long as precision, once it has fallen below the wanted one,
does not rise again at still lower thresholds: what a score that ranks at all does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

HEAD = 4  # the search starts at a quarter of the units: one wrong label at the top cannot end it


@dataclass(frozen=True)
class Certified:
    """The lowest threshold that passed. threshold: infinite when none did. n: units above it,
    right: those without a mistake, bound: the lower bound of their share; of the strictest
    threshold tried where none passed. units: all there were."""

    threshold: float
    n: int
    right: int
    bound: float
    units: int


def clopper_pearson_lower(right: np.ndarray, n: np.ndarray, delta: float) -> np.ndarray:
    """The exact one-sided lower bound of a share, `right` of `n`, at confidence 1 - delta.

    0 where nothing is right or there is nothing. Source: Clopper and Pearson 1934.
    """
    right, n = np.broadcast_arrays(np.asarray(right, np.float64), np.asarray(n, np.float64))
    out = np.zeros(right.shape)
    some = right > 0
    out[some] = betaincinv(right[some], n[some] - right[some] + 1.0, delta)
    return out


def fewest_units(precision: float, delta: float, mistakes: int = 0) -> int:
    """How many units, all but `mistakes` of them right, a bound of `precision` needs: for .95 and
    .1 without a mistake 45, with one 77."""
    first = max(math.ceil(round(math.log(delta) / math.log(precision), 9)), 1)
    if not mistakes:
        return first
    low, high = first, 2 * first
    while clopper_pearson_lower(high - mistakes, high, delta) < precision:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        enough = clopper_pearson_lower(middle - mistakes, middle, delta) >= precision
        low, high = (low, middle) if enough else (middle + 1, high)
    return high


def certify(
    score: np.ndarray, right: np.ndarray, precision: float, delta: float, group_of: np.ndarray
) -> Certified:
    """The lowest threshold whose accepted units are right with at least `precision`.

    score: (n,) how sure each row is; right: (n,) bool; group_of: (n,) the number of its unit. A
    unit is accepted when any of its rows is, and right when none of its accepted rows is wrong.
    Chance of a threshold below the wanted precision: at most delta, see above.
    """
    names, place = np.unique(group_of, return_inverse=True)
    top, fault = np.full(len(names), -np.inf), np.full(len(names), -np.inf)
    np.maximum.at(top, place, score)
    np.maximum.at(fault, place[~right], score[~right])
    top, fault = np.sort(top), np.sort(fault[fault > -np.inf])
    units = len(top)
    first = max(fewest_units(precision, delta), units // HEAD)
    if units < first:
        return Certified(math.inf, 0, 0, 0.0, units)
    cut = np.append(top[::-1][first:], -np.inf)  # accepted is what lies above the cut
    n = units - np.searchsorted(top, cut, side="right")
    cut, n = cut[n >= first], n[n >= first]  # fewer lie above a score that many units share
    good = n - (len(fault) - np.searchsorted(fault, cut, side="right"))
    bound = clopper_pearson_lower(good, n, delta)
    passed = np.append(bound >= precision - 1e-12, False)
    last = int(np.argmin(passed)) - 1
    if last < 0:
        return Certified(math.inf, int(n[0]), int(good[0]), float(bound[0]), units)
    lowest = 0.0 if np.isneginf(cut[last]) else float(np.nextafter(cut[last], np.inf))
    return Certified(lowest, int(n[last]), int(good[last]), float(bound[last]), units)
