"""A small reserve in which every queue of the page has something: arrays, nothing learned."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np

from ecotone.project import Project
from ecotone.project.deciding import Said, label
from ecotone.project.records import write_json
from ecotone.store import individuals
from ecotone.store.discoveries import DiscoveryTable
from ecotone.store.refinements import RefinementTable
from ecotone.store.suggestions import NewSuggestion
from ecotone.store.vectors import EmbeddingWriter, ScoreWriter
from tests.project.runs import RUN, fake_run

MARKUP = "<img src=x onerror=document.title='owned'><b>deer</b>"
ARABIC = "غزال جبلي صغير من وادي الظلال الطويل جدا جدا"
LONG = "Lesser-spotted-northwestern-mountain-goat-antelope of the upper valley, western form"
CLASSES = ["red deer", "grey fox", "wild boar", MARKUP, ARABIC, LONG, "human"]
COLOURS = [(150, 90, 50), (120, 120, 125), (60, 50, 45), (200, 180, 90), (220, 190, 140),
           (90, 140, 90), (170, 120, 160)]
SITES = ["cam1", "وادي رم", "a-site-whose-name-goes-on-and-on-without-any-space-at-all-07"]
WORLD = ["Cervus elaphus (Red Deer)", "Vulpes vulpes (Red Fox)", "human"]
N = 42  # pictures: three a burst
KEYS = (f"rich-key-{n:06d}" for n in itertools.count())
TAXA = """scientificName,vernacularName,class,order,family,genus
Cervus elaphus,red deer|Rothirsch|cerf élaphe|благородный олень,Mammalia,Artiodactyla,Cervidae,Cervus
Vulpes vulpes,red fox|Rotfuchs|renard roux,Mammalia,Carnivora,Canidae,Vulpes
Sus scrofa,wild boar|Wildschwein|sanglier,Mammalia,Artiodactyla,Suidae,Sus
"""  # noqa: E501


def draw(folder: Path) -> None:
    """42 pictures at three sites, three a burst, one colour a class."""
    from PIL import Image, ImageDraw

    for n in range(N):
        kind, burst = n % len(CLASSES), n // 3
        picture = Image.new("RGB", (240, 180), (70, 92, 70))
        ImageDraw.Draw(picture).ellipse((60, 50, 180, 130), fill=COLOURS[kind])
        exif = Image.Exif()
        exif.get_ifd(0x8769)[36867] = f"2024:05:{1 + burst:02d} 06:30:{10 * (n % 3):02d}"
        path = folder / SITES[burst % len(SITES)] / f"IMG_{n:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=85, exif=exif)


def make(folder: Path) -> Path:
    """The project, at `folder / "reserve"`."""
    draw(folder / "pictures")
    (folder / "taxa.csv").write_text(TAXA, encoding="utf-8")
    rows = "\n".join(f"{s},{45 + i / 50},{7 + i / 40}" for i, s in enumerate(SITES[:2]))
    (folder / "places.csv").write_text(f"deploymentID,latitude,longitude\n{rows}\n", "utf-8")
    with Project.init(folder / "reserve") as project:
        project.add_images(folder / "pictures")
        project.add_taxonomy(folder / "taxa.csv")
        project.add_deployments(folder / "places.csv")
        detections, media = project.catalog.detections(), project.catalog.media()
        ids = list(detections.id)
        kinds = [int(Path(p).stem[-4:]) % len(CLASSES) for p in media.file_path]
        _machines(project, ids, kinds)
        _people(project, ids, kinds)
        _found(project, ids)
    return folder / "reserve"


def _machines(project: Project, ids: list[str], kinds: list[int]) -> None:
    """A fusion, the scores of a global model that knows deer alone, and a refinement."""
    fake_run(project, CLASSES, [CLASSES[k] for k in kinds])
    with EmbeddingWriter(project.catalog, project.vectors, "colour", len(CLASSES)) as writer:
        vectors = np.eye(len(CLASSES))[kinds] + 0.01 * np.arange(len(ids))[:, None]
        writer.append(ids, vectors)
    with ScoreWriter(project.catalog, project.vectors, "world", WORLD, True) as writer:
        writer.append(ids, np.tile([0.9, 0.1, 0.0], (len(ids), 1)))
    for accuracy, labels in ((0.71, 10), (0.84, 25)):
        run = project.catalog.start_run("fuse")
        project.catalog.finish_run(run, summary={
            "scores": {"accuracy": accuracy}, "counts": {"labelled": labels}})
    run, few = project.catalog.start_run("refine"), ids[6:9]
    text = lambda *values: np.array(values, dtype=object)  # noqa: E731
    none = np.full(len(few), np.nan)
    project.catalog.add_refinement(run, RefinementTable(
        text(*few), text(*["climb"] * 3), text(*["Mammalia"] * 3), text(*["Cervus elaphus"] * 3),
        text(*["species"] * 3), np.full(3, 0.9), text("", "", ""), none, text("", "", ""), none,
        none))
    project.catalog.finish_run(run)


def _people(project: Project, ids: list[str], kinds: list[int]) -> None:
    """Two who disagree on a picture, and a label that the fusion foretold otherwise."""
    say = lambda who, i, what: label(  # noqa: E731
        project.catalog, next(KEYS), who, [Said(ids[i], what)], True)
    say("Ben", 0, "grey fox")
    say("Chiara", 0, MARKUP)
    say("Ben", 1, "wild boar")
    record = project.path / "runs" / f"{RUN}.json"
    content = json.loads(record.read_text("utf-8"))
    content["out_of_fold"] = {"ids": [ids[1]], "proba": [[0.9, 0.1, 0, 0, 0, 0, 0]]}
    write_json(record, content)


def _found(project: Project, ids: list[str]) -> None:
    """Questions, novel ones, two groups, a box that comes back, and pairs of individuals."""
    project.catalog.add_suggestions("run-1", [
        NewSuggestion(ids[12], 1, "typical of a group nobody labelled"),
        NewSuggestion(ids[13], 2, "uncertain", MARKUP)])
    n = len(ids)
    novelty, proposal, repeat = np.full(n, 0.1), np.zeros(n, dtype=int), np.zeros(n, dtype=int)
    novelty[[20, 21, 22]] = 0.7, 0.9, 0.8
    proposal[[20, 21]], proposal[22], repeat[[30, 31]] = 1, 2, 1
    run = project.catalog.start_run("discover")
    project.catalog.add_discovery(run, DiscoveryTable(
        np.array(ids, dtype=object), novelty, novelty > 0.5, proposal - 1, proposal, novelty,
        repeat))
    project.catalog.finish_run(run)
    run = project.catalog.start_run("individuals match")
    names = np.array(["Zuri", ARABIC], dtype=object)
    with project.catalog.transaction() as connection:
        individuals.insert_rows(connection, run, individuals.IdentificationTable(
            np.array(ids[:2], dtype=object), names, np.array(["known", "known"], dtype=object),
            np.array([0.5, 0.9]), np.array([0.6, 0.9]), individuals.candidates_json(
                [[("Zuri", 0.5, ids[7])], [(ARABIC, 0.9, ids[8])]])))
    project.catalog.finish_run(run)
