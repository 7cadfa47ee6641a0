"""Questions in the catalogue: what was asked, append-only, and what people have answered since.

A question is answered by any label of its picture, or of its detection, that came after it: nothing
has to be marked, whichever way labels come in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.store.tables import columns

CHOOSING = ("next", "uncertain", "changed", "refined", "similar")  # queues of the review


@dataclass(frozen=True)
class NewSuggestion:
    """One question. rank: 1 is asked first. species: that a hunt is for, "" = none."""

    detection_id: str
    rank: int
    reason: str
    expected_class: str = ""
    score: float = 0.0
    species: str = ""


@dataclass(frozen=True, eq=False)
class SuggestionTable:
    """Questions about detections in use, oldest run first, in the order of asking.

    run, detection_id, media_id, reason, expected_class ("" = nothing is known), species, answer
    (the newest label since, "" = open), created: (Q,) str. rank: (Q,) int64. score: (Q,) float64.
    """

    run: np.ndarray
    rank: np.ndarray
    detection_id: np.ndarray
    media_id: np.ndarray
    reason: np.ndarray
    expected_class: np.ndarray
    score: np.ndarray
    species: np.ndarray
    answer: np.ndarray
    created: np.ndarray

    def __len__(self) -> int:
        return len(self.run)

    @property
    def answered(self) -> np.ndarray:
        """(Q,) bool: a label came after the question."""
        return self.answer != ""


_ALL = """SELECT s.run, s.rank, m.id || ':' || s.number, m.id, s.reason, s.expected_class, s.score,
    s.species, coalesce((
        SELECT l.label FROM label l WHERE l.media_id = m.id AND l.n > s.after
        AND (l.decision = 0 OR l.decision NOT IN (SELECT target FROM undone))
        AND l.detection_id IN ('', m.id || ':' || s.number)
        AND (l.decision = 0 OR l.decision NOT IN (SELECT target FROM undone))
        ORDER BY l.n DESC LIMIT 1), ''),
    s.created
    FROM suggestion s JOIN medium m ON m.n = s.medium
    JOIN detection d ON d.medium = s.medium AND d.number = s.number AND d.retired = 0
    WHERE ? IN ('', s.run) ORDER BY s.n"""


def insert_suggestions(
    connection: sqlite3.Connection, run: str, questions: Sequence[NewSuggestion], created: str
) -> int:
    """Append the questions of a run; how many. Call within a transaction."""
    after = connection.execute("SELECT coalesce(max(n), 0) FROM label").fetchone()[0]
    rows = []
    for q in questions:
        media_id, _, number = q.detection_id.rpartition(":")
        rows.append((run, q.rank, int(number), q.reason, q.expected_class, q.score, q.species,
                     after, created, media_id))
    connection.executemany(
        """INSERT INTO suggestion (run, rank, medium, number, reason, expected_class, score,
           species, after, created)
           SELECT ?1, ?2, m.n, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM medium m WHERE m.id = ?10""", rows,
    )
    return len(rows)


def read_suggestions(connection: sqlite3.Connection, run: str = "") -> SuggestionTable:
    """The questions of a run, or of all runs."""
    rows = connection.execute(_ALL, (run,)).fetchall()
    name, rank, *texts = columns(rows, 10)
    texts[4] = texts[4].astype(np.float64)
    return SuggestionTable(name, rank.astype(np.int64), *texts)


def chosen_media(connection: sqlite3.Connection) -> set[str]:
    """Media whose labels came because a picture was chosen, not drawn: answers to questions, names
    of proposals of `discover`, and what was labelled in a queue of the review that goes by what
    the models think."""
    asked = read_suggestions(connection)
    found = set(asked.media_id[asked.answered].tolist())
    found.update(row[0] for row in connection.execute(
        "SELECT DISTINCT media_id FROM label WHERE source = 'discover'"))
    marks = ",".join("?" * len(CHOOSING))
    found.update(row[0] for row in connection.execute(
        f"""SELECT DISTINCT l.media_id FROM label l JOIN decision d ON d.n = l.decision
            WHERE json_extract(d.content, '$.queue') IN ({marks})
            AND d.n NOT IN (SELECT target FROM undone)""", CHOOSING))
    return found


def newest_run(connection: sqlite3.Connection) -> str:
    """The run that asked last, "" when nobody asked."""
    row = connection.execute("SELECT run FROM suggestion ORDER BY n DESC LIMIT 1").fetchone()
    return row[0] if row else ""
