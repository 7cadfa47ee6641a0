"""Start the page's server: where it listens, who may open it, and what it says."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone.errors import InputError, MissingExtraError, ProjectError

if TYPE_CHECKING:
    from ecotone.review.pace import Pace

PORT = 8721
HOST = "127.0.0.1"
STARTING = 60.0  # seconds until the page can be opened, at most
OPENING = 5.0  # seconds until a browser has been opened, at most


@dataclass(frozen=True)
class Address:
    """Where the page is. url: to be opened, with the token where one is needed."""

    host: str
    port: int
    token: str
    url: str


def serve(
    path: Path, host: str = HOST, port: int = PORT, author: str = "", every: int | None = None,
    ready: Callable[[Address], None] | None = None,
) -> None:
    """Serve the page of a project until interrupted.

    port: 0 takes a free one. author: the name that pages propose. every: new labels after which it
    learns, 0 = only when asked. ready: called with the address once the page can be opened.
    Raises MissingExtraError without FastAPI and uvicorn, ProjectError without pictures, InputError
    when the address cannot be had.
    """
    try:
        import fastapi  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("ecotone review", "review") from error
    from ecotone.review.pace import Pace, let_in_sooner
    from ecotone.review.safety import is_loopback, new_token

    let_in_sooner()
    pace = Pace()
    pace.expect(STARTING)
    sock = listen(host, port)
    try:
        port = sock.getsockname()[1]
        token = "" if is_loopback(host) else new_token()
        app, close = build(path, host, port, token, author, every, pace)
        address = Address(host, port, token, _url(host, port, token))
        server = uvicorn.Server(uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, date_header=False,
            timeout_graceful_shutdown=3, limit_concurrency=200, h11_max_incomplete_event_size=65536,
        ))
        pace.expect(OPENING)
        if ready is not None:
            ready(address)
        try:
            server.run(sockets=[sock])
        finally:
            close()
    finally:
        sock.close()


def build(
    path: Path, host: str, port: int, token: str, author: str = "", every: int | None = None,
    pace: Pace | None = None,
) -> tuple[Any, Callable[[], None]]:
    """The guarded application of a project, and what ends it. Raises ProjectError without
    pictures."""
    from PIL import Image

    from ecotone.review.app import Desk, make_app
    from ecotone.review.learning import EVERY, Learner
    from ecotone.review.pace import Paced
    from ecotone.review.pictures import FOLDER, Pictures
    from ecotone.review.queues import order_of
    from ecotone.review.safety import Gate
    from ecotone.review.view import View

    view = View(path, pace)
    if not len(view.table):
        view.close()
        raise ProjectError(
            "no pictures in this project yet; add them first: ecotone add images FOLDER"
        )
    # What the first page would wait for.
    order_of(view, "next")
    Image.init()
    learner = Learner(view, EVERY if every is None else every)
    learner.start()
    desk = Desk(view, learner, Pictures(view.project.path / FOLDER), author)

    def close() -> None:
        learner.stop()
        view.close()

    return Gate(Paced(make_app(desk), view.pace), host, port, token), close


def listen(host: str, port: int, command: str = "review") -> socket.socket:
    """A socket that listens. Raises InputError when the address cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With the protocol named, asyncio turns TCP_NODELAY on; without, an answer in two pieces
        # waits 40 ms for the other side's delayed acknowledgement.
        sock = socket.socket(*found[:3])
    except OSError as error:
        raise InputError(f"--host {host}: no address of this computer ({error.strerror}).") \
            from error
    try:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(found[4])
        sock.listen(128)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"port {port} is in use, perhaps by another `ecotone {command}`; give another one: "
                f"--port {port + 1}, or --port 0 for any free one"
            ) from error
        if error.errno == errno.EACCES:
            raise InputError(f"port {port}: not allowed; give one above 1023.") from error
        raise InputError(f"--host {host}: cannot listen there ({error.strerror}).") from error
    return sock


def _url(host: str, port: int, token: str) -> str:
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")
