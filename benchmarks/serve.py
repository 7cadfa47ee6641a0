"""Pictures a second of `ecotone serve` with concurrent clients, beside `ecotone predict`.

    python benchmarks/serve.py                                  # generated pictures, small network
    python benchmarks/serve.py --model my-reserve/models/latest --clients 8,32

Both take the same JPEGs with the same model, by turns, each round in full; the ratio is that of the
medians. Loading the model is in neither. Clients run on the same machine and send as fast as they
are answered. Latency: from the first byte sent to the last byte of the answer.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = {"12 megapixels": (4000, 3000), "1 megapixel": (1152, 864)}
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


def ask(port: int, bodies: list[bytes], clients: int) -> tuple[float, list[float]]:
    """Seconds until all bodies are answered by `clients` at once, and the latency of each."""
    left, lock, latencies = list(bodies), threading.Lock(), []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            with lock:
                if not left:
                    break
                body = left.pop()
            begun = time.perf_counter()
            connection.request("POST", "/v1/predict?top=3", body, {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{answer.status}: {text[:200]!r}")
            latencies.append(time.perf_counter() - begun)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(latencies) != len(bodies):
        raise SystemExit("a client failed")
    return time.perf_counter() - begun, latencies


def processor(pid: int) -> float:
    """Seconds of the processor that a process has had (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(name: str, paths: list[Path], model: Path, clients: list[int], rounds: int) -> None:
    """Print a line for each number of clients."""
    from ecotone.bundle.predict import Prediction

    bodies = [path.read_bytes() for path in paths]
    server, port = start(model, max(64, *clients))
    try:
        prediction = Prediction(paths, model)
        list(prediction.rows()), ask(port, bodies, 4)  # both warm
        times: dict[int, list[float]] = {n: [] for n in (0, *clients)}
        latencies: dict[int, list[float]] = {n: [] for n in clients}
        used = dict.fromkeys(times, 0.0)
        for _ in range(rounds):
            begun, before = time.perf_counter(), processor(os.getpid())
            list(prediction.rows())
            times[0].append(time.perf_counter() - begun)
            used[0] += processor(os.getpid()) - before
            for n in clients:
                before = processor(server.pid)
                seconds, each = ask(port, bodies, n)
                used[n] += processor(server.pid) - before
                times[n].append(seconds)
                latencies[n] += each
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    rate = {n: len(paths) / statistics.median(t) for n, t in times.items()}
    for n in clients:
        p50, p95 = np.percentile(latencies[n], [50, 95]) * 1000
        print(f"{name:14} {n:3d} clients: predict {rate[0]:6.1f}/s  serve {rate[n]:6.1f}/s  "
              f"ratio {rate[n] / rate[0]:.2f}  latency p50 {p50:.0f} ms, p95 {p95:.0f} ms  "
              f"processor {1000 * used[0] / len(paths) / rounds:.1f} and "
              f"{1000 * used[n] / len(paths) / rounds:.1f} ms a picture")


def main() -> None:
    """Both sizes, all numbers of clients."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, help="the folder of a local model")
    parser.add_argument("--clients", default="4,16", help="clients at once")
    parser.add_argument("--count", type=int, default=48, help="pictures of a round")
    parser.add_argument("--rounds", type=int, default=5)
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
