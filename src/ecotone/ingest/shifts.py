"""By how much a camera's clock was wrong, as people write it: on a command line or in a table.

    deploymentID, shift [, timeZone, reason]         shift: +1h, -30m, "+1 day 2 h", -01:30:00
    deploymentID, from, to [, timeZone, reason]      what the camera said when what was true
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ecotone.errors import FormatError, InputError
from ecotone.ingest.events import iso_time
from ecotone.ingest.tables import Table, read_table
from ecotone.ingest.text import some
from ecotone.ingest.zones import find_zone, offset_of, parse_moment

_UNITS = {
    "d": 86400, "day": 86400, "h": 3600, "hour": 3600, "hr": 3600, "m": 60, "min": 60,
    "minute": 60, "s": 1, "sec": 1, "second": 1, "w": 604800, "week": 604800,
}
_PART = re.compile(r"(\d+(?:\.\d+)?) *([a-z]+)[ ,]*")
_CLOCK = re.compile(r"(?:(\d+) *(?:d|days?)[ ,]*)?(\d{1,4}):(\d{2})(?::(\d{2}))?")
_SIGN = {"+": 1, "-": -1, "−": -1, "–": -1}

DEPLOYMENT = ("deploymentid", "deployment", "location", "locationname", "site", "station", "camera")
SHIFT = ("shift", "offset", "correction", "timeshift", "difference")
FROM = ("from", "camera", "cameratime", "wrong", "wrongtime", "said", "before")
TO = ("to", "true", "truetime", "right", "righttime", "real", "realtime", "correct", "correcttime")
ZONE = ("timezone", "zone", "tz")
REASON = ("reason", "comment", "comments", "notes", "note", "remark", "remarks")


@dataclass(frozen=True)
class ShiftRow:
    """One deployment's correction: seconds to add to its clock, None when only a zone is given."""

    deployment: str
    seconds: float | None
    time_zone: str = ""
    reason: str = ""


def parse_shift(text: str) -> float:
    """Seconds of a shift such as "+1h", "-1 day 30 min" or "+01:30:00".

    Raises InputError when it is none or has no unit.

    >>> parse_shift("-1h30m"), parse_shift("+1 day 00:00:05")
    (-5400.0, 86405.0)
    """
    clean = text.strip().strip("\"'").casefold()
    sign = _SIGN.get(clean[:1], 1)
    body = clean[1:].strip() if clean[:1] in _SIGN else clean
    clock = _CLOCK.fullmatch(body)
    if clock and int(clock.group(3)) < 60 and int(clock.group(4) or 0) < 60:
        days, hours, minutes, seconds = (int(v or 0) for v in clock.groups())
        return _bounded(sign * (days * 86400.0 + hours * 3600 + minutes * 60 + seconds), text)
    total, at = 0.0, 0
    while body and at < len(body):
        part = _PART.match(body, at)
        unit = _UNITS.get(part.group(2)) or _UNITS.get(part.group(2).rstrip("s")) if part else None
        if part is None or unit is None:
            raise InputError(
                f"shift {text!r}: expected numbers with units, such as +1h, -30m, +1d2h or "
                "+01:30:00."
            )
        total, at = total + float(part.group(1)) * unit, part.end()
    if not body:
        raise InputError(f"shift {text!r} is empty; give one such as +1h or -30m.")
    return _bounded(sign * float(round(total)), text)


def _bounded(seconds: float, text: str) -> float:
    if abs(seconds) > 400 * 365.25 * 86400:
        raise InputError(f"shift {text!r} is more than 400 years; check its numbers.")
    return seconds


def between(said: str, true: str) -> tuple[float, str]:
    """Seconds from what the camera said to what was true, and the offset that the true time names.

    Both are compared as clocks show them. Raises InputError when one is no time.
    """
    moments = []
    for text, name in ((said, "from"), (true, "to")):
        moment = parse_moment(text) if "T" in text else None
        if moment is None:
            moment = parse_moment(iso_time(text)) if iso_time(text) else None
        if moment is None:
            raise InputError(
                f"{name} {text!r}: no time; give day and time such as 2023-05-04T10:11:12."
            )
        moments.append(moment)
    gap = moments[1].replace(tzinfo=None) - moments[0].replace(tzinfo=None)
    return float(round(gap / timedelta(seconds=1))), offset_of(true)


def read_shifts(path: Path) -> list[ShiftRow]:
    """The corrections in a csv file, one a deployment.

    Raises FormatError when columns are missing, a cell cannot be read, or a deployment stands twice
    with different corrections.
    """
    table = read_table(path)
    rows = [
        _row(table, line, cells)
        for line, cells in zip(table.lines, _cells(table), strict=True)
    ]
    if table.problems:
        raise FormatError(table.problems[0])
    seen: dict[str, ShiftRow] = {}
    for row, line in zip(rows, table.lines, strict=True):
        if seen.setdefault(row.deployment, row) != row:
            raise FormatError(
                f"{path}, row {line}: deployment {row.deployment!r} stands twice with different "
                "corrections; keep one."
            )
    if not seen:
        raise FormatError(f"{path}: holds no correction; give rows of deploymentID and shift.")
    return list(seen.values())


def _cells(table: Table) -> list[tuple[str, ...]]:
    find = table.find
    deployment, shift, zone = find(DEPLOYMENT), find(SHIFT), find(ZONE)
    said, true = find(FROM), find(TO)
    if said == deployment:  # "camera" is the place here
        said = find([n for n in FROM if n != "camera"])
    if deployment is None or (shift is None and (said is None or true is None) and zone is None):
        raise FormatError(
            f"{table.path}, row 1: columns are {some(table.header, 8)}; expected deploymentID and "
            "shift (or from and to), and perhaps timeZone and reason."
        )
    columns = (deployment, shift, said, true, zone, find(REASON))
    return list(zip(*(table.column(c) for c in columns), strict=True))


def _row(table: Table, line: int, cells: tuple[str, ...]) -> ShiftRow:
    deployment, shift, said, true, zone, reason = cells
    where = f"{table.path}, row {line}"
    if not deployment:
        raise FormatError(f"{where}: names no deployment.")
    try:
        find_zone(zone)
        if shift and (said or true):
            raise InputError("gives both a shift and from/to; keep one.")
        if shift:
            return ShiftRow(deployment, parse_shift(shift), zone, reason)
        if said or true:
            seconds, offset = between(said, true)
            return ShiftRow(deployment, seconds, zone or offset, reason)
    except InputError as error:
        raise FormatError(f"{where}: {error}") from error
    if not zone:
        raise FormatError(f"{where}: has no shift, no from and to, and no time zone.")
    return ShiftRow(deployment, None, zone, reason)
