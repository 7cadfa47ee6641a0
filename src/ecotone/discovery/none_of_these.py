"""How much of a pool is new, how probably each row is, and posteriors with a class for it.

N rows of a pool, K known classes. p: (N,) the share of known rows that look at least as novel, see
`novelty_ranks`. Known rows have p evenly distributed; new ones have small p:

    f(p) = (1 - s) + s g(p),    P(new | p) = s g(p) / f(p),    g the Beta density of a <= 1 <= b

s is the share of new rows, a and b tell how well they stand out. s comes from the rows that look
known:

    s(t) = 1 - (share of the pool with p > t) / (1 - t)

at the t whose estimate is surest. It rests on few labels, and is as uncertain as they are few.
Four fifths of the prior belief are in s = 0, so that what chance explains is not called new.
Source: the two-group model of Efron 2008 and Storey 2002, beta and uniform of Pounds and Morris
2003 (there b = 1); the choice of t after Garg et al. 2021, arXiv:2111.00980; the prior on s is our
own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln

from ecotone.confidence.checks import check_proba
from ecotone.errors import InputError

CUTS = (0.1, 0.2, 0.3, 0.5)
NOTHING = 0.8
CHOSEN = 1.4  # the best of these estimates strays farther by chance than one of them would
A = np.exp(np.linspace(np.log(0.03), 0.0, 40))
B = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
SHAPE = (0.2, 4.0)  # where no pool has shown one
LEAST = 1e-12
QUANTILE = 1.959964  # of 95 % on both sides


@dataclass(frozen=True)
class NovelShare:
    """The share of new rows in a pool. value: estimate, after the prior; low, high: 95 % interval
    of the estimate without it. shape: a and b above. n: rows of the pool, 0 where there was no
    pool."""

    value: float
    low: float
    high: float
    shape: tuple[float, float]
    n: int


def estimate_novel_share(p: np.ndarray, n_known: int, n_units: int | None = None) -> NovelShare:
    """The share of new rows in a pool.

    p: (N,) shares of known rows beyond each, `NoveltyDetector.p_value`. n_known: independent known
    rows (bursts, where rows come in bursts) behind them. n_units: the same of the pool; default N.

    Raises InputError when p is no share, or there is nothing.
    """
    p = _shares(p, "p")
    if not len(p) or n_known < 1:
        raise InputError(f"novel share: {len(p)} rows, {n_known} known ones; give some of each.")
    units = len(p) if n_units is None else n_units
    found = []
    for cut in CUTS:
        above = float((p > cut).mean())
        share = 1.0 - above / (1.0 - cut)
        kept = (above * (1.0 - above) + 0.25 / units) / units
        error = np.sqrt(kept + (above / (1.0 - cut)) ** 2 * cut * (1.0 - cut) / n_known)
        by_chance = np.sqrt(cut * (1.0 - cut) * (1.0 / n_known + 1.0 / units))
        found.append((share, float(error / (1.0 - cut)), float(by_chance / (1.0 - cut))))
    share, error, by_chance = max(found, key=lambda each: each[0] - each[1])
    error, by_chance = CHOSEN * error, CHOSEN * by_chance
    value = _shrink(share, error, by_chance)
    low, high = np.clip([share - QUANTILE * error, share + QUANTILE * error], 0.0, 1.0)
    return NovelShare(value, float(low), float(high), _shape(p, max(value, 0.01)), len(p))


def novelty_probability(p: np.ndarray, share: NovelShare) -> np.ndarray:
    """P(new | p) of each row, (N,)."""
    p = _shares(p, "p")
    new = share.value * np.exp(_log_density(p, *share.shape))
    return new / (new + 1.0 - share.value) if share.value < 1.0 else np.ones(len(p))


def with_none_of_these(
    proba: np.ndarray, novelty: np.ndarray, flagged: np.ndarray | None = None
) -> np.ndarray:
    """Posteriors (N, K + 1): the last column is "none of these", the others share what is left.

    proba: (N, K) posteriors of the known classes. novelty: (N,) P(new). flagged: (N,) bool, rows
    that are new at the chosen false-alarm rate; "none of these" is then never the first answer
    elsewhere, so that it is the first answer of at most that share of known rows.

    Raises InputError when rows are no distributions, or shapes do not fit.
    """
    proba = check_proba(proba)
    novelty = _shares(novelty, "novelty")
    if novelty.shape != (len(proba),):
        raise InputError(f"novelty: {len(novelty)} rows, proba has {len(proba)}.")
    if flagged is not None:
        flagged = np.asarray(flagged, dtype=bool)
        if flagged.shape != novelty.shape:
            raise InputError(f"flagged: shape {flagged.shape}, expected {novelty.shape}.")
        top = proba.max(axis=1)
        novelty = np.where(flagged, novelty, np.minimum(novelty, 0.999 * top / (1.0 + top)))
    known = proba / proba.sum(axis=1, keepdims=True) * (1.0 - novelty)[:, None]
    return np.concatenate([known, novelty[:, None]], axis=1)


def _shrink(share: float, error: float, by_chance: float) -> float:
    """E[s | estimate] when s is 0 with chance `NOTHING`, else drawn from Beta(1, 3). The estimate
    is normal with sd `error`, or `by_chance` where nothing is new."""
    error, by_chance = max(error, 1e-3), max(by_chance, 1e-3)
    grid = np.linspace(0.0005, 0.9995, 1000)
    slab = (1.0 - NOTHING) * 3.0 * (1.0 - grid) ** 2 / error
    slab = slab * np.exp(-0.5 * ((grid - share) / error) ** 2)
    spike = NOTHING * float(np.exp(-0.5 * (share / by_chance) ** 2)) / by_chance
    total = float(slab.mean())
    return float((grid * slab).mean()) / (total + spike) if total + spike > 0.0 else 0.0


def _shape(p: np.ndarray, share: float) -> tuple[float, float]:
    """The most likely a and b, given the share."""
    # One histogram in log p stands for a large pool.
    count, edges = np.histogram(np.log(np.maximum(p, LEAST)), bins=200)
    middle = np.exp(0.5 * (edges[1:] + edges[:-1]))
    fits = {(a, b): float(count @ np.log1p(share * np.expm1(_log_density(middle, a, b))))
            for a in A.tolist() for b in B}
    return max(fits, key=fits.__getitem__)


def _log_density(p: np.ndarray, a: float, b: float) -> np.ndarray:
    low, high = np.log(np.maximum(p, LEAST)), np.log(np.maximum(1.0 - p, LEAST))
    return (a - 1.0) * low + (b - 1.0) * high - betaln(a, b)


def _shares(values: object, what: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InputError(f"{what}: shape {array.shape}, expected (N,).")
    bad = ~((array >= 0.0) & (array <= 1.0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"{what}: row {row} is {array[row]:g}, expected 0 to 1.")
    return array
