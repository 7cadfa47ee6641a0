"""One row a burst, and a bounded sample of them in which nothing rare is lost.

N detections, U units (bursts, copies of a picture), C candidates.
"""

from __future__ import annotations

import numpy as np

CHUNK = 65536


def representatives(
    features: np.ndarray, unit: np.ndarray, keys: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """The most typical free row of each unit, in the order of their keys, (U',) row numbers.

    Most typical is nearest to the unit's mean. free: (N,) bool; units without a free row have none.
    """
    rows = np.flatnonzero(free)
    if not len(rows):
        return rows
    rows = rows[np.argsort(keys[rows], kind="stable")]
    _, place, size = np.unique(unit[rows], return_inverse=True, return_counts=True)
    if size.max() == 1:
        return rows
    total = np.zeros((len(size), features.shape[1]), dtype=np.float64)
    closeness = np.empty(len(rows))
    parts = [slice(i, i + CHUNK) for i in range(0, len(rows), CHUNK)]
    for part in parts:
        np.add.at(total, place[part], features[rows[part]])
    for part in parts:
        closeness[part] = (features[rows[part]] * total[place[part]]).sum(axis=1)
    # Rounded, so that copies are ties, which the keys then settle.
    order = np.lexsort((np.arange(len(rows)), -np.round(closeness, 6), place))
    first = np.ones(len(order), dtype=bool)
    first[1:] = place[order][1:] != place[order][:-1]
    return rows[np.sort(order[first])]


def draw(weight: np.ndarray, keys: np.ndarray, at_most: int) -> tuple[np.ndarray, np.ndarray]:
    """A sample of rows (C,) and their inclusion probabilities (C,): half evenly, half by weight.

    keys: (N,) decide who is drawn, so that the order of rows plays no part.
    Source: Poisson sampling, Horvitz and Thompson 1952.
    """
    n = len(weight)
    if n <= at_most:
        return np.arange(n), np.ones(n)
    share = 0.5 / n + 0.5 * weight / max(float(weight.sum()), 1e-300)
    chance = np.minimum(0.95 * at_most * share, 1.0)
    # The low bits: the high ones ordered the rows that the principal axes were found on.
    uniform = (keys & np.uint64((1 << 40) - 1)).astype(np.float64) / float(1 << 40)
    chosen = np.flatnonzero(uniform < chance)
    return chosen, chance[chosen]
