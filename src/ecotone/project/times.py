"""`ecotone fix-time` and `ecotone events`: wrong clocks, time zones, and the events that follow.

A correction is added to what the camera said, which stays; the newest one of a deployment counts.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.config import FILE_NAME, config_from, write_setting
from ecotone.errors import InputError
from ecotone.ingest.events import event_ids
from ecotone.ingest.shifts import ShiftRow, between, parse_shift, read_shifts
from ecotone.ingest.text import some
from ecotone.ingest.zones import (
    NEVER,
    clock_in,
    clock_notes,
    clock_status,
    find_zone,
    offset_of,
    zoned,
)
from ecotone.store.tables import MediaTable, TimeShift
from ecotone.store.times import shift_time

_UNDO = re.compile(r"undo of correction (\d+)")


@dataclass(frozen=True)
class TimeFix:
    """One deployment's correction: seconds and zone that count now, its pictures with a time, and
    the first picture's time as the camera said it, before and after."""

    deployment: str
    seconds: float
    time_zone: str
    pictures: int
    camera: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class FixReport:
    """What `fix_time` did. unchanged: deployments that were so already."""

    fixes: list[TimeFix]
    events_before: int
    events_after: int
    dry_run: bool = False
    unchanged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report for people."""
        out = []
        for fix in self.fixes:
            zone = f", time zone {fix.time_zone}" if fix.time_zone else ""
            out.append(f"{fix.deployment}: clock {shift_text(fix.seconds)}{zone}, "
                       f"{fix.pictures:,} pictures")
            if fix.camera:
                out.append(f"  first picture: camera {fix.camera}, was {fix.before}, "
                           f"now {fix.after}")
        if self.unchanged:
            out.append(f"unchanged: {some(self.unchanged)}")
        out.append(f"events: {self.events_before:,} before, {self.events_after:,} after")
        out += [f"note: {note}" for note in self.notes]
        return [*out, "nothing was changed (--dry-run)"] if self.dry_run else out


def shift_text(seconds: float) -> str:
    """A shift for people: "+1 day 02:00:00".

    >>> shift_text(-5400), shift_text(0)
    ('-01:30:00', 'as the camera says')
    """
    if not seconds:
        return "as the camera says"
    days, rest = divmod(abs(round(seconds)), 86400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    day = f"{days:,} day{'s' if days > 1 else ''} " if days else ""
    return ("-" if seconds < 0 else "+") + day + clock


def fix_time(
    project: Any, deployments: Sequence[str] = (), undo: bool = False, dry_run: bool = False,
    **asked: Any,
) -> FixReport:
    """Correct the clock of deployments; the pictures' own times are kept.

    asked: `shift`, what to add to the camera's clock ("+1h"); or `said` and `true`, what the camera
    said at a moment and what was true; or `file`, a csv of corrections; with it `time_zone` of the
    corrected time and a `reason`. undo: back to what counted before the newest correction.
    Raises InputError when no deployment of that name is here or a time cannot be read.
    """
    catalog = project.catalog
    rows = _wanted(deployments, undo, **asked)
    history, names = catalog.time_shifts(), _names(catalog)
    fresh: dict[str, TimeShift] = {}
    unchanged = []
    for row in rows:
        place = _place(row.deployment, names)
        new = _undone(place, history) if undo else _next(place, row, history)
        now = history[place][-1] if place in history else TimeShift(place, 0.0)
        if (new.seconds, new.time_zone) == (now.seconds, now.time_zone):
            unchanged.append(place)
        else:
            fresh[place] = new
    report = _report(project, catalog.media(), fresh, unchanged, dry_run)
    if asked.get("true") is not None:
        _check_true(asked["true"], [f.time_zone for f in report.fixes])
    if not dry_run and fresh:
        with catalog.transaction():
            catalog.add_time_shifts(list(fresh.values()))
            renew_events(catalog, project.config.event_gap, project.config.time_zone)
    return report


def _wanted(
    deployments: Sequence[str], undo: bool, shift: str | None = None, said: str | None = None,
    true: str | None = None, file: Path | None = None, time_zone: str | None = None,
    reason: str = "",
) -> list[ShiftRow]:
    """The corrections asked for; the options exclude each other."""
    pair = said is not None or true is not None
    ways = [shift is not None, pair, file is not None, undo]
    if sum(ways) > 1 or not (any(ways) or time_zone):
        raise InputError("give one of --shift, --from with --to, --from-file, --undo, --time-zone.")
    if pair and (said is None or true is None):
        raise InputError("--from and --to belong together: what the camera said, what was true.")
    if undo and (time_zone or reason):
        raise InputError("--undo takes neither --time-zone nor --reason; leave them out.")
    zone = time_zone or ""
    find_zone(zone)
    if file is not None:
        if deployments:
            raise InputError("--from-file names its deployments itself; leave out --deployment.")
        return [
            ShiftRow(r.deployment, r.seconds, r.time_zone or zone, r.reason or reason)
            for r in read_shifts(file)
        ]
    if not deployments:
        raise InputError("say which camera: --deployment NAME (see: ecotone status).")
    seconds = None
    if shift is not None:
        seconds = parse_shift(shift)
    elif said is not None and true is not None:
        seconds, offset = between(said, true)
        zone = zone or offset
    return [ShiftRow(d, seconds, zone, reason) for d in dict.fromkeys(deployments)]


def _names(catalog: Any) -> dict[str, str]:
    """Deployments by their ids, and by their locations' names where these are unique."""
    table = catalog.deployments()
    ids = dict.fromkeys(table.id.tolist())
    for study in catalog.studies():
        ids.update(dict.fromkeys(catalog.study_deployments(study.number)))
    places = [n for n in table.location_name if n]
    by_place = {n: i for i, n in zip(table.id, table.location_name, strict=True)
                if places.count(n) == 1}
    return {**by_place, **{i: i for i in ids}}


def _place(name: str, names: Mapping[str, str]) -> str:
    if name in names:
        return names[name]
    near = difflib.get_close_matches(name, names, n=1) or sorted(names)[:3]
    hint = f"did you mean {near[0]!r}?" if len(near) == 1 else (
        f"there are: {some(sorted(names), 5)}." if names else "there are none yet.")
    raise InputError(f"no deployment {name!r} in this project; {hint}")


def _next(place: str, row: ShiftRow, history: Mapping[str, list[TimeShift]]) -> TimeShift:
    """A correction; what it does not say stays as it is."""
    now = history[place][-1] if place in history else TimeShift(place, 0.0)
    seconds = now.seconds if row.seconds is None else row.seconds
    return TimeShift(place, seconds, row.time_zone or now.time_zone, row.reason)


def _undone(place: str, history: Mapping[str, list[TimeShift]]) -> TimeShift:
    """A row that restores what counted before the newest correction that still stands."""
    standing: list[TimeShift] = []
    for row in history.get(place, ()):
        undo = _UNDO.fullmatch(row.reason)
        if undo:
            standing = [s for s in standing if s.number != int(undo.group(1))]
        else:
            standing.append(row)
    if not standing:
        raise InputError(f"deployment {place!r} has no correction to undo.")
    back = standing[-2] if len(standing) > 1 else TimeShift(place, 0.0)
    reason = f"undo of correction {standing[-1].number}"
    return TimeShift(place, back.seconds, back.time_zone, reason)


def _check_true(true: str, zones: Sequence[str]) -> None:
    """A moment that a person saw on a clock is one that was."""
    if offset_of(true):
        return
    text = clock_in(true, None)
    for name in zones:
        zone = find_zone(name)
        if text and zone is not None and clock_status(text, zone) == NEVER:
            raise InputError(
                f"--to {true}: no clock in {name} showed it (the clocks went forward); check it, "
                "or write its offset behind it, such as +01:00."
            )


def _report(
    project: Any, media: MediaTable, fresh: Mapping[str, TimeShift], unchanged: list[str],
    dry_run: bool,
) -> FixReport:
    """What corrections will do, before they are stored."""
    times, zones = media.timestamp.copy(), zone_names(media, project.config.time_zone)
    fixes, notes = [], []
    for place, new in fresh.items():
        rows = np.flatnonzero((media.deployment_id == place) & (media.original_timestamp != ""))
        try:
            times[rows] = [shift_time(media.original_timestamp[r], new.seconds) for r in rows]
        except OverflowError:
            raise InputError(
                f"deployment {place!r}: {shift_text(new.seconds)} leads beyond the years 1 to 9999."
            ) from None
        if new.time_zone:
            zones[rows] = new.time_zone
        zone = zones[rows[0]] if len(rows) else new.time_zone or project.config.time_zone
        notes += clock_notes(times[rows], zone, place)
        if not zone:
            notes.append(
                f"{place}: its time zone is not known, and Camtrap DP needs it (--time-zone, or "
                "time_zone in ecotone.toml)"
            )
        first = rows[np.argsort(media.original_timestamp[rows], kind="stable")[:1]]
        shown = [str(column[r]) for r in first
                 for column in (media.original_timestamp, media.timestamp, times)]
        fixes.append(TimeFix(place, new.seconds, zone, len(rows), *shown))
    gap = project.config.event_gap
    return FixReport(
        fixes, _events(media, media.timestamp, zone_names(media, project.config.time_zone), gap),
        _events(media, times, zones, gap), dry_run, unchanged, notes,
    )


def _events(media: MediaTable, times: np.ndarray, zones: np.ndarray, gap: float) -> int:
    return len(set(event_ids(media.deployment_id, times, gap, zones, media.duration)) - {""})


def zone_names(media: MediaTable, default: str) -> np.ndarray:
    """The zone of each picture's time (M,): its deployment's, else the project's, else ""."""
    zones = media.time_zone.copy()
    zones[zones == ""] = default
    return zones


def zoned_times(media: MediaTable, default: str) -> np.ndarray:
    """Corrected times (M,) with the offset of their zone, where one is known."""
    out = media.timestamp.copy()
    zones = zone_names(media, default)
    for row in np.flatnonzero(zones != ""):
        out[row] = zoned(out[row], find_zone(zones[row]))
    return out


def renew_events(catalog: Any, gap: float, time_zone: str = "") -> int:
    """Group the pictures of each deployment into events; how many pictures changed theirs.

    time_zone: of the deployments that name none. Only what changed is written.
    """
    media = catalog.media()
    zones = zone_names(media, time_zone)
    events = event_ids(media.deployment_id, media.timestamp, gap, zones, media.duration)
    changed = {
        m: new for m, new, old in zip(media.id, events, media.event_id, strict=True) if new != old
    }
    catalog.set_events(changed)
    return len(changed)


@dataclass(frozen=True)
class EventsReport:
    """Events of a project: their number, the pictures in them, those without a time, and how many
    pictures changed their event now."""

    gap: float
    events: int
    pictures: int
    without_time: int
    largest: int
    changed: int

    def lines(self) -> list[str]:
        """The report for people."""
        out = [f"{self.events:,} events of {self.pictures:,} pictures (gap {self.gap:g} s), the "
               f"largest of {self.largest:,}; {self.changed:,} pictures changed their event"]
        if self.without_time:
            out.append(f"{self.without_time:,} pictures have no time and belong to no event")
        return out


def make_events(project: Any, gap: float | None = None) -> EventsReport:
    """Group pictures into events anew; a `gap` (seconds) given here becomes the project's setting.

    Raises InputError when the gap is negative or no number, or the settings cannot be written.
    """
    if gap is not None and gap != project.config.event_gap:
        config_from({"event_gap": float(gap)}, "--gap")
        write_setting(project.path / FILE_NAME, "event_gap", float(gap))
        project.reload()
    config = project.config
    changed = renew_events(project.catalog, config.event_gap, config.time_zone)
    events = project.catalog.media().event_id
    _, counts = np.unique(events[events != ""].astype(str), return_counts=True)
    return EventsReport(
        config.event_gap, len(counts), int(counts.sum()), int((events == "").sum()),
        int(counts.max(initial=0)), changed,
    )
