"""What `refine` made of the detections: one audit row each, append-only; undone runs stay, marked.

A run's rows may be written in several pieces; they count from the moment that the run is done.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ecotone.store.tables import columns

COMMAND = "refine"
BLOCK = 16384  # rows fetched at once
NUMBERS = frozenset({"probability", "first_distance", "second_distance", "threshold"})


@dataclass(frozen=True, eq=False)
class RefinementTable:
    """Audit rows of detections in use, by medium as added, then by number.

    detection_id, stage (which step decided; "unchanged", or "people" for a label that people gave),
    was, became (label before and after), rank (of `became`), first, second (the two nearest
    classes): (N,) str. probability, first_distance, second_distance, threshold: (N,) float64, NaN
    where a method gives none.
    """

    detection_id: np.ndarray
    stage: np.ndarray
    was: np.ndarray
    became: np.ndarray
    rank: np.ndarray
    probability: np.ndarray
    first: np.ndarray
    first_distance: np.ndarray
    second: np.ndarray
    second_distance: np.ndarray
    threshold: np.ndarray

    def __len__(self) -> int:
        return len(self.detection_id)

    def rows(self) -> Iterator[tuple]:
        """The rows, NaN as None."""
        cells = [
            map(_known, getattr(self, name).tolist()) if name in NUMBERS else getattr(self, name)
            for name in FIELDS
        ]
        return zip(*cells, strict=True)


FIELDS = tuple(RefinementTable.__dataclass_fields__)


@dataclass(frozen=True)
class RefinementRun:
    """One finished refinement. summary: as it was recorded. undone: when, "" = it counts."""

    run: str
    started: str
    undone: str
    summary: dict


def insert_rows(connection: sqlite3.Connection, run: str, table: RefinementTable) -> int:
    """Append audit rows of a run; how many. Call within a transaction.

    A detection whose medium is not here is left out.
    """
    before = connection.total_changes
    connection.executemany(
        """INSERT INTO refinement (run, medium, number, stage, was, became, rank, probability,
           first, first_distance, second, second_distance, threshold)
           SELECT ?, n, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM medium WHERE id = ?""",
        _cells(run, table),
    )
    return connection.total_changes - before


def _cells(run: str, table: RefinementTable) -> Iterable[tuple]:
    for detection, *rest in table.rows():
        medium, _, number = detection.rpartition(":")
        yield (run, int(number), *rest, medium)


def read_rows(connection: sqlite3.Connection, run: str) -> RefinementTable:
    """The audit rows of a run, of detections that are in use."""
    cursor = connection.execute(
        """SELECT m.id || ':' || r.number, r.stage, r.was, r.became, r.rank, r.probability,
           r.first, r.first_distance, r.second, r.second_distance, r.threshold
           FROM refinement r JOIN medium m ON m.n = r.medium
           JOIN detection d ON d.medium = r.medium AND d.number = r.number AND d.retired = 0
           WHERE r.run = ? ORDER BY r.medium, r.number""", (run,),
    )
    known: dict[str, str] = {}  # labels repeat: one text each, not one a row
    parts = []
    while rows := cursor.fetchmany(BLOCK):
        shared = [
            (row[0], *(known.setdefault(v, v) if isinstance(v, str) else v for v in row[1:]))
            for row in rows
        ]
        parts.append(columns(shared, len(FIELDS)))
    parts = parts or [columns([], len(FIELDS))]
    joined = [np.concatenate(cells) for cells in zip(*parts, strict=True)]
    return RefinementTable(*(
        cells.astype(np.float64) if name in NUMBERS else cells
        for name, cells in zip(FIELDS, joined, strict=True)
    ))


def read_runs(connection: sqlite3.Connection) -> list[RefinementRun]:
    """Finished refinements, oldest first."""
    rows = connection.execute(
        """SELECT r.id, r.started, coalesce(u.created, ''), r.summary
           FROM run r LEFT JOIN refinement_undone u ON u.run = r.id
           WHERE r.command = ? AND r.status = 'done' ORDER BY r.n""", (COMMAND,),
    )
    return [RefinementRun(*row[:3], json.loads(row[3])) for row in rows]


def mark_undone(connection: sqlite3.Connection, run: str, created: str) -> None:
    """Mark a run as undone; call within a transaction."""
    connection.execute(
        "INSERT OR IGNORE INTO refinement_undone (run, created) VALUES (?, ?)", (run, created)
    )


def drop_unfinished(connection: sqlite3.Connection) -> int:
    """Delete rows of runs that failed or were killed; how many. Call within a transaction.

    Only while no other refinement can be running: under the project's write lock.
    """
    return connection.execute(
        """DELETE FROM refinement WHERE run IN
           (SELECT id FROM run WHERE command = ? AND status != 'done')""", (COMMAND,),
    ).rowcount


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
