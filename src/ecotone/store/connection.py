"""Open the catalogue's SQLite file so that a kill at any moment loses nothing committed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ecotone.errors import ProjectError
from ecotone.store.migrations import MIGRATIONS, migrate
from ecotone.store.page_sums import unseal

WAIT = 30.0  # seconds to wait for another process's transaction


def connect(path: Path, create: bool = False) -> sqlite3.Connection:
    """An open, migrated connection in write-ahead mode, every commit on the disk.

    Raises ProjectError when the file is missing (and not `create`), no catalogue, or cannot be
    opened.
    """
    if not create and not path.is_file():
        raise ProjectError(f"{path}: no catalogue here; make a project first: ecotone init FOLDER")
    if path.is_file() and not can_write(path):
        return connect_to_read(path)
    try:
        connection = sqlite3.connect(
            path, timeout=WAIT, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise ProjectError(f"{path}: cannot be opened ({error}).") from error
    try:
        # On file systems without shared memory SQLite keeps its rollback journal: as safe, slower.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("PRAGMA temp_store = MEMORY")
        if connection.execute("PRAGMA user_version").fetchone()[0] < len(MIGRATIONS):
            unseal(path)
        migrate(connection, str(path))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        connection.close()
        raise ProjectError(_told(path, error)) from error
    except BaseException:
        connection.close()
        raise
    return connection


def in_wal(connection: sqlite3.Connection) -> bool:
    """Whether a connection writes ahead into a log, whose file shows others that it is open."""
    return connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def _told(path: Path, error: Exception) -> str:
    """What an error of SQLite means for whoever opens a catalogue."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return f"{path}: another program holds it ({text}); wait until it has finished."
    if "full" in text or "disk I/O" in text:
        return f"{path}: cannot be written ({text}); free some space and run again."
    return (f"{path}: not a catalogue of ecotone, or a damaged one ({error}); what is wrong tells: "
            "ecotone check; what can be saved is saved by: ecotone repair")


def can_write(path: Path) -> bool:
    """Whether a catalogue and the files beside it may be written."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection to a catalogue in a place where nothing may be written.

    Where its newest rows still lie in a write-ahead log, or its schema is older, a copy in memory
    is read: SQLite itself would need to write for both.
    """
    log = path.with_name(path.name + "-wal")
    try:
        if log.is_file() and log.stat().st_size:
            connection = _in_memory(path, log)
        else:
            connection = _read_only(path)
            if connection.execute("PRAGMA user_version").fetchone()[0] < len(MIGRATIONS):
                source, connection = connection, _memory()
                source.backup(connection)
                source.close()
        migrate(connection, str(path))
        connection.execute("PRAGMA query_only = ON")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise ProjectError(_told(path, error)) from error
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read ({error.strerror}).") from error
    return connection


def _read_only(path: Path) -> sqlite3.Connection:
    # Nobody can write here, so nothing changes while it is read.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True,
                           isolation_level=None, check_same_thread=False)


def _memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def _in_memory(path: Path, log: Path) -> sqlite3.Connection:
    connection = _memory()
    with tempfile.TemporaryDirectory(prefix="ecotone-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(log, copy.with_name(log.name))
        with closing(sqlite3.connect(copy)) as source:
            source.backup(connection)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing: commits at the end, rolls back on any error; inner ones join the outer."""
    if connection.in_transaction:
        yield connection
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
