"""The commands that the kill test kills, what they need, and what a project holds in the end."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.project import Project
from ecotone.project.networks import networks
from ecotone.store.discoveries import newest_run
from ecotone.store.vectors import (
    embedding_models,
    read_embeddings,
    read_posteriors,
    read_scores,
    score_models,
)
from tests.conftest import COATS, _draw

# Kills the process at its n-th step towards the disk: before it (even n) or after it (odd n).
# argv: n, or 0 to count the steps into a file; that file; the words of the command.
CHILD = """
import os, signal, sqlite3, sys
point, out, words = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
done = 0
def step(call, *args, **more):
    global done
    done += 2
    if point and done == point:
        os.kill(os.getpid(), signal.SIGKILL)
    found = call(*args, **more)
    if point and done == point - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
def counted(name):
    call = getattr(os, name)
    setattr(os, name, lambda *args, **more: step(call, *args, **more))
for name in ("fsync", "replace", "rename", "unlink", "mkdir"):
    counted(name)
class Connection(sqlite3.Connection):
    def execute(self, text, *args):
        if text == "COMMIT":
            return step(super().execute, text, *args)
        return super().execute(text, *args)
connect = sqlite3.connect
sqlite3.connect = lambda *args, **more: connect(*args, **{"factory": Connection, **more})
from ecotone import cli
code = cli.run(words)
if not point:
    open(out, "w").write(str(done))
sys.exit(code)
"""


DETECTOR = Path(__file__).resolve().parents[1] / "detection" / "model" / "generated.onnx"


@dataclass(frozen=True)
class Stage:
    """One command. words: as typed, with {home} for the folder of inputs, {p} for the project and
    {out} for a folder of exports. kills: how many. project: whether it works on one. needs: a
    package without which it is left out."""

    name: str
    words: str
    kills: int
    project: bool = True
    needs: str = ""

    @property
    def possible(self) -> bool:
        """Whether what it needs is installed."""
        return not self.needs or find_spec(self.needs) is not None

    def typed(self, home: Path, project: Path, out: Path) -> list[str]:
        """The words of the command."""
        words = self.words.format(home=home, p=project, out=out).split()
        alone = "{p}" in self.words or not self.project
        return words if alone else [*words, "--project", str(project)]


SHARDS = "--classes {home}/classes.txt --shard-rows 8 --batch-size 4"
TINY = ("--network test_byobnet --size 16 --batch-size 16 --set workers=1 --set lr=0.01 "
        "--set augment=0")
# In this order; what changes boxes comes last, so that the others stay as they are.
STAGES = (
    Stage("add images", "add images {home}/pictures", 5),
    Stage("add labels", "add labels {home}/labels.csv", 6),
    Stage("add detections", "add detections {home}/md.json", 4),
    Stage("add taxonomy", "add taxonomy {home}/taxonomy.csv", 2),
    Stage("add scores", "add scores {home}/scores.csv", 4),
    Stage("classify", "classify --model {home}/model.onnx --classes {home}/classes.txt "
          "--batch-size 4", 6),
    Stage("embed", "embed --batch-size 4", 6),
    Stage("fuse", "fuse", 8),
    Stage("suggest", "suggest -n 5", 4),
    Stage("accept", "accept --write", 4),
    Stage("discover", "discover", 4),
    Stage("refine", "refine", 5),
    Stage("evaluate", "evaluate --counts 6,12 --seeds 1", 4),
    Stage("train individuals", "individuals train --head whitening", 3),
    Stage("match", "individuals match", 4),
    Stage("report", "report", 4),
    Stage("export csv", "export csv -o {out}/out.csv --project {p}", 3),
    Stage("export coco", "export coco -o {out}/coco.json --project {p}", 2),
    Stage("export geojson", "export geojson -o {out}/places.geojson --project {p}", 2),
    Stage("add deployments", "add deployments {home}/places.csv", 2),
    Stage("export camtrapdp", "export camtrapdp --time-zone UTC -o {out}/dp --project {p}", 4),
    Stage("predict", "predict {home}/pictures --model {p}/models/latest -o {out}/pred.csv", 3),
    Stage("classify into shards", "classify --model {home}/placed.onnx --engine threads "
          f"-o {{out}}/placed {SHARDS}", 5),
    Stage("classify a folder", "classify --model {home}/loose.onnx --images {home}/pictures "
          f"-o {{out}}/loose {SHARDS}", 4, project=False),
    Stage("attach", "attach {out}/loose", 4),
    Stage("train", f"train --name net --epochs 3 {TINY}", 4, needs="torch"),
    Stage("add videos", "add images {home}/videos", 4, needs="av"),
    Stage("detect", f"detect --model {DETECTOR} --batch-size 4 -o {{out}}/boxes.json", 6),
)


def make_inputs(home: Path) -> None:
    """Pictures, labels, boxes, scores and a taxonomy of three species at three places."""
    rng = np.random.default_rng(1)
    rows = ["filePath,vernacularName,individualID"]
    scores = ["filePath," + ",".join(COATS)]
    images = []
    for c in range(3):
        for s, (name, colour) in enumerate(COATS.items()):
            for i in range(5):
                file = f"cam{c}/{name.replace(' ', '_')}_{i}.jpg"
                shade = tuple(min(255, v + 25 * (i % 2)) for v in colour)
                _draw(home / "pictures" / file, shade, (48, 36), 100 * c + 10 * s + i,
                      f"2024:05:{1 + s + 3 * i:02d} {6 + c:02d}:30:00")
                value = rng.dirichlet(np.ones(3)) * 0.4
                value[s] += 0.6
                scores.append(f"{file}," + ",".join(f"{v:.4f}" for v in value))
                box = {"category": "1", "conf": 0.9, "bbox": [0.2, 0.2, 0.6, 0.6]}
                images.append({"file": file, "detections": [box]})
                if i < 4:
                    rows.append(f"{file},{name},{name[0]}{i % 2}")
    write_lines(home / "labels.csv", rows)
    write_lines(home / "scores.csv", scores)
    write_lines(home / "places.csv", ["deploymentID,latitude,longitude", *(
        f"cam{c},{50 + c},{5 + c}" for c in range(3))])
    write_lines(home / "taxonomy.csv", [
        "scientificName,vernacularName,family", "Cervus elaphus,red deer,Cervidae",
        "Urocyon cinereoargenteus,grey fox,Canidae", "Sus scrofa,wild boar,Suidae"])
    if find_spec("av"):
        from tests.videos import make_video

        for n in range(3):
            make_video(home / "videos" / f"cam0/clip{n}.mp4", 12,
                       created=f"2024-06-0{1 + n}T06:00:00Z")
    (home / "md.json").write_text(json.dumps({
        "images": images, "detection_categories": {"1": "animal"},
        "info": {"format_version": "1.4", "detector": "md_v5a.0.0.pt"}}), "utf-8")


def write_lines(path: Path, lines: list[str]) -> None:
    """A text file."""
    path.write_text("\n".join(lines) + "\n", "utf-8")


def contents(folder: Path, out: Path) -> dict[str, Any]:
    """All that a project and its exports hold, without clocks and numbers of runs."""
    with Project(folder) as project:
        catalog = project.catalog
        media, detections = catalog.media(), catalog.detections()
        ids = detections.id[np.argsort(detections.id)]
        labels = catalog.labels()
        found: dict[str, Any] = {
            "files": sorted(zip(media.file_path, media.content_hash, media.deployment_id,
                                strict=True)),
            "events": len(set(media.event_id)), "detections": ids.tolist(),
            "labels": sorted(zip(labels.media_id, labels.label, labels.attributes, strict=True)),
            "taxonomy": catalog.note("taxonomy"),
            "refined": rounded(catalog.refinement_runs()[-1:] and [
                list(row) for row in catalog.refinement(catalog.refinement_runs()[-1].run).rows()]),
            "discovered": len(catalog.discovery(newest_run(catalog.connection))),
            "asked": sorted(catalog.newest_suggestions().detection_id.tolist()),
            "accepted": bool(catalog.note("accepted")),
            "models": project.models.joinpath("latest", "manifest.json").is_file(),
            "report": ended(project.reports / "report.html"),
            "evaluation": (folder / "evaluation" / "summary.csv").is_file(),
        }
        for name in score_models(catalog):
            found[f"scores {name}"] = rounded(
                read_scores(catalog, project.vectors, name, ids).values.toarray())
        for name in embedding_models(catalog):
            values, present = read_embeddings(catalog, project.vectors, name, ids)
            found[f"embeddings {name}"] = rounded(np.where(present[:, None], values, -1))
        if catalog.note("latest_fuse"):
            posteriors = read_posteriors(catalog, project.vectors)
            found["posteriors"] = rounded(posteriors.values[np.argsort(posteriors.id)])
        individuals = catalog.connection.execute(
            """SELECT i.medium, i.number, i.individual FROM identification i JOIN run r
               ON r.id = i.run WHERE r.status = 'done' AND r.n = (SELECT max(n) FROM run
               WHERE command = 'individuals match' AND status = 'done') ORDER BY 1, 2""")
        found["individuals"] = individuals.fetchall()
        found["networks"] = [(n.name, n.finished, sorted(n.card.get("classes", ())))
                             for n in networks(project)]
        found["done"] = sorted({run.command for run in catalog.runs() if run.status == "done"})
    for folder in sorted({p.parent for p in out.rglob("*.parquet")}):
        found[folder.relative_to(out).as_posix()] = rows_of(folder)
    told = [p for p in out.rglob("*") if p.is_file() and not {"placed", "loose"} & set(p.parts)]
    for path in sorted(told):
        text = path.read_bytes().decode("utf-8", "replace")
        found[path.relative_to(out).as_posix()] = len(re.sub(r"\d", "", text))
    return found


def rows_of(folder: Path) -> list[list[Any]]:
    """The ids and numbers of all shards of a folder that count."""
    import pyarrow.parquet as pq

    rows: list[list[Any]] = []
    for path in sorted(folder.glob("*.parquet")):
        if not list(folder.parent.glob(f"commits/{path.stem}*")):
            continue
        table = pq.read_table(path).to_pydict()
        names = sorted(table)
        rows += [[rounded(table[name][n]) for name in names] for n in range(len(table[names[0]]))]
    return sorted(rows, key=str)


def rounded(values: Any) -> Any:
    """Numbers to four digits, as lists."""
    if isinstance(values, np.ndarray):
        return np.round(values.astype(float), 4).tolist()
    if isinstance(values, list):
        return [rounded(v) for v in values]
    return round(values, 4) if isinstance(values, float) and values == values else str(values)


def ended(path: Path) -> bool:
    """Whether a page is there, whole."""
    return path.is_file() and path.read_text("utf-8").rstrip().endswith("</html>")


def words_of(folder: Path) -> set[tuple]:
    """People's labels, with the time at which each was stored."""
    with Project(folder) as project:
        return set(project.catalog.connection.execute("SELECT * FROM label").fetchall())


def damage(folder: Path) -> None:
    """Overwrite a page of pictures in the catalogue and cut a file of scores."""
    path = folder / "catalog.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    at = path.read_bytes().index(b"cam1/red_deer_2.jpg") // size * size
    with path.open("rb+") as handle:
        handle.seek(at)
        handle.write(bytes(size))
    shard = sorted((folder / "vectors" / "scores").rglob("*.npz"))[0]
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
