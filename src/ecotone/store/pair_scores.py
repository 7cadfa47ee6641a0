"""Scores of pairs that took long to make, kept beside a project: a stopped run goes on with them.

A cache, not data: deleting the file costs time alone.
"""

from __future__ import annotations

import hashlib
import sqlite3
import weakref
from collections.abc import Sequence
from pathlib import Path

from ecotone.errors import ProjectError
from ecotone.store.connection import WAIT

AT_ONCE = 500  # keys of one query


class KeptScores:
    """Scores by pair of fingerprints, whichever comes first.

    made_by: whatever the score depends on beside the pair, such as settings and version. Raises
    ProjectError when the file cannot be used.
    """

    def __init__(self, path: Path, made_by: str) -> None:
        self.path, self._made_by = path, made_by
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS score (pair BLOB PRIMARY KEY, value REAL NOT NULL) "
                "WITHOUT ROWID")
        except sqlite3.Error as error:
            raise ProjectError(f"{path}: cannot be used ({error}); delete it, it only saves time."
                               ) from error
        weakref.finalize(self, self._connection.close)

    def find(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """The score of each pair of fingerprints, None where none is kept."""
        keys = [self._key(*p) for p in pairs]
        known: dict[bytes, float] = {}
        for start in range(0, len(keys), AT_ONCE):
            part = keys[start:start + AT_ONCE]
            known.update(self._connection.execute(
                f"SELECT pair, value FROM score WHERE pair IN ({','.join('?' * len(part))})", part))
        return [known.get(k) for k in keys]

    def add(self, pairs: Sequence[tuple[str, str]], values: Sequence[float]) -> None:
        """Keep scores; they are on the disk when this returns."""
        rows = [(self._key(*p), float(v)) for p, v in zip(pairs, values, strict=True)]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR REPLACE INTO score VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")

    def _key(self, first: str, second: str) -> bytes:
        text = "\n".join([self._made_by, *sorted((first, second))])
        return hashlib.blake2b(text.encode(), digest_size=16).digest()
