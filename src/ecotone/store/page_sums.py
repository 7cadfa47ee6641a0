"""`catalog.sum`: a checksum of every page of a closed catalogue.

So a bit that changes afterwards is found wherever it is, also in rows whose structure stays whole.
The file is written when the last connection closes, and emptied - on the disk - before the next one
stores anything. So what it says is never older than the catalogue; after a kill it is empty, and
says nothing until the next command has closed the catalogue again.

A process that closes any handle of a file loses all its locks on it, SQLite's too
(https://sqlite.org/howtocorrupt.html, 2.2). So while a catalogue is open here, what was opened to
read its pages is closed with it, not before.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ecotone.errors import ProjectError
from ecotone.store.file_lock import locked

SIZE = 8  # bytes of the checksum of a page
_PAGE = 4096  # bytes hashed at once: SQLite's page size in catalogues
_SHOWN = 5
MOST = 1 << 26  # bytes of a catalogue that is compared before it is first written to

_guard = threading.Lock()
_open: Counter[str] = Counter()  # connections of this process, by file
_waiting: defaultdict[str, list[BinaryIO]] = defaultdict(list)  # handles to be closed with them


@atexit.register
def _close_all() -> None:
    """Of connections that were never closed."""
    for handle in [h for handles in _waiting.values() for h in handles]:
        handle.close()


@contextmanager
def opening(catalog: Path) -> Iterator[None]:
    """Within, a connection to a catalogue is opened in this process; in the end, call `closed`."""
    with _guard:
        _open[os.path.realpath(catalog)] += 1
    try:
        yield
    except BaseException:
        closed(catalog)
        raise


def closed(catalog: Path) -> None:
    """A connection that came by `opening` is closed."""
    name = os.path.realpath(catalog)
    with _guard:
        _open[name] -= 1
        if _open[name] <= 0:
            del _open[name]
            for handle in _waiting.pop(name, ()):
                handle.close()


@contextmanager
def _reading(catalog: Path) -> Iterator[BinaryIO]:
    """A handle that costs no connection of this process its locks."""
    name, handle = os.path.realpath(catalog), open(catalog, "rb")  # noqa: SIM115
    try:
        yield handle
    finally:
        with _guard:
            if name in _open:
                _waiting[name].append(handle)
            else:
                handle.close()


def sums_of(catalog: Path) -> Path:
    """The file of checksums that belongs to a catalogue's file."""
    return catalog.with_suffix(".sum")


def unseal(catalog: Path) -> None:
    """Empty the checksums: the catalogue is about to change.

    Raises ProjectError when the disk refuses, and when a catalogue that is read in no time was
    changed since it was closed: what is written now would hide it.
    """
    path = sums_of(catalog)
    if not path.is_file():
        return
    try:
        if catalog.is_file() and (wrong := find_changes(catalog, catalog.stat().st_size > MOST)):
            raise ProjectError(f"{catalog}: damaged ({wrong}); nothing is written to it before: "
                               "ecotone repair")
        with path.open("r+b") as handle, locked(handle):
            if handle.read(1):
                handle.truncate(0)
                handle.flush()
                os.fsync(handle.fileno())
    except OSError as error:
        raise ProjectError(f"{path}: cannot be written ({error.strerror or error}).") from error


def seal(catalog: Path) -> None:
    """Write the checksums of a catalogue that nobody has open, where they are not there.

    Nothing is done while a write-ahead log shows that somebody has it open, or where it cannot be
    written.
    """
    log = catalog.with_name(f"{catalog.name}-wal")
    with suppress(OSError), sums_of(catalog).open("a+b") as handle, locked(handle):
        handle.seek(0)
        if _parse(handle.read()) is not None or log.exists() or not catalog.is_file():
            return
        body = b"".join(_sums(catalog))
        if log.exists():  # opened meanwhile: whoever did it will close it
            return
        head = {"page": _PAGE, "size": catalog.stat().st_size,
                "digest": hashlib.blake2b(body, digest_size=16).hexdigest()}
        handle.truncate(0)
        handle.write(json.dumps(head).encode() + b"\n" + body)
        handle.flush()


def _sums(catalog: Path) -> Iterator[bytes]:
    with _reading(catalog) as handle:
        while page := handle.read(_PAGE):
            yield hashlib.blake2b(page, digest_size=SIZE).digest()


def _parse(content: bytes) -> tuple[int, bytes] | None:
    """Size of the catalogue and checksums of its pages; None when they were not written whole."""
    line, _, body = content.partition(b"\n")
    try:
        head = json.loads(line)
        whole = hashlib.blake2b(body, digest_size=16).hexdigest() == head["digest"]
        return (int(head["size"]), body) if whole and head["page"] == _PAGE else None
    except (ValueError, KeyError, TypeError):
        return None


def find_changes(catalog: Path, quick: bool = False) -> str:
    """What is not as it was when the catalogue was closed; "" when all is, or nothing is known.

    quick: compare the size alone. Raises OSError when the files cannot be read.
    """
    path = sums_of(catalog)
    if not path.is_file():
        return ""
    content = path.read_bytes()
    known = _parse(content)
    if known is None:
        return ""
    size, body = known
    wrong = f"{catalog.stat().st_size:,} bytes, {size:,} when it was closed"
    if catalog.stat().st_size == size:
        now = [] if quick else list(_sums(catalog))
        pages = [n + 1 for n, found in enumerate(now)
                 if found != body[n * SIZE : (n + 1) * SIZE]]
        if not pages:
            return ""
        shown = ", ".join(str(n) for n in pages[:_SHOWN]) + (", ..." if len(pages) > _SHOWN else "")
        wrong = (f"{len(pages):,} of {len(now):,} pages ({shown}) are not as they were when it was "
                 f"closed; they belong to {_owners(catalog, pages)}")
    return wrong if path.read_bytes() == content else ""  # a command has begun meanwhile


def _owners(catalog: Path, pages: list[int]) -> str:
    """The tables to which pages belong, as far as it can be told."""
    try:
        with _reading(catalog) as handle:
            tables = _tables(catalog)
            owner = {n: name for name, root in tables for n in _tree(handle, root)}
    except (OSError, sqlite3.Error):
        owner = {}
    names = sorted({owner.get(n, "what cannot be told") for n in pages})
    return ", ".join(names)


def _tables(catalog: Path) -> list[tuple[str, int]]:
    source = f"{catalog.absolute().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(source, uri=True)
    try:
        return [("the list of tables", 1), *connection.execute(
            "SELECT tbl_name, rootpage FROM sqlite_master WHERE rootpage > 0")]
    finally:
        connection.close()


def _tree(handle: BinaryIO, root: int) -> Iterator[int]:
    """The numbers of the pages of a B-tree (https://sqlite.org/fileformat2.html, 1.6)."""
    waiting, seen = [root], set()
    while waiting:
        number = waiting.pop()
        if number in seen or number < 1:
            continue
        seen.add(number)
        yield number
        handle.seek((number - 1) * _PAGE)
        page = handle.read(_PAGE)
        start = 100 if number == 1 else 0
        if len(page) < _PAGE or page[start] not in (2, 5):  # leaves have no pages below
            continue
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        waiting.append(int.from_bytes(page[start + 8 : start + 12], "big"))
        for cell in range(start + 12, min(start + 12 + 2 * count, _PAGE - 1), 2):
            at = int.from_bytes(page[cell : cell + 2], "big")
            waiting.append(int.from_bytes(page[at : at + 4], "big"))


__all__ = ["closed", "find_changes", "opening", "seal", "sums_of", "unseal"]
