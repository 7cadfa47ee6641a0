"""The commands that the kill test kills, what they need, and what a project holds in the end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.project import Project
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


@dataclass(frozen=True)
class Stage:
    """One command. words: as typed, with {home} for the folder of inputs, {p} for the project and
    {out} for a folder of exports. kills: how many."""

    name: str
    words: str
    kills: int = 6

    def typed(self, home: Path, project: Path, out: Path) -> list[str]:
        """The words of the command."""
        words = self.words.format(home=home, p=project, out=out).split()
        return words if "{p}" in self.words else [*words, "--project", str(project)]


STAGES = (
    Stage("add images", "add images {home}/pictures", 7),
    Stage("add labels", "add labels {home}/labels.csv", 8),
    Stage("add detections", "add detections {home}/md.json"),
    Stage("add taxonomy", "add taxonomy {home}/taxonomy.csv", 3),
    Stage("add scores", "add scores {home}/scores.csv", 6),
    Stage("classify", "classify --model {home}/model.onnx --classes {home}/classes.txt "
          "--batch-size 4", 8),
    Stage("embed", "embed --batch-size 4", 8),
    Stage("fuse", "fuse", 10),
    Stage("suggest", "suggest -n 5"),
    Stage("accept", "accept --write"),
    Stage("discover", "discover"),
    Stage("refine", "refine", 7),
    Stage("evaluate", "evaluate --counts 6,12 --seeds 1", 5),
    Stage("train", "individuals train --head whitening", 4),
    Stage("match", "individuals match", 5),
    Stage("report", "report"),
    Stage("export csv", "export csv -o {out}/out.csv --project {p}"),
    Stage("export coco", "export coco -o {out}/coco.json --project {p}", 3),
    Stage("export geojson", "export geojson -o {out}/places.geojson --project {p}", 3),
    Stage("predict", "predict {home}/pictures --model {p}/models/latest -o {out}/pred.csv", 4),
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
    write_lines(home / "taxonomy.csv", [
        "scientificName,vernacularName,family", "Cervus elaphus,red deer,Cervidae",
        "Urocyon cinereoargenteus,grey fox,Canidae", "Sus scrofa,wild boar,Suidae"])
    import json

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
        found["done"] = sorted({run.command for run in catalog.runs() if run.status == "done"})
    for path in sorted(p for p in out.rglob("*") if p.is_file()):
        text = path.read_bytes().decode("utf-8", "replace")
        found[path.relative_to(out).as_posix()] = len(re.sub(r"\d", "", text))
    return found


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
