"""Pictures a second of `ecotone serve` with concurrent clients, beside `ecotone predict`.

    python benchmarks/serve.py                                  # generated pictures, small network
    python benchmarks/serve.py --model my-reserve/models/latest --clients 8,32

Both take the same JPEGs with the same model, by turns, in short rounds; loading the model is in
neither. A ratio is the median over the rounds. Clients run in a process of their own on the same
cores and send as fast as they are answered. Latency: from the first byte sent to the last byte of
the answer.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZES = {"12 megapixels": (4000, 3000), "1 megapixel": (1152, 864), "0.1 megapixels": (384, 288)}
BATCH = 8  # pictures of a form
SIDE, WIDTH = 224, 512


def make_pictures(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """JPEGs of quality 90 with a background, blobs and the grain of a sensor."""
    folder.mkdir(parents=True)
    paths = []
    for i in range(count):
        rng = np.random.default_rng(i)
        small = rng.integers(20, 235, (24, 32, 3), dtype=np.uint8)
        picture = np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))
        grain = rng.normal(0, 5, (size[1], size[0], 1))
        pixels = np.clip(picture + grain, 0, 255).astype(np.uint8)
        paths.append(folder / f"{i:03d}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths


def make_model(folder: Path) -> Path:
    """A local model of 20 classes on a convolutional network of random weights, 224 pixels."""
    from ecotone.backends import backend_info, open_backend
    from ecotone.bundle import onnx_proto as o
    from ecotone.bundle.folder import save_bundle
    from ecotone.fusion.local_model import LocalModel

    rng = np.random.default_rng(0)
    widths = (3, 32, 64, 128, 256, WIDTH)
    weights, nodes, source = [], [], "image"
    for i, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
        kernel = rng.normal(0, (2 / (9 * before)) ** 0.5, (after, before, 3, 3))
        weights.append(o.tensor(f"w{i}", kernel.astype(np.float32)))
        nodes += [o.node("Conv", [source, f"w{i}"], [f"c{i}"], strides=[2, 2], pads=[1, 1, 1, 1]),
                  o.node("Relu", [f"c{i}"], [f"r{i}"])]  # fmt: skip
        source = f"r{i}"
    weights.append(o.tensor("dense", rng.normal(0, 0.1, (WIDTH, 10)).astype(np.float32)))
    nodes += [o.node("GlobalAveragePool", [source], ["pool"]),
              o.node("Flatten", ["pool"], ["features"], axis=1),
              o.node("MatMul", ["features", "dense"], ["logits"]),
              o.node("Softmax", ["logits"], ["scores"], axis=1)]  # fmt: skip
    network = o.make_model(
        nodes, [o.value_info("image", o.FLOAT, ["n", 3, SIDE, SIDE])],
        [o.value_info("scores", o.FLOAT, ["n", 10])], weights, name="net", opset_version=17,
        metadata={"classes": str([f"c{i}" for i in range(10)]).replace("'", '"')},
    )
    o.save_model(network, folder / "net.onnx")
    info = backend_info(open_backend(folder / "net.onnx", preprocessing="imagenet"))
    k, d = 20, 64
    head = LocalModel(
        tuple(f"class {i}" for i in range(k)), np.zeros(WIDTH),
        np.linalg.qr(rng.normal(size=(WIDTH, d)))[0], True, rng.normal(0, 3, (1, d, k)),
        np.zeros((1, k)), np.ones(1), 1.0,
    )  # fmt: skip
    return save_bundle(folder / "model", head, info)


def start(model: Path, queue: int) -> tuple[subprocess.Popen, int]:
    """A server of its own and its port."""
    words = [sys.executable, "-m", "ecotone", "serve", "--model", str(model), "--port", "0",
             "--queue", str(queue)]  # fmt: skip
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    for line in server.stdout:
        if " is ready at " in line:
            address = line.split(" is ready at ")[1].split()[0]
            return server, int(address.rsplit(":", 1)[1])
    raise SystemExit("the server did not start")


class Clients:
    """Clients in a process of their own, light ones: requests are made beforehand, sent as they
    are, and of an answer only its head is looked at."""

    def __init__(self, port: int, requests: dict[str, list[bytes]]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_clients, args=(other, port, requests), daemon=True)
        self._process.start()

    def ask(self, kind: str, clients: int) -> tuple[float, list[float], float]:
        """Seconds until all requests of a kind are answered by `clients` at once, the latency of
        each, and the clients' seconds of the processor."""
        self._pipe.send((kind, clients))
        found = self._pipe.recv()
        if isinstance(found, str):
            raise SystemExit(f"a client failed: {found}")
        return found

    def end(self) -> None:
        """Let them go home."""
        self._pipe.send(None)
        self._process.join(10)


def _clients(pipe: Any, port: int, requests: dict[str, list[bytes]]) -> None:
    while (told := pipe.recv()) is not None:
        kind, clients = told
        left, latencies, wrong = deque(requests[kind]), [], []
        threads = [threading.Thread(target=_client, args=(port, left, latencies, wrong))
                   for _ in range(clients)]
        begun, used = time.perf_counter(), time.process_time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        pipe.send(wrong[0] if wrong else (seconds, latencies, used))


def _client(port: int, left: deque[bytes], latencies: list[float], wrong: list[str]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        while left and not wrong:
            try:
                request = left.popleft()
            except IndexError:
                break
            begun = time.perf_counter()
            connection.sendall(request)
            head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                wrong.append(f"{head!r} {body!r}")
                break
            length = int(re.search(rb"content-length: *(\d+)", head, re.I)[1]) - len(body)
            while length > 0:
                length -= len(connection.recv(65536))
            latencies.append(time.perf_counter() - begun)


def make_requests(bodies: list[bytes]) -> dict[str, list[bytes]]:
    """The requests of both routes: one picture each, and forms of `BATCH` pictures."""
    head = ("POST /v1/predict{} HTTP/1.1\r\nHost: s\r\nContent-Type: {}\r\n"
            "Content-Length: {}\r\n\r\n")  # fmt: skip
    one = [head.format("?top=3", "image/jpeg", len(b)).encode() + b for b in bodies]
    part = b'--limit\r\nContent-Disposition: form-data; name="pictures"; filename="a.jpg"\r\n\r\n'
    forms = [b"".join([*(part + b + b"\r\n" for b in bodies[i : i + BATCH]), b"--limit--\r\n"])
             for i in range(0, len(bodies), BATCH)]  # fmt: skip
    kind = "multipart/form-data; boundary=limit"
    many = [head.format("/batch?top=3", kind, len(f)).encode() + f for f in forms]
    return {"one": one, "batch": many}


def processor(pid: int) -> float:
    """Seconds of the processor that a process has had (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Rounds:
    """What one way of asking took, round by round: seconds, the server's (or predict's) and the
    clients' seconds of the processor; the latency of each request."""

    seconds: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    clients: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


def compare(name: str, paths: list[Path], model: Path, clients: list[int], rounds: int) -> None:
    """Print a line for each number of clients, and one for batches."""
    from ecotone.bundle.predict import Prediction

    ways = [("one", n) for n in clients] + [("batch", 2)]
    server, port = start(model, max(64, *clients))
    asking = Clients(port, make_requests([path.read_bytes() for path in paths]))
    found: dict[Any, Rounds] = {way: Rounds() for way in ("predict", *ways)}
    try:
        prediction = Prediction(paths, model)
        list(prediction.rows()), asking.ask("one", 4)  # both warm
        for _ in range(rounds):
            begun, before = time.perf_counter(), processor(os.getpid())
            list(prediction.rows())
            found["predict"].seconds.append(time.perf_counter() - begun)
            found["predict"].used.append(processor(os.getpid()) - before)
            for way in ways:
                before = processor(server.pid)
                seconds, each, own = asking.ask(*way)
                found[way].seconds.append(seconds)
                found[way].used.append(processor(server.pid) - before)
                found[way].clients.append(own)
                found[way].latencies += each
        asking.end()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    for way in ways:
        tell(name, way, found["predict"], found[way], len(paths))


def tell(name: str, way: tuple[str, int], predict: Rounds, serve: Rounds, count: int) -> None:
    """Print a line. Ratios are medians over the rounds, each beside the `predict` before it."""
    rate = [count / statistics.median(r.seconds) for r in (predict, serve)]
    speed = statistics.median(np.divide(predict.seconds, serve.seconds))
    cost = statistics.median(np.divide(serve.used, predict.used))
    p50, p95 = np.percentile(serve.latencies, [50, 95]) * 1000
    each = [1000 * statistics.median(v) / count for v in (predict.used, serve.used, serve.clients)]
    what = f"{way[1]} clients" if way[0] == "one" else f"{way[1]} x batches of {BATCH}"
    print(f"{name:14} {what:16} predict {rate[0]:6.1f}/s, serve {rate[1]:6.1f}/s, ratio {speed:.2f}"
          f"; processor {each[0]:.1f} and {each[1]:.1f} ms a picture, ratio {cost:.2f}, clients "
          f"{each[2]:.1f} ms; latency p50 {p50:.0f}, p95 {p95:.0f} ms", flush=True)


def main() -> None:
    """Both sizes, all numbers of clients."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, help="the folder of a local model")
    parser.add_argument("--clients", default="8", help="clients at once")
    parser.add_argument("--count", type=int, default=24, help="pictures of a round")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    clients = [int(n) for n in given.clients.split(",")]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or make_model(Path(folder))
        for name, size in SIZES.items():
            paths = make_pictures(Path(folder) / name, size, min(given.count, 12))
            paths = [paths[i % len(paths)] for i in range(given.count)]
            compare(name, paths, model, clients, given.rounds)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
