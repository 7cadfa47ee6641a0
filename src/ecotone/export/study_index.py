"""The media of a study by id and by event, on disk, so that a large study need not be in memory."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ecotone.errors import InputError
from ecotone.ingest.camtrapdp_times import instant
from ecotone.study import Row, Study

CACHE = -32_000  # KiB of pages that SQLite may hold


class Placed(NamedTuple):
    """A medium, the event it is of ("" for none), its place in the event from 0 on, and how many
    the event has."""

    row: Row
    event: str
    frame: int
    frames: int


@contextmanager
def scratch() -> Iterator[sqlite3.Connection]:
    """An empty database in a temporary file, gone when the block ends.

    Raises InputError when the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="ecotone-") as folder:
        database = sqlite3.connect(Path(folder) / "scratch.sqlite", isolation_level=None)
        try:
            for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size={CACHE}",
                            "locking_mode=EXCLUSIVE"):
                database.execute(f"PRAGMA {setting}")
            database.execute("BEGIN")
            yield database
        except sqlite3.OperationalError as error:
            raise InputError(f"{folder}: no room to sort the study ({error}).") from error
        finally:
            database.close()


class StudyIndex:
    """The media of a study in a scratch database.

    Media get the event of their observations where their own row names none. Of media with the
    same id the first counts; `twice` says how many others there were.
    """

    def __init__(self, study: Study, database: sqlite3.Connection) -> None:
        self._database = database
        self._again = 1
        database.execute(
            "CREATE TABLE medium (place INTEGER PRIMARY KEY, id TEXT UNIQUE, deployment TEXT, "
            "event TEXT, moment REAL, cells TEXT)"
        )
        database.execute("CREATE TABLE used (id TEXT PRIMARY KEY) WITHOUT ROWID")
        rows = 0

        def counted() -> Iterator[tuple]:
            nonlocal rows
            for row in study.media:
                rows += 1
                names = (row["mediaID"], row.get("deploymentID", ""), row.get("eventID", ""))
                yield (*map(stored, names), instant(row.get("timestamp", "")), json.dumps(row))

        database.executemany(
            "INSERT OR IGNORE INTO medium (id, deployment, event, moment, cells) "
            "VALUES (?, ?, ?, ?, ?)", counted(),
        )
        (self.count,) = database.execute("SELECT COUNT(*) FROM medium").fetchone()
        self.twice = rows - self.count
        database.executemany(
            "UPDATE medium SET event = ? WHERE id = ? AND event = ''", _events(study.observations)
        )
        database.execute("CREATE INDEX by_event ON medium (event, deployment)")
        shared = database.execute(
            "SELECT event FROM medium WHERE event <> '' GROUP BY event "
            "HAVING COUNT(DISTINCT deployment) > 1"
        )
        self.shared = {event for (event,) in shared}  # events whose name several deployments use

    def medium(self, identity: str) -> Row | None:
        """The row of a medium by its id, None when there is none."""
        found = self._find("cells", identity)
        return json.loads(found) if found else None

    def event_of(self, identity: str) -> str:
        """The event of a medium, "" when it has none."""
        return self._find("event", identity)

    def _find(self, column: str, identity: str) -> str:
        query = f"SELECT {column} FROM medium WHERE id = ?"
        return (self._database.execute(query, (stored(identity),)).fetchone() or ("",))[0]

    def of_event(self, event: str, deployment: str) -> list[Row]:
        """The media of an event in their order of time; [] for no event."""
        if not event:
            return []
        found = self._database.execute(
            "SELECT cells FROM medium WHERE event = ? AND deployment = ? ORDER BY moment, place",
            (stored(event), stored(deployment)),
        )
        return [json.loads(cells) for (cells,) in found]

    def media(self) -> Iterator[Placed]:
        """All media in the order of the study."""
        # A cursor of its own: look-ups go on meanwhile.
        found = self._database.execute(
            "SELECT cells, event, frame, frames FROM medium JOIN (SELECT place AS at, "
            "ROW_NUMBER() OVER (PARTITION BY event, deployment ORDER BY moment, place) - 1 "
            "AS frame, COUNT(*) OVER (PARTITION BY event, deployment) AS frames FROM medium) "
            "ON at = place ORDER BY place"
        )
        for cells, event, frame, frames in found:
            yield Placed(json.loads(cells), event, frame, frames)

    def unused(self, name: str) -> str:
        """A name that was not given out before: `name` itself, or with a number after it."""
        wanted = name
        while not self._database.execute(
            "INSERT OR IGNORE INTO used VALUES (?)", (stored(wanted),)
        ).rowcount:
            self._again += 1
            wanted = f"{name}:{self._again}"
        return wanted


def _events(observations: Iterable[Row]) -> Iterator[tuple[str, str]]:
    for row in observations:
        if row.get("mediaID") and row.get("eventID"):
            yield stored(row["eventID"]), stored(row["mediaID"])


def stored(name: str) -> str:
    """A name as the database can hold it: file names need not be valid text."""
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode("utf-8")


__all__ = ["Placed", "StudyIndex", "scratch", "stored"]
