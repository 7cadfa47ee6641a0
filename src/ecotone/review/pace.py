"""People first: what is read beside waits while the page is served, but not for ever."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

QUIET = 0.3  # seconds without a request after which nobody is thought to wait
SWITCH = 0.001  # seconds after which a thread that computes lets another one in

Message = MutableMapping[str, Any]


class Pace:
    """Knows whether somebody is being served."""

    def __init__(self) -> None:
        self._inside, self._until = 0, 0.0
        self._lock = threading.Lock()

    def expect(self, seconds: float) -> None:
        """Somebody will come at once: count that as being served, for so long at most."""
        self._until = time.monotonic() + seconds

    def enter(self) -> None:
        """A request begins."""
        with self._lock:
            self._inside += 1

    def leave(self) -> None:
        """A request has been answered."""
        with self._lock:
            self._inside -= 1
            self._until = time.monotonic() + QUIET

    def rest(self, most: float) -> None:
        """Wait until nobody is being served, `most` seconds at most."""
        end = time.monotonic() + most
        while (now := time.monotonic()) < end and (self._inside or now < self._until):
            time.sleep(0.02)


class Paced:
    """An application whose requests a `Pace` knows of (ASGI)."""

    def __init__(self, app: Any, pace: Pace) -> None:
        self.app, self.pace = app, pace

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """One request."""
        self.pace.enter()
        try:
            await self.app(scope, receive, send)
        finally:
            self.pace.leave()


def let_in_sooner() -> None:
    """Python lets a waiting thread in every 5 ms only; with one that computes beside, an answer
    made of many short steps would wait that long at each."""
    sys.setswitchinterval(min(SWITCH, sys.getswitchinterval()))
