"""Who may ask the page's server for what: the right host, the token, no other site's scripts.

Source: OWASP cheat sheets on cross-site request forgery and on DNS rebinding; W3C Fetch Metadata.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ecotone.errors import InputError

MOST_BYTES = 2 * 2**20  # of one request
HEADER = b"x-ecotone"  # no other site's form can send it
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()), (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"), (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"), (b"x-frame-options", b"DENY"),
)
DOOR = Path(__file__).parent / "templates" / "token.html"
# What the page that asks for the token is made of: nothing of the project.
OPEN_PATHS = tuple(f"/static/{name}" for name in ("page.css", "token.css", "theme.js", "icon.svg"))

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach a server that listens there."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """256 random bits for the address."""
    return secrets.token_urlsafe(32)


class Gate:
    """Stands before the application and lets through what may pass.

    host: where the server listens. token: "" when nobody else can reach it.
    """

    def __init__(self, app: Any, host: str, port: int, token: str = "") -> None:
        if not token and not is_loopback(host):
            raise InputError(f"{host}: others can reach this address, so a token is needed.")
        self.app, self.token = app, token
        self.cookie = f"ecotone_{port}"
        self.open_hosts = _hosts(host)
        self.any_address = bool(token)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request (ASGI)."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # the page opens no other kind of connection
        headers = dict(scope["headers"])
        answer = self._refuse(scope, headers)
        if answer is not None:
            await _reply(send, *answer)
            return
        await self._pass(scope, receive, send)

    def _refuse(
        self, scope: Message, headers: dict[bytes, bytes]
    ) -> tuple[int, str, list[tuple[bytes, bytes]]] | None:
        """Status, text and headers of a refusal, None to let the request pass."""
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._knows(host):
            return 421, "This server is not known under that name.", []
        if self.token and scope["path"] not in OPEN_PATHS:
            given = _given(scope)
            if scope["path"] == "/" and given and _same(given, self.token):
                cookie = (f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/; "
                          "Max-Age=2592000")
                return 303, "", [(b"location", b"/"), (b"set-cookie", cookie.encode())]
            if not _same(self._cookie(headers), self.token):
                front = scope["path"] == "/"
                return 401, door(bool(given)) if front else "Give the token first.", []
        return self._refuse_others(scope, headers, host)

    def _refuse_others(
        self, scope: Message, headers: dict[bytes, bytes], host: str
    ) -> tuple[int, str, list[tuple[bytes, bytes]]] | None:
        """Refuse what another site's page makes a browser ask."""
        site = headers.get(b"sec-fetch-site", b"none").decode("latin-1")
        entry = scope["method"] == "GET" and scope["path"] == "/"
        if site not in ("same-origin", "none") and not entry:
            return 403, "Asked from another site.", []
        if scope["method"] in ("GET", "HEAD"):
            return None
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "Asked from another site.", []
        if headers.get(HEADER) != b"1":
            return 403, "Writes need the page's own header.", []
        if int(_digits(headers.get(b"content-length", b"0"))) > MOST_BYTES:
            return 413, "Too large.", []
        return None

    async def _pass(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            body = await _body(receive)
            if body is None:
                await _reply(send, 413, "Too large.", [])
                return
            receive = _again(body, receive)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        await self.app(scope, receive, guarded)

    def _knows(self, host: str) -> bool:
        """Whether the browser called us by a name that is ours: a foreign name that leads here is
        another site's trick."""
        name = urlsplit(f"//{host}").hostname if host and "@" not in host else None
        if name is None:
            return False
        if name in self.open_hosts:
            return True
        try:
            return self.any_address and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def _cookie(self, headers: dict[bytes, bytes]) -> str:
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(headers.get(b"cookie", b"").decode("latin-1"))
        except CookieError:
            return ""
        return jar[self.cookie].value if self.cookie in jar else ""


def door(wrong: bool = False) -> str:
    """The page that asks for the token; wrong: that another one was given."""
    text = DOOR.read_text(encoding="utf-8")
    for mark, value in (
        ("{{ described }}", "wrong hint" if wrong else "hint"),
        ("{{ invalid }}", ' aria-invalid="true"' if wrong else ""),
        ("{{ hidden }}", "" if wrong else " hidden"),
    ):
        text = text.replace(mark, value)
    return text


def _given(scope: Message) -> str:
    """The token in the address of a request: itself, or the address that was printed."""
    query = scope.get("query_string", b"").decode("latin-1")
    given = parse_qs(query).get("token", [""])[0].strip()
    return given.rpartition("token=")[2]


def _hosts(host: str) -> set[str]:
    own = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower()}
    if not is_loopback(host):
        name = socket.gethostname().lower()
        own |= {name, f"{name}.local", name.split(".")[0]}
    return own - {"0.0.0.0", "::", ""}


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _digits(value: bytes) -> bytes:
    return value if value.isdigit() else b"0"


async def _body(receive: Receive) -> bytes | None:
    """The body of a request, None when it is longer than the page ever sends."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""  # the browser has gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BYTES:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return left.pop() if left else await receive()

    return again


async def _reply(
    send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]]
) -> None:
    kind = b"text/html" if text.startswith("<!doctype") else b"text/plain"
    body = text.encode()
    await send({"type": "http.response.start", "status": status, "headers": [
        (b"content-type", kind + b"; charset=utf-8"), (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"), *HEADERS, *headers,
    ]})
    await send({"type": "http.response.body", "body": body})
