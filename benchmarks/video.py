"""Frames of a video by rate and by motion: time and memory against a plain decode loop.

    python benchmarks/video.py [--seconds 60] [--size 1920x1080] [--codec libx264]

Makes a video of a moving patch on noise in a temporary folder. The peer decodes every frame of the
same file with PyAV into a picture and keeps none. Each way runs in a process of its own, three
times, the fastest counts; memory is the highest resident size of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RATE = 30  # frames a second of the video
RUNS = 3
WAYS = ("plain loop", "rate:1", "rate:1, seek off", "motion:60", "opened anew for each frame")


def make(path: Path, seconds: int, width: int, height: int, codec: str) -> None:
    """Write the video: a still scene, through which a patch walks in the second quarter."""
    import av

    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 160, (height // 40, width // 40, 3)).astype(np.uint8)
    scene = np.kron(coarse, np.ones((40, 40, 1), np.uint8))
    scene = np.pad(scene, ((0, height - len(scene)), (0, width - scene.shape[1]), (0, 0)), "edge")
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = RATE
        if codec == "libx264":
            stream.options = {"preset": "ultrafast"}
        n = seconds * RATE
        for i in range(n):
            picture = scene.copy()
            if n // 4 <= i < n // 2:
                x = (i - n // 4) * (width - 200) // max(n // 4, 1)
                picture[height // 3 : height // 3 + 200, x : x + 200] = 220
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


def plain(path: Path) -> int:
    """Decode every frame and make a picture of one a second."""
    import av

    count = 0
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        stream.thread_type = "AUTO"
        for i, frame in enumerate(file.decode(stream)):
            if i % RATE == 0:
                frame.to_image()
                count += 1
    return count


def way(name: str, path: Path) -> int:
    """Run one way; the number of pictures that it made."""
    from ecotone.media import video
    from ecotone.media.sampling import choose_frames, parse_sampling

    if name == "plain loop":
        return plain(path)
    if name == "rate:1, seek off":
        video.NEAR = 10**9
    sampling = parse_sampling("rate:1" if name.startswith(("rate", "opened")) else name)
    _, numbers = choose_frames(path, sampling)
    if name.startswith("opened"):
        return sum(1 for n in numbers if video.load_frame(path, n))
    return sum(1 for _ in video.frames_of(path, numbers))


def measure(name: str, path: Path) -> tuple[float, float, int]:
    """Seconds, MB and pictures of one way, in processes of its own."""
    best = (float("inf"), 0.0, 0)
    for _ in range(RUNS):
        out = subprocess.run([sys.executable, __file__, "--way", name, "--file", str(path)],
                             capture_output=True, text=True, check=True)
        best = min(best, tuple(json.loads(out.stdout)))
    return best


def main() -> None:
    """Print one line a way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--codec", default="libx264")
    parser.add_argument("--way", default="", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        begun = time.perf_counter()
        count = way(asked.way, asked.file)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([time.perf_counter() - begun, memory, count]))
        return
    width, height = map(int, asked.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        make(path, asked.seconds, width, height, asked.codec)
        frames = asked.seconds * RATE
        size = path.stat().st_size / 2**20
        print(f"{frames:,} frames of {asked.size}, {size:.0f} MB, load {os.getloadavg()[0]:.1f}")
        peer, _, _ = measure(WAYS[0], path)
        for name in WAYS:
            seconds, memory, count = measure(name, path)
            print(f"{name:28} {seconds:6.1f} s {frames / seconds:7.0f} frames/s "
                  f"{peer / seconds:5.2f} x the loop {memory:6.0f} MB {count:4d} pictures")


if __name__ == "__main__":
    main()
