"""How many classes there are, with an interval.

The estimate counts known classes and proposals. It is biased low where the tail is long: a class
of a few rows makes no cluster. The lower end counts what nearly every replicate finds; the upper
end what replicates with a lower threshold find, and the classes too small to be seen, by the
coverage of the sizes that were: with c(s) clusters of less than twice the least size, about as many
more are expected below it.
Source: own design, after Good 1953 and Chao 1984, who also infer the unseen from the rarest seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NumberOfClasses:
    """estimate: known classes and proposals; low, high: an interval of `level` for the classes with
    at least one row here; known: classes with a label."""

    estimate: int
    low: int
    high: int
    level: float
    known: int


def count_classes(known: int, proposed: int, replicates: Sequence[np.ndarray],
                  sizes: Sequence[int], level: float) -> NumberOfClasses:
    """The number of classes from `known` labelled ones and `proposed` new ones.

    replicates: sizes of the new clusters found each time. sizes: of the proposals. level: 0..1.
    """
    counts = np.array([len(r) for r in replicates] or [proposed], dtype=np.float64)
    tail = (1.0 - level) / 2.0
    low = min(proposed, int(np.floor(np.quantile(counts, tail))))
    high = max(proposed, int(np.ceil(np.quantile(counts, 1.0 - tail))))
    return NumberOfClasses(known + proposed, known + low, known + high + unseen(sizes), level,
                           known)


def unseen(sizes: Sequence[int]) -> int:
    """Classes too small to make a cluster: as many as there are within a factor two of the smallest
    that did, and one for luck where any were found."""
    if not len(sizes):
        return 1
    return 1 + int((np.asarray(sizes) < 2 * min(sizes)).sum())
