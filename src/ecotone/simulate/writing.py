"""Writes a generated reserve to a folder: pictures, boxes, labels, species list, and the truth.

The work is cut into `PARTS` parts by camera, always the same ones, and as many processes as there
are cores draw them: `python -m ecotone.simulate.writing '{...}'` is one such process. The result
depends on the seed alone.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import EcotoneError
from ecotone.simulate.reserve import (
    CAMERAS,
    Shot,
    deployment_rows,
    detections_of,
    detector_file,
    draw_events,
    make_plan,
    taxonomy_rows,
)
from ecotone.simulate.species import BLANK

Progress = Callable[[int, int | None, str], None]
PARTS = 4
QUALITY = 84
PAUSE = 0.25  # seconds between two looks at the processes


@dataclass(frozen=True)
class Order:
    """What to draw. pictures: of the reserve; lessons: cut-outs a class for the global model."""

    folder: str
    seed: int = 0
    pictures: int = 600
    lessons: int = 60
    part: int = 0

    @property
    def photos(self) -> Path:
        """Where the pictures go."""
        return Path(self.folder) / "photos"

    def notes(self) -> Path:
        """Where this part writes its boxes and its truth."""
        return Path(self.folder) / "parts" / f"notes-{self.part}.json"

    def log(self) -> Path:
        """What the process of this part says when it fails."""
        return Path(self.folder) / "parts" / f"log-{self.part}.txt"

    def lesson_file(self) -> Path:
        """Where this part writes its lessons."""
        return Path(self.folder) / "parts" / f"lessons-{self.part}.npz"


def generate(order: Order, labels: int = 30, progress: Progress | None = None) -> None:
    """Draw everything and write labels.csv, detections.json, species.csv, deployments.csv and
    truth.json.

    labels: pictures that a person labelled, at most one of an event.
    Raises EcotoneError when a drawing process fails.
    """
    folder = Path(order.folder)
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    _draw_all(order, progress)
    boxes: dict[str, Any] = {}
    truth: dict[str, Any] = {}
    for part in range(PARTS):
        mine = Order(**{**asdict(order), "part": part})
        notes = json.loads(mine.notes().read_text(encoding="utf-8"))
        boxes.update(notes["boxes"])
        truth.update(notes["truth"])
    _write_json(folder / "detections.json", detector_file(boxes))
    _write_json(folder / "truth.json", dict(sorted(truth.items())))
    rows = choose_labels(truth, labels, order.seed)
    _write_csv(folder / "labels.csv", ("filePath", "vernacularName"), rows)
    taxa = taxonomy_rows()
    _write_csv(folder / "species.csv", tuple(taxa[0]), [tuple(t.values()) for t in taxa])
    stood = deployment_rows()
    _write_csv(folder / "deployments.csv", tuple(stood[0]), [tuple(d.values()) for d in stood])


def choose_labels(truth: dict[str, Any], count: int, seed: int) -> list[tuple[str, str]]:
    """(file, label) of `count` pictures at random, at most one of an event."""
    rng = np.random.default_rng([seed, 4])
    events: dict[str, list[str]] = {}
    for file in sorted(truth):
        events.setdefault(truth[file]["event"], []).append(file)
    names = sorted(events)
    chosen = [names[i] for i in rng.permutation(len(names))[:count]]
    files = [events[name][int(rng.integers(len(events[name])))] for name in chosen]
    return sorted((file, truth[file]["label"]) for file in files)


def read_lessons(order: Order) -> tuple[np.ndarray, np.ndarray]:
    """All lessons of the global model: pictures (n, 96, 96, 3) uint8 and labels (n,)."""
    found = []
    for part in range(PARTS):
        with np.load(Order(**{**asdict(order), "part": part}).lesson_file()) as arrays:
            found.append((arrays["pictures"], arrays["labels"]))
    return np.concatenate([p for p, _ in found]), np.concatenate([y for _, y in found])


def draw_part(order: Order) -> None:
    """Draw one part: the pictures of its cameras, then its share of the lessons."""
    from ecotone.simulate.lessons import make_lessons

    plan = [e for e in make_plan(order.pictures, order.seed) if e.camera % PARTS == order.part]
    boxes: dict[str, Any] = {}
    truth: dict[str, Any] = {}
    for shot in draw_events(plan, order.seed):
        file = shot.event.file(shot.frame)
        _save(shot, order.photos / file)
        boxes[file] = detections_of(shot)
        truth[file] = {
            "event": f"{CAMERAS[shot.event.camera]} {shot.event.when:%Y-%m-%dT%H:%M:%S}",
            "label": shot.event.label if shot.seen else BLANK,
            "boxes": [[round(b, 4) for b in seen.box] for seen in shot.seen],
        }
    if order.lessons:
        pictures, labels = make_lessons(order.lessons, order.seed, order.part, PARTS)
        np.savez(order.lesson_file(), pictures=pictures, labels=labels)
    _write_json(order.notes(), {"boxes": boxes, "truth": truth})


def _save(shot: Shot, path: Path) -> None:
    """A JPEG with the time and the camera in its EXIF data."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[271], exif[272], exif[305] = "ecotone", "generated camera", "ecotone demo"
    taken = exif.get_ifd(0x8769)
    taken[36867] = shot.event.moment(shot.frame).strftime("%Y:%m:%d %H:%M:%S")
    taken[42033] = f"G{shot.event.camera + 1:04d}"
    Image.fromarray(shot.pixels).save(path, quality=QUALITY, exif=exif)


def _draw_all(order: Order, progress: Progress | None) -> None:
    waiting = [Order(**{**asdict(order), "part": part}) for part in range(PARTS)]
    for part in waiting:
        part.notes().unlink(missing_ok=True)
    running: list[tuple[subprocess.Popen[bytes], Order]] = []
    try:
        while waiting or running:
            while waiting and len(running) < max(1, os.cpu_count() or 1):
                running.append((_start(waiting[0]), waiting.pop(0)))
            for process, part in running:
                if process.poll():
                    said = part.log().read_text(encoding="utf-8", errors="replace").strip()
                    reason = said.splitlines()[-1] if said else f"exit code {process.returncode}"
                    raise EcotoneError(f"demo: drawing the pictures failed ({reason}).")
            running = [pair for pair in running if pair[0].poll() is None]
            _tell(order, progress)
            time.sleep(PAUSE if running else 0)
    finally:
        for process, _ in running:
            process.kill()
            process.wait()


def _start(order: Order) -> subprocess.Popen[bytes]:
    # One thread each: the processes share the cores among them.
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, "-m", "ecotone.simulate.writing", json.dumps(asdict(order))]
    with order.log().open("wb") as log:
        return subprocess.Popen(command, env={**os.environ, **threads}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=log)


def _tell(order: Order, progress: Progress | None) -> None:
    if progress is None:
        return
    drawn = sum(1 for _ in order.photos.glob("*/*.jpg"))
    if drawn < order.pictures:
        progress(drawn, order.pictures, "drawing the pictures of the reserve")
    else:
        progress(0, None, "drawing what the global model learns from")


def _write_json(path: Path, value: Any) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    draw_part(Order(**json.loads(sys.argv[1])))
