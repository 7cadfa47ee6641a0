"""How common each class is among unlabelled rows, with an interval, and posteriors that know it.

N rows, K classes, G groups, B bootstrap replicates.

Counting predictions is biased wherever classes are confused. Maximum-likelihood label shift takes
the posteriors p(k|x), which were calibrated where class shares were `source`, and finds the shares
of here by EM (Saerens, Latinne and Decaestecker 2002; it is at its best with calibrated
probabilities: Alexandari, Kundaje and Shrikumar 2020, arXiv:1901.06852):

    q_ik  proportional to  p_ik share_k / source_k,      share_k  proportional to  sum_i q_ik + n_k

with n_k labels of here as a Dirichlet(1 + n_k) prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.confidence.checks import check_groups, check_proba, check_share
from ecotone.errors import InputError

MAX_ROUNDS = 100
TOLERANCE = 1e-6
BLOCK = 2048  # rows at a time, which fit the cache
TOGETHER = 50  # replicates at a time
TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Prevalence:
    """Class shares among the rows. share, low, high: (K,) float, shares that sum to 1 and an
    interval of `level` for each. predicted: (K,) shares of the most probable classes, to compare.
    n: rows, groups: resampled units. rounds: of EM; converged: before they ran out."""

    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    predicted: np.ndarray
    level: float
    n: int
    groups: int
    rounds: int
    converged: bool


def estimate_prevalence(
    proba: np.ndarray, source: np.ndarray, *, counts: np.ndarray | None = None,
    groups: Sequence[object] | None = None, level: float = 0.9, replicates: int = 200,
    random_state: int = 0,
) -> Prevalence:
    """Class shares among rows of calibrated probabilities (N, K).

    source: (K,) shares or counts of the classes that the probabilities take for granted: the prior
    of the model, or the mean of its held-out probabilities. counts: (K,) labels of these very
    places, which count like rows known for certain; None for none. groups: (N,) locations or
    bursts, resampled whole: rows of one tell of each other, and their number says little. level:
    of the percentile intervals, from `replicates` bootstrap samples (0: the interval is the share).
    They speak of which rows and labels came by, not of a model that is wrong.

    Source: see the module; Efron 1979 (bootstrap), Rubin 1981 (labels, by Dirichlet weights).
    Raises InputError when an argument does not fit.
    """
    proba = check_proba(proba)
    n, n_classes = proba.shape
    if n == 0:
        raise InputError("proba: no rows; give at least one.")
    check_share(level, "level", 0.9)
    source = _source(source, proba)
    known = np.zeros(n_classes) if counts is None else _vector(counts, "counts", n_classes)
    group_of = check_groups(groups, n)
    n_groups = int(group_of.max()) + 1
    once = np.ones((n_groups, 1))
    share, rounds, converged = _em(proba, source, once, group_of, known[None, :], source[None, :])
    low = high = share[0]
    if replicates > 0:
        start = 0.9 * share + 0.1 * source
        drawn = _bootstrap(
            proba, source, known, group_of, start, replicates, np.random.default_rng(random_state)
        )
        low, high = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    return Prevalence(
        share=share[0], low=np.minimum(low, share[0]), high=np.maximum(high, share[0]),
        predicted=np.bincount(proba.argmax(axis=1), minlength=n_classes) / n, level=level, n=n,
        groups=n_groups, rounds=rounds, converged=converged,
    )


def adjust_posteriors(proba: np.ndarray, source: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Posteriors (N, K) of calibrated probabilities where classes have other shares.

    source: as in `estimate_prevalence`; share: (K,) the shares of here. A row whose every class has
    share 0 stays as it is. Source: Saerens, Latinne and Decaestecker 2002.
    """
    proba = check_proba(proba)
    source = _source(source, proba)
    here = _vector(share, "share", proba.shape[1])
    out = proba * _ratio(here[None, :], source)
    total = out.sum(axis=1, keepdims=True)
    return np.where(total > TINY, out / np.maximum(total, TINY), proba)


def _em(
    proba: np.ndarray, source: np.ndarray, times: np.ndarray, group_of: np.ndarray,
    known: np.ndarray, start: np.ndarray,
) -> tuple[np.ndarray, int, bool]:
    """Shares (B, K) of B weighted samples at once. times: (G, B) how often a group was drawn;
    known: (B, K) labels. Also the rounds taken, and whether they sufficed."""
    share = np.broadcast_to(start, known.shape)
    rows = np.bincount(group_of) @ times
    total = rows + known.sum(axis=1)
    for round_ in range(1, MAX_ROUNDS + 1):
        weight, found = _ratio(share, source), np.zeros(known.shape)
        for at in range(0, len(proba), BLOCK):
            part = proba[at : at + BLOCK]
            evidence = part @ weight.T
            np.maximum(evidence, TINY, out=evidence)
            np.divide(times[group_of[at : at + BLOCK]], evidence, out=evidence)
            found += evidence.T @ part
        new = (found * weight + known) / total[:, None]
        new /= new.sum(axis=1, keepdims=True)
        moved, share = float(np.abs(new - share).max()), new
        if moved < TOLERANCE:
            return share, round_, True
    return share, MAX_ROUNDS, False


def _bootstrap(
    proba: np.ndarray, source: np.ndarray, known: np.ndarray, group_of: np.ndarray,
    start: np.ndarray, replicates: int, rng: np.random.Generator,
) -> np.ndarray:
    """Shares (B, K) of resampled groups and labels."""
    n_groups, out = int(group_of.max()) + 1, []
    some = known > 0.0
    for at in range(0, replicates, TOGETHER):
        size = min(TOGETHER, replicates - at)
        times = np.empty((n_groups, size))
        labels = np.zeros((size, len(known)))
        for b in range(size):
            drawn = rng.integers(n_groups, size=n_groups)
            times[:, b] = np.bincount(drawn, minlength=n_groups)
        if some.any():
            labels[:, some] = known.sum() * rng.dirichlet(known[some], size=size)
        out.append(_em(proba, source, times, group_of, labels, start)[0])
    return np.concatenate(out)


def _ratio(share: np.ndarray, source: np.ndarray) -> np.ndarray:
    return np.divide(share, source, out=np.zeros_like(share), where=source > 0.0)


def _source(source: object, proba: np.ndarray) -> np.ndarray:
    array = _vector(source, "source", proba.shape[1])
    if array.sum() <= 0.0:
        raise InputError("source: all 0; give the shares or counts of the classes.")
    empty = (array <= 0.0) & (proba > 0.0).any(axis=0)
    if empty.any():
        k = int(np.flatnonzero(empty)[0])
        raise InputError(
            f"source: class {k} has share 0, but rows give it a probability; add 1 to each count."
        )
    return array / array.sum()


def _vector(values: object, name: str, n_classes: int) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (n_classes,):
        raise InputError(f"{name}: shape {array.shape}, expected ({n_classes},), one a class.")
    if not (np.isfinite(array).all() and (array >= 0.0).all()):
        raise InputError(f"{name}: negative, NaN or infinite values; give shares or counts.")
    return array
