"""Open the catalogue's SQLite file so that a kill at any moment loses nothing committed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecotone.errors import ProjectError
from ecotone.store.migrations import migrate

WAIT = 30.0  # seconds to wait for another process's transaction


def connect(path: Path, create: bool = False) -> sqlite3.Connection:
    """An open, migrated connection in write-ahead mode, every commit on the disk.

    Raises ProjectError when the file is missing (and not `create`), no catalogue, or cannot be
    opened.
    """
    if not create and not path.is_file():
        raise ProjectError(f"{path}: no catalogue here; make a project first: ecotone init FOLDER")
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
        migrate(connection, str(path))
    except sqlite3.Error as error:
        connection.close()
        raise ProjectError(
            f"{path}: not a catalogue of ecotone ({error}); move it away or restore a copy."
        ) from error
    except BaseException:
        connection.close()
        raise
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
