"""The record table of camtrapR: one row a record of a species at a station.

As `recordTable()` gives it: records of one species at one station in the same second are one, and
the time since the one before tells how independent a record is.
Source: Niedballa et al. 2016, camtrapR: an R package for efficient camera trap data management,
Methods in Ecology and Evolution 7; its recordTable() and recordTableSample (3.1).
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from ecotone.errors import InputError
from ecotone.export.atomic import Sheet, replaced
from ecotone.export.study_index import StudyIndex, scratch, stored
from ecotone.export.written import Written
from ecotone.ingest.events import iso_time
from ecotone.study import DEPLOYMENT_COLUMNS, Row, Study

COLUMNS = (
    "Station", "Species", "DateTimeOriginal", "Date", "Time", "delta.time.secs", "delta.time.mins",
    "delta.time.hours", "delta.time.days", "Directory", "FileName", "n_images",
)
COMPARED = ("last record", "last independent record")
UNNAMED = "unidentified"
PLACES = ("locationName", "locationID", "deploymentID")  # a station is the first that is known


class _Record(NamedTuple):
    station: str
    species: str
    time: str
    path: str
    name: str
    images: int


def write_record_table(
    study: Study, path: str | Path, *, station: str = "", minutes: float = 0,
    compared_to: str = "last record", kinds: Collection[str] = ("animal",), machine: bool = False,
) -> Written:
    """Write a study's observations as camtrapR's record table, a csv file.

    station: the column of deployments that names the stations; default locationName, else
    locationID, else deploymentID. minutes: records closer than that to the last record (or the
    "last independent record", `compared_to`) are left out. kinds: observationTypes that count.
    machine: also what models said. Where an event has observations of its own, those of its
    pictures are left out, since they say the same.
    Raises InputError on a column that deployments do not have and when the file cannot be written.
    """
    if station and station not in DEPLOYMENT_COLUMNS:
        raise InputError(f"deployments have no column {station!r}; give one such as locationName.")
    if compared_to not in COMPARED:
        raise InputError(f"records are compared to {' or '.join(COMPARED)}, not {compared_to!r}.")
    with scratch() as database, replaced(path) as file:
        table = _Table(study, StudyIndex(study, database), database, station)
        table.gather(frozenset(kinds), machine)
        sheet = Sheet(file)
        sheet.write(COLUMNS)
        count = 0
        independent = compared_to == COMPARED[1]
        for record, seconds in _independent(table.records(), 60 * minutes, independent):
            sheet.write(_cells(record, seconds))
            count += 1
        return Written(Path(path), {"records": count}, table.warnings())


class _Table:
    """The records of a study, sorted on disk."""

    def __init__(
        self, study: Study, index: StudyIndex, database: sqlite3.Connection, station: str
    ) -> None:
        self._study, self._index, self._database = study, index, database
        columns = (station, "deploymentID") if station else PLACES
        self._station = {
            row["deploymentID"]: next((row[c] for c in columns if row.get(c)), "")
            for row in study.deployments
        }
        self._left: dict[str, int] = {}
        database.execute(
            "CREATE TABLE record (place INTEGER PRIMARY KEY, station TEXT, species TEXT, "
            "time TEXT, path TEXT, name TEXT, images INTEGER)"
        )
        database.execute("CREATE TABLE told (event TEXT, deployment TEXT, "
                         "PRIMARY KEY (event, deployment)) WITHOUT ROWID")

    def gather(self, kinds: frozenset[str], machine: bool) -> None:
        """All observations that count, as records."""
        self._database.executemany(
            "INSERT OR IGNORE INTO told VALUES (?, ?)",
            ((stored(r.get("eventID", "")), stored(r.get("deploymentID", "")))
             for r in self._chosen(kinds, machine) if not r.get("mediaID")),
        )
        self._left.clear()
        for row in self._chosen(kinds, machine):
            record = self._of_medium(row) if row.get("mediaID") else self._of_event(row)
            if record is not None:
                self._database.execute(
                    "INSERT INTO record (station, species, time, path, name, images) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (*map(stored, record[:5]), record.images),
                )

    def _chosen(self, kinds: frozenset[str], machine: bool) -> Iterator[Row]:
        for row in self._study.observations:
            if row.get("observationType") not in kinds:
                continue
            if row.get("classificationMethod") == "machine" and not machine:
                self._leave("observations of models are left out; ask for them with machine")
            else:
                yield row

    def _leave(self, reason: str) -> None:
        self._left[reason] = self._left.get(reason, 0) + 1

    def _of_medium(self, row: Row) -> _Record | None:
        medium = self._index.medium(row["mediaID"]) or {}
        event = self._index.event_of(row["mediaID"]) or row.get("eventID", "")
        place = medium.get("deploymentID") or row.get("deploymentID", "")
        query = "SELECT 1 FROM told WHERE event = ? AND deployment = ?"
        if event and self._database.execute(query, (stored(event), stored(place))).fetchone():
            return None
        time = medium.get("timestamp") or row.get("eventStart", "")
        return self._record(row, place, time, medium, 1)

    def _of_event(self, row: Row) -> _Record | None:
        place = row.get("deploymentID", "")
        media = self._index.of_event(row.get("eventID", ""), place)
        first = media[0] if media else {}
        time = first.get("timestamp") or row.get("eventStart", "")
        return self._record(row, place, time, first, max(len(media), 1))

    def _record(
        self, row: Row, place: str, time: str, medium: Row, images: int
    ) -> _Record | None:
        clock = iso_time(time)
        if not clock:
            self._leave("observations have no time, left out")
            return None
        species = row.get("scientificName") or row.get("label") or row.get("vernacularName")
        path = medium.get("filePath", "")
        return _Record(self._station.get(place) or place, species or UNNAMED,
                       clock.replace("T", " "), path, medium.get("fileName", ""), images)

    def records(self) -> Iterator[_Record]:
        """Sorted by station, species and time; those of the same second as one."""
        found = self._database.execute(
            "SELECT station, species, time, path, name, images FROM record "
            "ORDER BY station, species, time, place"
        )
        for _, same in groupby(map(_Record._make, found), key=lambda r: r[:3]):
            rows = list(same)
            files = {r.path: r.images for r in rows}
            yield rows[0]._replace(images=sum(files.values()))

    def warnings(self) -> list[str]:
        """What was left out."""
        out = [f"{count:,} {reason}" for reason, count in self._left.items()]
        stations = set(self._station.values())
        if len(stations) < len(self._station):
            out.append(
                f"{len(self._station):,} deployments are {len(stations):,} stations; name another "
                "column as station to tell them apart"
            )
        return out


def _independent(
    records: Iterator[_Record], least: float, compare_independent: bool
) -> Iterator[tuple[_Record, float]]:
    """Records with the seconds since the one before (0 for the first of a species at a station).

    A record that is less than `least` seconds after it is none of its own; its pictures count for
    the one before.
    """
    for _, group in groupby(records, key=lambda r: (r.station, r.species)):
        pending: tuple[_Record, float] | None = None
        before = 0.0
        for record in group:
            now = _seconds(record.time)
            if pending is not None and now - before < least:
                kept = pending[0]
                pending = (kept._replace(images=kept.images + record.images), pending[1])
                if not compare_independent:
                    before = now
                continue
            if pending is not None:
                yield pending
            pending = (record, 0.0 if pending is None else now - before)
            before = now
        if pending is not None:
            yield pending


def _seconds(time: str) -> float:
    return (datetime.fromisoformat(time) - datetime(1970, 1, 1)).total_seconds()


def _cells(record: _Record, seconds: float) -> list[str]:
    """As camtrapR rounds: each unit from the one before."""
    minutes = _one_decimal(seconds / 60)
    hours = _one_decimal(minutes / 60)
    directory, _, name = record.path.rpartition("/")
    date, time = record.time.split(" ")
    return [
        record.station, record.species, record.time, date, time, f"{seconds:.0f}",
        f"{minutes:.1f}", f"{hours:.1f}", f"{_one_decimal(hours / 24):.1f}", directory,
        record.name or name, str(record.images),
    ]


def _one_decimal(value: float) -> float:
    """Rounded as R 4 does: to the nearer of two neighbours as they are stored, else to the even.

    >>> _one_decimal(1507.55), round(1507.55, 1)
    (1507.6, 1507.5)
    """
    tenths = math.floor(value * 10)
    low, high = tenths / 10, (tenths + 1) / 10
    below, above = value - low, high - value
    return low if below < above or (below == above and tenths % 2 == 0) else high
