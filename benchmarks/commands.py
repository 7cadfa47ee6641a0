"""Time and peak memory of the commands that work on a whole project, each a process of its own.

    python benchmarks/commands.py                      # 200,000 detections of 256 numbers
    python benchmarks/commands.py --rows 20000 --commands "suggest -n 50" --commands discover

The project is generated straight into its store (no pictures): embeddings, the top 5 of 2,498
global classes, 60 local classes with long tails, 500 labels, 40 sites, bursts of four.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import cost
from ecotone.evaluation.summary import align

COMMANDS = ("fuse", "suggest -n 50", "accept --precision 0.95", "discover", "status")
BLOCK, SITES, BURST = 8192, 40, 4


def generate(folder: Path, rows: int, dimensions: int, labels: int, seed: int = 0) -> Path:
    """A project of `rows` pictures with embeddings, scores and labels; its folder."""
    from ecotone.project import Project
    from ecotone.store.tables import NewLabel, NewMedium
    from ecotone.store.vectors import EmbeddingWriter, ScoreWriter

    cost.DIMENSIONS, cost.NOISE = dimensions, 10.0 * (dimensions / 768) ** 0.5
    x, scores, truth = cost.generate(rows, seed)
    local, world = cost.names()
    with Project.init(folder / "project") as project:
        catalog = project.catalog
        ids = [f"{n:016x}" for n in range(rows)]
        place = [f"site {n // BURST % SITES:02d}" for n in range(rows)]
        catalog.add_media([
            NewMedium(i, str(folder), f"{p}/{i}.jpg", p) for i, p in zip(ids, place, strict=True)])
        catalog.set_events({i: f"{p} {n // BURST}"
                            for n, (i, p) in enumerate(zip(ids, place, strict=True))})
        chosen = np.random.default_rng(seed).permutation(rows)[:labels]
        catalog.add_labels([NewLabel(ids[i], local[truth[i]]) for i in chosen], source="benchmark")
        with EmbeddingWriter(catalog, project.vectors, "network", dimensions) as embeddings, \
                ScoreWriter(catalog, project.vectors, "world", world) as store:
            for start in range(0, rows, BLOCK):
                part = slice(start, start + BLOCK)
                detections = [f"{i}:0" for i in ids[part]]
                embeddings.append(detections, x[part])
                store.append(detections, scores.values[part])
    return folder / "project"


def run(command: str, project: Path) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak GB of one command.

    Raises SystemExit with what it said when it fails.
    """
    words = [sys.executable, "-m", "ecotone", *shlex.split(command), "--project", str(project)]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(words, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"ecotone {command}: {said.read().decode(errors='replace')[-2000:]}")
    unit = 1e9 if sys.platform == "darwin" else 1e6
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / unit


def main() -> None:
    """Generate, run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--commands", action="append", help=f"default: {', '.join(COMMANDS)}")
    given = parser.parse_args()
    table = [["command", "wall, s", "processor, s", "peak, GB"]]
    with tempfile.TemporaryDirectory() as folder:
        project = generate(Path(folder), given.rows, given.dimensions, given.labels)
        for command in given.commands or COMMANDS:
            wall, cpu, peak = run(command, project)
            table.append([command, f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.2f}"])
            print("\n".join(align(table)[-1:]), file=sys.stderr, flush=True)
    print("\n".join(align(table)))


if __name__ == "__main__":
    main()
