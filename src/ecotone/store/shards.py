"""Files of vectors that survive a kill: written beside, synced, renamed, then registered.

A shard is one folder entry `000012.npz`; what the catalogue's table `shard` names counts, every
other file is rubbish of a killed command and is removed by the next writer of the set.
Source: the write-then-rename rule of POSIX rename(2); SQLite commits the registration.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sqlite3
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecotone.errors import ProjectError
from ecotone.store import linked
from ecotone.store.checksums import ensure_whole, measure
from ecotone.store.locate import as_bytes
from ecotone.store.runs import now

if TYPE_CHECKING:
    from ecotone.store.catalog import Catalog

SUFFIX = ".npz"
MEND = "the rest is usable; run: ecotone check (what is wrong), ecotone repair (mends it)."


@dataclass(frozen=True)
class VectorSet:
    """One set of vectors: kind "scores", "embeddings" or "posteriors" of one model or run."""

    n: int
    kind: str
    name: str
    classes: tuple[str, ...]
    dimension: int
    complete: bool
    files: tuple[str, ...]
    rows: int
    marks: tuple[tuple[int, str], ...] = ()  # size and checksum of each file


def sets(catalog: Catalog, kind: str) -> list[VectorSet]:
    """All sets of a kind, oldest first."""
    rows = catalog.connection.execute(
        "SELECT n, kind, name, classes, dimension, complete FROM vector_set WHERE kind = ? "
        "ORDER BY n", (kind,)
    ).fetchall()
    return [_with_shards(catalog, row) for row in rows]


def find_set(catalog: Catalog, kind: str, name: str) -> VectorSet | None:
    """The set of that kind and name, None when there is none."""
    row = catalog.connection.execute(
        "SELECT n, kind, name, classes, dimension, complete FROM vector_set "
        "WHERE kind = ? AND name = ?", (kind, name)
    ).fetchone()
    return None if row is None else _with_shards(catalog, row)


def _with_shards(catalog: Catalog, row: tuple) -> VectorSet:
    n, kind, name, classes, dimension, complete = row
    shards = catalog.connection.execute(
        "SELECT file, rows, bytes, digest FROM shard WHERE vector_set = ? ORDER BY n", (n,)
    ).fetchall()
    return VectorSet(
        n, kind, name, tuple(json.loads(classes)), dimension, bool(complete),
        tuple(row[0] for row in shards), sum(row[1] for row in shards),
        tuple(row[2:] for row in shards),
    )


def make_set(
    catalog: Catalog, kind: str, name: str, classes: tuple[str, ...], dimension: int,
    complete: bool,
) -> VectorSet:
    """A new, empty set; one of the same kind and name is dropped in the same transaction."""
    with catalog.transaction() as connection:
        drop_set(catalog, kind, name)
        connection.execute(
            "INSERT INTO vector_set (kind, name, classes, dimension, complete, created) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (kind, name, json.dumps(classes, ensure_ascii=False), dimension, complete, now()),
        )
        n = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    return VectorSet(n, kind, name, classes, dimension, complete, (), 0)


def drop_set(catalog: Catalog, kind: str, name: str) -> None:
    """Forget a set; its files go when the next writer of the name cleans up."""
    with catalog.transaction() as connection:
        for table in ("vector_row", "shard"):
            connection.execute(
                f"DELETE FROM {table} WHERE vector_set IN "
                "(SELECT n FROM vector_set WHERE kind = ? AND name = ?)", (kind, name)
            )
        connection.execute("DELETE FROM vector_set WHERE kind = ? AND name = ?", (kind, name))


def set_classes(
    catalog: Catalog, vector_set: VectorSet, classes: tuple[str, ...], complete: bool
) -> None:
    """Append classes to a set (the old ones stay in front, so older shards stay right)."""
    with catalog.transaction() as connection:
        connection.execute(
            "UPDATE vector_set SET classes = ?, complete = ? WHERE n = ?",
            (json.dumps(classes, ensure_ascii=False), complete, vector_set.n),
        )


def set_folder(folder: Path, kind: str, name: str) -> Path:
    """Where the shards of a set lie: a readable name that no other model's name can take."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:48] or "set"
    return folder / kind / f"{readable}-{hashlib.sha1(name.encode()).hexdigest()[:8]}"


def write_shard(
    catalog: Catalog, folder: Path, vector_set: VectorSet, ids: Sequence[str],
    arrays: Mapping[str, np.ndarray],
) -> str:
    """Write one shard and register it; after the return it counts, before it does not exist.

    Raises ProjectError when the disk is full or the folder cannot be written.
    """
    file, size, digest = write_file(catalog, folder, vector_set, ids, arrays)
    with catalog.transaction() as connection:
        connection.execute(
            "INSERT INTO shard (vector_set, file, rows, created, bytes, digest) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (vector_set.n, file, len(ids), now(), size, digest),
        )
        register_rows(connection, vector_set, ids)
    return file


def write_file(
    catalog: Catalog, folder: Path, vector_set: VectorSet, ids: Sequence[str] | np.ndarray,
    arrays: Mapping[str, np.ndarray],
) -> tuple[str, int, str]:
    """Write the file of a shard, which counts when it is registered: name, size, checksum.

    Raises ProjectError when the disk is full or the folder cannot be written.
    """
    from ecotone.store.set_file import write_about

    place = set_folder(folder, vector_set.kind, vector_set.name)
    # Numbers of dropped sets are not used again: a reader may still hold the old file.
    number = 1 + catalog.connection.execute(
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'shard'), 0)"
    ).fetchone()[0]
    path = place / f"{number:06d}{SUFFIX}"
    buffer = io.BytesIO()
    np.savez(buffer, ids=as_bytes(ids), **arrays)
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_about(catalog, place, vector_set)
        _write_synced(path, buffer.getbuffer())
        return (path.name, *measure(path))
    except OSError as error:
        raise ProjectError(
            f"{path}: cannot be written ({error.strerror}); free some space and run again."
        ) from error


def register_rows(
    connection: sqlite3.Connection, vector_set: VectorSet, ids: Sequence[str]
) -> None:
    """Remember which detections a set holds; call within a transaction."""
    if vector_set.kind == "posteriors":
        return
    connection.executemany(
        "INSERT OR IGNORE INTO vector_row SELECT ?, n, ? FROM medium WHERE id = ?",
        [(vector_set.n, int(number), medium) for medium, _, number in
         (i.rpartition(":") for i in ids) if number.isdigit()],
    )


def count_rows(catalog: Catalog, vector_set: VectorSet) -> int:
    """Detections in use that the set holds."""
    return catalog.connection.execute(
        "SELECT present FROM vector_set WHERE n = ?", (vector_set.n,)
    ).fetchone()[0]


def _write_synced(path: Path, data: memoryview) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)
    if os.name == "posix":  # the rename itself must reach the disk too
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def clean(catalog: Catalog, folder: Path, kind: str, name: str) -> list[str]:
    """Remove files of a set's folder that no shard names; which. Not within a transaction: what it
    would roll back to is needed then."""
    place = set_folder(folder, kind, name)
    vector_set = find_set(catalog, kind, name)
    known = set(vector_set.files) if vector_set else set()
    removed = []
    for path in sorted(place.glob("*")) if place.is_dir() else ():
        if path.name not in known and path.name.endswith((SUFFIX, SUFFIX + ".tmp")):
            path.unlink(missing_ok=True)
            removed.append(path.name)
    return removed


def load_shard(folder: Path, vector_set: VectorSet, file: str, *names: str) -> list[np.ndarray]:
    """Some arrays of one shard.

    Raises ProjectError when the file is missing or damaged.
    """
    path = set_folder(folder, vector_set.kind, vector_set.name) / file
    mark = dict(zip(vector_set.files, vector_set.marks, strict=False)).get(file, (0, ""))
    ensure_whole(path, *mark, MEND)
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as data:
            if linked.SOURCE in data and not linked.HERE.issuperset(names):
                return linked.read(Path(folder), data, names)
            return [data[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ProjectError(f"{path}: missing or damaged ({error}); {MEND}") from error


def load_ids(folder: Path, vector_set: VectorSet, file: str) -> list[str]:
    """The detection ids of one shard."""
    return load_shard(folder, vector_set, file, "ids")[0].astype(str).tolist()


def source_of(folder: Path, vector_set: VectorSet, file: str) -> bytes | None:
    """Where the values of a linked shard lie, see `linked`; None where they are in the shard.

    Raises ProjectError when it is damaged; a missing one has none.
    """
    path = set_folder(folder, vector_set.kind, vector_set.name) / file
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as data:
            return data[linked.SOURCE].item() if linked.SOURCE in data else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ProjectError(f"{path}: damaged ({error}); {MEND}") from error


def forget(
    catalog: Catalog, folder: Path, vector_set: VectorSet, files: Sequence[str]
) -> None:
    """Take shards out of a set; what other shards hold stays. Their files go with the next
    writer of the set."""
    kept = [file for file in vector_set.files if file not in set(files)]
    ids = [load_ids(folder, vector_set, file) for file in kept]
    with catalog.transaction() as connection:
        connection.executemany("DELETE FROM shard WHERE vector_set = ? AND file = ?",
                               [(vector_set.n, file) for file in files])
        connection.execute("DELETE FROM vector_row WHERE vector_set = ?", (vector_set.n,))
        for part in ids:
            register_rows(connection, vector_set, part)
