"""The files of a data package: written beside their place, and put there when all are complete."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from ecotone.errors import InputError
from ecotone.ingest.camtrapdp import MORE as MORE_NAME
from ecotone.ingest.camtrapdp_cells import IDS, TABLES
from ecotone.ingest.camtrapdp_package import DESCRIPTOR
from ecotone.store.file_lock import locked
from ecotone.study import MORE, Row

_SAME_DATE = (1980, 1, 1, 0, 0, 0)  # so that the same study makes the same zip
_HELD = "held"  # the file in an unfinished package whose lock its writer holds
_YOUNG = 60  # seconds in which a folder without that file may be another writer's, just begun


class Sheet:
    """One of the three tables as csv, UTF-8, all columns of the standard in their order.

    Columns that neither the standard nor `ecotone.study.MORE` knows go to a second file, with the
    identifiers of the rows that have them, for a package with more columns is not valid.
    """

    def __init__(self, folder: Path, table: str) -> None:
        self.name, self.rows = table, 0
        self.more: dict[str, None] = {}
        self._folder, self._columns = folder, TABLES[table]
        self._known = frozenset((*self._columns, *MORE.get(table, ())))
        self._file = _new(folder / f"{table}.csv")
        self._write = csv.writer(self._file, lineterminator="\n").writerow
        quoted = csv.writer(self._file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._write_all = quoted.writerow
        self._spool = None
        self._write(self._columns)

    def write(self, row: Row) -> None:
        """One row, in the order in which they come."""
        self.rows += 1
        cells = [row[c] for c in self._columns]
        text = "".join(cells)
        if "\r" in text or "\0" in text:  # which csv would leave without quotes
            self._write_all([c.replace("\0", "") for c in cells])
        else:
            self._write(cells)
        if not row.keys() <= self._known:
            self._write_more(row)

    def _write_more(self, row: Row) -> None:
        beside = {name.strip(): cell for name, cell in row.items() if name not in self._known}
        self.more.update(dict.fromkeys(n for n in beside if n))
        if any(beside.values()):
            if self._spool is None:
                self._spool = _new(self._folder / f"{self.name}.tmp")
            line = {k: v.replace("\0", "") for k, v in beside.items() if k and v}
            self._spool.write(json.dumps([row[IDS[self.name]], line]) + "\n")

    def close(self) -> None:
        """Ends the file, and writes the second one where there is anything for it."""
        self._file.close()
        if self._spool is not None:
            self._spool.close()
        if not self.more:
            return
        spool = self._folder / f"{self.name}.tmp"
        with _new(self._folder / f"{self.name}{MORE_NAME}.csv") as file:
            write = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow
            write([IDS[self.name], *self.more])
            if self._spool is not None:
                with spool.open(encoding="utf-8") as lines:
                    for line in lines:
                        name, cells = json.loads(line)
                        write([name, *(cells.get(column, "") for column in self.more)])
                spool.unlink()


def _new(path: Path) -> Any:
    return path.open("w", encoding="utf-8", newline="", errors="backslashreplace")


def write_descriptor(folder: Path, descriptor: dict[str, Any]) -> None:
    """The datapackage.json; raises InputError on values that json does not know."""
    try:
        text = json.dumps(descriptor, ensure_ascii=False, indent=2, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the metadata of the study is no json ({error}).") from error
    (folder / DESCRIPTOR).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


@contextmanager
def staged(path: Path, source: str) -> Iterator[Path]:
    """A folder to write in; when the block ends well its files become the folder or zip `path`.

    source: where the study was read from, which is never written over. Raises InputError when
    `path` cannot be written, or holds tables of something else.
    """
    _check_place(path, source)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_left(path)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", suffix=".tmp", dir=path.parent))
        with (temporary / _HELD).open("wb") as held, locked(held):
            folder = temporary / "package"
            folder.mkdir()
            yield folder
            if path.suffix.lower() == ".zip":
                _put_zip(folder, temporary / "zip", path)
            else:
                _put_folder(folder, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}).") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _clear_left(path: Path) -> None:
    """Remove what exports to this place left behind that were killed; one at work holds a lock."""
    for left in path.parent.glob(f".{escape(path.name)}-*.tmp"):
        with suppress(OSError):
            if (left / _HELD).is_file():
                with (left / _HELD).open("r+b") as held, locked(held, wait=False):
                    pass
            elif time.time() - left.stat().st_mtime < _YOUNG:
                continue
            shutil.rmtree(left)


def _check_place(path: Path, source: str) -> None:
    if path.suffix.lower() == ".zip":
        if path.is_dir():
            raise InputError(f"{path}: is a folder; give another name for the zip.")
    elif path.is_file():
        raise InputError(f"{path}: is a file; give a folder, or a name that ends in .zip.")
    elif path.suffix.lower() in (".csv", ".json"):
        raise InputError(f"{path}: a Camtrap DP is a folder or a .zip; give such a name.")
    elif not (path / DESCRIPTOR).exists():
        there = [f"{t}.csv" for t in TABLES if (path / f"{t}.csv").exists()]
        if there:
            raise InputError(f"{path}: holds {', '.join(there)} of something else; give another "
                             "folder.")
    if source:
        origin = Path(source)
        origin = origin.parent if origin.name == DESCRIPTOR else origin
        if origin.exists() and path.exists() and origin.resolve() == path.resolve():
            raise InputError(f"{path}: is where the study was read from; give another folder.")


def _put_folder(folder: Path, path: Path) -> None:
    if not path.exists():
        os.replace(folder, path)
        return
    for name in _in_order(folder):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder / name, path / name)


def _put_zip(folder: Path, packed: Path, path: Path) -> None:
    names = _in_order(folder)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            info = zipfile.ZipInfo(name, _SAME_DATE)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            with (folder / name).open("rb") as file, archive.open(
                info, "w", force_zip64=True
            ) as member:
                shutil.copyfileobj(file, member, 1 << 20)
    os.replace(packed, path)


def _in_order(folder: Path) -> Sequence[str]:
    """All files below a folder, the descriptor last: it makes the package one."""
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    return sorted(names, key=lambda n: (n == DESCRIPTOR, n))
