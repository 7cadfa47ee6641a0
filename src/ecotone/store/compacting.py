"""Many small shards become few: a resumed or watched run leaves one a stop, and thousands of files
are slow to open. Rows keep their order, so that of a detection written twice the last still counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecotone.store import shards
from ecotone.store.locate import as_bytes
from ecotone.store.runs import now

if TYPE_CHECKING:
    from ecotone.store.catalog import Catalog

ROWS = 8192  # of a shard that small ones are joined to, at most
MANY = 64  # shards of a set, below which nothing is done


def compact(
    catalog: Catalog, folder: Path, kind: str, name: str, many: int | None = None
) -> int:
    """Join neighbouring small shards of a set of `many` shards (default `MANY`).

    Under the write lock only. A joined shard is written, then takes the place of its parts in one
    transaction: a kill at any moment leaves the one or the others. Returns how many shards there
    are less. Raises ProjectError when a shard is damaged or the disk is full.
    """
    known = shards.find_set(catalog, kind, name)
    if known is None or len(known.files) < (MANY if many is None else many):
        return 0
    gone = 0
    for run in _runs(catalog, known):
        parts = _load(folder, known, [file for _, file in run])
        if parts is None:
            continue
        file, size, digest = shards.write_file(
            catalog, folder, known, np.concatenate([p["ids"] for p in parts]), _joined(parts))
        with catalog.transaction() as connection:
            connection.executemany("DELETE FROM shard WHERE n = ?", [(n,) for n, _ in run])
            # In the place of the last of its parts; its file's number is not used again.
            connection.execute(
                "INSERT INTO shard (n, vector_set, file, rows, created, bytes, digest) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (run[-1][0], known.n, file, sum(len(p["ids"]) for p in parts), now(), size, digest))
            connection.execute("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'shard'")
        gone += len(run) - 1
    if gone:
        shards.clean(catalog, folder, kind, name)
    return gone


def _runs(catalog: Catalog, known: shards.VectorSet) -> Iterator[list[tuple[int, str]]]:
    """Neighbouring shards (number, file) that make one of at most `ROWS` rows."""
    table = catalog.connection.execute(
        "SELECT n, file, rows FROM shard WHERE vector_set = ? ORDER BY n", (known.n,)).fetchall()
    run: list[tuple[int, str]] = []
    total = 0
    for n, file, rows in table:
        if run and total + rows > ROWS:
            if len(run) > 1:
                yield run
            run, total = [], 0
        run.append((n, file))
        total += rows
    if len(run) > 1:
        yield run


def _load(
    folder: Path, known: shards.VectorSet, files: list[str]
) -> list[dict[str, np.ndarray]] | None:
    """Ids and arrays of shards; None where the values of one lie elsewhere."""
    names = ("indptr", "indices", "data") if known.kind == "scores" else ("values",)
    parts = []
    for file in files:
        if not file.endswith(shards.SUFFIX) or shards.source_of(folder, known, file) is not None:
            return None
        ids, *arrays = shards.load_shard(folder, known, file, "ids", *names)
        parts.append({"ids": as_bytes(ids), **dict(zip(names, arrays, strict=True))})
    return parts


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    out = {name: np.concatenate([p[name] for p in parts])
           for name in parts[0] if name not in ("ids", "indptr")}
    if "indptr" in parts[0]:
        length = np.concatenate([np.diff(p["indptr"]) for p in parts])
        out["indptr"] = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    return out
