"""Boxes that people drew: new detections beside those of a machine, which stay, out of use.

A drawn box gets a number of its own, so vectors and labels of the box before never count for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

NONE = -1  # replaces nothing: an animal that had no box

# Boxes of people that count: not undone, and not drawn anew by a later one that counts.
_COUNT = """SELECT medium, number, replaces FROM person_box
    WHERE decision NOT IN (SELECT target FROM undone)"""


def insert_box(
    connection: sqlite3.Connection, decision: int, media_id: str, replaces: int,
    bbox: Sequence[float], category: str, frame_number: int | None = None,
) -> int:
    """Put a box in the place of another (number `replaces`, or NONE); its number. frame_number: of
    a video.

    Call within a transaction.
    """
    medium = _medium(connection, media_id)
    number = 1 + connection.execute(
        "SELECT coalesce(max(number), 0) FROM detection WHERE medium = ?", (medium,)
    ).fetchone()[0]
    connection.execute(
        """INSERT INTO detection (medium, number, x, y, width, height, category, confidence,
           frame_number) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)""",
        (medium, number, *bbox, category, frame_number),
    )
    connection.execute(
        "INSERT INTO person_box (decision, medium, number, replaces) VALUES (?, ?, ?, ?)",
        (decision, medium, number, replaces),
    )
    hold_boxes(connection, [medium])
    return number


def turn_box(connection: sqlite3.Connection, decision: int, counts: bool) -> None:
    """Take the box of a decision out of use, or back into it; call within a transaction, after the
    decision was undone or redone."""
    row = connection.execute(
        "SELECT medium, number, replaces FROM person_box WHERE decision = ?", (decision,)
    ).fetchone()
    if row is None:
        return
    medium, number, replaces = row
    _retire(connection, medium, number, not counts)
    if replaces != NONE:
        _retire(connection, medium, replaces, counts)
    hold_boxes(connection, [medium])


def hold_boxes(connection: sqlite3.Connection, media: Sequence[int]) -> None:
    """Let people's boxes count in these media (by number), whatever a detector says now, and not
    the boxes that they stand for."""
    for medium in media:
        rows = connection.execute(f"{_COUNT} AND medium = ?", (medium,)).fetchall()
        replaced = {replaces for _, _, replaces in rows}
        for _, number, _ in rows:
            _retire(connection, medium, number, number in replaced)
        for number in replaced - {NONE}:
            _retire(connection, medium, number, True)


def replaced_boxes(connection: sqlite3.Connection) -> set[str]:
    """Ids of the detections that a person's box stands for."""
    return {row[0] for row in connection.execute(
        f"""SELECT m.id || ':' || b.replaces FROM ({_COUNT}) b JOIN medium m ON m.n = b.medium
            WHERE b.replaces >= 0""")}


def boxed_media(connection: sqlite3.Connection) -> set[int]:
    """The media (by number) in which a person's box counts."""
    return {row[0] for row in connection.execute(_COUNT)}


def _retire(connection: sqlite3.Connection, medium: int, number: int, retired: bool) -> None:
    connection.execute(
        "UPDATE detection SET retired = ? WHERE medium = ? AND number = ?",
        (int(retired), medium, number),
    )


def _medium(connection: sqlite3.Connection, media_id: str) -> int:
    return int(connection.execute(
        "SELECT n FROM medium WHERE id = ?", (media_id,)
    ).fetchone()[0])
