"""Which pseudo-labels an epoch learns from, and what they are taken for.

n pictures, K classes; q their pseudo-labels (n, K), p the predictions of a teacher (n, K).

Source: Yang, Mirmehdi and Burghardt 2023, Dynamic Curriculum Learning for Great Ape Detection in
the Wild, IJCV 131 (confidence and the ratio of unlabelled to labelled pictures change as training
goes on; left alone, pseudo-labelling collapses). Theirs adapts thresholds of a detector's own
pseudo-labels. Ours, for soft labels that come from elsewhere: admission is a quota a class, the
surest first, within bounds of its expected share (compare Zou et al. 2018, ECCV, class-balanced
self-training); the teacher's say is a log-linear pool with q, so that it cannot drift away; its
class shares are drawn to those of q (Berthelot et al. 2020, ReMixMatch, distribution alignment),
and it is left out of an epoch whose shares have come apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.training.soft_settings import AUTO, SoftLabelSettings

FLOOR = 1e-6  # of a probability in a logarithm
EVEN = 0.5  # part of labelled pictures in a batch before any pseudo-label is admitted
COUNTED = 10  # pictures of a class from which its share tells something


@dataclass(frozen=True)
class Pace:
    """Of an epoch. share: of each class's pseudo-labels that is admitted at least. labelled_share:
    of a batch. teacher: weight of its predictions."""

    share: float
    labelled_share: float
    teacher: float


def start_of(settings: SoftLabelSettings, q: np.ndarray) -> float:
    """Part of each class's pseudo-labels (n, K) that the first epoch admits.

    "auto" is their mean confidence: as many as are right, if they are calibrated. What is sure
    already is not worth a curriculum, which keeps pictures back and repeats the labelled ones.
    """
    if settings.curriculum_start != AUTO:
        return float(settings.curriculum_start)
    return float(np.clip(q.max(axis=1).mean(), 0.0, 1.0)) if len(q) else 1.0


def pace_of(settings: SoftLabelSettings, epoch: int, begin: float) -> Pace:
    """The pace of an epoch, counted from 0: all grows in a straight line, then stays.

    begin: see `start_of`. The less is admitted at first, the more of a batch is labelled: half of
    it where nothing is.
    """
    done = epoch / max(1, settings.all_epochs - 1)
    grown = 1.0
    if settings.curriculum and settings.curriculum_pace > 0:
        grown = min(1.0, done / settings.curriculum_pace)
    last = settings.labelled_share
    first = last + (max(EVEN, last) - last) * (1 - begin)
    start = settings.teacher_start
    said = min(1.0, max(0.0, (done - start) / max(1e-9, 0.5 * (1 - start)))) if start < 1 else 0.0
    teacher = settings.teacher * said if settings.ema else 0.0
    return Pace(begin + (1 - begin) * grown, first + (last - first) * grown, teacher)


def admit(
    confidence: np.ndarray, named: np.ndarray, expected: np.ndarray, share: float,
    threshold: float, bound: float,
) -> np.ndarray:
    """(n,) bool: which pseudo-labels are learned from.

    confidence: (n,) 0..1; named: (n,) class of each. Of every class the surest `share`, and all
    surer than the threshold; then as many that its part of the admitted lies within expected /
    bound and expected * bound, as far as there are any. expected: (K,) shares of the classes.
    """
    k = len(expected)
    there = np.bincount(named, minlength=k)
    sure = np.bincount(named, weights=confidence >= threshold, minlength=k).astype(np.int64)
    count = np.minimum(np.maximum(np.ceil(share * there - 1e-9).astype(np.int64), sure), there)
    for _ in range(20):
        total = count.sum()
        low = np.minimum(np.floor(expected * total / bound), there)
        high = np.maximum(np.ceil(expected * total * bound), 1)
        bounded = np.clip(count, low, np.maximum(low, high)).astype(np.int64)
        if (bounded == count).all():
            break
        count = bounded
    # The place of every picture among those of its class, the surest first.
    order = np.lexsort((np.arange(len(named)), -confidence, named))
    place = np.empty(len(named), dtype=np.int64)
    place[order] = np.arange(len(named)) - np.repeat(np.cumsum(there) - there, there)
    return place < count[named]


def pool(q: np.ndarray, p: np.ndarray, weight: float) -> np.ndarray:
    """q^(1 - weight) p^weight, rows made to sum to 1; where q is all zero, q is even."""
    some = q.sum(axis=1, keepdims=True) > 0
    anchor = np.where(some, q, 1 / q.shape[1])
    log = (1 - weight) * np.log(np.maximum(anchor, FLOOR)) + weight * np.log(np.maximum(p, FLOOR))
    out = np.exp(log - log.max(axis=1, keepdims=True))
    return out / out.sum(axis=1, keepdims=True)


def align(
    p: np.ndarray, expected: np.ndarray, bound: float, found: np.ndarray | None = None
) -> np.ndarray:
    """p with its class shares drawn to the expected ones, by a factor of at most `bound`.

    found: (K,) shares to go by, default the mean of p.
    """
    if not len(p):
        return p
    found = p.mean(axis=0) if found is None else found
    out = p * np.clip(expected / np.maximum(found, FLOOR), 1 / bound, bound)
    return out / out.sum(axis=1, keepdims=True)


def collapsed(p: np.ndarray, expected: np.ndarray, bound: float) -> bool:
    """Whether predictions have lost a class or are flooded by one: its share is less than
    expected / (2 bound), or more than 2 bound * expected, among pictures enough to tell."""
    if not len(p):
        return False
    found = p.mean(axis=0)
    lost = (found < expected / (2 * bound)) & (expected * len(p) >= COUNTED)
    flooded = (found > 2 * bound * expected) & (found * len(p) >= COUNTED)
    return bool((lost | flooded).any())


__all__ = ["Pace", "admit", "align", "collapsed", "pace_of", "pool", "start_of"]
