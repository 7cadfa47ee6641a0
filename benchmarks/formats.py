"""Seconds and peak memory of `ecotone add detections`, beside json.loads and plain SQLite.

    python benchmarks/formats.py                       # 300,000 pictures, 1,000,000 detections
    python benchmarks/formats.py --images 30000 --detections 100000 --repeats 1

A MegaDetector 1.6 file, ordered and indented as MegaDetector's own, is made with a fixed seed: a
quarter of the pictures is empty, four tenths of the boxes have two classifications. Ecotone adds it
to a project that has the pictures, as the command does. The peer reads it with json.loads and
inserts the same rows with one executemany into an equal table of an equally safe SQLite file; it
checks nothing and looks no picture up. Each runs in a process of its own, so that its peak memory
is its own, in turn with the other; the fastest of the repeats counts.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ecotone.evaluation.summary import align
from ecotone.project import Project
from ecotone.store.connection import connect
from ecotone.store.tables import NewMedium

EMPTY, CLASSIFIED, CLASSES = 0.25, 0.4, 40
NAMES = {"1": "animal", "2": "person", "3": "vehicle"}
KINDS = {"1": "animal", "2": "human", "3": "vehicle"}


def file_of(number: int) -> str:
    """The path of a picture: 2,000 to a camera."""
    return f"site{number // 100_000:02d}/camera{number // 2000:04d}/IMG_{number % 2000:04d}.JPG"


def make_images(images: int, detections: int, seed: int = 0) -> list[dict]:
    """Entries of MegaDetector json; all boxes are above the thresholds in use."""
    rng = np.random.default_rng(seed)
    full = np.flatnonzero(rng.random(images) >= EMPTY)
    count = np.zeros(images, dtype=np.int64)
    count[full] = 1
    left = detections - len(full)
    if left < 0:
        raise SystemExit("give more detections than three quarters of the pictures.")
    np.add.at(count, rng.choice(full, left), 1)
    corner = rng.random((detections, 2)) * 0.7
    boxes = np.round(np.hstack([corner, 0.02 + rng.random((detections, 2)) * 0.27]), 4).tolist()
    sure = np.round(0.2 + 0.8 * rng.random(detections), 3).tolist()
    kinds = rng.choice(["1", "2", "3"], detections, p=[0.94, 0.04, 0.02]).tolist()
    looked = (rng.random(detections) < CLASSIFIED).tolist()
    classes = rng.integers(0, CLASSES, (detections, 2)).tolist()
    first = np.round(0.5 + rng.random(detections) / 2, 3).tolist()
    listed, at = [], 0
    for number in range(images):
        found = []
        for row in range(at, at + int(count[number])):
            box = {"category": kinds[row], "conf": sure[row], "bbox": boxes[row]}
            if looked[row]:
                second = round(1 - first[row], 3)
                a, b = classes[row]
                box["classifications"] = [[str(a), first[row]], [str(b), second]]
            found.append(box)
        at += len(found)
        found.sort(key=lambda box: -box["conf"])
        listed.append({"file": file_of(number), "detections": found})
    return listed


def prepare(folder: Path, images: int, detections: int) -> None:
    """Write `md.json` and the project `project`, which has the pictures."""
    content = {
        "images": make_images(images, detections),
        "detection_categories": NAMES,
        "classification_categories": {str(k): f"species {k}" for k in range(CLASSES)},
        "info": {"format_version": "1.6", "detector": "md_v1000.0.0-redwood",
                 "detector_metadata": {"typical_detection_threshold": 0.2}},
    }
    with (folder / "md.json").open("w", encoding="utf-8") as handle:
        json.dump(content, handle, indent=1)
    with Project.init(folder / "project") as project:
        for start in range(0, images, 50_000):
            files = [file_of(n) for n in range(start, min(start + 50_000, images))]
            project.catalog.add_media([
                NewMedium(f"{n:016x}", str(folder / "pictures"), file, file.split("/")[1])
                for n, file in enumerate(files, start=start)
            ])


def add(folder: Path) -> None:
    """What `ecotone add detections` does."""
    with Project(folder / "project") as project:
        report = project.add_detections(folder / "md.json")
        if report.problems:
            raise SystemExit(str(report.problems))


def insert(folder: Path) -> None:
    """json.loads, and the same rows with one executemany."""
    data = json.loads((folder / "md.json").read_text(encoding="utf-8"))
    rows = []
    for n, image in enumerate(data["images"], start=1):
        for number, box in enumerate(image["detections"], start=1):
            rows.append((n, number, *box["bbox"], KINDS[box["category"]], box["conf"]))
        if not image["detections"]:
            rows.append((n, 0, 0.0, 0.0, 1.0, 1.0, "blank", 1.0))
    connection = connect(folder / "peer.sqlite", create=True)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        """INSERT INTO detection (medium, number, x, y, width, height, category, confidence)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""", rows
    )
    connection.execute("COMMIT")
    connection.close()


def contents(path: Path) -> tuple:
    """What the rows in use of a catalogue add up to."""
    connection = sqlite3.connect(path)
    found = connection.execute(
        """SELECT count(*), sum(medium), sum(x), sum(y + 2 * width + 3 * height), sum(confidence),
           sum(category = 'animal'), sum(category = 'blank') FROM detection WHERE retired = 0"""
    ).fetchone()
    connection.close()
    return tuple(round(v, 2) for v in found)


def in_process(what: str, folder: Path) -> dict[str, float]:
    """Seconds and peak memory in GB of one of the two, in a fresh process and on fresh files."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    (work / "md.json").hardlink_to(folder / "md.json")
    if what == "ecotone":
        shutil.copytree(folder / "project", work / "project")
    command = [sys.executable, "-W", "ignore", __file__, "--one", what, "--folder", str(work)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    name = "project/catalog.sqlite" if what == "ecotone" else "peer.sqlite"
    found["rows"] = contents(work / name)
    print(f"{what}: {found}", file=sys.stderr, flush=True)
    return found


def one(what: str, folder: Path) -> None:
    """Do one of the two in this process and print its figures."""
    started, cpu = time.perf_counter(), time.process_time()
    (add if what == "ecotone" else insert)(folder)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "cpu": cpu,
                      "peak": peak / (1e9 if sys.platform == "darwin" else 1e6)}))


def main() -> None:
    """Make the file, measure both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=300_000)
    parser.add_argument("--detections", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", choices=["ecotone", "peer"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one, given.folder)
        return
    with tempfile.TemporaryDirectory(prefix="ecotone-formats-") as temporary:
        folder = given.folder or Path(temporary)
        if not (folder / "md.json").exists():
            prepare(folder, given.images, given.detections)
        size = (folder / "md.json").stat().st_size / 1e6
        runs: dict[str, list[dict]] = {"ecotone": [], "peer": []}
        for _ in range(given.repeats):
            for what, done in runs.items():
                done.append(in_process(what, folder))
        if runs["ecotone"][0]["rows"] != runs["peer"][0]["rows"]:
            raise SystemExit("the two did not store the same rows.")
    best = {what: min(done, key=lambda d: d["seconds"]) for what, done in runs.items()}
    table = [["", f"{size:,.0f} MB, {given.detections:,} detections", "seconds", "processor",
              "peak, GB"]]
    for what, label in (("ecotone", "ecotone add detections"), ("peer", "json.loads and SQLite")):
        row = best[what]
        table.append(["", label, f"{row['seconds']:.1f}", f"{row['cpu']:.1f}",
                      f"{row['peak']:.2f}"])
    ratio = best["ecotone"]["seconds"] / best["peer"]["seconds"]
    print("\n".join(align(table)))
    print(f"ratio {ratio:.2f} (bar 2.00), peak {best['ecotone']['peak']:.2f} GB (bar 1.50)")


if __name__ == "__main__":
    main()
