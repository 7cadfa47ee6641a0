"""P(same individual) where nobody has named an individual: a mixture of two kinds of pairs.

n pairs. The similarities are a mixture of two normal distributions, of pairs of one individual and
of two. It is fitted by EM, started from the nearest neighbours; what people decided of pairs
counts as known. A guess, and named so: only labels tell what a similarity means.
Source: Dempster et al. 1977; Efron 2004 (local false discovery rate).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from ecotone.reid.calibration import SimilarityCalibrator

NOTE = ("no individual is named: probabilities are guessed from the similarities alone; decide "
        "some pairs, or name some individuals")
MOST = 60_000  # pairs that are enough to see two distributions


def guess_calibrator(
    similarity: np.ndarray, seed: np.ndarray, decided: np.ndarray, random_state: int = 0
) -> SimilarityCalibrator:
    """A calibrator of n pairs. similarity: (n,). seed: (n,) bool, mutual nearest neighbours, which
    the search for "same" starts from. decided: (n,) 1 same, 0 different, -1 nobody said."""
    x, start, said = np.asarray(similarity, np.float64), np.asarray(seed, bool), np.asarray(decided)
    if len(x) > MOST:
        kept = start | (said >= 0)
        rest = np.flatnonzero(~kept)
        some = np.random.default_rng(random_state).permutation(rest)[:MOST]
        weight = np.where(kept, 1.0, len(rest) / max(len(some), 1))
        rows = np.sort(np.concatenate([np.flatnonzero(kept), some]))
        x, start, said, weight = x[rows], start[rows], said[rows], weight[rows]
    else:
        weight = np.ones(len(x))
    r = _mixture(x, start, said, weight)
    both = np.concatenate([x, x])
    same = np.arange(len(both)) < len(x)
    calibrator = SimilarityCalibrator("logistic").fit(
        both, same, np.concatenate([weight * r, weight * (1.0 - r)]))
    calibrator.note_ = NOTE
    return calibrator


def _mixture(
    x: np.ndarray, start: np.ndarray, said: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """(n,) responsibilities of "same"."""
    r = np.where(start, 0.9, 0.01)
    known = said >= 0
    r[known] = said[known]
    spread = max(float(x.std()), 1e-9)
    for _ in range(200):
        share = float(np.clip((weight @ r + 1.0) / (weight.sum() + 2.0), 1e-6, 0.5))
        parts = []
        for w in (weight * r, weight * (1.0 - r)):
            mean = float(w @ x / max(w.sum(), 1e-12))
            deviation = float(np.sqrt(w @ (x - mean) ** 2 / max(w.sum(), 1e-12)))
            parts.append((mean, max(deviation, 0.05 * spread)))
        (a, s), (b, t) = parts
        a = max(a, b)
        log_odds = (np.log(share / (1 - share)) - 0.5 * ((x - a) / s) ** 2 - np.log(s)
                    + 0.5 * ((x - b) / t) ** 2 + np.log(t))
        # Beyond the mean of "same" a pair is no less the same, below that of others no more.
        log_odds = np.where(x >= a, np.maximum(log_odds, np.log(share / (1 - share))), log_odds)
        fresh = np.where(x <= b, np.minimum(expit(log_odds), share), expit(log_odds))
        fresh[known] = said[known]
        if np.abs(fresh - r).max() < 1e-6:
            break
        r = fresh
    return np.clip(r, 1e-6, 1 - 1e-6)
