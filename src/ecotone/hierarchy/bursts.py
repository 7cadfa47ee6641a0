"""Bursts decided together: detections of one event that show the same class share what they say.

N detections, K classes. Within a burst, groups of detections are merged, the most alike first, as
long as the evidence speaks for one class rather than two: the Bayes factor

    sum_k pi_k L_a(k) L_b(k)  /  (sum_k pi_k L_a(k) * sum_k pi_k L_b(k)),

L the likelihood ratios posterior / prior. Two species of one burst so stay apart. A group of m
members then shares the mean of their log-likelihood ratios times m ** gain: frames of a burst are
no independent witnesses, gain 0 is the plain mean and 1 would be independence. With share below 1
a member keeps more of its own view than of the others'.
Source: own design; the Bayes factor is the usual one for a common cause.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from ecotone.errors import InputError

FLOOR = 1e-6
GAINS = (0.0, 0.25, 0.5)
ODDS = 4.0  # before looking: same class to another one, within a burst
MOST = 48  # groups that are compared pair by pair; more are first joined by their best class
FEW = 20  # labelled members of bursts below which the gain is not chosen by them


def pool_bursts(
    posteriors: np.ndarray, bursts: Sequence[object], prior: np.ndarray, gain: float = 0.0,
    share: float = 1.0, odds: float = ODDS,
) -> np.ndarray:
    """Posteriors (N, K) after sharing within bursts.

    bursts: N names, rows without one ("" or None) stay alone. prior: (K,) class prior that the
    posteriors contain. share: how much another member of the group counts against a row's own
    view; 1 is the mean, the same for all. odds: before looking, same class to another one.
    Raises InputError when lengths differ.
    """
    posteriors = np.asarray(posteriors, dtype=np.float64)
    if len(bursts) != len(posteriors):
        raise InputError(f"bursts: {len(bursts)} entries, expected {len(posteriors)}.")
    out = posteriors.copy()
    log_prior = np.log(np.maximum(prior, FLOOR))
    for rows in members(bursts):
        ratio = np.log(posteriors[rows] + FLOOR) - log_prior
        for group in _groups(ratio, log_prior, odds):
            m = len(group)
            if m > 1:
                own = ratio[group]
                mean = (share * own.sum(axis=0) + (1.0 - share) * own) / (1.0 + share * (m - 1))
                shared = mean * m**gain + log_prior
                shared = np.exp(shared - shared.max(axis=1, keepdims=True))
                out[np.asarray(rows)[group]] = shared / shared.sum(axis=1, keepdims=True)
    return out


def members(bursts: Sequence[object]) -> list[list[int]]:
    """The rows of each burst of two or more."""
    found: dict[object, list[int]] = defaultdict(list)
    for row, burst in enumerate(bursts):
        if burst is not None and burst != "":
            found[burst].append(row)
    return [rows for rows in found.values() if len(rows) > 1]


def _groups(ratio: np.ndarray, log_prior: np.ndarray, odds: float) -> list[list[int]]:
    """Rows of one burst that show one class, greedily merged; ratio (m, K) log-likelihood ratios.

    A group is represented by the mean of its members, as what it will share.
    """
    groups = _start(ratio + log_prior)
    mean = np.array([ratio[g].mean(axis=0) for g in groups])
    while len(groups) > 1:
        merit = _bayes_factor(mean, log_prior)
        first, second = np.unravel_index(int(merit.argmax()), merit.shape)
        if merit[first, second] + np.log(odds) <= 0:
            break
        a, b = sorted((int(first), int(second)))
        groups[a] = groups[a] + groups.pop(b)
        mean = np.delete(mean, b, axis=0)
        mean[a] = ratio[groups[a]].mean(axis=0)
    return [sorted(g) for g in groups]


def _start(log_posterior: np.ndarray) -> list[list[int]]:
    m = len(log_posterior)
    if m <= MOST:
        return [[i] for i in range(m)]
    best: dict[int, list[int]] = defaultdict(list)
    for row, k in enumerate(log_posterior.argmax(axis=1)):
        best[int(k)].append(row)
    return list(best.values())


def _bayes_factor(mean: np.ndarray, log_prior: np.ndarray) -> np.ndarray:
    """Log Bayes factors (g, g) of one class against two, -inf on the diagonal."""
    alone = np.exp(mean + log_prior)
    alone /= alone.sum(axis=1, keepdims=True)
    together = (alone / np.exp(log_prior)) @ alone.T
    merit = np.log(np.maximum(together, 1e-300))
    np.fill_diagonal(merit, -np.inf)
    return merit


def choose_gain(
    posteriors: np.ndarray, bursts: Sequence[object], prior: np.ndarray, rows: np.ndarray,
    target: np.ndarray,
) -> float | None:
    """The gain whose pooled posteriors say most of the labelled rows, None for no pooling.

    posteriors: (N, K) that have not seen the labels of `rows`; target: (n,) class numbers. With
    fewer than `FEW` labelled members of bursts it is 0, the plain mean.
    """
    inside = {row for group in members(bursts) for row in group}
    use = np.array([row in inside for row in rows], dtype=bool)
    if use.sum() < FEW:
        return 0.0 if inside else None
    at, wanted = np.asarray(rows)[use], np.asarray(target)[use]
    loss: dict[float | None, float] = {None: _loss(np.asarray(posteriors)[at], wanted)}
    for gain in GAINS:
        loss[gain] = _loss(pool_bursts(posteriors, bursts, prior, gain)[at], wanted)
    return min(loss, key=lambda g: loss[g])


def _loss(proba: np.ndarray, target: np.ndarray) -> float:
    p = proba[np.arange(len(target)), target]
    return float(-np.log(0.98 * p + 0.02 / proba.shape[1]).mean())
