"""How long the cameras stood, from dates or pictures. Arrays in, arrays out.

M pictures, D deployments, J sites. Times are datetime64[s] of the local clock, NaT where unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError

DAY = np.timedelta64(86400, "s")
NAT = np.datetime64("NaT", "s")
QUIET = 14.0  # days without a picture that are worth a word


@dataclass(frozen=True, eq=False)
class Effort:
    """Effort of D deployments.

    start, end: (D,) datetime64[s], NaT where neither dates nor pictures tell. days: (D,) the time
    between them in camera-days, NaN where unknown. given: (D,) bool, whether both dates were given,
    else first and last picture stand for what is missing. pictures, timed, outside: (D,) int
    pictures, those with a time, and those before the start or after the end. gap_of, gap_from,
    gap_days: (G,) the stretches longer than QUIET days without a picture between start and end: of
    which deployment, since when, how long; the longest first.
    """

    start: np.ndarray
    end: np.ndarray
    days: np.ndarray
    given: np.ndarray
    pictures: np.ndarray
    timed: np.ndarray
    outside: np.ndarray
    gap_of: np.ndarray
    gap_from: np.ndarray
    gap_days: np.ndarray


def measure_effort(
    deployment: np.ndarray, time: np.ndarray, start: np.ndarray, end: np.ndarray
) -> Effort:
    """Effort of each deployment.

    deployment: (M,) int 0..D-1, -1 for none. time: (M,). start, end: (D,) as given. A deployment
    that ends before it starts is taken as one without dates.
    Raises InputError when lengths differ.
    """
    start, end = start.astype("datetime64[s]"), end.astype("datetime64[s]")
    if len(deployment) != len(time) or len(start) != len(end):
        raise InputError(
            f"measure_effort: {len(deployment)} deployments of {len(time)} times, {len(start)} "
            f"starts of {len(end)} ends; expected arrays of one length."
        )
    d = len(start)
    backwards = end < start
    start, end = np.where(backwards, NAT, start), np.where(backwards, NAT, end)
    given = ~np.isnat(start) & ~np.isnat(end)
    own = deployment >= 0
    timed = own & ~np.isnat(time)
    order = np.flatnonzero(timed)
    order = order[np.lexsort((time[order], deployment[order]))]
    where, when = deployment[order], time[order].astype("datetime64[s]")
    outside = (when < start[where]) | (when > end[where])  # NaT compares as False
    inside, inside_when = where[~outside], when[~outside]
    first, last = np.full(d, NAT), np.full(d, NAT)
    last[inside] = inside_when  # the last of equal rows stays
    first[inside[::-1]] = inside_when[::-1]
    start, end = np.where(np.isnat(start), first, start), np.where(np.isnat(end), last, end)
    days = np.where(np.isnat(start) | np.isnat(end), np.nan, (end - start) / DAY)
    count = {name: np.bincount(rows, minlength=d) for name, rows in (
        ("pictures", deployment[own]), ("timed", where), ("outside", where[outside]))}
    return Effort(start, end, days, given, **count,
                  **_gaps(inside, inside_when, start, end))


def _gaps(
    where: np.ndarray, when: np.ndarray, start: np.ndarray, end: np.ndarray
) -> dict[str, np.ndarray]:
    """The long stretches between neighbours of start, pictures and end."""
    known = np.flatnonzero(~np.isnat(start) & ~np.isnat(end))
    place = np.concatenate([known, where, known])
    times = np.concatenate([start[known], when, end[known]])
    order = np.lexsort((times, place))
    place, times = place[order], times[order]
    days = np.where(np.diff(place) == 0, np.diff(times) / DAY, 0.0)
    rows = np.argsort(-days, kind="stable")[:int((days > QUIET).sum())]
    return {"gap_of": place[:-1][rows] if len(place) else place, "gap_from": times[rows],
            "gap_days": days[rows]}


def overlapping(site: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, float]:
    """Deployments (D,) bool that begin while another of the same site (D,) int runs, and the days
    that are counted more than once for it."""
    found, days = np.zeros(len(site), dtype=bool), 0.0
    rows = np.flatnonzero(~np.isnat(start) & ~np.isnat(end))
    reach: dict[int, np.datetime64] = {}
    for row in rows[np.lexsort((start[rows], site[rows]))]:
        until = reach.get(int(site[row]))
        if until is not None and start[row] < until:
            found[row] = True
            days += float((min(until, end[row]) - start[row]) / DAY)
        reach[int(site[row])] = end[row] if until is None else max(until, end[row])
    return found, days


def by_site(values: np.ndarray, site: np.ndarray, sites: int) -> np.ndarray:
    """Sums (J,) of values (D,) by site, NaN where no deployment of the site has a value."""
    known = ~np.isnan(values)
    total = np.bincount(site[known], values[known], sites)
    return np.where(np.bincount(site[known], minlength=sites) > 0, total, np.nan)
