"""Times, places and events of pictures in one checked form.

N pictures. Times are those of the camera's own clock: the hour of the day is what animals live by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ecotone.errors import InputError
from ecotone.evaluation.splits import link_rows

DAY = 86400.0
PART = 65536  # pictures that are predicted at once, or one site where it has more
YEAR = 365.2425 * DAY
EVENT_GAP = 60.0  # seconds between two pictures of one event, where no events are given


@dataclass(frozen=True, eq=False)
class Situation:
    """Where and when N pictures were taken.

    site: (N,) str, "" unknown. camera: (N,) str, one of several at a site, or the site itself.
    seconds: (N,) float, seconds since 1970 of the local clock, NaN unknown. event: (N,) str, ""
    for a picture that belongs to no burst.
    """

    site: np.ndarray
    camera: np.ndarray
    seconds: np.ndarray
    event: np.ndarray

    def __len__(self) -> int:
        return len(self.site)

    @cached_property
    def _places(self) -> dict[str, np.ndarray]:
        return {}

    def numbers(self, key: str) -> np.ndarray:
        """(N,) int of "site", "camera" or "event" in the order of their names, -1 for "": a million
        names are sorted once, not for every window."""
        if key not in self._places:
            self._places[key] = name_numbers(getattr(self, key))
        return self._places[key]

    def says_anything(self) -> bool:
        """Whether any place, time or event is known."""
        return bool(
            (self.site != "").any() or (self.event != "").any() or (~np.isnan(self.seconds)).any()
        )

    def take(self, rows: np.ndarray) -> Situation:
        """The same of some rows."""
        return Situation(
            self.site[rows], self.camera[rows], self.seconds[rows], self.event[rows]
        )


def name_numbers(names: Sequence[str]) -> np.ndarray:
    """(N,) int of names in their order, -1 for ""."""
    every = names.tolist() if isinstance(names, np.ndarray) else list(names)
    number = {name: n for n, name in enumerate(sorted(set(every) - {""}))}
    return np.fromiter((number.get(name, -1) for name in every), dtype=np.int64, count=len(every))


def situation(
    site: Sequence[object] | None, time: Sequence[object] | None, n: int,
    event: Sequence[object] | None = None, camera: Sequence[object] | None = None,
) -> Situation:
    """A `Situation` of what is given; without events, pictures of one camera no more than
    `EVENT_GAP` seconds apart are one. Raises InputError when lengths or times do not fit."""
    sites = _names(site, n, "site")
    cameras = sites if camera is None else _names(camera, n, "camera")
    if camera is not None:  # names like "left" are those of a site
        cameras = _objects([f"{s} {c}" if c else s for s, c in zip(sites, cameras, strict=True)])
    seconds = seconds_of([None] * n if time is None else time)
    if len(seconds) != n:
        raise InputError(f"time: {len(seconds)} entries, expected {n}.")
    events = _events(cameras, seconds) if event is None else _names(event, n, "event")
    return Situation(sites, cameras, seconds, events)


def _objects(values: Sequence[str]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _names(values: Sequence[object] | None, n: int, what: str) -> np.ndarray:
    if values is None:
        return _objects([""] * n)
    if len(values) != n:
        raise InputError(f"{what}: {len(values)} entries, expected {n}.")
    return _objects(["" if _empty(v) else str(v) for v in values])


def _empty(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and np.isnan(value))


def seconds_of(time: Sequence[object] | np.ndarray) -> np.ndarray:
    """Seconds since 1970 (N,) float, NaN where there is no time.

    time: ISO strings ("2021-05-28T10:11:12", with a blank for the T too; a zone is cut off, the
    local clock counts), datetime64, datetime objects, or seconds as numbers.
    Raises InputError for a text that is no time.
    """
    array = np.asarray(time)
    if array.dtype.kind == "M":
        out = array.astype("datetime64[ms]").astype(np.float64) / 1000.0
        return np.where(np.isnat(array), np.nan, out)
    if array.dtype.kind in "fiu":
        return array.astype(np.float64)
    return np.array([_seconds(value, row) for row, value in enumerate(time)], dtype=np.float64)


def _seconds(value: object, row: int) -> float:
    if _empty(value):
        return np.nan
    if isinstance(value, (int, float)):
        return float(value)
    text = value.isoformat() if hasattr(value, "isoformat") else str(value).strip()
    if text in ("", "NaT", "nan", "NA", "None"):
        return np.nan
    try:
        moment = np.datetime64(text[:19].replace(" ", "T").replace("/", "-"), "ms")
    except ValueError as error:
        raise InputError(
            f"time: row {row} says {text!r}; write times as 2021-05-28T10:11:12."
        ) from error
    return np.nan if np.isnat(moment) else float(moment.astype(np.int64)) / 1000.0


def _events(camera: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    events = _objects([""] * len(camera))
    rows = np.flatnonzero(~np.isnan(seconds))
    if not len(rows):
        return events
    place = name_numbers(camera)
    rows = rows[np.lexsort((seconds[rows], place[rows]))]
    starts = np.ones(len(rows), dtype=bool)
    starts[1:] = (np.diff(place[rows]) != 0) | (np.diff(seconds[rows]) > EVENT_GAP)
    first = rows[np.flatnonzero(starts)][np.cumsum(starts) - 1]
    for row, begin in zip(rows.tolist(), first.tolist(), strict=True):
        events[row] = f"{camera[begin]} {seconds[begin]:.0f}"
    return events


def whole_sites(
    site: Sequence[str], event: Sequence[str] | None, size: int = PART
) -> Iterator[np.ndarray]:
    """The row numbers of N pictures in parts that no site and no event is divided by: pictures of
    two parts are no neighbours. Parts have `size` rows or more, save the last."""
    units = link_rows(len(site), site, event)
    order = np.argsort(units, kind="stable")
    ends = np.cumsum(np.bincount(units))
    start = 0
    for end in ends.tolist():
        if end - start >= size or (end == len(order) and end > start):
            yield np.sort(order[start:end])
            start = end


def waves(seconds: np.ndarray, period: float, n: int) -> np.ndarray:
    """Sines and cosines (N, 2n) of the phase within a period, 0 where the time is unknown."""
    phase = 2.0 * np.pi * np.nan_to_num(seconds / period)
    parts = [f(k * phase) for k in range(1, n + 1) for f in (np.sin, np.cos)]
    return np.stack(parts, axis=1) * ~np.isnan(seconds)[:, None]


def covers_the_year(seconds: np.ndarray, months: int = 9) -> bool:
    """Whether times fall into at least so many twelfths of the year; less, and a season is not told
    from a trend."""
    known = seconds[~np.isnan(seconds)]
    return len(set(np.floor(known / YEAR % 1.0 * 12.0).astype(int))) >= months
