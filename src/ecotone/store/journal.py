"""`labels.jsonl`: people's words a second time, beside the catalogue, each line with its checksum.

What people said - labels, decisions, words on pairs, names of proposals, clocks, drawn boxes - and
from where pictures and studies came is appended here after each commit and flushed to the disk
before anyone is told that it is stored. So every line was committed: one that the catalogue lacks
was lost there, and one that differs was damaged there. The file survives the loss of the catalogue.

A line is json: [kind, values, checksum]; "end" closes what belongs to one commit.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ecotone.errors import ProjectError
from ecotone.store.checksums import text_sum
from ecotone.store.file_lock import locked

FILE_NAME = "labels.jsonl"
MEMORY = ":memory:"  # SQLite's name for a catalogue without a file, which has no journal
# table -> the number that grows with its rows
TABLES = {"label": "n", "decision": "n", "pair_decision": "n", "proposal_name": "n",
          "time_shift": "n", "study": "n"}
BOXES, ROOTS, SCHEMA, COLUMNS, END = "person_box", "root", "schema", "columns", "end"
BOX_COLUMNS = ("decision", "media_id", "number", "replaces", "x", "y", "width", "height",
               "category", "retired")
_BOXES = """SELECT b.decision, m.id, b.number, b.replaces, d.x, d.y, d.width, d.height, d.category,
    d.retired FROM person_box b JOIN medium m ON m.n = b.medium
    JOIN detection d ON d.medium = b.medium AND d.number = b.number
    WHERE b.decision > ? ORDER BY b.decision"""
_NOW = "SELECT " + ", ".join([
    *(f"(SELECT coalesce(max({key}), 0) FROM {table})" for table, key in TABLES.items()),
    "(SELECT coalesce(max(decision), 0) FROM person_box)",
    "(SELECT coalesce(max(n), 0) FROM medium)",
])
_KEYS = (*TABLES, BOXES, ROOTS)
_PART, _LINES = 1 << 16, 4096


def journal_of(catalog: Path) -> Path:
    """The journal that belongs to a catalogue's file."""
    return catalog.with_name(FILE_NAME if catalog.stem == "catalog" else f"{catalog.stem}.jsonl")


def need_catalogue(path: Path) -> None:
    """Raise ProjectError when a catalogue is gone or empty that its journal still speaks of: a new
    one would hide what was there."""
    if str(path) == MEMORY or path.is_file() and path.stat().st_size:
        return
    if read_end(journal_of(path))[0]:
        what = "is empty" if path.exists() else "is missing"
        raise ProjectError(
            f"{path}: {what}, but {journal_of(path).name} shows that there was one; what can be "
            "made again is made by: ecotone repair (or put a copy back)"
        )


def positions(connection: sqlite3.Connection) -> dict[str, int]:
    """How far each table of people's words has grown in the catalogue."""
    return dict(zip(_KEYS, connection.execute(_NOW).fetchone(), strict=True))


class Journal:
    """The journal of a catalogue. path: its file, made when there is something to write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, int] | None = None

    def check_ahead(self, connection: sqlite3.Connection) -> None:
        """Raise ProjectError when the journal has words that the catalogue lacks: what is written
        now would take their numbers."""
        before = read_end(self.path)[0]
        now = positions(connection)
        lost = {t: n - now[t] for t, n in before.items() if t in TABLES and n > now[t]}
        if lost:
            what = ", ".join(f"{n:,} of {table}" for table, n in lost.items())
            raise ProjectError(
                f"{self.path.with_name('catalog.sqlite')}: lacks what was stored before ({what}); "
                f"{self.path.name} has it; run: ecotone check, then: ecotone repair"
            )
        self._known = before if before == now else None

    def catch_up(self, connection: sqlite3.Connection) -> None:
        """Append what the catalogue has and the journal has not; on the disk after the return.

        Call after a commit. Raises ProjectError when the disk refuses; the next call tries again.
        """
        if self.path.stem == MEMORY:
            return
        now = positions(connection)
        if now == self._known or (self._known is None and not any(now.values())):
            return
        try:
            self._append(connection)
        except OSError as error:
            raise ProjectError(
                f"{self.path}: cannot be written ({error.strerror or error}); what was said is in "
                "the catalogue, its second copy waits: free some space and run again."
            ) from error
        self._known = now

    def _append(self, connection: sqlite3.Connection) -> None:
        new = not self.path.exists()
        with self.path.open("a+b") as handle, locked(handle):
            before, version = read_end(self.path)
            _write(handle, _news(connection, before, version), self._is_torn(handle))
            handle.flush()
            os.fsync(handle.fileno())
        if new:
            sync_folder(self.path.parent)

    @staticmethod
    def _is_torn(handle: BinaryIO) -> bool:
        """Whether a writer was killed within a line."""
        if not handle.seek(0, os.SEEK_END):
            return False
        handle.seek(-1, os.SEEK_END)
        return handle.read(1) != b"\n"


def _write(handle: BinaryIO, lines: Iterable[str], torn: bool) -> None:
    waiting = [""] if torn else []
    for line in lines:
        waiting.append(line)
        if len(waiting) >= _LINES:
            handle.write(("\n".join(waiting) + "\n").encode("utf-8", "surrogatepass"))
            waiting = []
    if waiting:
        handle.write(("\n".join(waiting) + "\n").encode("utf-8", "surrogatepass"))


def line_of(kind: str, values: Any) -> str:
    """One line of the journal, without its end."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return f'["{kind}",{text},"{text_sum(kind + text)}"]'


def _news(
    connection: sqlite3.Connection, before: dict[str, int], version: int
) -> Iterator[str]:
    """Lines of all rows after positions, read in one snapshot."""
    connection.execute("BEGIN")
    try:
        now = positions(connection)
        here = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != here:
            yield from _heading(connection)
        for table, key in TABLES.items():
            if now[table] > before.get(table, 0):
                query = f"SELECT * FROM {table} WHERE {key} > ? ORDER BY {key}"
                for row in connection.execute(query, (before.get(table, 0),)):
                    yield line_of(table, row)
        if now[BOXES] > before.get(BOXES, 0):
            for row in connection.execute(_BOXES, (before.get(BOXES, 0),)):
                yield line_of(BOXES, row)
        if now[ROOTS] > before.get(ROOTS, 0):
            query = "SELECT DISTINCT root FROM medium WHERE n > ? ORDER BY n"
            for row in connection.execute(query, (before.get(ROOTS, 0),)):
                yield line_of(ROOTS, row)
        yield line_of(END, {**now, "version": here})
    finally:
        connection.execute("COMMIT")


def _heading(connection: sqlite3.Connection) -> Iterator[str]:
    """The schema with the first page of each table, and the columns: said anew after a migration.

    The pages let a catalogue be read again whose own list of tables was damaged.
    """
    rows = connection.execute(
        "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master").fetchall()
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    yield line_of(SCHEMA, {"page_size": size, "rows": rows})
    yield line_of(COLUMNS, {
        table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        for table in TABLES
    })


def split(line: bytes) -> tuple[str, str, str] | None:
    """Kind, values as json and checksum of a line, None when it is torn or damaged."""
    try:
        text = line.decode("utf-8", "surrogatepass")
        kind = text[2 : text.index('"', 2)]
    except ValueError:
        return None
    values, found = text[len(kind) + 4 : -20], text[-18:-2]
    whole = text == f'["{kind}",{values},"{found}"]' and text_sum(kind + values) == found
    return (kind, values, found) if whole else None


def parse(line: bytes) -> tuple[str, Any] | None:
    """Kind and values of a line, None when it is torn or damaged."""
    found = split(line)
    return None if found is None else (found[0], json.loads(found[1]))


def read_end(path: Path) -> tuple[dict[str, int], int]:
    """Positions of the last commit that the journal has whole, and the version of its schema."""
    try:
        with path.open("rb") as handle:
            place, rest = handle.seek(0, os.SEEK_END), b""
            while place > 0:
                step = min(_PART, place)
                place -= step
                handle.seek(place)
                lines = (handle.read(step) + rest).split(b"\n")
                for line in reversed(lines[1:] if place else lines):
                    if line.startswith(b'["end"') and (found := parse(line)):
                        values = dict(found[1])
                        return values, values.pop("version", 0)
                rest = lines[0]
    except FileNotFoundError:
        pass
    return {}, 0


def sync_folder(folder: Path) -> None:
    """Let a new or renamed file of a folder reach the disk."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = [
    "FILE_NAME", "Journal", "journal_of", "line_of", "need_catalogue", "parse", "positions",
    "read_end", "split", "sync_folder",
]
