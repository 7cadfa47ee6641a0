"""What other pictures of the same event, hour, day and site show, as log-evidence.

N pictures, K classes, n rows asked about. For each row and each window w,

    phi_w(k) = log ( (sum_j p_j(k) + a pi_k) / ((m + a) pi_k) ),

over the m other pictures j of the window: 0 where there are none. Own design; the smoothed count is
the usual Dirichlet one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ecotone.context.when import Situation

HELD = 8_000_000  # running sums that are held at once


@dataclass(frozen=True)
class Window:
    """Pictures of the same `key` ("event", "camera" or "site") within `seconds` of each other, or
    all of them (None). smoothing: a, so many pictures of the prior are added."""

    name: str
    key: str
    seconds: float | None
    smoothing: float = 1.0


WINDOWS = (
    Window("event", "event", None),
    Window("10 minutes", "site", 600.0),
    Window("hour", "site", 3600.0),
    Window("day", "site", 86400.0),
    Window("site", "site", None, 5.0),
)


def neighbour_evidence(
    proba: np.ndarray, where: Situation, prior: np.ndarray, rows: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """phi (n, K) float32 of each of `WINDOWS`, one after the other.

    proba: (N, K) image posteriors of all pictures. prior: (K,). rows: those asked about, all by
    default.
    """
    asked = np.arange(len(proba)) if rows is None else np.asarray(rows)
    for window in WINDOWS:
        total, count = window_sums(proba, where.numbers(window.key), where.seconds,
                                   window.seconds, asked)
        a = window.smoothing
        mean = (total + a * prior) / (count + a)[:, None]
        yield np.log(np.maximum(mean, 1e-9) / prior).astype(np.float32)


def window_sums(
    values: np.ndarray, key: np.ndarray, seconds: np.ndarray, width: float | None,
    rows: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Sums (n, K) over the other pictures with the same key at most `width` seconds away, and how
    many there are (n,). key: numbers (N,). Pictures with a key below 0, or (with a width) without a
    time, have none."""
    usable = key >= 0
    if width is not None:
        usable &= ~np.isnan(seconds)
    total = np.zeros((len(rows), values.shape[1]))
    count = np.zeros(len(rows))
    at = np.flatnonzero(usable[rows])
    if not len(at):
        return total, count
    inside = np.flatnonzero(usable)
    place = np.full(len(key), -1)
    place[inside] = np.unique(key[inside], return_inverse=True)[1]
    inside = inside[np.isin(place[inside], place[rows[at]])]
    clock = np.zeros(len(key)) if width is None else seconds
    inside = inside[np.lexsort((clock[inside], place[inside]))]
    # Keys far apart on one line: a window never reaches from one into the next.
    start = np.nanmin(clock[inside])
    span = (np.nanmax(clock[inside]) - start) + 2.0 * (width or 0.0) + 2.0
    line = place[inside] * span + (clock[inside] - start)
    asked = place[rows[at]] * span + (clock[rows[at]] - start)
    reach = (width or 0.0) + 1e-3
    low = np.searchsorted(line, asked - reach, "left")
    high = np.searchsorted(line, asked + reach, "right")
    step = max(HELD // len(inside), 1)
    for first in range(0, values.shape[1], step):
        some = slice(first, first + step)
        running = np.zeros((len(inside) + 1, values[:1, some].shape[1]))
        np.cumsum(values[inside, some], axis=0, dtype=np.float64, out=running[1:])
        total[at, some] = np.maximum(running[high] - running[low] - values[rows[at], some], 0.0)
    count[at] = high - low - 1
    return total, count
