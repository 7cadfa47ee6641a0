"""What `ecotone repair` does to sets of vectors: damaged shards are forgotten, the rest counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ecotone.errors import ProjectError
from ecotone.store import shards
from ecotone.store.checking import linked_damage
from ecotone.store.checksums import find_damage

if TYPE_CHECKING:
    from ecotone.store.catalog import Catalog

KINDS = ("scores", "embeddings", "posteriors")


def forget_damaged(catalog: Catalog, folder: Path) -> list[tuple[str, str, int]]:
    """Unregister shards that are missing or damaged: (kind, name, rows) of each.

    What lacks them is made again by the next run of the same model; the other shards stay. Of
    posteriors none stays: a run is made again whole, and a part of one would be taken for all of
    it. Under the project's write lock.
    """
    gone = []
    for kind in KINDS:
        for known in shards.sets(catalog, kind):
            place = shards.set_folder(folder, kind, known.name)
            bad = [f for f, mark in zip(known.files, known.marks, strict=True)
                   if find_damage(place / f, *mark) or linked_damage(place / f, folder)
                   or not _readable(folder, known, f)]
            for file in bad:
                rows = _forget(catalog, known, file)
                gone.append((kind, known.name, rows))
            if bad and kind == "posteriors":
                shards.forget(catalog, folder, known, known.files)
            elif bad:
                renew_rows(catalog, folder, kind, known.name)
    return gone


def _readable(folder: Path, known: shards.VectorSet, file: str) -> bool:
    try:
        shards.load_ids(folder, known, file)
    except ProjectError:
        return False
    return True


def _forget(catalog: Catalog, known: shards.VectorSet, file: str) -> int:
    where = "WHERE vector_set = ? AND file = ?"
    with catalog.transaction() as connection:
        rows = connection.execute(f"SELECT rows FROM shard {where}", (known.n, file)).fetchone()[0]
        connection.execute(f"DELETE FROM shard {where}", (known.n, file))
    return int(rows)


def renew_rows(catalog: Catalog, folder: Path, kind: str, name: str) -> None:
    """Tell anew which detections a set holds, from its shards."""
    known = shards.find_set(catalog, kind, name)
    if known is None or kind == "posteriors":
        return
    with catalog.transaction() as connection:
        connection.execute("DELETE FROM vector_row WHERE vector_set = ?", (known.n,))
        for file in known.files:
            shards.register_rows(connection, known, shards.load_ids(folder, known, file))
