"""Start and stop the server: where it listens, loading the model, signals."""

from __future__ import annotations

import math
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone import __version__
from ecotone.errors import InputError, MissingExtraError
from ecotone.review.server import listen
from ecotone.serve.limits import Limits
from ecotone.serve.model import open_model

if TYPE_CHECKING:
    from ecotone.serve.pipeline import Pipeline

HOST, PORT = "127.0.0.1", 8000
KEEP_ALIVE = 15  # seconds between two requests of a connection
HEAD_BYTES = 32768
LEAST_TOKEN = 16  # signs


@dataclass
class Told:
    """What the command line prints. opened: the address, once it listens. ready: the same once the
    model is loaded, its id and classes. stopping: the pictures that are finished first."""

    opened: Callable[[str], None] = field(default=lambda url: None)
    ready: Callable[[str, str, int], None] = field(default=lambda url, name, classes: None)
    stopping: Callable[[int], None] = field(default=lambda rows: None)


def serve(
    model: Path, host: str = HOST, port: int = PORT, limits: Limits | None = None,
    token: str = "", told: Told | None = None,
) -> None:
    """Serve a local model until a signal ends it; what was taken is finished first.

    model: see `model.open_model`. port: 0 takes a free one. token: what requests must bear.
    Raises MissingExtraError without the extra, InputError when the address cannot be had, and what
    `open_model` raises.
    """
    try:
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("ecotone serve", "serve") from error
    from ecotone.serve.metrics import Metrics
    from ecotone.serve.pipeline import Pipeline

    limits, told = limits or Limits(), told or Told()
    check_token(token)
    sock = listen(host, port, "serve")
    pipeline = Pipeline(limits, Metrics())
    try:
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{sock.getsockname()[1]}"
        told.opened(url)
        ready = partial(told.ready, url)
        failure = _run(pipeline, model, sock, token, ready, told.stopping)
    finally:
        sock.close()
        pipeline.stop()
    if failure is not None:
        raise failure


def check_token(token: str) -> None:
    """Raise InputError when a token cannot be sent in a header, or is soon guessed."""
    if token and (len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable()
                  or " " in token):  # fmt: skip
        raise InputError(
            f"--token: at least {LEAST_TOKEN} letters, digits or signs, without spaces; make one "
            "with: openssl rand -hex 32"
        )


def _run(
    pipeline: Pipeline, path: Path, sock: socket.socket, token: str,
    ready: Callable[[str, int], None], stopping: Callable[[int], None],
) -> BaseException | None:
    """Serve until a signal; returns why the model could not be opened, None when it was."""
    import uvicorn

    from ecotone.serve.app import make_app
    from ecotone.serve.protocol import TimedProtocol

    class Server(uvicorn.Server):
        """Ends with 0 on the first signal, with what was taken finished; at once on the second."""

        def handle_exit(self, sig: int, frame: Any) -> None:
            if self.should_exit:
                os._exit(128 + sig)
            self.should_exit = True
            pipeline.refuse_more()
            stopping(pipeline.rows)

    server = Server(uvicorn.Config(
        make_app(pipeline, token), http=TimedProtocol, ws="none", lifespan="off", log_config=None,
        access_log=False, server_header=False, timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(pipeline.limits.grace), proxy_headers=False,
        h11_max_incomplete_event_size=HEAD_BYTES,
    ))
    failures: list[BaseException] = []

    def load() -> None:
        try:
            model = open_model(path)
            pipeline.metrics.tell_model(model.name, len(model.classes), __version__)
            pipeline.use(model)
            ready(model.name, len(model.classes))
        # Told by whoever called, in its thread.
        except Exception as error:
            failures.append(error)
            server.should_exit = True

    threading.Thread(target=load, name="ecotone-serve-load", daemon=True).start()
    server.run(sockets=[sock])
    return failures[0] if failures else None
