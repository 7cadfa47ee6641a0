"""Events (bursts): pictures of one deployment that follow each other within a short gap.

M media. Arrays in, arrays out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from ecotone.ingest.zones import find_zone, seconds_utc

_TIME = re.compile(
    r"(\d{4})[:/.-](\d{1,2})[:/.-](\d{1,2})(?:[T ]+(\d{1,2})[:h.](\d{2})(?:[:.](\d{2}))?)?"
    r"(?:[.,]\d+)?\s*(?:Z|[+-]\d{2}:?\d{2})?"
)


def iso_time(text: str) -> str:
    """A time as cameras and tables write it, as "2021-05-28T10:11:12"; "" when it is none.

    The camera's own clock is kept: a zone is cut off, never converted.
    """
    found = _TIME.fullmatch(text.strip())
    if not found or found.group(4) is None:
        return ""
    try:
        return datetime(*(int(v or 0) for v in found.groups())).isoformat()
    except ValueError:
        return ""


def event_ids(
    deployment: Sequence[str], timestamp: Sequence[str], gap: float = 60.0,
    time_zone: Sequence[str] | None = None, duration: Sequence[float] | None = None,
) -> list[str]:
    """Event of each medium (M,): pictures of a deployment no more than `gap` seconds apart.

    time_zone: of each local time, "" = unknown; with it a night in which clocks change is no gap.
    duration: seconds from a medium's time to its end, for videos.
    An event is named after its deployment and first time; without a time it is "".
    """
    zones = [None] * len(timestamp) if time_zone is None else [find_zone(z) for z in time_zone]
    seconds = np.full(len(timestamp), np.nan)
    for row, (text, zone) in enumerate(zip(timestamp, zones, strict=True)):
        if text:
            seconds[row] = seconds_utc(text, zone)
    rows = np.flatnonzero(~np.isnan(seconds))
    if not len(rows):
        return [""] * len(timestamp)
    place = np.unique(np.asarray([str(d) for d in deployment]), return_inverse=True)[1]
    rows = rows[np.lexsort((seconds[rows], place[rows]))]
    starts = np.ones(len(rows), dtype=bool)
    ends = seconds[rows]
    if duration is not None:
        ends = ends + np.nan_to_num(np.asarray(duration, dtype=np.float64)[rows])
        for one in np.unique(place[rows]):  # the longest so far counts, not the last that began
            here = place[rows] == one
            ends[here] = np.maximum.accumulate(ends[here])
    starts[1:] = (np.diff(place[rows]) != 0) | (seconds[rows][1:] - ends[:-1] > gap)
    first = rows[np.flatnonzero(starts)][np.cumsum(starts) - 1]
    events = [""] * len(timestamp)
    for row, begin in zip(rows.tolist(), first.tolist(), strict=True):
        events[row] = f"{deployment[begin]} {timestamp[begin]}".strip()
    return events
