"""As a user: nyala with a third of the pictures unlabelled, matched with and without their points.

    python benchmarks/nyala_match.py                       # 60 individuals, some minutes
    python benchmarks/nyala_match.py --individuals 179 --shortlists 25 75

A project is made of some individuals' pictures. A sixth of the individuals has no label at all
(new), and as many pictures of the others lose theirs as make a third in all (known). Then
`match_individuals(precision=None)` by an ImageNet embedding, alone and with points of the pictures,
by length of the shortlist: top-1 of the known; BAKS, BAUS and their geometric mean of the answers;
how often known or new is right, whatever the name; pairs compared anew, seconds. Needs
`ecotone[local]`.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np

from ecotone.evaluation.summary import align
from ecotone.project import Project
from ecotone.reid.metrics import open_set
from monkeys import DATA


def chosen(folder: Path, individuals: int, seed: int) -> tuple[list[dict[str, str]], list[bool]]:
    """The rows of labels.csv of some individuals, and which of them lose their label."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    rng = np.random.default_rng(seed)
    names = rng.permutation(sorted({r["individualID"] for r in rows}))[:individuals]
    rows = [r for r in rows if r["individualID"] in set(names)]
    asked = [r["individualID"] in set(names[: len(names) // 6]) for r in rows]
    left = {n: sum(r["individualID"] == n for r in rows) for n in names}
    for n in rng.permutation(len(rows)):
        name = rows[n]["individualID"]
        if not asked[n] and left[name] > 1 and sum(asked) < len(rows) / 3:
            asked[n], left[name] = True, left[name] - 1
    return rows, asked


def make_project(folder: Path, data: Path, rows: list[dict[str, str]], asked: list[bool],
                 model: str) -> Project:
    """The project with pictures, labels and embeddings."""
    pictures = folder / "PHOTOS"
    pictures.mkdir()
    lines = ["filePath,scientificName,individualID,viewpoint"]
    for row, hidden in zip(rows, asked, strict=True):
        name = Path(row["filePath"]).name
        (pictures / name).write_bytes((data / row["filePath"]).read_bytes())
        lines.append(f"{name},Tragelaphus angasii,{'' if hidden else row['individualID']},"
                     f"{row['viewpoint']}")
    labels = folder / "labels.csv"
    labels.write_text("\n".join(lines) + "\n", encoding="utf-8")
    project = Project.init(folder / "project")
    project.add_images(pictures)
    project.add_labels(labels)
    project.embed_individuals(model)
    return project


def measured(project: Project, truth: dict[str, str], **options: object) -> list[str]:
    """The figures of one match."""
    pairs = {}

    def progress(done: int, total: int | None, text: str) -> None:
        if text.startswith("comparing points"):
            first, _ = pairs.get(text, (done, 0))
            pairs[text] = (first, done)

    started = time.perf_counter()
    project.match_individuals(precision=None, progress=progress, **options)
    seconds = time.perf_counter() - started
    file = dict(zip(project.catalog.media().id, project.catalog.media().file_path, strict=True))
    said = {Path(file[d.rsplit(":", 1)[0]]).name: s for d, s in project.individuals().items()}
    known = {s.individual for s in said.values() if s.decision == "people"}
    names = sorted(truth)
    real = np.array([truth[n] for n in names])
    here = np.isin(real, sorted(known))
    best = np.array([said[n].candidates[0][0] if said[n].candidates else "" for n in names])
    answer = [said[n].individual if said[n].decision == "known" else "new" for n in names]
    figures = open_set(real, answer, known)
    two_way = np.array([a != "new" for a in answer]) == here
    compared = sum(done - first for first, done in pairs.values())
    shares = [(best == real)[here].mean(), *(figures[k] for k in ("baks", "baus")),
              figures["geometric_mean"], two_way.mean()]
    return [*(f"{v:.1%}" for v in shares), f"{compared:,}", f"{seconds:.0f}"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--individuals", type=int, default=60)
    parser.add_argument("--shortlists", type=int, nargs="+", default=[25, 75])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    data = given.data / "nyala"
    rows, asked = chosen(data, given.individuals, given.seed)
    truth = {Path(r["filePath"]).name: r["individualID"]
             for r, hidden in zip(rows, asked, strict=True) if hidden}
    model = str(given.data / "models" / "imagenet_mobilenet_v2.tflite")
    table = [["", "top-1", "BAKS", "BAUS", "both", "known or new", "pairs", "s"]]
    with (tempfile.TemporaryDirectory() as folder,
          make_project(Path(folder), data, rows, asked, model) as project):
        table.append(["embedding", *measured(project, truth)])
        for k in given.shortlists:
            table.append([f"and points, shortlist {k}",
                          *measured(project, truth, local=True, shortlist=k)])
    print(f"{len(rows):,} pictures, {len(truth):,} of them asked for")
    print("\n".join(align(table)))


if __name__ == "__main__":
    main()
