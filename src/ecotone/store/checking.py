"""Look at a catalogue, its journal and its shards without changing anything."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from ecotone.errors import ProjectError
from ecotone.store import linked
from ecotone.store.checksums import find_damage
from ecotone.store.comparing import Difference, compare
from ecotone.store.connection import can_write, connect_to_read
from ecotone.store.journal import TABLES, journal_of, positions, read_end
from ecotone.store.migrations import MIGRATIONS
from ecotone.store.page_sums import find_changes
from ecotone.store.problems import (
    DAMAGED,
    LEFT_OVER,
    LOST,
    MISSING,
    OLDER,
    REPAIR,
    UNFINISHED,
    Problem,
)
from ecotone.store.set_file import ENDING
from ecotone.store.shards import set_folder

JSON = {"run": ("settings", "versions", "summary"), "note": ("value",), "vector_set": ("classes",)}
SHOWN = 20  # findings of SQLite's own check


def look(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing. Raises ProjectError when nothing can be read."""
    if not path.is_file():
        raise ProjectError(f"{path}: the file is missing")
    if not path.stat().st_size:
        raise ProjectError(f"{path}: the file is empty")
    if not can_write(path):
        return connect_to_read(path)
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        connection.close()
        raise ProjectError(f"{path}: cannot be read as a database ({error})") from error
    return connection


def check_catalogue(path: Path, quick: bool = False) -> list[Problem]:
    """What is wrong with a catalogue and its journal.

    quick: without reading all of it.
    """
    journal = journal_of(path)
    try:
        connection = look(path)
    except ProjectError as error:
        kind = MISSING if "missing" in str(error) else DAMAGED
        if kind == MISSING and not read_end(journal)[0]:
            return []  # a project in which nothing was stored yet
        return [Problem(kind, "catalogue", str(path), str(error).removeprefix(f"{path}: "))]
    pages: list[Problem] = []
    with closing(connection):
        try:
            pages = list(_pages(path, quick))
            found = list(_structure(connection, path, quick))
            if any(p.kind == DAMAGED for p in found):
                return pages + found
            return pages + found + list(_words(connection, path, journal, quick))
        except (sqlite3.Error, ValueError) as error:
            return [*pages, Problem(DAMAGED, "catalogue", str(path), str(error))]


def _pages(path: Path, quick: bool) -> Iterator[Problem]:
    """Bytes that changed since the catalogue was closed."""
    try:
        wrong = find_changes(path, quick)
    except OSError as error:
        wrong = f"cannot be read ({error.strerror or error})"
    if wrong:
        yield Problem(DAMAGED, "catalogue", str(path), wrong)


def _structure(connection: sqlite3.Connection, path: Path, quick: bool) -> Iterator[Problem]:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if version > len(MIGRATIONS):
        yield Problem(OLDER, "catalogue", str(path), "written by a newer ecotone",
                      "pip install -U ecotone")
        return
    if not {"medium", "label", "run"} <= tables:
        yield Problem(DAMAGED, "catalogue", str(path), "its tables are gone")
        return
    if version < len(MIGRATIONS):
        yield Problem(OLDER, "catalogue", str(path), f"schema {version} of {len(MIGRATIONS)}",
                      "brought forward by the next command")
    check = "quick_check" if quick else "integrity_check"
    for (said,) in connection.execute(f"PRAGMA {check}({SHOWN})"):
        if said != "ok":
            yield Problem(DAMAGED, "catalogue", str(path), " ".join(str(said).split()))
    if not quick and "tally" in tables:
        yield from _tallies(connection, path)
        yield from _broken_json(connection, path)
    wrong = connection.execute("PRAGMA foreign_key_check").fetchmany(SHOWN)
    for table, row, parent, _ in wrong:
        yield Problem(DAMAGED, "catalogue", str(path),
                      f"row {row} of {table} speaks of a row of {parent} that is not there")


def _broken_json(connection: sqlite3.Connection, path: Path) -> Iterator[Problem]:
    """Cells that should hold json and do not any more."""
    for table, columns in JSON.items():
        wrong = " OR ".join(f"NOT json_valid({column})" for column in columns)
        count = connection.execute(f"SELECT count(*) FROM {table} WHERE {wrong}").fetchone()[0]
        if count:
            yield Problem(DAMAGED, "catalogue", str(path),
                          f"{count:,} rows of {table} cannot be read any more")


def _tallies(connection: sqlite3.Connection, path: Path) -> Iterator[Problem]:
    """Numbers that triggers keep, beside what they count."""
    for name, query in (("media", "SELECT count(*) FROM medium"),
                        ("detections", "SELECT count(*) FROM detection WHERE retired = 0")):
        kept = connection.execute("SELECT n FROM tally WHERE name = ?", (name,)).fetchone()
        found = connection.execute(query).fetchone()
        if kept != found:
            yield Problem(DAMAGED, "catalogue", str(path),
                          f"{found[0]:,} {name}, but {kept[0] if kept else 'none'} were counted")


def _words(
    connection: sqlite3.Connection, path: Path, journal: Path, quick: bool
) -> Iterator[Problem]:
    now = positions(connection)
    if not journal.is_file():
        if any(now[table] for table in TABLES):
            yield Problem(OLDER, "journal", str(journal), "people's words are not kept twice yet",
                          "written by the next command, or by: ecotone repair")
        return
    if not quick:
        for difference in compare(connection, journal):
            yield from _told(difference, path, journal)
        return
    end = read_end(journal)[0]
    for table in TABLES:
        if end.get(table, 0) > now[table]:
            yield from _told(Difference(
                table, list(range(now[table] + 1, end[table] + 1)), [], []), path, journal)


def _told(difference: Difference, path: Path, journal: Path) -> Iterator[Problem]:
    table = difference.table
    if difference.lost:
        yield Problem(LOST, "catalogue", str(path), f"{_rows(difference.lost)} of {table} gone, "
                      f"kept in {journal.name}")
    if difference.changed:
        yield Problem(DAMAGED, "catalogue", str(path), f"{_rows(difference.changed)} of {table} "
                      f"not as stored, kept in {journal.name}")
    if difference.unkept:
        yield Problem(DAMAGED, "journal", str(journal), f"{_rows(difference.unkept)} of {table} "
                      "missing or damaged; the catalogue has them")


def _rows(numbers: list[int]) -> str:
    shown = ", ".join(str(n) for n in numbers[:5])
    return f"{len(numbers):,} rows ({shown}{', ...' if len(numbers) > 5 else ''})"


def check_shards(
    connection: sqlite3.Connection, folder: Path, quick: bool = False
) -> Iterator[Problem]:
    """Shards that are missing or damaged, and files that no shard names.

    Raises sqlite3.Error when the catalogue cannot be read.
    """
    known: set[Path] = set()
    columns = {row[1] for row in connection.execute("PRAGMA table_info(shard)")}
    marks = "s.bytes, s.digest" if "digest" in columns else "0, ''"
    rows = connection.execute(
        f"""SELECT v.kind, v.name, s.file, s.rows, {marks} FROM shard s
            JOIN vector_set v ON v.n = s.vector_set ORDER BY s.n""").fetchall()
    for kind, name, file, count, size, digest in rows:
        path = set_folder(folder, kind, name) / file
        known.add(path)
        wrong = find_damage(path, size, digest, quick) or linked_damage(path, folder, quick)
        if wrong:
            yield Problem(MISSING if "missing" in wrong else DAMAGED, "vectors", str(path),
                          f"{wrong}: {count:,} {kind} of {name}", REPAIR)
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        lost = path not in known and not known & set(path.parents)
        about = path.parent.parent == folder and path.suffix == ENDING
        if path.is_file() and lost and not about:
            yield Problem(LEFT_OVER, "vectors", str(path), "belongs to no set of vectors",
                          "removed by: ecotone repair")


def linked_damage(path: Path, folder: Path, quick: bool = False) -> str:
    """What is wrong with the file elsewhere that a shard stands for; "" for an ordinary shard."""
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as data:
            return linked.find_damage(folder, data, quick) if linked.SOURCE in data else ""
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        return f"cannot be read ({error})"


def check_runs(connection: sqlite3.Connection) -> Iterator[Problem]:
    """Runs that did not say how they ended."""
    for run, command in connection.execute(
        "SELECT id, command FROM run WHERE status = 'running' ORDER BY n"
    ):
        yield Problem(UNFINISHED, "project", run, "did not come to its end",
                      f"run it again: ecotone {command}")
