"""The state behind the page: arrays of everything, kept in step with the catalogue.

One connection reads and writes, under one lock; what other processes write (an import, a fusion, a
second page) is noticed and read. N detections.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import EcotoneError
from ecotone.project import Project
from ecotone.project.records import LATEST
from ecotone.review.machines import Machines, read_machines
from ecotone.review.pace import Pace
from ecotone.review.table import Answers, Table, read_answers, read_table
from ecotone.review.voices import Voices
from ecotone.store import decisions as decision_rows
from ecotone.store.suggestions import newest_run

LOG = logging.getLogger("ecotone.review")
MANY = 10**6  # decisions that may have come since the last look
PATIENCE = 20.0  # seconds that the reading of scores waits for a pause, in all
REMEMBERED = 5000  # changes that pages can ask for; a page that slept longer reads all anew


class View:
    """Everything the page shows of one project.

    version: counts up with every change of a label or box, by anyone. epoch: counts up when queues
    are to be asked anew (a fusion, new pictures). Hold `lock` while reading more than one thing.
    """

    def __init__(self, path: Path, pace: Pace | None = None) -> None:
        self.lock = threading.RLock()
        self.pace = pace or Pace()
        self.project = Project(path)
        self.catalog = self.project.catalog
        self.version, self.epoch = 0, 0
        self.changes: deque[tuple[int, str]] = deque(maxlen=REMEMBERED)
        self.orders: dict[str, Any] = {}
        self._reading: threading.Thread | None = None
        seen, table = look(self.catalog), read_table(self.catalog)
        self._begin(table, read_answers(self.project, table), seen)
        self._start_reading()

    # What others may ask

    @property
    def connection(self) -> Any:
        """The connection to the catalogue; hold `lock`."""
        return self.catalog.connection

    def close(self) -> None:
        """Close the catalogue."""
        if self._reading is not None:
            self._reading.join(timeout=10)
        with self.lock:
            self.project.close()

    def changed_since(self, version: int) -> set[str] | None:
        """Ids of detections that changed after a version; None when that is too long ago."""
        if version == self.version:
            return set()
        if version > self.version or (self.changes and version < self.changes[0][0] - 1):
            return None
        if not self.changes:
            return None
        return {identity for number, identity in self.changes if number > version}

    def wait_for_machines(self) -> None:
        """Until the scores of the global models are read."""
        if self._reading is not None:
            self._reading.join()

    # Keeping in step

    def touched(self, media: Iterable[str]) -> list[str]:
        """Read the labels of media anew after a decision; ids of their detections."""
        with self.lock:
            ids = self.voices.refresh(self.connection, media)
            self.version += 1
            self.changes.extend((self.version, identity) for identity in ids)
            return ids

    def boxes_changed(self, media: Iterable[str]) -> list[str]:
        """Read the boxes of media anew, then their labels; ids of their detections."""
        with self.lock:
            before = len(self.table)
            for medium in media:
                self._renew_boxes(medium)
            n = len(self.table)
            self.answers, self.machines = self.answers.grown(n), self.machines.grown(n)
            for row in range(before, n):
                self._like_before(row)
            self.orders.clear()
            return self.touched(media)

    def _renew_boxes(self, medium: str) -> None:
        row = self.table.media_row.get(medium)
        if row is None:
            return
        found = self.connection.execute(
            """SELECT m.id || ':' || d.number, d.x, d.y, d.width, d.height FROM detection d
               JOIN medium m ON m.n = d.medium WHERE m.id = ? AND d.retired = 0
               ORDER BY d.number""", (medium,)
        ).fetchall()
        now = {identity: box for identity, *box in found}
        before = np.flatnonzero(self.table.medium == row).tolist()
        for r in before:
            self.table.used[r] = self.table.id[r] in now
            if not self.table.used[r]:
                self.voices.forget(self.table.id[r])
        for identity, box in now.items():
            if identity not in self.table.row_of:
                self.table.add(identity, before[0], box)
                self.voices.grow()

    def _like_before(self, row: int) -> None:
        """Until models have seen a new box, what they said of the one that it replaces is shown."""
        old = self.table.row_of.get(self.replaced(self.table.id[row]), -1)
        if old >= 0:
            for values in (self.answers.top, self.answers.p, self.answers.human, self.machines.name,
                           self.machines.score, self.machines.mapped, self.machines.human):
                values[row] = values[old]

    def replaced(self, identity: str) -> str:
        """The id of the detection that a person's box stands for, "" for none."""
        medium, _, number = identity.rpartition(":")
        found = self.connection.execute(
            """SELECT b.replaces FROM person_box b JOIN medium m ON m.n = b.medium
               WHERE m.id = ? AND b.number = ? AND b.replaces >= 0""", (medium, int(number))
        ).fetchone()
        return f"{medium}:{found[0]}" if found else ""

    def sync(self) -> None:
        """Notice what other processes wrote."""
        with self.lock:
            mark = self.connection.execute("PRAGMA data_version").fetchone()[0]
            if mark == self._mark and not self._stale:
                return
            self._mark = mark
            self._stale = shape_of(self.catalog) != self._seen_shape
            if self._stale:
                self._start_reading()
            asked = newest_run(self.connection)
            if asked != self._seen_questions:
                self._seen_questions = asked
                self.orders.clear()
                self.epoch += 1
            self._catch_up()

    def _catch_up(self) -> None:
        """Read what was labelled, drawn or taken back since the last look, by anyone."""
        last = self._last_label(), decision_rows.last_decision(self.connection)
        media = {row[0] for row in self.connection.execute(
            "SELECT media_id FROM label WHERE n > ?", (self._seen_label,))}
        fresh = decision_rows.decisions_after(self.connection, self._seen_decision, MANY)
        touched = media | decision_rows.media_of(
            self.connection, [n for d in fresh for n in (d.n, d.target) if n])
        if any(d.kind == "box" or d.target for d in fresh):
            self.boxes_changed(touched)
        elif touched:
            self.touched(touched)
        self._seen_label, self._seen_decision = last

    def _begin(self, table: Table, answers: Answers, seen: tuple) -> None:
        """Take in what was read; `seen`: shape and last decision when the reading began."""
        self._mark = self.connection.execute("PRAGMA data_version").fetchone()[0]
        self._stale = False
        self._seen_shape, self._seen_decision = seen
        self._seen_questions = newest_run(self.connection)
        self.table, self.answers = table, answers
        self.machines = Machines.nothing(len(table))
        self.machines_read = False
        self._seen_label = self._last_label()
        self.voices = Voices(table)
        self.voices.read(self.connection)
        self.names = {
            name: pair for name, pair in self.catalog.label_names().items() if any(pair)
        }
        self.orders.clear()

    def _start_reading(self) -> None:
        """Read all anew beside, while people go on; then pages are told to ask their queues."""
        if self._reading is None or not self._reading.is_alive():
            self._reading = threading.Thread(
                target=self._read_beside, daemon=True, name="ecotone-reading")
            self._reading.start()

    def _read_beside(self) -> None:
        try:
            with Project(self.project.path) as project:
                if shape_of(project.catalog) != self._seen_shape:
                    seen = look(project.catalog)
                    table = read_table(project.catalog)
                    answers = read_answers(project, table)
                    with self.lock:
                        self._begin(table, answers, seen)
                        self._catch_up()
                        self.epoch += 1
                        self._tell_all()
                self._read_machines(project)
        except (EcotoneError, OSError) as error:
            LOG.warning("the newest state cannot be shown: %s", error)

    def _read_machines(self, project: Project) -> None:
        """Scores of global models take a while; the first cards do not wait for them."""
        table = self.table
        end = time.monotonic() + PATIENCE
        found = read_machines(project, table, self.answers,
                              lambda: self.pace.rest(end - time.monotonic()))
        with self.lock:
            self.machines, self.machines_read = found.grown(len(table)), True
            self.orders.clear()
            self._tell_all()

    def _tell_all(self) -> None:
        """Every card has something new to show: pages ask for theirs again."""
        self.version += 1
        self.changes.clear()

    def _last_label(self) -> int:
        return int(self.connection.execute(
            "SELECT coalesce(max(n), 0) FROM label").fetchone()[0])


def look(catalog: Any) -> tuple:
    """Shape and last decision of a catalogue, before it is read."""
    return shape_of(catalog), decision_rows.last_decision(catalog.connection)


def shape_of(catalog: Any) -> tuple:
    """What makes a new reading of everything necessary when it changes."""
    connection = catalog.connection
    people = "SELECT count(*) FROM person_box"
    boxes = connection.execute(f"SELECT count(*) - ({people}) FROM detection").fetchone()[0]
    last = (catalog.note(LATEST) or {}).get("run", "")
    done = connection.execute(
        "SELECT count(*), (SELECT count(*) FROM refinement_undone), "
        "(SELECT count(*) FROM identification_undone) FROM run WHERE status = 'done' AND "
        "(command IN ('refine', 'discover') OR command LIKE 'individuals %')").fetchone()
    sets = connection.execute("SELECT count(*), coalesce(max(n), 0) FROM shard").fetchone()
    return boxes, last, *done, *sets
