"""Corrections of cameras' clocks in the catalogue: append-only, the newest of a deployment counts.

M media.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from ecotone.store.tables import TimeShift


def shifted(timestamp: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Local times (M,) ISO 8601 with `seconds` (M,) added; "" stays "".

    What was not shifted is the same array of the same texts.
    """
    rows = np.flatnonzero(seconds.astype(np.float64)) if len(seconds) else ()
    if not len(rows):
        return timestamp
    out = timestamp.copy()
    for row in rows:
        out[row] = shift_time(timestamp[row], seconds[row])
    return out


def shift_time(text: str, seconds: float) -> str:
    """A local time with seconds added; "" stays "".

    Raises OverflowError beyond the years 1 to 9999.
    """
    if not text:
        return ""
    return (datetime.fromisoformat(text) + timedelta(seconds=seconds)).isoformat()


def insert_shifts(
    connection: sqlite3.Connection, shifts: Sequence[TimeShift], created: str
) -> None:
    """Append corrections; call within a transaction."""
    connection.executemany(
        """INSERT INTO time_shift (deployment_id, seconds, time_zone, reason, author, created)
           VALUES (?, ?, ?, ?, ?, ?)""",
        [(s.deployment_id, s.seconds, s.time_zone, s.reason, s.author, created) for s in shifts],
    )


def read_shifts(connection: sqlite3.Connection) -> dict[str, list[TimeShift]]:
    """Deployment -> all its corrections, oldest first."""
    out: dict[str, list[TimeShift]] = {}
    rows = connection.execute(
        """SELECT deployment_id, seconds, time_zone, reason, author, created, n FROM time_shift
           ORDER BY n"""
    )
    for row in rows:
        out.setdefault(row[0], []).append(TimeShift(*row))
    return out
