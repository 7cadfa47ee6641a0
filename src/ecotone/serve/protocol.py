"""HTTP/1.1 by uvicorn and h11, with a time limit on heads: no connection may dribble for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ecotone.serve.problems import Refusal

CONNECTIONS = 1000  # at once
HEAD_SECONDS = 15.0  # for the head of a request, and for a body that was refused


class TimedProtocol(H11Protocol):
    """A connection that is closed when no head of a request is complete in time.

    uvicorn limits the pause between requests and h11 the length of a head; bodies are timed where
    they are read (`body.read`). Refusals of the protocol itself are problem+json as all others.
    """

    head_seconds, most = HEAD_SECONDS, CONNECTIONS
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start to wait for the first head."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and wait for the next head where it is not complete."""
        self.app = _full if len(self.connections) > self.most else self.config.loaded_app
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on with what came meanwhile, or wait for the next head."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        self._stop()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, and hang up."""
        answer = Refusal(400, "http", "This is no HTTP/1.1 request, or its head is too long."
                         ).response()  # fmt: skip
        headers = [*answer.raw_headers, (b"connection", b"close")]
        for event in (h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                      h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):  # fmt: skip
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _watch(self) -> None:
        """Time what comes while no request is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.head_seconds, self._late)

    def _late(self) -> None:
        self._timer = None
        busy = self.cycle is not None and not self.cycle.response_complete
        if not busy and not self.transport.is_closing():
            self.transport.close()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _full(scope: Any, receive: Any, send: Any) -> None:
    """The application of a connection that is one too many."""
    refusal = Refusal(503, "connections", "Too many connections; ask again in a moment.", 1,
                      headers={"Connection": "close"})
    await refusal.response()(scope, receive, send)
