"""What the tests of the server share: a small local model, a pipeline, and a client."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest
from PIL import Image

from ecotone.backends import backend_info, open_backend
from ecotone.bundle import onnx_proto
from ecotone.bundle.folder import save_bundle
from tests.bundle.models import backbone, local_model

for needed in ("starlette", "uvicorn", "prometheus_client", "python_multipart"):
    pytest.importorskip(needed)

from ecotone.serve.app import make_app  # noqa: E402
from ecotone.serve.limits import Limits  # noqa: E402
from ecotone.serve.metrics import Metrics  # noqa: E402
from ecotone.serve.model import open_model  # noqa: E402
from ecotone.serve.pipeline import Pipeline  # noqa: E402

CLASSES = ("red deer", "grey fox", "wild boar")
T = TypeVar("T")


def picture(size: tuple[int, int] = (64, 48), kind: str = "JPEG", seed: int = 0,
            **options: Any) -> bytes:
    """The bytes of a small picture file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    handle = io.BytesIO()
    Image.fromarray(pixels).save(handle, kind, **options)
    return handle.getvalue()


def in_a_thread(go: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What a coroutine gives, run where no other event loop can be at work."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(go())).result()


class Client:
    """Asks an ASGI application."""

    def __init__(self, app: Any, headers: dict[str, str] | None = None) -> None:
        self.app, self.headers = app, headers or {}

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        return self.together([(method, url, options)])[0]

    def together(self, requests: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        """Many requests at once."""

        async def go() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://s",
                                         headers=self.headers, timeout=60) as client:
                return list(await asyncio.gather(
                    *(client.request(m, u, **o) for m, u, o in requests)))

        return in_a_thread(go)

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)

    def predict(self, data: bytes, kind: str = "image/jpeg", **options: Any) -> httpx.Response:
        return self.post("/v1/predict", content=data, headers={"content-type": kind}, **options)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a local model of three classes."""
    folder = tmp_path_factory.mktemp("served")
    network = folder / "net.onnx"
    onnx_proto.save_model(backbone(), network)
    info = backend_info(open_backend(network, preprocessing="imagenet"))
    model = local_model(k=3)
    object.__setattr__(model, "classes", CLASSES)
    rows = [{"label": "red deer", "scientificName": "Cervus elaphus"}]
    return save_bundle(folder / "models" / "run-1", model, info, rows)


@pytest.fixture(scope="session")
def model(model_folder: Path) -> Any:
    return open_model(model_folder)


@pytest.fixture
def make_client(model: Any) -> Iterator[Callable[..., Client]]:
    """A function (model, token, **limits) that gives a client of a server in this process; the
    client has `pipeline`."""
    made = []

    def make(given: Any = model, token: str = "", **limits: Any) -> Client:
        pipeline = Pipeline(Limits(**{"threads": 2, **limits}), Metrics())
        if given is not None:
            pipeline.use(given)
        made.append(pipeline)
        client = Client(make_app(pipeline, token))
        client.pipeline = pipeline
        return client

    yield make
    for pipeline in made:
        pipeline.stop()


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


class Server:
    """A server as a process of its own."""

    def __init__(self, model_folder: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ecotone", "serve", "--model", str(model_folder), "--port", "0",
             *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line)
            if " is ready at " in line:
                self.url = line.split(" is ready at ")[1].split()[0]
                return
        raise AssertionError(f"no server: {self.process.stderr.read()}")

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def end(self, *signals: int) -> tuple[int, str]:
        """Send signals, and give exit code and stderr."""
        for number in signals:
            self.process.send_signal(number)
        err = self.process.communicate(timeout=60)[1]
        return self.process.returncode, err


@pytest.fixture
def start_server(model_folder: Path) -> Iterator[Callable[..., Server]]:
    """A function of options of the command that starts a server."""
    started = []

    def start(*words: str, model: Path = model_folder) -> Server:
        started.append(Server(model, *words))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.communicate()


@pytest.fixture
def live_server(start_server: Callable[..., Server]) -> Callable[..., str]:
    """As `start_server`, but gives the address alone."""
    return lambda *words: start_server(*words).url
