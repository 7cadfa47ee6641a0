"""A lock on an open file that ends with its process, killed or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

BEYOND = 1 << 40  # a byte that no file has, so that others can still read the text

if sys.platform == "win32":
    import msvcrt
    import os

    def _lock(handle: IO[Any], wait: bool) -> None:
        os.lseek(handle.fileno(), BEYOND, os.SEEK_SET)
        while True:
            try:
                msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                return
            except OSError:  # LK_LOCK gives up after ten tries
                if not wait:
                    raise

    def _unlock(handle: IO[Any]) -> None:
        os.lseek(handle.fileno(), BEYOND, os.SEEK_SET)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(handle: IO[Any], wait: bool) -> None:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

    def _unlock(handle: IO[Any]) -> None:
        fcntl.flock(handle.fileno(), fcntl.LOCK_UN)


@contextmanager
def locked(handle: IO[Any], wait: bool = True) -> Iterator[None]:
    """Hold the lock of an open file while the block runs.

    wait: for another process; else raises OSError when one holds it.
    """
    _lock(handle, wait)
    try:
        yield
    finally:
        _unlock(handle)
