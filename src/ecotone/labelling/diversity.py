"""Diversity: questions that together lie near as much as possible of what there is to mend.

C candidates, L labelled rows, d dimensions, K classes. The questions Q maximise, one by one,

    sum_i w_i max_{j in Q or labelled} k(i, j)  +  a / K sum_k v_k m_k / (m_k + 1)

with k(i, j) a Gaussian kernel on features times the affinity of posteriors sum_k sqrt(p_ik p_jk):
what a label says reaches rows that look alike and are thought to be the same. m_k counts the labels
of class k, those that questions may bring by their posteriors. Both parts are submodular, so that
one by one is near the best. Without posteriors and with equal weights this is typicality and
coverage alone.
Source: Bae et al. 2024, arXiv:2407.12212 (generalised coverage, which holds ProbCover, Yehuda et
al. 2022, and is close to TypiClust, Hacohen et al. 2022), and arXiv:2412.20644 (coverage weighted
by uncertainty); the affinity, the class part and the balance over sites are our own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLASS_PART = 0.3
UNREACHED = 2.0  # v_k of a class that the global model does not know: only questions find it
SHRINK = 2.0  # the kernel reaches 1 / SHRINK of the rows that a label has to stand for
LEAST_NEIGHBOURS = 3
BLOCK = 2048


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates. features: (C, d) unit rows. weight: (C,) sums to 1. affinity: (C, J) rows whose
    products are affinities in 0..1, or None. posteriors: (C, K) or None. site: (C,) int or None.
    even: rows count less in a large group, so that a group counts as the root of its size."""

    features: np.ndarray
    weight: np.ndarray
    affinity: np.ndarray | None
    posteriors: np.ndarray | None
    site: np.ndarray | None
    even: bool = False


@dataclass(frozen=True, eq=False)
class Known:
    """What labels cover. features: (L, d). affinity: (L, J) or None. counts: (K,) labels by class.
    worth: (K,) v_k. fair: (sites,) share of all questions, or None. asked: (sites,) labels."""

    features: np.ndarray
    affinity: np.ndarray | None
    counts: np.ndarray
    worth: np.ndarray
    fair: np.ndarray | None
    asked: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Chosen:
    """Candidates in the order of asking, and the gain of each by coverage and by class. alone:
    (n,) how little of it labels covered before, 1 nothing. reach: share of the weight that lies
    near a question or a label after all of them, and before any."""

    at: np.ndarray
    coverage: np.ndarray
    by_class: np.ndarray
    alone: np.ndarray
    reach: tuple[float, float]


def squared_width(features: np.ndarray, labels: int) -> float:
    """Squared width of the kernel: the median squared distance to the k-th neighbour, with k what
    one of `labels` labels has to stand for. More labels reach less far each."""
    c = len(features)
    k = min(max(int(c / (SHRINK * max(labels, 1))), LEAST_NEIGHBOURS), c - 1)
    if k < 1:
        return 1.0
    found = np.empty(c)
    for start in range(0, c, BLOCK):
        near = features[start : start + BLOCK] @ features.T
        found[start : start + BLOCK] = np.partition(near, c - 1 - k, axis=1)[:, c - 1 - k]
    return max(float(2.0 - 2.0 * np.median(found)), 1e-6)


def kernel(pool: Pool, features: np.ndarray, affinity: np.ndarray | None, width: float
           ) -> np.ndarray:
    """k(i, j) (C, M) float32 of the candidates and other rows."""
    near = pool.features @ features.T
    near -= 1.0
    near *= np.float32(2.0 / width)
    np.minimum(near, 0.0, out=near)
    np.exp(near, out=near)
    if pool.affinity is not None and affinity is not None:
        near *= np.minimum(pool.affinity @ affinity.T, 1.0)
    return near


def covered(pool: Pool, known: Known, width: float) -> np.ndarray:
    """How much of each candidate labels cover, (C,) in 0..1."""
    out = np.zeros(len(pool.features), dtype=np.float32)
    for start in range(0, len(known.features), BLOCK):
        part = slice(start, start + BLOCK)
        affinity = None if known.affinity is None else known.affinity[part]
        np.maximum(out, kernel(pool, known.features[part], affinity, width).max(axis=1), out=out)
    return out


def choose(pool: Pool, known: Known, n: int) -> Chosen:
    """The n questions (all where there are fewer), one by one, each the best after those before."""
    c = len(pool.features)
    n = min(n, c)
    width = squared_width(pool.features, len(known.features) + n)
    near = kernel(pool, pool.features, pool.affinity, width)
    before = covered(pool, known, width)
    cover, free = before.copy(), np.ones(c, dtype=bool)
    weight = _weights(pool, near)
    counts = known.counts.astype(np.float64)
    asked = None if known.asked is None else known.asked.astype(np.float64)
    at, gains, class_gains = [], [], []
    for _ in range(n):
        gain = _coverage_gain(near, cover, weight)
        more = _class_gain(pool.posteriors, counts, known.worth, c)
        total = (gain + more) * _site_balance(pool.site, asked, known.fair, c)
        j = int(np.where(free, total, -1.0).argmax())
        at.append(j)
        gains.append(float(gain[j]))
        class_gains.append(float(more[j]))
        free[j] = False
        np.maximum(cover, near[j], out=cover)
        if pool.posteriors is not None:
            counts = counts + pool.posteriors[j]
        if asked is not None and pool.site is not None:
            asked[pool.site[j]] += 1.0
    chosen = np.array(at, dtype=int)
    reach = (float(weight @ before), float(weight @ cover))
    return Chosen(chosen, np.array(gains), np.array(class_gains), 1.0 - before[chosen], reach)


def _weights(pool: Pool, near: np.ndarray) -> np.ndarray:
    """Weights (C,) float32 that sum to 1."""
    if not pool.even:
        return pool.weight.astype(np.float32)
    weight = pool.weight / np.sqrt(near.sum(axis=1, dtype=np.float64))
    return (weight / weight.sum()).astype(np.float32)


def _coverage_gain(near: np.ndarray, cover: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What each candidate would add to the coverage, (C,); `near` is symmetric."""
    out = np.empty(len(near), dtype=np.float64)
    for start in range(0, len(near), BLOCK // 4):
        part = near[start : start + BLOCK // 4] - cover
        np.maximum(part, 0.0, out=part)
        out[start : start + BLOCK // 4] = part @ weight
    return out


def _class_gain(
    posteriors: np.ndarray | None, counts: np.ndarray, worth: np.ndarray, c: int
) -> np.ndarray:
    if posteriors is None:
        return np.zeros(c)
    after = counts + posteriors
    gain = (after / (after + 1.0) - counts / (counts + 1.0)) @ worth
    return CLASS_PART * gain / len(counts)


def _site_balance(
    site: np.ndarray | None, asked: np.ndarray | None, fair: np.ndarray | None, c: int
) -> np.ndarray:
    """(C,) in 0..1: less for sites that already have their fair share of the questions."""
    if site is None or asked is None or fair is None:
        return np.ones(c)
    ahead = asked / np.maximum(fair * (asked.sum() + 1.0), 1.0)
    return (1.0 / np.sqrt(1.0 + ahead))[site]
