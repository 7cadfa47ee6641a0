"""Pictures a second of the whole pipeline, of its parts alone, and of a plain loop, in one run.

    python benchmarks/pipeline.py                          # the shared MobileNetV2, TFLite and ONNX
    python benchmarks/pipeline.py --model net.onnx --pictures PHOTOS --rounds 5

Six things by turns, a round of each after the other, on the same pictures:

    decode     ecotone's decoding and preparing alone, on half of the cores, and on all
    model      the model alone on prepared batches, on half of the cores, and on all
    pipeline   `run_jobs`: decoding, batches, scores and embeddings, on all cores
    plain      the loop that peers write: PIL.Image.open, convert("RGB"), full decode, resize, a
               stack of 32, one call of the model with its own threads; one thread

Both parts want the processor. Where the model has a card of its own, "the slower of its two parts
alone" is plain; on a processor a part alone on all cores is faster than it can be beside the other.
So the bar is 0.9 of the slower part on what it has within the pipeline, half of the cores
("/ half"). Beside it: the same against all cores ("/ all"), and "best", the most that this ratio
can be: cores / (processor's seconds of both parts a picture) against the same part; no arrangement
of the same work is above it. Fails (status 1) below 0.9 of "/ half", or below 2 times the plain
loop at 12 megapixels.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from ecotone.evaluation.summary import align

SHARED = Path(os.environ.get("ECOTONE_SHARED_DATA",
                             Path(__file__).resolve().parents[2] / "shared" / "data"))
SIZES = {"12 megapixels": (4000, 3000), "1 megapixel": (1152, 864)}
BATCH, QUALITY, GRAIN = 32, 88, 4.0
WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])
SLOWER, PLAIN = 0.9, 2.0  # the bars


def make_pictures(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """JPEGs with the content of camera-trap pictures where the shared data is there, else of blobs;
    with the grain of a sensor."""
    folder.mkdir(parents=True)
    sources = sorted((SHARED / "camera_traps" / "images").glob("*.[jJ][pP]*"))
    paths = []
    for i in range(count):
        rng = np.random.default_rng(i)
        if sources:
            with Image.open(sources[i * 7 % len(sources)]) as opened:
                picture = opened.convert("RGB")
        else:
            small = rng.integers(20, 235, (90, 120, 3), dtype=np.uint8)
            picture = Image.fromarray(small).filter(ImageFilter.GaussianBlur(1))
        pixels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
        grain = rng.standard_normal((size[1] // 2, size[0] // 2), dtype=np.float32) * GRAIN
        pixels = pixels + np.repeat(np.repeat(grain, 2, 0), 2, 1)[:, :, None]
        paths.append(folder / f"{i:03d}.jpg")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(paths[-1], quality=QUALITY)
    return paths


def decode(paths: Sequence[Path], way: Any, threads: int) -> None:
    """Ecotone's way from files to inputs."""
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda path: way.prepare(path, WHOLE), paths):
            pass


def pipeline(paths: Sequence[Path], backend: Any) -> None:
    """Everything, as `classify` does it."""
    from ecotone.engine.local import Done, Job, run_jobs

    jobs = (Job(str(i), path, (str(i),), WHOLE) for i, path in enumerate(paths))
    done = [r for r in run_jobs(jobs, backend, BATCH) if isinstance(r, Done)]
    if sum(len(r.detection_ids) for r in done) != len(paths):
        raise SystemExit("pictures were lost")


def plain_loop(paths: Sequence[Path], way: Any, call: Callable[[np.ndarray], Any]) -> None:
    """As peers write it: one picture after the other, each decoded in full; then the model."""
    filters = Image.Resampling[way.interpolation.upper()]
    for start in range(0, len(paths), BATCH):
        batch = []
        for path in paths[start : start + BATCH]:
            with Image.open(path) as opened:
                picture = opened.convert("RGB").resize((way.width, way.height), filters)
            pixels = np.asarray(picture)
            if way.dtype == "float32":
                numbers = pixels.astype(np.float32) * way.scale
                pixels = ((numbers - np.array(way.mean)) / np.array(way.std)).astype(np.float32)
            batch.append(pixels.transpose(2, 0, 1) if way.layout == "NCHW" else pixels)
        call(np.stack(batch))


def plain_call(path: Path) -> Callable[[np.ndarray], Any]:
    """The model as its package runs it by default."""
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda batch: session.run(None, {name: batch})
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()

    def call(batch: np.ndarray) -> None:
        for one in batch:
            interpreter.set_tensor(into, one[None])
            interpreter.invoke()
            interpreter.get_tensor(out[0]["index"])

    return call


def measure(work: dict[str, Callable[[], None]], rounds: int) -> dict[str, tuple[float, float]]:
    """Medians of the wall and the processor's seconds of each, taken by turns."""
    for action in work.values():
        action()  # the first run of everything is slow
    wall: dict[str, list[float]] = {name: [] for name in work}
    cpu: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, action in work.items():
            start, before = time.perf_counter(), time.process_time()
            action()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - before)
    return {n: (statistics.median(wall[n]), statistics.median(cpu[n])) for n in work}


def compare(model: Path, paths: list[Path], rounds: int, share: int) -> dict[str, Any]:
    """Pictures a second, milliseconds of the processor a picture, and the ratios."""
    from ecotone.backends.base import open_backend, run_backend

    labels = model.with_name("imagenet_labels.txt")
    classes = labels if model.suffix == ".tflite" and labels.is_file() else None
    backend, part = (open_backend(model, classes, **o) for o in ({}, {"threads": share}))
    cores = os.cpu_count() or 1
    way = backend.preprocessing
    ready = np.concatenate([way.prepare(path, WHOLE) for path in paths])
    batches = [ready[i : i + BATCH] for i in range(0, len(ready), BATCH)]
    call = plain_call(model)
    found = measure({
        "decode": lambda: decode(paths, way, share),
        "model": lambda: [run_backend(part, batch) for batch in batches] and None,
        "decode all": lambda: decode(paths, way, cores),
        "model all": lambda: [run_backend(backend, batch) for batch in batches] and None,
        "pipeline": lambda: pipeline(paths, backend),
        "plain": lambda: plain_loop(paths, way, call),
    }, rounds)
    n = len(paths)
    rate = {name: n / wall for name, (wall, _) in found.items()}
    each = {name: 1000 * cpu / n for name, (_, cpu) in found.items()}
    bound = 1000 * cores / (each["decode"] + each["model"])
    slower = max(each["decode"], each["model"])
    return {"rate": rate, "ms": each,
            "half": rate["pipeline"] / min(rate["decode"], rate["model"]),
            "all": rate["pipeline"] / min(rate["decode all"], rate["model all"]),
            "best": bound * slower / 1000 / cores, "plain": rate["pipeline"] / rate["plain"]}


def models(given: Sequence[Path], folder: Path) -> dict[str, Path]:
    """The models to measure by a short name."""
    if given:
        return {path.name: path for path in given}
    source = SHARED / "models" / "imagenet_mobilenet_v2.tflite"
    if not source.is_file():
        from serve import make_model

        return {"generated ONNX": make_model(folder).with_name("net.onnx")}
    from mobilenet_onnx import save_onnx

    net = save_onnx(folder / "mobilenet.onnx", source, source.with_name("imagenet_labels.txt"))
    return {"MobileNetV2, ONNX": net, "MobileNetV2, TFLite int8": source}


def main() -> int:
    """Both sizes, all models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, action="append", default=[], help=".onnx or .tflite")
    parser.add_argument("--pictures", type=Path, help="a folder of JPEGs, instead of made ones")
    parser.add_argument("--count", type=int, default=16, help="pictures of a round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    cores = os.cpu_count() or 1
    share = max(1, cores // 2)
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f}")
    table = [["model", "pictures", "decode", "model", "pipeline", "plain", "/ half",
              "/ all", "best", "/ plain", "ms decode", "ms model", "ms both", "ms plain"]]
    shown = ("decode", "model", "pipeline", "plain")
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = {"given": sorted(given.pictures.rglob("*.[jJ][pP]*"))[: given.count]} \
            if given.pictures else {}
        for text, size in ({} if sets else SIZES).items():
            made = make_pictures(folder / text, size, min(given.count, 8))
            sets[text] = [made[i % len(made)] for i in range(given.count)]
        for model, path in models(given.model, folder).items():
            for text, paths in sets.items():
                found = compare(path, paths, given.rounds, share)
                rates = [f"{found['rate'][k]:.1f}" for k in shown]
                ratios = [f"{found[k]:.2f}" for k in ("half", "all", "best", "plain")]
                spent = [f"{found['ms'][k]:.1f}" for k in shown]
                table.append([model, text, *rates, *ratios, *spent])
                good &= found["half"] >= SLOWER
                good &= found["plain"] >= PLAIN or text != "12 megapixels"
    print("\n".join(align(table)))
    print(f"pictures a second; decode and model alone on {share} of {cores} cores; ms of the "
          f"processor a picture\nload {os.getloadavg()[0]:.1f}; "
          + ("bars met" if good else "below a bar"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
