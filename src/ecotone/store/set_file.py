"""A json file beside the folder of a set: what the catalogue knows of it, for when that is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone.errors import ProjectError
from ecotone.store import shards
from ecotone.store.checksums import measure, text_sum
from ecotone.store.runs import now

if TYPE_CHECKING:
    from ecotone.store.catalog import Catalog

ENDING = ".json"
KINDS = ("scores", "embeddings")  # posteriors are made again


def write_about(catalog: Catalog, place: Path, vector_set: shards.VectorSet) -> None:
    """Write what a set is, where the file does not say so yet. Raises OSError."""
    if vector_set.kind not in KINDS:
        return
    row = catalog.connection.execute(
        "SELECT classes, dimension, complete FROM vector_set WHERE n = ?", (vector_set.n,)
    ).fetchone()
    keys = (f"fingerprint {vector_set.kind} {vector_set.name}", f"backend {vector_set.name}")
    about = {
        "kind": vector_set.kind, "name": vector_set.name, "classes": json.loads(row[0]),
        "dimension": row[1], "complete": bool(row[2]),
        "notes": {key: catalog.note(key) for key in keys if catalog.note(key) is not None},
    }
    text = json.dumps(about, ensure_ascii=False)
    path = place.with_name(place.name + ENDING)
    content = json.dumps({**about, "checksum": text_sum(text)}, ensure_ascii=False)
    if path.is_file() and path.read_text("utf-8", "replace") == content:
        return
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", errors="surrogatepass") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)


def read_about(path: Path) -> dict[str, Any] | None:
    """What a set is, None when the file is missing or damaged."""
    try:
        about = json.loads(path.read_text("utf-8"))
        stated = about.pop("checksum")
        return about if text_sum(json.dumps(about, ensure_ascii=False)) == stated else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def register_again(catalog: Catalog, folder: Path) -> list[tuple[str, str, int]]:
    """Register the shards of a catalogue that was lost: (kind, name, rows) of each set.

    Only whole shards that fit their set. Under the project's write lock.
    """
    found = []
    for path in sorted(folder.glob(f"*/*{ENDING}")):
        about = read_about(path)
        if about is None or shards.find_set(catalog, about["kind"], about["name"]) is not None:
            continue
        made = shards.make_set(catalog, about["kind"], about["name"], tuple(about["classes"]),
                               about["dimension"], about["complete"])
        place = shards.set_folder(folder, made.kind, made.name)
        rows = sum(_register(catalog, folder, made, file)
                   for file in sorted(place.glob(f"*{shards.SUFFIX}")))
        for key, value in about["notes"].items():
            catalog.set_note(key, value)
        found.append((made.kind, made.name, rows))
    return found


def _register(catalog: Catalog, folder: Path, known: shards.VectorSet, file: Path) -> int:
    names = ("ids", "values") if known.kind == "embeddings" else ("ids", "indices")
    try:
        ids, values = shards.load_shard(folder, known, file.name, *names)
        fits = (values.shape[1:] == (known.dimension,) if known.kind == "embeddings"
                else not len(values) or int(values.max()) < len(known.classes))
        size, digest = measure(file)
    except (ProjectError, OSError):
        return 0
    if not fits:
        return 0
    texts = ids.astype(str).tolist()
    with catalog.transaction() as connection:
        connection.execute(
            "INSERT INTO shard (n, vector_set, file, rows, created, bytes, digest) VALUES "
            "(max(?, 1 + coalesce((SELECT max(n) FROM shard), 0)), ?, ?, ?, ?, ?, ?)",
            (int(file.stem) if file.stem.isdigit() else 0, known.n, file.name, len(texts), now(),
             size, digest))
        shards.register_rows(connection, known, texts)
    return len(texts)
