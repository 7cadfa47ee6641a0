"""A damaged catalogue made anew: every row that can still be read, and people's words as the
journal has them.

Source of the ideas: SQLite's `.recover` (https://sqlite.org/recovery.html), here by ranges of row
numbers around pages that cannot be read. Where the list of tables itself is gone, the journal knows
the first page of each.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ecotone.store.comparing import Kept, read_kept
from ecotone.store.connection import connect
from ecotone.store.journal import TABLES, journal_of
from ecotone.store.person_boxes import hold_boxes

MOST_PROBES = 10_000  # queries in a row on one damaged table that find nothing
# Numbers that triggers keep; see `migrations`.
COUNT_AGAIN = (
    "UPDATE tally SET n = (SELECT count(*) FROM medium) WHERE name = 'media'",
    """UPDATE tally SET n = (SELECT count(*) FROM detection WHERE retired = 0)
       WHERE name = 'detections'""",
    """UPDATE vector_set SET present = (SELECT count(*) FROM vector_row v JOIN detection d
       ON d.medium = v.medium AND d.number = v.number
       WHERE v.vector_set = vector_set.n AND d.retired = 0) WHERE kind <> 'posteriors'""",
)
BLOCK = 4096  # rows inserted at once
HIGH = 1 << 40  # no row number is as high


@dataclass
class Salvaged:
    """What a catalogue was made of. rows: by table, as read. restored: people's words by table that
    came from the journal. lost: lines on what could not be saved. readable: the old file could be
    opened at all. roots, boxes: folders of pictures and
    drawn boxes that the journal knows."""

    rows: Counter[str] = field(default_factory=Counter)
    restored: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    readable: bool = True
    roots: list[str] = field(default_factory=list)
    boxes: dict[int, list] = field(default_factory=dict)


def salvage(source: Path, target: Path, work: Path) -> Salvaged:
    """Make the catalogue `target` of what can be read of `source` and its journal.

    work: an empty folder for a copy. Nothing of the source is changed. Raises OSError when the disk
    refuses.
    """
    kept = read_kept(journal_of(source))
    told = Salvaged(roots=kept.roots, boxes=kept.boxes)
    old = _open(source, work, kept)
    told.readable = old is not None
    with closing(connect(target, create=True)) as new:
        new.execute("PRAGMA foreign_keys = OFF")
        new.execute("PRAGMA synchronous = OFF")  # synced as a whole at the end
        new.execute("BEGIN IMMEDIATE")
        _restore_words(new, old, kept, told)
        if old is not None:
            with closing(old):
                _copy_tables(new, old, kept, told)
        told.restored["person_box"] = restore_boxes(new, kept.boxes)
        _mend_media(new, told)
        _drop_dangling(new, told)
        _keep_numbers(new, kept)
        for statement in COUNT_AGAIN:
            new.execute(statement)
        new.execute("COMMIT")
        new.execute("PRAGMA synchronous = FULL")
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return told


def _open(source: Path, work: Path, kept: Kept) -> sqlite3.Connection | None:
    """A copy of the source that can be read, None when it cannot."""
    if not source.is_file() or not source.stat().st_size:
        return None
    copy = work / source.name
    for end in ("", "-wal"):
        part = source.with_name(source.name + end)
        if part.is_file():
            shutil.copyfile(part, copy.with_name(copy.name + end))
    for graft in (False, True):
        if graft and not _graft(copy, kept.schema):
            return None
        connection = sqlite3.connect(copy, isolation_level=None)
        try:
            connection.text_factory = _text
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
            if {"medium", "label"} <= names:
                return connection
        except sqlite3.Error:
            pass
        connection.close()
    return None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _graft(copy: Path, schema: dict) -> bool:
    """Give a file whose first page or list of tables is damaged those that the journal knows;
    whether it could be done."""
    if not schema:
        return False
    size, rows = schema["page_size"], schema["rows"]
    for end in ("-wal", "-shm"):  # they would put the damaged page back
        copy.with_name(copy.name + end).unlink(missing_ok=True)
    fresh = copy.with_name("fresh.sqlite")
    with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {size}")
        connection.execute("CREATE TABLE t (a)")
        connection.execute("DROP TABLE t")
    head = bytearray(fresh.read_bytes()[:size])
    pages = copy.stat().st_size // size
    if pages < 2:
        return False
    head[28:32] = pages.to_bytes(4, "big")
    head[32:40] = bytes(8)  # no free pages known: those in use stay untouched
    with copy.open("r+b") as handle:
        handle.write(head)
        handle.truncate(pages * size)
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.executemany(
                "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) "
                "VALUES (?, ?, ?, ?, ?)", rows)
    except sqlite3.Error:
        return False
    return True


def _restore_words(
    new: sqlite3.Connection, old: sqlite3.Connection | None, kept: Kept, told: Salvaged
) -> None:
    """The journal's rows first: what the damaged file says otherwise does not count."""
    for table in TABLES:
        here = _columns(new, table)
        names = here if old is None else _shared(old, table, here)
        before = {}
        if old is not None:
            before = {row[0]: row for row in _read_table(old, table, names)}
        by_columns: dict[tuple[str, ...], list[tuple]] = {}
        for n, cells in kept.rows[table].items():
            known = {c: v for c, v in cells.items() if c in here}
            by_columns.setdefault(tuple(known), []).append(tuple(known.values()))
            found = dict(zip(names, before.get(n, ()), strict=False))
            told.restored[table] += any(
                found.get(c) != v for c, v in known.items() if c in names or not found)
        for columns, rows in by_columns.items():
            _insert_all(new, table, columns, rows)


def _copy_tables(
    new: sqlite3.Connection, old: sqlite3.Connection, kept: Kept, told: Salvaged
) -> None:
    tables = [row[0] for row in new.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    for table in tables:
        names = _shared(old, table, _columns(new, table))
        if not names or table == "tally":  # which is counted anew
            continue
        there = kept.rows.get(table, {})
        rows = _read_table(old, table, names)
        bad = 0
        while part := list(islice(rows, BLOCK)):
            told.rows[table] += len(part)
            good = [row for row in part if row[0] not in there and not _unreadable(table, row)]
            bad += len(part) - len(good) + _insert_all(new, table, names, good)
        lost = max(0, _count(old, table) - told.rows[table]) + (0 if table in TABLES else bad)
        if lost:
            told.lost.append(f"{lost:,} rows of {table}")


def _unreadable(table: str, row: tuple) -> bool:
    """Whether a picture's row holds a text that is none: its path leads nowhere now."""
    return table == "medium" and any(isinstance(v, str) and "\ufffd" in v for v in row)


def _insert_all(
    connection: sqlite3.Connection, table: str, names: Sequence[str], rows: Sequence[tuple]
) -> int:
    """Insert rows, all at once where all fit; how many do not."""
    connection.execute("SAVEPOINT part")
    try:
        connection.executemany(_statement(table, names), rows)
        return 0
    except (sqlite3.Error, OverflowError, UnicodeError):
        connection.execute("ROLLBACK TO part")
        return sum(not _insert(connection, table, names, row) for row in rows)
    finally:
        connection.execute("RELEASE part")


def _statement(table: str, names: Sequence[str]) -> str:
    listed = ", ".join(f'"{n}"' for n in names)
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {table} ({listed}) VALUES ({marks}) ON CONFLICT DO NOTHING"


def _count(connection: sqlite3.Connection, table: str) -> int:
    """Rows of a table as far as it can be told: an index often counts what the table has lost."""
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    except (sqlite3.Error, OverflowError):
        return 0


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    try:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    except sqlite3.Error:
        return []


def _shared(old: sqlite3.Connection, table: str, here: Sequence[str]) -> list[str]:
    there = set(_columns(old, table))
    return [c for c in here if c in there]


def _insert(
    connection: sqlite3.Connection, table: str, names: Sequence[str], row: Sequence
) -> bool:
    """Whether a row fits; one that is there stays as it is."""
    try:
        return connection.execute(_statement(table, names), row).rowcount > 0
    except (sqlite3.Error, OverflowError, UnicodeError):
        return False


def _read_table(
    connection: sqlite3.Connection, table: str, names: Sequence[str]
) -> Iterator[tuple]:
    """Every row that can be read, some of them perhaps twice."""
    listed = ", ".join(f'"{n}"' for n in names)
    if not listed:
        return
    if _has_rowid(connection, table):
        yield from _by_number(connection, f"SELECT rowid, {listed} FROM {table} NOT INDEXED")
        return
    keys = _primary_key(connection, table)
    for order in (keys, [f"{k} DESC" for k in keys]):
        try:
            yield from connection.execute(
                f"SELECT {listed} FROM {table} ORDER BY {', '.join(order)}")
            return
        except sqlite3.Error:
            continue
    if table in ("detection", "vector_row"):
        yield from _by_medium(connection, table, listed)


def _has_rowid(connection: sqlite3.Connection, table: str) -> bool:
    row = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    return bool(row) and "WITHOUT ROWID" not in str(row[0]).upper()


def _primary_key(connection: sqlite3.Connection, table: str) -> list[str]:
    rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return [f'"{row[1]}"' for row in sorted(rows, key=lambda r: r[5]) if row[5]]


def _by_number(connection: sqlite3.Connection, query: str) -> Iterator[tuple]:
    """Rows of a table by ranges of row numbers, halved where a page cannot be read."""
    low, high, probes = -1, HIGH, 0
    try:
        for row in connection.execute(f"{query} ORDER BY rowid"):
            low = max(low, row[0])
            yield row[1:]
        return
    except sqlite3.Error:
        pass
    try:
        for row in connection.execute(f"{query} ORDER BY rowid DESC"):
            if row[0] <= low:
                return
            high = min(high, row[0])
            yield row[1:]
        return
    except sqlite3.Error:
        pass
    ranges = [(low + 1, high - 1)]
    while ranges and probes < MOST_PROBES:
        first, last = ranges.pop()
        probes += 1
        try:
            for row in connection.execute(
                f"{query} WHERE rowid BETWEEN ? AND ? ORDER BY rowid", (first, last)
            ):
                yield row[1:]
                first, probes = row[0] + 1, 0
        except sqlite3.Error:
            if first < last:
                middle = (first + last) // 2
                ranges += [(middle + 1, last), (first, middle)]


def _by_medium(
    connection: sqlite3.Connection, table: str, listed: str
) -> Iterator[tuple]:
    prefix = "" if table == "detection" else "vector_set IN (SELECT n FROM vector_set) AND "
    media = [row[0] for row in _by_number(connection, "SELECT rowid, n FROM medium NOT INDEXED")]
    for n in media:
        try:
            yield from connection.execute(
                f"SELECT {listed} FROM {table} WHERE {prefix}medium = ?", (n,)).fetchall()
        except sqlite3.Error:
            continue


def restore_boxes(connection: sqlite3.Connection, boxes: dict[int, list]) -> int:
    """Put boxes that people drew back, with their detections, where their pictures are here; how
    many were gone. boxes: by decision, cells as `journal.BOX_COLUMNS`."""
    undone = {row[0] for row in connection.execute("SELECT target FROM undone")}
    gone = 0
    for decision, cells in boxes.items():
        media_id, number, replaces, *box, category, _ = cells[1:]
        row = connection.execute("SELECT n FROM medium WHERE id = ?", (media_id,)).fetchone()
        if row is None:
            continue
        _insert(connection, "detection",
                ("medium", "number", "x", "y", "width", "height", "category", "confidence",
                 "retired"), (row[0], number, *box, category, 1.0, int(decision in undone)))
        gone += _insert(connection, "person_box", ("decision", "medium", "number", "replaces"),
                        (decision, row[0], number, replaces))
        hold_boxes(connection, [row[0]])
    return gone


def _mend_media(new: sqlite3.Connection, told: Salvaged) -> None:
    """Pictures whose boxes are gone get the whole picture, as before a detector saw them."""
    bare = new.execute(
        "SELECT n, detector FROM medium WHERE n NOT IN (SELECT medium FROM detection)").fetchall()
    boxes = sum(bool(detector) for _, detector in bare)
    if boxes:
        told.lost.append(f"boxes of {boxes:,} pictures; add them again: ecotone add detections")
    new.executemany(
        """INSERT INTO detection (medium, number, x, y, width, height, category, confidence)
           VALUES (?, 0, 0, 0, 1, 1, 'animal', 1)""", [(n,) for n, _ in bare])
    new.executemany("UPDATE medium SET detector = '' WHERE n = ?", [(n,) for n, _ in bare])


def _drop_dangling(new: sqlite3.Connection, told: Salvaged) -> None:
    """Rows that speak of rows that are gone."""
    found: Counter[str] = Counter()
    found["vector_set"] = new.execute(
        "DELETE FROM vector_set WHERE NOT json_valid(classes)").rowcount
    known = "SELECT n FROM medium"
    for table, where in (
        ("detection", f"medium NOT IN ({known})"), ("vector_row", f"medium NOT IN ({known})"),
        ("suggestion", f"medium NOT IN ({known})"),
        ("shard", "vector_set NOT IN (SELECT n FROM vector_set)"),
        ("vector_row", "vector_set NOT IN (SELECT n FROM vector_set)"),
        ("person_box", "decision NOT IN (SELECT n FROM decision)"),
        ("study_deployment", "study NOT IN (SELECT n FROM study)"),
        ("study_medium", "study NOT IN (SELECT n FROM study)"),
    ):
        found[table] += new.execute(f"DELETE FROM {table} WHERE {where}").rowcount
    for table, column in (("run", "settings"), ("run", "versions"), ("run", "summary")):
        new.execute(f"UPDATE {table} SET {column} = '{{}}' WHERE NOT json_valid({column})")
    found["note"] = new.execute("DELETE FROM note WHERE NOT json_valid(value)").rowcount
    new.execute("""INSERT OR IGNORE INTO deployment (id)
        SELECT DISTINCT deployment_id FROM medium WHERE deployment_id != ''""")
    told.lost += [f"{n:,} rows of {table} that cannot be used without others" for table, n in
                  found.items() if n and table != "vector_row"]


def _keep_numbers(new: sqlite3.Connection, kept: Kept) -> None:
    """No number is given twice: the next ones follow the highest that was ever known."""
    tables = {row[0]: row[1] for row in new.execute("SELECT name, seq FROM sqlite_sequence")}
    for table in TABLES:
        highest = max(kept.end.get(table, 0), tables.get(table, 0))
        if highest > tables.get(table, 0):
            new.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            new.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, highest))
