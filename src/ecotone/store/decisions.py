"""Decisions of people, one row each, append-only: what was decided, by whom, when, and taken back.

A decision to undo takes another one back, a decision to redo lets it count again; what counts is
always told from the rows. The key that the asker gives makes asking again harmless.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("label", "box", "match")  # what can be undone
_COLUMNS = "n, key, kind, author, created, target, content"


@dataclass(frozen=True)
class Decision:
    """One decision. target: what an "undo" or "redo" speaks of, else 0. content: what was said."""

    n: int
    key: str
    kind: str
    author: str
    created: str
    target: int
    content: dict[str, Any]


def insert_decision(
    connection: sqlite3.Connection, key: str, kind: str, author: str, created: str,
    content: Mapping[str, Any], target: int = 0,
) -> Decision:
    """Append a decision; call within a transaction."""
    text = json.dumps(content, ensure_ascii=False)
    n = connection.execute(
        "INSERT INTO decision (key, kind, author, created, target, content) "
        "VALUES (?, ?, ?, ?, ?, ?)", (key, kind, author, created, target, text),
    ).lastrowid
    return Decision(int(n or 0), key, kind, author, created, target, json.loads(text))


def find_decision(connection: sqlite3.Connection, key: str) -> Decision | None:
    """The decision of that key, None when there is none."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM decision WHERE key = ?", (key,)
    ).fetchone()
    return None if row is None else _decision(row)


def read_decision(connection: sqlite3.Connection, n: int) -> Decision | None:
    """The decision of that number, None when there is none."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM decision WHERE n = ?", (n,)).fetchone()
    return None if row is None else _decision(row)


def decisions_after(
    connection: sqlite3.Connection, n: int, most: int = 1000
) -> list[Decision]:
    """Decisions made after number n, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM decision WHERE n > ? ORDER BY n LIMIT ?", (n, most)
    )
    return [_decision(row) for row in rows]


def last_decision(connection: sqlite3.Connection) -> int:
    """The number of the newest decision, 0 before the first."""
    return int(connection.execute("SELECT coalesce(max(n), 0) FROM decision").fetchone()[0])


def to_undo(connection: sqlite3.Connection, author: str) -> int:
    """The newest decision of an author that counts, 0 when there is none."""
    return int(connection.execute(
        """SELECT coalesce(max(n), 0) FROM decision WHERE author = ? AND kind IN (?, ?, ?)
           AND n NOT IN (SELECT target FROM undone)""", (author, *KINDS)
    ).fetchone()[0])


def to_redo(connection: sqlite3.Connection, author: str) -> int:
    """The decision that the author undid last and that still is undone, 0 when there is none or
    something was decided since."""
    fresh = connection.execute(
        "SELECT coalesce(max(n), 0) FROM decision WHERE author = ? AND kind IN (?, ?, ?)",
        (author, *KINDS),
    ).fetchone()[0]
    row = connection.execute(
        """SELECT target FROM decision d WHERE author = ? AND kind = 'undo' AND n > ?
           AND target IN (SELECT target FROM undone)
           AND n = (SELECT max(n) FROM decision e WHERE e.target = d.target)
           ORDER BY n DESC LIMIT 1""", (author, fresh),
    ).fetchone()
    return int(row[0]) if row else 0


def is_undone(connection: sqlite3.Connection, n: int) -> bool:
    """Whether a decision was taken back."""
    return connection.execute("SELECT 1 FROM undone WHERE target = ?", (n,)).fetchone() is not None


def standing(connection: sqlite3.Connection, kind: str) -> list[Decision]:
    """The decisions of a kind that were not taken back, oldest first."""
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM decision WHERE kind = ?
            AND n NOT IN (SELECT target FROM undone) ORDER BY n""", (kind,))
    return [_decision(row) for row in rows]


def media_of(connection: sqlite3.Connection, decisions: Iterable[int]) -> set[str]:
    """The media whose labels or boxes these decisions touched."""
    found: set[str] = set()
    for n in decisions:
        found.update(row[0] for row in connection.execute(
            """SELECT media_id FROM label WHERE decision = ? AND decision > 0 UNION
               SELECT m.id FROM person_box b JOIN medium m ON m.n = b.medium
               WHERE b.decision = ?""", (n, n)
        ))
    return found


def _decision(row: tuple) -> Decision:
    return Decision(*row[:6], json.loads(row[6]))
