"""Tables of detections as csv or parquet, written in pieces and put in place at the end.

csv: UTF-8, commas, a heading, one line break a row, quotes where a value needs them, an empty cell
for a missing value. Parquet: strings, numbers and booleans as they are, a null for a missing value.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ecotone.errors import InputError, MissingExtraError
from ecotone.export.atomic import clear_left
from ecotone.export.detections import posterior_columns, posterior_pieces
from ecotone.store.file_lock import locked

Columns = Mapping[str, Sequence[Any] | np.ndarray]
FORMATS = ("csv", "parquet")
SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
CHUNK = 50_000  # rows turned into text or parquet at once
PATHS = ("filePath",)
FORMULA = ("=", "+", "-", "@", "\t")


def format_of(path: str | Path, form: str | None = None) -> str:
    """The format of a table: as told, else by the ending of the file's name.

    Raises InputError when it is neither csv nor parquet.
    """
    form = form or SUFFIXES.get(Path(path).suffix.lower(), "")
    if form not in FORMATS:
        raise InputError(f"{path}: a table is written as .csv or .parquet; change the ending.")
    return form


def write_table(
    path: str | Path, columns: Columns | Iterable[Columns], format: str | None = None
) -> int:
    """Write a table and return its number of rows; readers see the old file or the whole new one.

    columns: arrays of one length by name, or an iterable of such pieces, of which one at a time is
    held. format: "csv" or "parquet"; default by the ending of `path`.

    Raises InputError on columns that do not fit, MissingExtraError when pyarrow is missing.
    """
    pieces = [columns] if isinstance(columns, Mapping) else columns
    with TableWriter(path, format) as table:
        for piece in pieces:
            table.append(piece)
    return table.rows


class TableWriter:
    """A table that grows piece by piece; it appears under its name when the block ends well.

        with TableWriter("out.csv") as table:
            table.append({"filePath": ["a.jpg"], "classificationProbability": [0.9]})

    rows: how many were written. Raises as `write_table`.
    """

    def __init__(self, path: str | Path, format: str | None = None) -> None:
        self.path = Path(path)
        self.format = format_of(path, format)
        self.rows = 0
        self._names: list[str] | None = None
        self._sink: _Sink | None = None
        self._temporary: Path | None = None
        self._guard = ExitStack()

    def __enter__(self) -> TableWriter:
        if self.format == "parquet":
            _pyarrow(self.path)  # missing packages show before the work, not after
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            clear_left(self.path)
            handle, name = tempfile.mkstemp(
                prefix=f".{self.path.name}-", suffix=".tmp", dir=self.path.parent
            )
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror}).") from error
        # Held while the file is written, so that nobody takes it for left behind.
        self._guard.enter_context(locked(self._guard.enter_context(os.fdopen(handle, "r+b"))))
        self._temporary = Path(name)
        self._sink = _Csv(self._temporary) if self.format == "csv" else _Parquet(self._temporary)
        return self

    def append(self, columns: Columns) -> None:
        """Add rows: arrays of one length by column name, always the same names."""
        arrays = {name: _column(values) for name, values in columns.items()}
        self._check(arrays)
        total = len(next(iter(arrays.values()), ()))
        for start in range(0, max(total, 1), CHUNK):
            part = {name: values[start : start + CHUNK] for name, values in arrays.items()}
            try:
                self._sink.write(part)
            except OSError as error:
                raise InputError(f"{self.path}: cannot be written ({error.strerror}).") from error
        self.rows += total

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            self._sink.close()
            self._guard.close()  # before the rename, for Windows
            if kind is None:
                _put_in_place(self._temporary, self.path)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror}).") from error
        finally:
            self._guard.close()
            self._temporary.unlink(missing_ok=True)

    def _check(self, arrays: dict[str, np.ndarray]) -> None:
        self._names = self._names or list(arrays)
        if list(arrays) != self._names:
            raise InputError(
                f"{self.path}: columns {', '.join(arrays)} after {', '.join(self._names)}; "
                "give every piece the same columns."
            )
        lengths = {name: len(values) for name, values in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"{self.path}: columns of different lengths: {lengths}.")


class _Sink(Protocol):
    def write(self, part: dict[str, np.ndarray]) -> None: ...

    def close(self) -> None: ...


class _Csv:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="", errors="backslashreplace")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._started = False

    def write(self, part: dict[str, np.ndarray]) -> None:
        if not self._started:
            self._writer.writerow(part)
            self._started = True
        cells = [csv_cells(values, name in PATHS) for name, values in part.items()]
        self._writer.writerows(zip(*cells, strict=True))

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path) -> None:
        self._path, self._writer, self._arrow = path, None, _pyarrow(path)

    def write(self, part: dict[str, np.ndarray]) -> None:
        table = self._arrow.table({name: self._array(values) for name, values in part.items()})
        if self._writer is None:
            from pyarrow.parquet import ParquetWriter

            self._writer = ParquetWriter(self._path, table.schema, compression="zstd")
        try:
            self._writer.write_table(table.cast(self._writer.schema))
        except self._arrow.ArrowInvalid as error:
            raise InputError(f"a later piece of the table has other types ({error}).") from error

    def close(self) -> None:
        if self._writer is None:
            self.write({})
        self._writer.close()

    def _array(self, values: np.ndarray) -> Any:
        if values.dtype != object:
            return self._arrow.array(values, from_pandas=True)
        texts = [None if _missing(v) else _clean(str(v)) for v in values]
        return self._arrow.array(texts, type=self._arrow.string())


def csv_cells(values: np.ndarray, paths: bool = False) -> list[str]:
    r"""The cells of a column, as texts.

    Text that a spreadsheet would run as a formula is made harmless: a path by "./" before it, any
    other by an apostrophe. Line breaks inside a cell become \n, the only one that is quoted.
    """
    if values.dtype == bool:
        return ["true" if v else "false" for v in values.tolist()]
    if np.issubdtype(values.dtype, np.floating):
        return _few(values, lambda some: ["" if v != v else f"{v:.7g}" for v in some])
    if values.dtype != object:
        return [str(v) for v in values.tolist()]
    guard = "./" if paths else "'"

    def written(some: list[Any]) -> list[str]:
        texts = ["" if _missing(v) else str(v) for v in some]
        texts = [t.replace("\r\n", "\n").replace("\r", "\n") if "\r" in t else t for t in texts]
        return [guard + text if text.startswith(FORMULA) else text for text in texts]

    return _few(values, written)


def _few(values: np.ndarray, written: Callable[[list[Any]], list[str]]) -> list[str]:
    """Cells of a column whose values are often few: each is written once."""
    every = values.tolist()
    if not set(map(type, every)) <= {str, float}:  # 1, 1.0 and True are equal, their cells are not
        return written(every)
    some = list(set(every))
    if len(some) * 4 > len(every):
        return written(every)
    cell = dict(zip(some, written(some), strict=True))
    return [cell[v] for v in every]


def _column(values: Sequence[Any] | np.ndarray) -> np.ndarray:
    array = np.asarray(values) if isinstance(values, np.ndarray) else _from_list(list(values))
    if array.ndim != 1:
        raise InputError(f"a table's column has shape {array.shape}, expected (rows,).")
    return array if array.dtype.kind in "biuf" else array.astype(object)


def _from_list(values: list[Any]) -> np.ndarray:
    known = [v for v in values if v is not None]
    if known and all(isinstance(v, (int, float, np.number, np.bool_)) for v in known):
        missing = len(known) < len(values)
        return np.asarray(values, dtype=np.float64 if missing else None)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _clean(text: str) -> str:
    """Names of files that are not UTF-8 come as surrogates, which parquet has no place for."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _put_in_place(temporary: Path, path: Path) -> None:
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod(0o666 & ~umask)  # mkstemp's files are for one user alone
    os.replace(temporary, path)


def _pyarrow(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(f"{path.name}: a parquet table", "parquet") from error
    return pyarrow


__all__ = [
    "TableWriter", "csv_cells", "format_of", "posterior_columns", "posterior_pieces", "write_table",
]  # fmt: skip
