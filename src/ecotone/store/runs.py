"""Runs, failures and notes in the catalogue."""

from __future__ import annotations

import json
import platform
import sqlite3
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

import ecotone
from ecotone.store.tables import Failure, Run, absolute


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def start_run(
    connection: sqlite3.Connection, command: str, settings: Mapping[str, Any], seed: int | None
) -> str:
    """Record the start of a run; its id, as "2026-11-21T07-30-00-fuse-1"."""
    started = now()
    stem = f"{started[:19].replace(':', '-')}-{command.replace(' ', '-')}"
    number = 1  # a clock that goes back shows the same second again
    while connection.execute("SELECT 1 FROM run WHERE id = ?", (f"{stem}-{number}",)).fetchone():
        number += 1
    run = f"{stem}-{number}"
    connection.execute(
        """INSERT INTO run (id, command, started, status, seed, settings, versions)
           VALUES (?, ?, ?, 'running', ?, ?, ?)""",
        (run, command, started, seed, to_json(settings), to_json(versions())),
    )
    return run


def finish_run(
    connection: sqlite3.Connection, run: str, status: str, summary: Mapping[str, Any] | None
) -> None:
    """Record how a run ended: "done", "failed" or "interrupted"."""
    connection.execute(
        "UPDATE run SET finished = ?, status = ?, summary = ? WHERE id = ?",
        (now(), status, to_json(summary or {}), run),
    )


def count_running(connection: sqlite3.Connection) -> int:
    """Runs that have not said how they ended."""
    query = "SELECT count(*) FROM run WHERE status = 'running'"
    return int(connection.execute(query).fetchone()[0])


def end_dead(connection: sqlite3.Connection) -> int:
    """Mark all of them as "interrupted"; how many. Only while no command can be running."""
    return connection.execute(
        "UPDATE run SET status = 'interrupted', summary = ? WHERE status = 'running'",
        (to_json({"error": "its process ended before it did"}),),
    ).rowcount


def read_runs(connection: sqlite3.Connection) -> list[Run]:
    """All runs, oldest first."""
    rows = connection.execute(
        """SELECT id, command, started, finished, status, seed, settings, versions, summary
           FROM run ORDER BY n"""
    )
    return [Run(*row[:6], *(json.loads(text) for text in row[6:])) for row in rows]


def record_failure(
    connection: sqlite3.Connection, media_id: str, step: str, reason: str
) -> None:
    """Remember that a step failed on a medium; the newest reason counts."""
    connection.execute(
        "INSERT OR REPLACE INTO failure (media_id, step, reason, created) VALUES (?, ?, ?, ?)",
        (media_id, step, reason, now()),
    )


def clear_failure(connection: sqlite3.Connection, media_id: str, step: str | None) -> None:
    """Forget the failure of a step on a medium, or of all steps."""
    connection.execute(
        "DELETE FROM failure WHERE media_id = ? AND step = coalesce(?, step)", (media_id, step)
    )


def read_failures(connection: sqlite3.Connection) -> list[Failure]:
    """All failures, in the order of the media."""
    rows = connection.execute(
        """SELECT f.media_id, m.root, m.file_path, f.step, f.reason, f.created FROM failure f
           LEFT JOIN medium m ON m.id = f.media_id ORDER BY m.n, f.step"""
    )
    return [
        Failure(medium, absolute(root, path) if root else medium, step, reason, created)
        for medium, root, path, step, reason, created in rows
    ]


def set_note(connection: sqlite3.Connection, key: str, value: Any) -> None:
    """Keep a json value under a name."""
    connection.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (key, to_json(value)))


def read_note(connection: sqlite3.Connection, key: str) -> Any:
    """The value of a note, None when there is none."""
    row = connection.execute("SELECT value FROM note WHERE key = ?", (key,)).fetchone()
    return None if row is None else json.loads(row[0])


def versions() -> dict[str, str]:
    """Versions of ecotone, Python and the libraries that figures depend on."""
    found = {"ecotone": ecotone.__version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "scikit-learn", "pillow", "onnxruntime"):
        found[name] = metadata.version(name)
    return found


def to_json(value: Any) -> str:
    """Compact json; numpy numbers and paths are written as what they stand for."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)
