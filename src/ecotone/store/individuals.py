"""Who the animals are: what runs said (undone ones stay, marked), and what people decided of pairs.

A run's rows count from the moment that the run is done. Decisions are only ever added.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.store.tables import columns

COMMANDS = ("individuals match", "individuals catalogue")
SAME, DIFFERENT, OPEN = "same", "different", "open"
_BLOCK = 16384


@dataclass(frozen=True, eq=False)
class IdentificationTable:
    """What one run said of detections in use, by medium as added, then by number.

    detection_id, individual (individualID, "" = cannot tell), decision ("known", "new", "cannot
    tell", or "cluster" in a catalogue made from nothing), candidates (json: [[individualID,
    probability, detection id of its most similar picture], ...]): (N,) str. probability: (N,) of
    the individual. known: (N,) P(one of the known individuals), NaN in a catalogue.
    """

    detection_id: np.ndarray
    individual: np.ndarray
    decision: np.ndarray
    probability: np.ndarray
    known: np.ndarray
    candidates: np.ndarray

    def __len__(self) -> int:
        return len(self.detection_id)

    def best(self, row: int) -> list[tuple[str, float, str]]:
        """The candidates of a row: (individualID, probability, detection id)."""
        return [(str(a), float(p), str(d)) for a, p, d in json.loads(self.candidates[row])]


@dataclass(frozen=True)
class IdentificationRun:
    """One finished run. undone: when, "" = it counts."""

    run: str
    command: str
    started: str
    undone: str
    summary: dict


@dataclass(frozen=True)
class PairDecision:
    """A person's word on two detections: "same", "different", or "open" again."""

    first: str
    second: str
    decision: str
    author: str = ""
    source: str = ""
    created: str = ""


def insert_rows(connection: sqlite3.Connection, run: str, table: IdentificationTable) -> int:
    """Append rows of a run; how many. Call within a transaction."""
    before = connection.total_changes
    connection.executemany(
        """INSERT INTO identification (run, medium, number, individual, decision, probability,
           known, candidates) SELECT ?, n, ?, ?, ?, ?, ?, ? FROM medium WHERE id = ?""",
        _cells(run, table))
    return connection.total_changes - before


def _cells(run: str, table: IdentificationTable) -> Iterator[tuple]:
    for n, detection in enumerate(table.detection_id.tolist()):
        medium, _, number = detection.rpartition(":")
        p, known = float(table.probability[n]), float(table.known[n])
        yield (run, int(number), table.individual[n], table.decision[n],
               None if p != p else p, None if known != known else known, table.candidates[n],
               medium)


def read_rows(connection: sqlite3.Connection, run: str) -> IdentificationTable:
    """What a run said, of detections that are in use."""
    cursor = connection.execute(
        """SELECT m.id || ':' || i.number, i.individual, i.decision, i.probability, i.known,
           i.candidates FROM identification i JOIN medium m ON m.n = i.medium
           JOIN detection d ON d.medium = i.medium AND d.number = i.number AND d.retired = 0
           WHERE i.run = ? ORDER BY i.medium, i.number""", (run,))
    parts = []
    while rows := cursor.fetchmany(_BLOCK):
        parts.append(columns(rows, 6))
    cells = [np.concatenate(c) for c in zip(*(parts or [columns([], 6)]), strict=True)]
    for place in (3, 4):
        cells[place] = np.array([np.nan if v is None else v for v in cells[place]], dtype=float)
    return IdentificationTable(*cells)


def read_runs(connection: sqlite3.Connection) -> list[IdentificationRun]:
    """Finished runs, oldest first."""
    marks = ", ".join("?" for _ in COMMANDS)
    rows = connection.execute(
        f"""SELECT r.id, r.command, r.started, coalesce(u.created, ''), r.summary
            FROM run r LEFT JOIN identification_undone u ON u.run = r.id
            WHERE r.command IN ({marks}) AND r.status = 'done' ORDER BY r.n""", COMMANDS)
    return [IdentificationRun(*row[:4], json.loads(row[4])) for row in rows]


def mark_undone(connection: sqlite3.Connection, run: str, created: str) -> None:
    """Mark a run as undone; call within a transaction."""
    connection.execute("INSERT OR IGNORE INTO identification_undone VALUES (?, ?)", (run, created))


def drop_unfinished(connection: sqlite3.Connection) -> int:
    """Delete rows of runs that failed or were killed; how many. Under the project's write lock."""
    marks = ", ".join("?" for _ in COMMANDS)
    return connection.execute(
        f"""DELETE FROM identification WHERE run IN
            (SELECT id FROM run WHERE command IN ({marks}) AND status != 'done')""", COMMANDS,
    ).rowcount


def insert_decisions(
    connection: sqlite3.Connection, decisions: Iterable[PairDecision], created: str
) -> int:
    """Append decisions that differ from what counts now; how many. Call within a transaction."""
    now = {(d.first, d.second): d.decision for d in read_decisions(connection)}
    added = 0
    for d in decisions:
        first, second = sorted((d.first, d.second))
        if now.get((first, second), OPEN) == d.decision:
            continue
        now[(first, second)] = d.decision
        connection.execute(
            """INSERT INTO pair_decision (first, second, decision, author, source, created)
               VALUES (?, ?, ?, ?, ?, ?)""",
            (first, second, d.decision, d.author, d.source, created))
        added += 1
    return added


def read_decisions(connection: sqlite3.Connection) -> list[PairDecision]:
    """The decisions that count: the newest of each pair, without those that are open again."""
    rows = connection.execute(
        """SELECT first, second, decision, author, source, created FROM pair_decision
           WHERE n IN (SELECT max(n) FROM pair_decision GROUP BY first, second)
           AND decision != 'open' ORDER BY n""")
    return [PairDecision(*row) for row in rows]


def empty_table() -> IdentificationTable:
    """A table without rows."""
    cells = columns([], 6)
    for place in (3, 4):
        cells[place] = cells[place].astype(float)
    return IdentificationTable(*cells)


def candidates_json(rows: Sequence[Sequence[tuple[str, float, str]]]) -> np.ndarray:
    """(N,) json of candidates, probabilities with four digits."""
    out = np.empty(len(rows), dtype=object)
    out[:] = [json.dumps([[a, round(p, 4), d] for a, p, d in row], ensure_ascii=False)
              for row in rows]
    return out
