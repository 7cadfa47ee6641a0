"""The path from pictures to local classes with and without boxes, for `detector.py`.

A picture counts as right when the class of the box that is least likely blank is what a person
would call the picture; a picture without a box is called blank.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ecotone.project import Project
from ecotone.project.demo_model import FILE, train_global_model
from ecotone.simulate.elsewhere import global_classes
from ecotone.simulate.species import BLANK
from ecotone.simulate.writing import Order, generate, read_lessons
from ecotone.store.vectors import read_posteriors

LABELS = 30
WAYS = ("whole pictures", "boxes of the detector", "boxes of the generator (imprecise, some lost)")


def compare_ways(folder: Path, model: Path, seed: int, pictures: int, lessons: int
                 ) -> dict[str, tuple[float, float]]:
    """Right pictures, and their mean over the true classes, for each of `WAYS`."""
    place = folder / f"path-{seed}-{pictures}-{lessons}"
    order = Order(str(place), seed, pictures, lessons)
    if not (place / FILE).is_file():
        generate(order, LABELS)
        shown, known = read_lessons(order)
        names = [c.name for c in global_classes()]
        train_global_model(shown, known, names, place, seed)
    return {way: _one(place, way, model, n) for n, way in enumerate(WAYS)}


def _one(place: Path, way: str, model: Path, number: int) -> tuple[float, float]:
    with Project.init(place / f"project-{number}") as project:
        project.add_images(place / "photos")
        project.add_taxonomy(place / "species.csv")
        if way == WAYS[1]:
            project.detect(str(model))
        if way == WAYS[2]:
            project.add_detections(place / "detections.json")
        project.add_labels(place / "labels.csv")
        project.classify(str(place / FILE), place / "global_classes.txt")
        project.embed("handcrafted")
        project.fuse(seed=0)
        return _score(project, json.loads((place / "truth.json").read_text("utf-8")))


def _score(project: Project, truth: dict) -> tuple[float, float]:
    media, detections = project.catalog.media(), project.catalog.detections()
    file_of = dict(zip(media.id, media.file_path, strict=True))
    known = {truth[file_of[m]]["event"] for m in _labelled(project)}
    posteriors = read_posteriors(project.catalog, project.vectors)
    row = {d: i for i, d in enumerate(posteriors.id)}
    names = list(posteriors.classes)
    blank = names.index(BLANK) if BLANK in names else None
    best: dict[str, tuple[float, str]] = {}
    for detection, medium in zip(detections.id, detections.media_id, strict=True):
        file = file_of[medium]
        if detection not in row or truth[file]["event"] in known:
            continue
        p = posteriors.values[row[detection]]
        some = 1.0 - (float(p[blank]) if blank is not None else 0.0)
        if file not in best or some > best[file][0]:
            best[file] = some, names[int(p.argmax())]
    true = np.array([truth[file]["label"] for file in best])
    right = np.array([best[file][1] == truth[file]["label"] for file in best])
    each = [right[true == name].mean() for name in np.unique(true)]
    return float(right.mean()), float(np.mean(each))


def _labelled(project: Project) -> set[str]:
    labels = project.catalog.labels()
    return set(labels.media_id.tolist())
