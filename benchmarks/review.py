"""`ecotone review` on a large project: first cards, decisions of several people, memory.

    python benchmarks/review.py                        # 100,000 detections, 5 people
    python benchmarks/review.py --rows 5000 --people 2 --decisions 20

A project is generated: D = 768 embeddings, the top 5 of S = 2,498 global classes, a fusion of
K = 60 classes; most pictures are in the catalogue alone, those that come first are real files. The
server is the command itself in a process of its own. People decide without a pause, each also
looks for the others' work every two seconds, as the page does.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from scipy import sparse

DIMENSIONS, GLOBAL, LOCAL, TOP = 768, 2498, 60, 5
BLOCK, REAL, SITES, BURST = 8192, 300, 40, 4
SIZE = (2048, 1536)
BARS = {"first cards": 1.0, "decision, p95": 0.100, "memory": 500.0}
HEADERS = {"x-ecotone": "1", "content-type": "application/json"}


def generate(folder: Path, rows: int, seed: int = 0) -> Path:
    """A fused project of `rows` pictures without boxes, all from one folder."""
    from ecotone.project import Project
    from ecotone.store.tables import NewMedium
    from ecotone.store.vectors import EmbeddingWriter, ScoreWriter

    rng = np.random.default_rng(seed)
    pictures = folder / "pictures"
    with Project.init(folder / "project") as project:
        catalog = project.catalog
        ids = [f"{n:016x}" for n in range(rows)]
        events = {}
        media = []
        for n, identity in enumerate(ids):
            site, shot = f"site {n // BURST % SITES:02d}", n // BURST // SITES
            minute = divmod(shot, 60)
            stamp = f"2025-{1 + minute[0] // 24 % 12:02d}-{1 + minute[0] // 288 % 28:02d}T" \
                    f"{minute[0] % 24:02d}:{minute[1]:02d}:{n % BURST:02d}"
            media.append(NewMedium(identity, str(pictures), f"{site}/{n:07d}.jpg", site,
                                   timestamp=stamp, width=SIZE[0], height=SIZE[1]))
            events[identity] = f"{site} {n // BURST}"
        catalog.add_media(media)
        catalog.set_events(events)
        detections = [f"{i}:0" for i in ids]
        draw(pictures, media[:REAL], rng)
        fuse(project, detections, rng)
        world = [f"Genus{s % 500} species{s}" for s in range(GLOBAL)]
        with EmbeddingWriter(catalog, project.vectors, "network", DIMENSIONS) as embeddings, \
                ScoreWriter(catalog, project.vectors, "world", world) as scores:
            for start in range(0, rows, BLOCK):
                part = detections[start : start + BLOCK]
                embeddings.append(part, rng.standard_normal((len(part), DIMENSIONS), np.float32))
                scores.append(part, top_five(len(part), rng))
    return folder / "project"


def draw(folder: Path, media: list, rng: np.random.Generator) -> None:
    """Real JPEG files of camera size for the first media."""
    from PIL import Image, ImageFilter

    noise = rng.integers(0, 255, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize(SIZE).filter(ImageFilter.GaussianBlur(3))
    for medium in media:
        path = folder / medium.file_path
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.rotate(float(rng.uniform(0, 20))).save(path, quality=88)


def top_five(rows: int, rng: np.random.Generator) -> sparse.csr_matrix:
    """Scores (rows, S) with five entries each."""
    values = -np.sort(-rng.dirichlet(np.ones(TOP), rows), axis=1) * 0.95
    place = np.arange(0, rows * TOP + 1, TOP)
    columns = (rng.integers(0, GLOBAL, (rows, 1)) + 499 * np.arange(TOP)) % GLOBAL
    return sparse.csr_matrix((values.ravel(), columns.ravel(), place), shape=(rows, GLOBAL))


def fuse(project: object, detections: list[str], rng: np.random.Generator) -> None:
    """A made-up fusion: the real pictures are the least sure, so that they come first."""
    from ecotone.project.records import LATEST, write_json
    from ecotone.store.vectors import write_posteriors
    from ecotone.types import Posteriors

    run = "2025-01-01T00-00-00-fuse-1"
    values = rng.dirichlet(np.full(LOCAL, 0.05), len(detections)).astype(np.float32)
    values[:REAL] = 1.0 / LOCAL
    classes = tuple(f"class {k:02d}" for k in range(LOCAL))
    write_posteriors(project.catalog, project.vectors, run,
                     Posteriors(np.array(detections, dtype=object), values, classes))
    write_json(project.path / "runs" / f"{run}.json", {"run": run, "classes": list(classes)})
    project.catalog.set_note(LATEST, {"run": run, "time": 0.0})


class Server:
    """`ecotone review` in a process of its own."""

    def __init__(self, project: Path) -> None:
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ecotone", "review", "--project", str(project), "--port", "0",
             "--no-browser", "--learn-every", "0"], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.start = time.perf_counter() - started
        self.port = int(re.search(r":(\d+)/", line).group(1))

    def ask(self, connection: http.client.HTTPConnection, path: str, body: object = None) -> bytes:
        """The answer to one request."""
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None,
                           HEADERS if body else {})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {data[:300]!r}")
        return data

    def connect(self) -> http.client.HTTPConnection:
        """A connection of one person."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def peak(self) -> float:
        """Peak memory in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1024

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


def first_cards(server: Server, shown: int = 12) -> tuple[float, float]:
    """Seconds until the page, its queue and the first pictures are there; first and second time."""
    out = []
    for _ in range(2):
        connection = server.connect()
        started = time.perf_counter()
        for path in ("/", "/static/main.js", "/static/page.css"):
            server.ask(connection, path)
        queue = json.loads(server.ask(connection, "/api/queue?queue=next&n=48"))
        threads = [threading.Thread(target=picture, args=(server, card["id"]))
                   for card in queue["cards"][:shown]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        out.append(time.perf_counter() - started)
        connection.close()
    return out[0], out[1]


def picture(server: Server, identity: str) -> None:
    connection = server.connect()
    server.ask(connection, f"/picture/crop?id={identity}")
    connection.close()


def in_chromium(server: Server, shown: int = 12) -> float | None:
    """Seconds until a browser shows the first pictures, None where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    program = next((p for p in (Path("/usr/bin/chromium"),) if p.is_file()), None)
    if program is None:
        return None
    ready = (f"[...document.querySelectorAll('.card img')].slice(0, {shown})"
             f".filter(i => i.complete && i.naturalWidth).length >= {shown}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1366, "height": 900}, bypass_csp=True)
        page.goto("about:blank")
        started = time.perf_counter()
        page.goto(f"http://127.0.0.1:{server.port}/", wait_until="commit")
        page.wait_for_function(ready)
        seconds = time.perf_counter() - started
        browser.close()
    return seconds


def people_decide(server: Server, people: int, decisions: int) -> np.ndarray:
    """Seconds of every decision of several people at once."""
    connection = server.connect()
    ids = json.loads(server.ask(connection, "/api/queue?queue=all&n=0"))["ids"]
    connection.close()
    seconds: list[float] = []
    stop = threading.Event()
    watchers = [threading.Thread(target=watch, args=(server, stop)) for _ in range(people)]
    workers = [threading.Thread(target=work, args=(server, w, ids[w::people], decisions, seconds))
               for w in range(people)]
    for thread in (*watchers, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    for thread in watchers:
        thread.join()
    return np.array(seconds)


def work(server: Server, worker: int, ids: list[str], decisions: int, out: list[float]) -> None:
    connection = server.connect()
    for n in range(decisions):
        body = {"key": f"{worker}-{n}-{time.time_ns()}", "author": f"person {worker}",
                "kind": "label", "force": True,
                "items": [{"id": ids[n % len(ids)], "label": f"class {n % LOCAL:02d}"}]}
        started = time.perf_counter()
        server.ask(connection, "/api/decide", body)
        out.append(time.perf_counter() - started)
    connection.close()


def watch(server: Server, stop: threading.Event) -> None:
    connection, version, epoch = server.connect(), -1, -1
    while not stop.wait(2.0):
        found = json.loads(server.ask(
            connection, f"/api/changes?version={version}&epoch={epoch}&author=person"))
        version, epoch = found["version"], found["epoch"]
        server.ask(connection, "/api/state")
    connection.close()


def timed(server: Server, path: str) -> float:
    connection = server.connect()
    started = time.perf_counter()
    server.ask(connection, path)
    connection.close()
    return time.perf_counter() - started


def line(what: str, value: str, bar: float | None, reached: bool = True) -> str:
    """One line of the table."""
    told = "" if bar is None else f"{bar:g}  {'reached' if reached else 'MISSED'}"
    return f"{what:<44}{value:>12}   {told}"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=5)
    parser.add_argument("--decisions", type=int, default=100, help="of each person")
    parser.add_argument("--folder", type=Path, default=None, help="keep the project here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        project = folder / "project"
        if not project.is_dir():
            generate(folder, options.rows)
        shutil.rmtree(project / "cache", ignore_errors=True)  # pictures of an earlier run
        server = Server(project)
        try:
            report(server, options)
        finally:
            server.stop()


def report(server: Server, options: argparse.Namespace) -> None:
    """Measure and print."""
    print(f"{options.rows:,} detections, {options.people} people, "
          f"{options.decisions} decisions each\n")
    print(line("", "measured", None) + "bar")
    first, again = first_cards(server)
    bar = BARS["first cards"]
    print(line("from the command to the open page, s", f"{server.start:.2f}", None))
    print(line("first cards with 12 pictures, s", f"{first:.2f}", bar, first <= bar))
    print(line("the same, pictures made before, s", f"{again:.2f}", None))
    seen = in_chromium(server)
    if seen is not None:
        print(line("the same in Chromium, s", f"{seen:.2f}", bar, seen <= bar))
    seconds = people_decide(server, options.people, options.decisions)
    middle, high = np.quantile(seconds, [0.5, 0.95])
    bar = BARS["decision, p95"]
    print(line("a decision stored, median, ms", f"{1000 * middle:.0f}", None))
    print(line("a decision stored, 95th percentile, ms", f"{1000 * high:.0f}", 1000 * bar,
               high <= bar))
    rate = len(seconds) / seconds.sum() * options.people
    print(line("decisions a second, all together", f"{rate:.0f}", None))
    for name, path in (("counts and queues", "/api/state"),
                       ("another queue", "/api/queue?queue=changed&n=24"),
                       ("one class at one site",
                        "/api/queue?queue=all&name=class+01&site=site+01&n=24")):
        print(line(f"{name}, ms", f"{1000 * timed(server, path):.0f}", None))
    ids = json.loads(server.ask(server.connect(), "/api/queue?queue=next&n=0"))["ids"]
    print(line("more like this (768 numbers, exact), ms",
               f"{1000 * timed(server, '/api/queue?queue=similar&of=' + ids[0]):.0f}", None))
    end = time.monotonic() + 60
    connection = server.connect()
    while not json.loads(server.ask(connection, "/api/state"))["machines"]:  # then all is read
        if time.monotonic() > end:
            raise SystemExit("the scores of the global model were not read within a minute")
        time.sleep(0.2)
    peak, bar = server.peak(), BARS["memory"]
    print(line("peak memory of the server, MB", f"{peak:.0f}", bar, peak <= bar))


if __name__ == "__main__":
    main()
