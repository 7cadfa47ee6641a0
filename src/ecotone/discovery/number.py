"""How many classes there are, with an interval.

What is counted: the classes that have a label, and those without one that have at least as many
rows as a proposal needs. A class of two or three rows makes no cluster, and nothing here can know
of it.

Counting known classes and proposals is biased low: a class that looks like another makes no cluster
either. How many are missed is learned from the known classes: a third of them at a time loses its
labels, and r is the share that is proposed then. With F proposals found and each class found with
probability r, the missed ones follow, under a flat prior,

    missed ~ NegativeBinomial(F + 1, r)

whose median is added to the estimate. One class may also be proposed in several parts: s is the
share of further parts among the proposals of the hidden classes, and the lower end counts

    distinct ~ BetaBinomial(F, first parts + 1, further parts + 1)

or what nearly every replicate finds, whichever is less, and no missed ones; the upper end takes
their upper quantile. Classes that are rarer or more alike than the known ones are beyond it, where
labels were given to common species first.
Source: own design; capture-recapture with a known capture rate (Seber 1982).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NumberOfClasses:
    """Of classes that have a label, or at least as many rows as a proposal needs. estimate: known
    classes, proposals and those probably missed; low, high: an interval of `level`; known: classes
    with a label; proposed; found_again: the share r of known classes that were proposed when they
    had no labels, None where too few are known to tell."""

    estimate: int
    low: int
    high: int
    level: float
    known: int
    proposed: int = 0
    found_again: float | None = None


def count_classes(known: int, proposed: int, replicates: Sequence[int], level: float,
                  found: int = 0, tried: int = 0, parts: int = 0) -> NumberOfClasses:
    """The number of classes from `known` labelled ones and `proposed` new ones.

    replicates: how many new ones each found. found of `tried` known classes were proposed when
    their labels were hidden, in `parts` further proposals beside the first of each. level: of the
    interval, 0..1.
    """
    from scipy.stats import betabinom, nbinom

    tail = (1.0 - level) / 2.0
    counts = np.array([*replicates] or [proposed], dtype=np.float64)
    distinct = int(betabinom.ppf(tail, proposed, found + 1, parts + 1)) if tried else proposed
    low = min(max(distinct, min(proposed, 1)), int(np.floor(np.quantile(counts, tail))))
    high = max(proposed, int(np.ceil(np.quantile(counts, 1.0 - tail))))
    rate = (found + 1.0) / (tried + 2.0) if tried else 0.5
    missed = int(nbinom.median(proposed + 1, rate)) if tried else 0
    most = int(nbinom.ppf(1.0 - tail, proposed + 1, rate))
    return NumberOfClasses(
        known + proposed + missed, known + low, known + max(high, proposed + most), level, known,
        proposed, found / tried if tried else None)
