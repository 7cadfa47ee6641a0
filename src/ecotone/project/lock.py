"""One writer at a time: an operating-system lock that ends with its process, killed or not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ecotone.errors import ProjectError

FILE_NAME = ".lock"


@contextmanager
def writer_lock(folder: Path, command: str) -> Iterator[None]:
    """Hold the write lock of a project folder while the block runs.

    The lock belongs to the open file, so a process that is killed leaves none behind.
    Raises ProjectError when another command holds it, or the folder cannot be written.
    """
    path = folder / FILE_NAME
    try:
        handle = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"{folder}: cannot write here ({error.strerror}).") from error
    with handle:
        if not _try_lock(handle):
            handle.seek(0)
            holder = handle.read().strip() or "another command"
            raise ProjectError(
                f"{folder}: {holder} is still working on this project; "
                "wait until it has finished, or stop it, and run again."
            )
        handle.truncate(0)
        handle.write(f"`ecotone {command}` (process {os.getpid()})")
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def is_sealed(folder: Path) -> bool:
    """Whether nothing can be written in a project's folder."""
    return not os.access(folder, os.W_OK)


def holder_of(folder: Path) -> str:
    """The command that holds the write lock of a project now, "" when none does."""
    path = folder / FILE_NAME
    try:
        handle = path.open("r+", encoding="utf-8")
    except OSError:
        return ""
    with handle:
        said = handle.read().strip()
        # An empty file is not tried: whoever starts just now would find it locked.
        return said if said and not _try_lock(handle) else ""


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: IO[str]) -> bool:
        # A byte far behind the text, so that others can still read who holds the lock.
        handle.seek(1 << 20)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: IO[str]) -> bool:
        try:
            fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
