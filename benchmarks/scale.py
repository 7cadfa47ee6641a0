"""Time and memory of the commands from 10,000 to 1,000,000 detections, each a process of its own.

    python benchmarks/scale.py                                    # 10,000, 100,000 and 1,000,000
    python benchmarks/scale.py --rows 10000,30000 --commands fuse --commands status

A project is generated straight into its store (no pictures): embeddings of 768 numbers, the top 5
of 2,498 global classes, 30 local classes with long tails, 2,000 labels, 200 deployments, bursts of
four with their times. "resident" is VmHWM, the highest resident memory, with the pages of mapped
files that the system may drop at any time; "own" is RssAnon, which it cannot. "per row" is the
processor's seconds a row against those of the smallest size: 1 is linear, below 1 better.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from scipy import sparse

from ecotone.evaluation.summary import align

DIMENSIONS, GLOBAL, LOCAL, LABELS, TOP, PLACES, BURST = 768, 2498, 30, 2000, 5, 200, 4
NOISE = 10.0  # sd per dimension; centres have 1: classes overlap, as real ones do
BLOCK, EVERY = 8192, 0.05
COMMANDS = (
    "fuse", "status", "export csv -o {out}/table.csv", "export parquet -o {out}/table.parquet",
    "export camtrapdp -o {out}/package --time-zone UTC",
    "export megadetector -o {out}/md.json", "accept --precision 0.95 --write", "suggest -n 50",
    "discover", "report",
)


@dataclass(frozen=True)
class Used:
    """What one command took: seconds, and GB of memory."""

    wall: float
    cpu: float
    resident: float
    own: float


def names() -> tuple[list[str], list[str]]:
    """Local and global names: the first 20 local classes are exact, the others unknown."""
    world = [f"Genus{chr(97 + s % 26)}{chr(97 + s // 26 % 26)}{chr(97 + s // 676)} "
             f"species{s}" for s in range(GLOBAL)]
    return [*world[:20], *(f"Localia speca{k}" for k in range(LOCAL - 20))], world


def generate(folder: Path, rows: int, seed: int = 0) -> Path:
    """A project of `rows` pictures, written block by block; its folder."""
    from ecotone.project import Project
    from ecotone.store.tables import DeploymentFacts, NewLabel, NewMedium
    from ecotone.store.vectors import EmbeddingWriter, ScoreWriter

    rng = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, LOCAL + 1)
    centres = rng.normal(size=(LOCAL, DIMENSIONS)).astype(np.float32)
    chosen = np.zeros(rows, dtype=bool)
    chosen[rng.permutation(rows)[:LABELS]] = True
    (local, world), start = names(), datetime(2025, 1, 1)
    with Project.init(folder / "project") as project:
        catalog = project.catalog
        with EmbeddingWriter(catalog, project.vectors, "network", DIMENSIONS) as embeddings, \
                ScoreWriter(catalog, project.vectors, "world", world) as store:
            for first in range(0, rows, BLOCK):
                number = np.arange(first, min(first + BLOCK, rows))
                truth = rng.choice(LOCAL, len(number), p=share / share.sum())
                burst = number // BURST
                ids = [f"{n * 2654435761 % 2**64:016x}" for n in number.tolist()]
                media = [
                    NewMedium(i, str(folder), f"site {b % PLACES:03d}/{i}.jpg",
                              f"site {b % PLACES:03d}",
                              timestamp=(start + timedelta(minutes=(b // PLACES) * 97,
                                                           seconds=n % BURST)).isoformat())
                    for n, b, i in zip(number.tolist(), burst.tolist(), ids, strict=True)]
                with catalog.transaction():
                    catalog.add_media(media)
                    catalog.set_events({i: f"event {b}" for i, b in zip(ids, burst, strict=True)})
                    catalog.add_labels(
                        [NewLabel(i, local[t]) for i, t, c in
                         zip(ids, truth, chosen[number], strict=True) if c], source="benchmark")
                detections = [f"{i}:0" for i in ids]
                noise = rng.standard_normal((len(number), DIMENSIONS), dtype=np.float32)
                embeddings.append(detections, centres[truth] + NOISE * noise)
                store.append(detections, _scores(rng, truth))
        catalog.set_deployment_facts([
            DeploymentFacts(f"site {k:03d}", latitude=k / 10, longitude=k / 10)
            for k in range(PLACES)])
    return folder / "project"


def _scores(rng: np.random.Generator, truth: np.ndarray) -> sparse.csr_matrix:
    n = len(truth)
    columns = rng.integers(0, GLOBAL, (n, TOP))
    columns[:, 0] = np.where(rng.random(n) < 0.7, truth, columns[:, 0])
    values = -np.sort(-rng.dirichlet(np.ones(TOP), n), axis=1) * 0.9
    place = np.arange(0, n * TOP + 1, TOP)
    return sparse.csr_matrix((values.ravel(), columns.ravel(), place), shape=(n, GLOBAL))


def run(words: Sequence[str]) -> Used:
    """Run a command and watch it. Raises SystemExit with what it said when it fails."""
    started, own = time.perf_counter(), [0.0]
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(words, stdout=said, stderr=subprocess.STDOUT)
        stop = threading.Event()
        watcher = threading.Thread(target=_watch, args=(child.pid, stop, own))
        watcher.start()
        _, status, used = os.wait4(child.pid, 0)
        stop.set()
        watcher.join()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            text = said.read().decode(errors="replace")[-3000:]
            raise SystemExit(f"{shlex.join(words)}: ended with {child.returncode}\n{text}")
    unit = 1e9 if sys.platform == "darwin" else 1e6
    return Used(time.perf_counter() - started, used.ru_utime + used.ru_stime,
                used.ru_maxrss / unit, own[0])


def _watch(pid: int, stop: threading.Event, own: list[float]) -> None:
    """Keep the highest RssAnon (GB) of a process; only where the system has /proc."""
    path = Path(f"/proc/{pid}/status")
    while not stop.wait(EVERY):
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except OSError:
            return
        for line in lines:
            if line.startswith("RssAnon:"):
                own[0] = max(own[0], int(line.split()[1]) / 1e6)


def measure(rows: int, commands: Sequence[str], folder: Path) -> dict[str, Used]:
    """Generate one project in `folder` and run the commands in it."""
    made = [sys.executable, str(Path(__file__)), "--generate", str(folder), "--rows", str(rows)]
    found = {"(generating)": run(made)}
    for command in commands:
        text = command.format(out=folder)
        words = [sys.executable, "-m", "ecotone", *shlex.split(text)]
        found[command] = run([*words, "--project", str(folder / "project")])
        used = found[command]
        print(f"{rows:>9,} {command}: {used.wall:.1f} s, {used.cpu:.1f} s of processor, "
              f"{used.resident:.2f} GB resident, {used.own:.2f} own", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Generate, run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="10000,100000,1000000")
    parser.add_argument("--commands", action="append", help=f"default: {', '.join(COMMANDS)}")
    parser.add_argument("--generate", default=None, help=argparse.SUPPRESS)
    parser.add_argument("--folder", default=None, help="where projects are made, and left")
    given = parser.parse_args()
    sizes = [int(rows) for rows in given.rows.split(",")]
    if given.generate:
        generate(Path(given.generate), sizes[0])
        return
    table = [["detections", "command", "wall, s", "processor, s", "per row", "resident, GB",
              "own, GB"]]
    first: dict[str, float] = {}
    for rows in sizes:
        folder = Path(tempfile.mkdtemp(prefix=f"scale-{rows}-", dir=given.folder))
        try:
            for command, used in measure(rows, given.commands or COMMANDS, folder).items():
                first.setdefault(command, used.cpu / rows)
                table.append([f"{rows:,}", command.split(" -o")[0], f"{used.wall:.1f}",
                              f"{used.cpu:.1f}", f"{used.cpu / rows / first[command]:.2f}",
                              f"{used.resident:.2f}", f"{used.own:.2f}"])
        finally:
            if given.folder is None:
                shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(align(table)))


if __name__ == "__main__":
    main()
