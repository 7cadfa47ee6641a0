"""What the tests of the page share: a small project with a made-up fusion, and a client."""

from __future__ import annotations

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from ecotone.project import Project
from tests.project.runs import fake_run

pytest.importorskip("fastapi")

CLASSES = ["grey fox", "red deer", "wild boar"]
WRITE = {"x-ecotone": "1"}
KEYS = (f"key-of-a-test-{n:06d}" for n in itertools.count())


class Client:
    """Asks an ASGI application as a browser of this computer does."""

    def __init__(self, app: Any, base: str = "http://localhost:8721") -> None:
        self.app, self.base = app, base

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=self.base) as client:
                return await client.request(method, url, **options)

        # In a thread of its own: a browser of other tests may have a loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, go()).result()

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def decide(self, author: str = "Ana", **what: Any) -> httpx.Response:
        body = {"key": next(KEYS), "author": author, **what}
        return self.request("POST", "/api/decide", json=body, headers=WRITE)

    def say(self, identity: str, label: str, author: str = "Ana", seen: int = 0,
            **more: Any) -> httpx.Response:
        item = {"id": identity, "label": label, "seen": seen}
        return self.decide(author, kind="label", items=[item], **more)

    def queue(self, **parameters: Any) -> dict:
        answer = self.get("/api/queue", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def card(self, identity: str) -> dict:
        return self.get("/api/cards", params={"id": identity}).json()["cards"][0]


def make_project(folder: Path, pictures: Path) -> Path:
    """24 pictures, embeddings by colour, a made-up fusion, scores of a made-up global model."""
    from ecotone.store.vectors import EmbeddingWriter, ScoreWriter

    with Project.init(folder) as project:
        project.add_images(pictures)
        detections, media = project.catalog.detections(), project.catalog.media()
        best = [name for path in media.file_path for name in CLASSES
                if name.replace(" ", "_") in path]
        fake_run(project, CLASSES, best)
        with EmbeddingWriter(project.catalog, project.vectors, "colour", 3) as writer:
            rows = np.eye(3)[[CLASSES.index(b) for b in best]]
            rows += 0.01 * np.arange(len(rows))[:, None]
            writer.append(list(detections.id), rows)
        world = ["Cervus elaphus (Red Deer)", "Vulpes vulpes (Red Fox)", "human"]
        with ScoreWriter(project.catalog, project.vectors, "world", world, True) as writer:
            writer.append(list(detections.id), np.tile([0.9, 0.1, 0.0], (len(detections), 1)))
    return folder


@pytest.fixture
def reserve(tmp_path: Path, pictures: Path) -> Path:
    """A project of `pictures`, fused."""
    return make_project(tmp_path / "reserve", pictures)


@pytest.fixture
def client(reserve: Path):
    """A client of the page of `reserve`; nothing is learned unless asked."""
    from ecotone.review.server import build

    app, close = build(reserve, "127.0.0.1", 8721, "", "Ana", 0)
    desk = Client(app)
    desk.project = reserve
    yield desk
    close()


@pytest.fixture
def ids(client: Client) -> list[str]:
    """All detections, by site and time."""
    return client.queue(queue="all")["ids"]
