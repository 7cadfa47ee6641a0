"""Stands before the application: the token, security headers, and the count of every request.

Source: OWASP cheat sheet on REST security.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ecotone.serve.metrics import Metrics
from ecotone.serve.problems import Refusal

OPEN_PATHS = ("/health/live", "/health/ready", "/openapi.json", "/docs", "/")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
HEADERS = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff", b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer", b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}  # fmt: skip

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Gate:
    """The guarded application (ASGI). paths: those that exist. token: "" lets everybody in."""

    def __init__(self, app: Any, metrics: Metrics, paths: frozenset[str], token: str = "") -> None:
        self.app, self.metrics, self.paths, self.token = app, metrics, paths, token

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        start, status = time.monotonic(), 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = list(message.get("headers", ()))
                given = {name.lower() for name, _ in own}
                more = [(n, v) for n, v in HEADERS.items() if n not in given]
                message = {**message, "headers": [*own, *more]}
            await send(message)

        try:
            if self._passes(scope):
                await self.app(scope, receive, guarded)
            else:
                refusal = Refusal(401, "token", "Give the token: Authorization: Bearer TOKEN.",
                                  headers={"WWW-Authenticate": "Bearer"})
                scope["ecotone.reason"] = refusal.reason
                await refusal.response()(scope, receive, guarded)
        except Exception:
            if not status:  # else it was answered and told in the log
                raise
        finally:
            self._count(scope, status, time.monotonic() - start)

    def _passes(self, scope: Message) -> bool:
        if not self.token or scope["path"] in OPEN_PATHS:
            return True
        given = [v for n, v in scope["headers"] if n == b"authorization"]
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        same = secrets.compare_digest(token.strip(), self.token.encode())
        return same and scheme.lower() == b"bearer"

    def _count(self, scope: Message, status: int, seconds: float) -> None:
        route = scope["path"] if scope["path"] in self.paths else "other"
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.metrics.requests.labels(route, method, str(status)).inc()
        self.metrics.request_seconds.labels(route).observe(seconds)
        if scope.get("ecotone.reason"):
            self.metrics.rejected.labels(scope["ecotone.reason"]).inc()
