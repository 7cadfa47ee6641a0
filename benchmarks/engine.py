"""Pictures a second by threads, by Daft and by Ray: same JPEGs, same backend, same machine.

    python benchmarks/engine.py                       # 2,000 pictures, the weight-free encoder
    python benchmarks/engine.py --pictures 500 --model encoder.onnx --engines threads,daft

Every engine runs in a process of its own, into shards on the disk. "in all" counts everything, the
start of processes and of Ray too; "once running" counts from the first finished shard to the last.
Ratios are to the threads of one process, in the same run. "same" tells whether every shard is byte
for byte the one that the threads wrote.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZE = (1600, 1200)
SHARD = 32
RUN = """
import json, sys, time
from ecotone.engine.loose import run_loose
from ecotone.engine.runners import Engine
if __name__ == "__main__":
    photos, out, model, engine, workers, rows = sys.argv[1:]
    seen = []
    begun = time.perf_counter()
    report = run_loose(photos, model, out, scores=False, shard_rows=int(rows), batch_size=32,
                       engine=Engine(engine, workers=0 if engine == "threads" else int(workers)),
                       progress=lambda done, total, text: seen.append((time.perf_counter(), done)))
    running = [(at, done) for at, done in seen if done]
    print(json.dumps({"seconds": time.perf_counter() - begun, "done": report.done,
                      "running": (running[-1][1] - running[0][1])
                      / max(running[-1][0] - running[0][0], 1e-9)}))
"""


def make_pictures(folder: Path, count: int) -> None:
    """JPEGs as camera traps make them: smooth ground with grain, each another."""
    from PIL import Image

    rng = np.random.default_rng(0)
    width, height = SIZE
    for n in range(count):
        ground = rng.integers(40, 200, (height // 50, width // 50, 3), dtype=np.uint8)
        pixels = np.asarray(Image.fromarray(ground).resize(SIZE, Image.Resampling.BICUBIC))
        grain = rng.integers(-12, 13, pixels.shape, dtype=np.int16)
        pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
        path = folder / f"cam{n % 10}" / f"{n:06d}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path, quality=85)


def run(engine: str, photos: Path, out: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """One engine in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", RUN, str(photos), str(out), arguments.model,
               engine, str(arguments.workers), str(SHARD)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{engine}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Make the pictures, run the engines one after the other, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--model", default="handcrafted")
    parser.add_argument("--engines", default="threads,daft,ray")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        photos = folder / "PHOTOS"
        photos.mkdir()
        make_pictures(photos, arguments.pictures)
        print(f"{arguments.pictures:,} pictures of {SIZE[0]} x {SIZE[1]}, {arguments.model}, "
              f"{arguments.workers} workers, {os.cpu_count()} cores, load "
              f"{os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}\n")
        print("| engine | seconds | in all, pictures/s | ratio | once running | ratio | same |")
        print("|---|--:|--:|--:|--:|--:|---|")
        base: dict[str, float] = {}
        first: Path | None = None
        for engine in arguments.engines.split(","):
            out = folder / engine
            told = run(engine, photos, out, arguments)
            rate = told["done"] / told["seconds"]
            base = base or {"all": rate, "running": told["running"]}
            first = first or out / "shards"
            same = all((out / "shards" / p.name).read_bytes() == p.read_bytes()
                       for p in first.iterdir())
            print(f"| {engine} | {told['seconds']:.1f} | {rate:.1f} | {rate / base['all']:.2f} | "
                  f"{told['running']:.1f} | {told['running'] / base['running']:.2f} | "
                  f"{'yes' if same else 'no'} |", flush=True)


if __name__ == "__main__":
    main()
