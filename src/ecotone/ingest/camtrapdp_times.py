"""Times of Camtrap DP: "2020-05-30T04:57:37+02:00", and what else people write.

The clock's own digits are kept; a zone is added, never converted.
Source: `%Y-%m-%dT%H:%M:%S%z` in the table schemas, https://camtrap-dp.tdwg.org/data/.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ecotone.errors import InputError

_FITS = re.compile(
    r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3])"
    r"(?::[0-5][0-9]){2}(?:Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"
)
_LOOSE = re.compile(
    r"([0-9]{4})([-/:.])([0-9]{1,2})\2([0-9]{1,2})"
    r"(?:(?:T| +)([0-9]{1,2})[:h.]([0-9]{2})(?:[:.]([0-9]{2})(?:[.,][0-9]+)?)?)?"
    r" *(Z|UTC|GMT|[+-][0-9]{1,2}(?::?[0-9]{2})?)?",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"([+-])([0-9]{1,2})(?::?([0-9]{2}))?")
_SHORT_MONTHS = 28


@lru_cache(maxsize=1024)  # starts and ends of events are often the same
def fits_time(cell: str) -> bool:
    """Whether a cell is a time as the standard writes it, and one that exists.

    >>> fits_time("2020-02-29T04:57:37Z"), fits_time("2021-02-29T04:57:37Z")
    (True, False)
    """
    if not _FITS.fullmatch(cell):
        return False
    return int(cell[8:10]) <= _SHORT_MONTHS or _moment(cell[:19]) is not None


def zone_of(name: str | None) -> tzinfo | None:
    """The zone that a person names: "Europe/Brussels", "+02:00", "UTC".

    Raises InputError when there is none of that name.
    """
    if name is None or not name.strip():
        return None
    text = name.strip()
    if text.upper() in ("Z", "UTC", "GMT"):
        return timezone.utc
    found = _OFFSET.fullmatch(text)
    if found:
        hours, minutes = int(found.group(2)), int(found.group(3) or 0)
        if hours < 24 and minutes < 60:
            ahead = timedelta(hours=hours, minutes=minutes)
            return timezone(ahead if found.group(1) == "+" else -ahead)
    else:
        try:
            return ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise InputError(
        f"time zone {name!r} is not known; give one such as Europe/Brussels or +02:00."
    )


@lru_cache(maxsize=1024)
def mend_time(cell: str, zone: tzinfo | None, late: bool = False) -> tuple[str, str]:
    """A cell as the standard writes it, and what was done: "spelling", "zone", or what is wrong:
    "naive" (no zone is known), "unreadable"; then the cell comes back as it was.

    late: a day without a time means its end, not its start.

    >>> mend_time("2020:05:30 04:57:37", zone_of("+02:00"))
    ('2020-05-30T04:57:37+02:00', 'zone')
    """
    found = _LOOSE.fullmatch(cell.strip())
    if not found:
        return cell, "unreadable"
    year, _, month, day, hour, minute, second, offset = found.groups()
    clock = (int(hour), int(minute), int(second or 0)) if hour else (
        (23, 59, 59) if late else (0, 0, 0)
    )
    try:
        moment = datetime(int(year), int(month), int(day), *clock)
    except ValueError:
        return cell, "unreadable"
    text = moment.isoformat(timespec="seconds")
    if offset:
        place = _offset_text(offset)
        return (text + place, "spelling") if place else (cell, "unreadable")
    if zone is None:
        return cell, "naive"
    return text + _offset_at(moment, zone), "zone"


@lru_cache(maxsize=1024)
def instant(cell: str) -> float | None:
    """Seconds since 1970 of a time; one without a zone is taken for UTC, None when it is none."""
    moment = _moment(cell[:19])
    if moment is None:
        return None
    found = _OFFSET.fullmatch(cell[19:])
    ahead = 0
    if found:
        ahead = (int(found.group(2)) * 60 + int(found.group(3) or 0)) * 60
        ahead = ahead if found.group(1) == "+" else -ahead
    return (moment - datetime(1970, 1, 1)).total_seconds() - ahead


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _offset_text(offset: str) -> str:
    found = _OFFSET.fullmatch(offset)
    if not found:
        return "Z"
    hours, minutes = int(found.group(2)), int(found.group(3) or 0)
    return f"{found.group(1)}{hours:02d}:{minutes:02d}" if hours < 24 and minutes < 60 else ""


def _offset_at(moment: datetime, zone: tzinfo) -> str:
    """The zone's offset at a moment of its clock; of the two when clocks go back, the first."""
    if zone is timezone.utc:
        return "Z"
    ahead = zone.utcoffset(moment.replace(tzinfo=zone)) or timedelta(0)
    minutes = round(ahead.total_seconds() / 60)  # zones before 1900 have seconds
    sign, size = ("-" if minutes < 0 else "+"), abs(minutes)
    return f"{sign}{size // 60:02d}:{size % 60:02d}"
