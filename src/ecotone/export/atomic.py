"""Files that appear whole or not at all: written beside, then put in the place of the old one."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import TextIO

from ecotone.errors import InputError
from ecotone.store.file_lock import locked


@contextmanager
def replaced(path: str | Path) -> Iterator[TextIO]:
    """A file to write text to; it takes the place of `path` when the block ends well.

    Raises InputError when the folder cannot be written to.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        clear_left(target)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", suffix=".tmp", dir=target.parent)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror}).") from error
    temporary = Path(name)
    try:
        with open(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file, \
                locked(file):
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's files are for one user alone
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error}).") from error
    finally:
        temporary.unlink(missing_ok=True)


def clear_left(target: Path) -> None:
    """Remove what writers of this file left behind that were killed; one at work holds a lock."""
    for left in target.parent.glob(f".{escape(target.name)}-*.tmp"):
        with suppress(OSError):
            with left.open("r+b") as handle, locked(handle, wait=False):
                pass
            left.unlink()


@contextmanager
def csv_files(folder: Path, columns: dict[str, Sequence[str]]) -> Iterator[dict[str, Sheet]]:
    """csv files with their headings written, by file name; all appear at the end."""
    with ExitStack() as stack:
        out = {}
        for name, header in columns.items():
            out[name] = Sheet(stack.enter_context(replaced(folder / name)))
            out[name].write(header)
        yield out


class Sheet:
    """A csv file that grows row by row: UTF-8, commas, one line break a row.

    Cells are written as they are: a guard against formulas would change what other programs read.
    """

    def __init__(self, file: TextIO) -> None:
        self._write = csv.writer(file, lineterminator="\n").writerow
        self._quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow

    def write(self, cells: Sequence[str]) -> None:
        """One row."""
        text = "".join(cells)
        if "\r" in text or "\0" in text:  # which csv would leave without quotes
            self._quoted([cell.replace("\0", "") for cell in cells])
        else:
            self._write(cells)


__all__ = ["Sheet", "clear_left", "csv_files", "replaced"]
