"""Shards whose values stay in a Parquet file elsewhere: on a disk, or in an object storage.

In the project lies an ordinary shard with the ids, the place of the file (`source`: relative to the
folder of vectors where it lies inside the project), its size, and the rows of it that are meant.
n rows, D embedding dimensions. Source: Apache Parquet, read with pyarrow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import MissingExtraError, ProjectError
from ecotone.media.location import again, filesystem, is_url, location
from ecotone.store import checksums
from ecotone.store.checksums import ensure_whole, measure

SOURCE = "source"
HERE = frozenset({"ids", SOURCE, "size", "rows"})
COLUMNS = ("embedding", "classes", "probabilities")


def link(folder: Path, source: str, size: int, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of a shard that stands for some rows (n,) of a file of `size` bytes.

    folder: of the vectors. source: an absolute path, or a URL.
    """
    digest = "" if is_url(source) else measure(Path(source))[1]
    inside = folder.resolve().parent
    if not is_url(source) and Path(source).is_relative_to(inside):
        source = Path(os.path.relpath(source, folder.resolve())).as_posix()
    return {SOURCE: np.array(source.encode()), "size": np.array(size, dtype=np.int64),
            "digest": np.array(digest.encode()), "rows": np.asarray(rows, dtype=np.int32)}


def place(folder: Path, source: bytes) -> str:
    """The path or URL of a linked file."""
    text = location(bytes(source).decode())
    return text if is_url(text) else os.path.normpath(folder.resolve() / text)


def read(folder: Path, data: Mapping[str, np.ndarray], names: Sequence[str]) -> list[np.ndarray]:
    """Arrays of a linked shard: ids, values (n, D), indptr, indices, data.

    Raises ProjectError when the file is missing or another one, MissingExtraError without pyarrow.
    """
    where = place(folder, data[SOURCE].item())
    rows = data["rows"]
    if stated := _digest(data):
        ensure_whole(Path(where), int(data["size"]), stated, MEND)
    found = {name: data[name] for name in names if name in HERE}
    if "values" in names:
        found["values"] = _columns(where, int(data["size"]), "embedding")[0][rows]
    if {"indptr", "indices", "data"} & set(names):
        offsets, classes = _columns(where, int(data["size"]), "classes")
        values = _columns(where, int(data["size"]), "probabilities")[1]
        length = offsets[rows + 1] - offsets[rows]
        indptr = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
        spread = np.repeat(offsets[rows] - indptr[:-1], length) + np.arange(indptr[-1])
        found |= {"indptr": indptr, "indices": classes[spread], "data": values[spread]}
    return [found[name] for name in names]


def _digest(data: Mapping[str, np.ndarray]) -> str:
    """The checksum of a linked file, "" where it was never taken: behind a URL."""
    return bytes(data["digest"].item()).decode() if "digest" in data else ""


def find_damage(folder: Path, data: Mapping[str, np.ndarray], quick: bool = False) -> str:
    """What is wrong with the file of a linked shard; "" when it is whole, or behind a URL."""
    where = place(folder, data[SOURCE].item())
    if is_url(where):
        return ""
    wrong = checksums.find_damage(Path(where), int(data["size"]), _digest(data), quick)
    return f"{where}: {wrong}" if wrong else ""


@lru_cache(maxsize=8)
def _columns(where: str, size: int, name: str) -> tuple[np.ndarray, ...]:
    """(values (n, D),) of an embedding column, (offsets, values) of a list column."""
    table = read_table(where, (name,), size)
    column = table.column(name).combine_chunks()
    column = column.chunk(0) if hasattr(column, "num_chunks") else column
    if name == "embedding":
        flat = column.flatten().to_numpy(zero_copy_only=False)
        return (flat.reshape(len(column), column.type.list_size),)
    return (column.offsets.to_numpy().astype(np.int64), column.values.to_numpy())


def read_table(where: str, columns: Sequence[str] | None = None, size: int = 0) -> Any:
    """A Parquet file, or some columns of it, as an Arrow table; memory-mapped on a disk.

    size: in bytes, checked where it is above 0.
    Raises ProjectError when it is missing, of another size, or damaged; MissingExtraError.
    """
    try:
        from pyarrow import ArrowException, BufferReader, parquet
    except ImportError:
        raise MissingExtraError(f"{where}", "parquet") from None
    try:
        source: Any = where
        if is_url(where):
            data = again(_bytes(where))
            found, source = len(data), BufferReader(data)
        else:
            found = os.path.getsize(where)
        if size and found != size:
            raise ProjectError(f"{where}: has {found:,} bytes, expected {size:,}; {MEND}")
        file = parquet.ParquetFile(source, memory_map=not is_url(where))
        with file:
            known = set(file.schema_arrow.names)
            return file.read(columns=[c for c in columns if c in known] if columns else None)
    except (OSError, ArrowException) as error:
        missing = isinstance(error, FileNotFoundError)
        raise ProjectError(
            f"{where}: {'missing' if missing else f'cannot be read ({error})'}; {MEND}"
        ) from error


MEND = ("bring it back, or name its new place: ecotone attach FOLDER; classify or embed again "
        "makes what is missing anew.")


def _bytes(where: str) -> Callable[[], bytes]:
    def read() -> bytes:
        storage, path = filesystem(where)
        with storage.open_input_stream(path) as stream:
            return stream.read()

    return read


__all__ = ["HERE", "SOURCE", "link", "place", "read", "read_table"]
