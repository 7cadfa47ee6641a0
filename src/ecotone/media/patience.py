"""Reading that gives up: a file on a network path that does not answer must not stop a run.

The operating system lets no one call a read back, so it is done by a thread of its own that is left
behind when it takes too long.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ecotone.errors import MediaError

T = TypeVar("T")
BLOCK = 1 << 16  # bytes that must come within the time
LARGE = 1 << 28  # bytes; larger files are not read as a whole
_state = {"seconds": 60.0}


def wait_at_most(seconds: float) -> None:
    """Set how long a file may take to be read, in this process; see `read_timeout` of a project."""
    _state["seconds"] = float(seconds)


def within(action: Callable[[], T], what: str | Path) -> T:
    """What an action gives, or raises. Raises MediaError when it takes too long; then it is left to
    itself."""
    answer: list[tuple[bool, Any]] = []

    def run() -> None:
        try:
            answer.append((True, action()))
        except BaseException as error:
            answer.append((False, error))

    thread = threading.Thread(target=run, name="ecotone-read", daemon=True)
    thread.start()
    thread.join(_state["seconds"])
    if not answer:
        raise MediaError(
            f"{what}: no answer within {_state['seconds']:g} s (a network path?); see read_timeout "
            "in ecotone.toml"
        )
    good, found = answer[0]
    if not good:
        raise found
    return found


def read_file(path: Path) -> bytes | None:
    """All bytes of a file, None of one that is too large for that.

    Raises OSError, and MediaError when it does not answer.
    """

    def read() -> bytes | None:
        with path.open("rb") as handle:
            content = handle.read(LARGE)
        return None if len(content) == LARGE else content

    return within(read, path)


def touch(path: Path) -> None:
    """Read one byte of a file. Raises OSError, and MediaError when it does not answer."""

    def read() -> None:
        with path.open("rb") as handle:
            handle.read(1)

    within(read, path)


class _Patient(io.RawIOBase):
    """A file each of whose reads gives up; one that has given up is left open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stuck = False
        self._raw = within(lambda: path.open("rb", buffering=0), path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._raw.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int:
        try:
            # Not into the buffer: a late answer would be written into what is in use by then.
            found = within(lambda: self._raw.read(len(buffer)), self._path) or b""
        except MediaError:
            self._stuck = True
            raise
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        if not self.closed and not getattr(self, "_stuck", True):
            self._raw.close()
        super().close()


def patient_open(path: Path) -> BinaryIO:
    """A file to read whose every block must come in time, however large it is.

    Raises OSError, and MediaError when it does not answer, so do its reads.
    """
    return io.BufferedReader(_Patient(path), BLOCK)


def read_whole(path: Path) -> bytes:
    """All bytes of a file of any size, each block in time.

    Raises OSError, and MediaError when it does not answer.
    """
    with patient_open(path) as handle:
        return b"".join(iter(lambda: handle.read(BLOCK), b""))


def each_within(items: Iterable[T], what: str | Path) -> Iterator[T]:
    """The items of an iterable, such as `os.walk`, each of which must come in time.

    Raises MediaError when one does not.
    """
    source, end = iter(items), object()
    while (found := within(lambda: next(source, end), what)) is not end:
        yield found  # type: ignore[misc]
