"""A real Chromium against a real server; skipped, saying so, where there is none."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.review.conftest import make_project, reserve  # noqa: F401

DEBIAN = "/usr/bin/chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="package")  # its event loop must end with these tests
def chromium() -> Iterator[Any]:
    """The browser: $CHROMIUM, else Debian's package, else Chrome."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), DEBIAN)
    if not Path(program).is_file():
        pytest.skip(f"no Chromium: {program} is missing (apt install chromium, or set CHROMIUM)")
    with playwright.sync_playwright() as started:
        try:
            browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except playwright.Error as error:  # a package that only says where to get the real one
            why = next(filter(None, map(str.strip, str(error).splitlines())), "")
            pytest.skip(f"{program} cannot be started as Chromium: {why[:200]}")
        yield browser
        browser.close()


class Served:
    """A server of one project in a thread, that can be stopped and started on the same port."""

    def __init__(self, project: Path, every: int = 0, token: str = "") -> None:
        self.project, self.every, self.token, self.port = project, every, token, 0
        self.start()

    def start(self) -> None:
        """Listen; on the port of before when there was one."""
        import uvicorn

        from ecotone.review.server import build, listen

        self.socket = listen("127.0.0.1", self.port)
        self.port = self.socket.getsockname()[1]
        app, self.close = build(self.project, "127.0.0.1", self.port, self.token, "Ana", self.every)
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()

    def stop(self) -> None:
        """End, as if the computer had gone to sleep."""
        self.server.should_exit = self.server.force_exit = True
        self.thread.join()
        self.close()
        self.socket.close()

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture
def served(reserve: Path) -> Iterator[Served]:  # noqa: F811
    """The page of the small project."""
    server = Served(reserve)
    yield server
    if server.thread.is_alive():
        server.stop()


@pytest.fixture
def page(chromium: Any, served: Served) -> Iterator[Any]:
    """The page, open; errors in its scripts fail the test."""
    yield from opened(chromium, served)


def opened(
    chromium: Any, served: Served, size: tuple[int, int] = (1366, 768), **options: Any
) -> Iterator[Any]:
    """The page in a browser of its own. What goes wrong in scripts, what the content policy forbids
    and what another computer is asked for fails the test; a server that is away does not."""
    context = chromium.new_context(viewport=dict(zip(("width", "height"), size, strict=True)),
                                   **options)
    page = context.new_page()
    page.set_default_timeout(60_000)  # a busy computer is slow, not wrong
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error"
            and not m.text.startswith("Failed to load resource") else None)
    page.on("request", lambda r: None if r.url.startswith((served.url, "data:"))
            else problems.append(r.url))
    page.goto(served.url)
    page.locator(".card").first.wait_for()
    page.locator("#queues button").first.wait_for()
    yield page
    context.close()
    assert not problems
