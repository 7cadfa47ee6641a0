"""Reading that gives up: a file on a network path that does not answer must not stop a run.

The operating system lets no one call a read back, so it is done by a thread of its own that is left
behind when it takes too long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ecotone.errors import MediaError

T = TypeVar("T")
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
