"""Local times and time zones: what a camera's clock says, and which moment that was.

A zone is named "Europe/Brussels", "+01:00" or "UTC". Where clocks change, a local time may come
twice (the first is meant) or never (the offset from before the change is used): both are told to
the caller, who tells the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from ecotone.ingest.camtrapdp_times import zone_of

TWICE, NEVER = "twice", "never"


@lru_cache(maxsize=256)
def find_zone(name: str) -> tzinfo | None:
    """The zone of a name; None for "".

    Raises InputError when there is none of that name.
    """
    return zone_of(name)


def clock_status(text: str, zone: tzinfo) -> str:
    """Whether a local time comes `TWICE` or `NEVER` in a zone, "" = once.

    >>> clock_status("2021-03-28T02:30:00", find_zone("Europe/Brussels"))
    'never'
    """
    moment = datetime.fromisoformat(text).replace(tzinfo=zone)
    first, second = moment.utcoffset(), moment.replace(fold=1).utcoffset()
    if first == second or first is None or second is None:
        return ""
    return TWICE if first > second else NEVER


def zoned(text: str, zone: tzinfo | None) -> str:
    """A local time with the zone's offset, as Camtrap DP writes it; as it is without a zone, or
    when it is none.

    >>> zoned("2021-07-01T10:00:00", find_zone("Europe/Brussels"))
    '2021-07-01T10:00:00+02:00'
    """
    if zone is None or not text:
        return text
    moment = parse_moment(text)
    if moment is None or moment.tzinfo is not None:
        return text
    ahead = moment.replace(tzinfo=zone).utcoffset() or timedelta(0)
    return moment.isoformat(timespec="seconds") + offset_text(ahead)


def offset_text(ahead: timedelta) -> str:
    """An offset to UTC to the minute: "Z", "+02:00"."""
    minutes = round(ahead.total_seconds() / 60)
    if not minutes:
        return "Z"
    sign, size = ("-" if minutes < 0 else "+"), abs(minutes)
    return f"{sign}{size // 60:02d}:{size % 60:02d}"


def parse_moment(text: str) -> datetime | None:
    """An ISO time with or without a zone; None when it is none.

    >>> parse_moment("2021-05-01T06:00:00Z").isoformat()
    '2021-05-01T06:00:00+00:00'
    """
    clean = text.strip()
    if clean[-1:] in ("Z", "z"):  # Python 3.10 does not read it
        clean = clean[:-1] + "+00:00"
    elif len(clean) > 5 and clean[-5] in "+-" and clean[-4:].isdigit():
        clean = f"{clean[:-2]}:{clean[-2:]}"
    try:
        return datetime.fromisoformat(clean)
    except ValueError:
        return None


def offset_of(text: str) -> str:
    """The offset that a time itself names ("Z", "+02:00"), "" when it names none."""
    moment = parse_moment(text)
    ahead = moment.utcoffset() if moment is not None else None
    return "" if ahead is None else offset_text(ahead)


def clock_in(text: str, zone: tzinfo | None) -> str:
    """What a clock of the zone shows at a time, without offset; "" when it is no time.

    A time that names no zone is the clock's own.

    >>> clock_in("2021-05-01T06:00:00Z", find_zone("+02:00"))
    '2021-05-01T08:00:00'
    """
    moment = parse_moment(text)
    if moment is None:
        return ""
    if moment.tzinfo is not None and zone is not None:
        try:
            moment = moment.astimezone(zone)
        except OverflowError:
            return ""
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def seconds_utc(text: str, zone: tzinfo | None) -> float:
    """Seconds since 1970 of a local time; without a zone as if it were UTC."""
    moment = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
    seconds = moment.timestamp()
    if zone is None:
        return seconds
    ahead = moment.replace(tzinfo=zone).utcoffset()
    return seconds - (ahead.total_seconds() if ahead else 0.0)


def clock_notes(times: Iterable[str], name: str, where: str) -> list[str]:
    """What to tell of local times in a zone: those that come twice or never, one line a kind."""
    zone = find_zone(name)
    found: dict[str, list[str]] = {TWICE: [], NEVER: []}
    if zone is not None:
        for text in times:
            status = clock_status(text, zone) if text else ""
            if status:
                found[status].append(text)
    out = []
    if found[TWICE]:
        out.append(
            f"{where}: {_count(found[TWICE])} twice in {name} (the clocks went back), the first is "
            "taken; a camera that keeps one time all year needs its offset as time zone, such as "
            f"{_standard(found[TWICE][0], zone)}"
        )
    if found[NEVER]:
        out.append(
            f"{where}: {_count(found[NEVER])} never in {name} (the clocks went forward), taken as "
            "of a clock that was not changed; a camera that keeps one time all year needs its "
            f"offset as time zone, such as {_standard(found[NEVER][0], zone)}"
        )
    return out


def _count(times: Sequence[str]) -> str:
    return (f"{times[0]} comes" if len(times) == 1
            else f"{len(times):,} times ({times[0]} and others) come")


def _standard(text: str, zone: tzinfo | None) -> str:
    """The zone's offset in winter, near a time."""
    moment = datetime.fromisoformat(text).replace(tzinfo=zone)
    pair = (moment.utcoffset(), moment.replace(fold=1).utcoffset())
    return offset_text(min(p for p in pair if p is not None))
