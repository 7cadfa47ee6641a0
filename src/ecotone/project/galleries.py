"""The pictures of a report: chosen by the posteriors, cut out, people made unrecognisable.

N detections with posteriors, K local classes, S classes of a global model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import MediaError
from ecotone.media.video import FrameOf
from ecotone.project.gathering import DETECTOR, take, taxonomy_of
from ecotone.report import Gallery, Picture, choose
from ecotone.types import Detections, GlobalScores, Posteriors

Progress = Callable[[int, "int | None", str], None]
SHOWN, DISPUTED = 12, 8  # pictures a gallery
ENOUGH = 4 * SHOWN  # unlabelled detections, with fewer also labelled ones are shown
CHUNK = 65536
CLAIM = 0.05  # weight by names from which a global name stands for a local class
HUMAN = 0.1  # probability of a person from which a picture is not shown sharp

TEXTS = {
    "confident": ("Surest", "For each class, the pictures about which it is surest. If one of "
                  "these is wrong, look at that class first."),
    "changed": ("Most changed by the fusion", "The global model was sure of something else here, "
                "or had no name for it."),
    "uncertain": ("Least certain", "Two or more classes are about equally likely. Labels for these "
                  "pictures teach it most."),
    "disputed": ("Where it disagrees with people", "It had not seen these labels when it predicted "
                 "them. Some are its mistakes, some may be slips in the labels."),
}


@dataclass(frozen=True, eq=False)
class Shown:
    """What galleries are made from.

    detections and posteriors: N rows in one order. media: the catalogue's table. labels: by
    detection id. scores: by global model, N rows. out_of_fold: probabilities (K,) by detection id.
    people: boxes of people by what is seen together (`Detections.shot`).
    """

    detections: Detections
    posteriors: Posteriors
    media: Any
    labels: Mapping[str, str]
    scores: Mapping[str, GlobalScores]
    out_of_fold: Mapping[str, np.ndarray] = field(default_factory=dict)
    people: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    blur_people: bool = True

    def picture(self, row: int, at: int) -> Path | FrameOf:
        """Where the pixels of a detection are; at: the row of its medium."""
        return self.media.picture(at, self.detections.frame_number[row])

    def file_name(self, row: int, at: int) -> str:
        """The file that a detection is on, and of a video which frame."""
        name, frame = str(self.media.file_path[at]), int(self.detections.frame_number[row])
        return f"{name}, frame {frame}" if frame >= 0 else name


def read_shown(
    project: Any, posteriors: Posteriors, record: Mapping[str, Any], media: Any,
    everything: Detections,
) -> Shown:
    """Collect what galleries need; posteriors of detections that are gone are left out."""
    from ecotone.store.vectors import read_scores, score_models

    place = {name: row for row, name in enumerate(everything.id)}
    kept = np.array([name in place for name in posteriors.id], dtype=bool)
    ids = posteriors.id[kept]
    rows = np.array([place[name] for name in ids], dtype=np.intp)
    there = set(score_models(project.catalog))
    names = [n for n in record.get("score_models", []) if n != DETECTOR and n in there]
    folder = project.path / "vectors"
    people: dict[str, list[Sequence[float]]] = {}
    shot = everything.shot
    for row in np.flatnonzero(everything.category == "human"):
        people.setdefault(shot[row], []).append(everything.bbox[row].tolist())
    held = record.get("out_of_fold", {})
    return Shown(
        take(everything, rows), Posteriors(ids, posteriors.values[kept], posteriors.classes),
        media, project.catalog.current_labels(),
        {name: read_scores(project.catalog, folder, name, ids) for name in names},
        {i: np.asarray(p) for i, p in zip(held.get("ids", ()), held.get("proba", ()), strict=True)},
        people, project.config.blur_people,
    )


def make_galleries(
    project: Any, shown: Shown, progress: Progress | None = None
) -> tuple[Gallery, ...]:
    """The galleries with their pictures; empty ones are left out."""
    chosen = {key: rows for key, rows in choose_rows(project, shown).items() if rows}
    total, done = sum(len(rows) for rows in chosen.values()), 0
    media = {name: row for row, name in enumerate(shown.media.id)}
    result = []
    for key, rows in chosen.items():
        pictures = []
        for row in rows:
            pictures.append(_picture(shown, row, media))
            done += 1
            if progress is not None:
                progress(done, total, "pictures for the report")
        result.append(Gallery(key, *TEXTS[key], tuple(pictures)))
    return tuple(result)


def choose_rows(project: Any, shown: Shown) -> dict[str, list[int]]:
    """Rows of each gallery; none is in two of them."""
    if not len(shown.posteriors):
        return {}
    ids = shown.posteriors.id
    proba = fair(shown)
    units = _units(shown)
    free = np.array([name not in shown.labels for name in ids], dtype=bool)
    if free.sum() < ENOUGH:
        free |= np.array([name in shown.out_of_fold for name in ids], dtype=bool)
    rows: dict[str, list[int]] = {}
    place = {name: row for row, name in enumerate(ids)}
    rows["disputed"] = _disputed(shown, place)
    free[rows["disputed"]] = False
    change = _change(project, shown, proba)
    rows["changed"] = choose.most_changed(proba, change, free, units, SHOWN)
    free[rows["changed"]] = False
    rows["uncertain"] = choose.least_certain(proba, free, units, SHOWN)
    free[rows["uncertain"]] = False
    rows["confident"] = choose.surest(proba, free, units, SHOWN)
    return {key: rows[key] for key in TEXTS}


def fair(shown: Shown) -> np.ndarray:
    """Probabilities (N, K), those of labelled rows from models that had not seen the label."""
    proba = shown.posteriors.values.copy()
    for row, name in enumerate(shown.posteriors.id):
        if name in shown.out_of_fold:
            proba[row] = shown.out_of_fold[name]
    return proba


def _units(shown: Shown) -> np.ndarray:
    event = dict(zip(shown.media.id, shown.media.event_id, strict=True))
    same = dict(zip(shown.media.id, shown.media.content_hash, strict=True))
    media = shown.detections.media_id
    return np.array([event.get(m) or same.get(m) or m for m in media], dtype=object)


def _disputed(shown: Shown, place: Mapping[str, int]) -> list[int]:
    column = {name: k for k, name in enumerate(shown.posteriors.classes)}
    held = [i for i in shown.out_of_fold if i in place and shown.labels.get(i) in column]
    if not held:
        return []
    proba = np.stack([shown.out_of_fold[i] for i in held])
    truth = np.array([column[shown.labels[i]] for i in held])
    return [place[held[m]] for m in choose.disputed(proba, truth, DISPUTED)]


def _change(project: Any, shown: Shown, proba: np.ndarray) -> np.ndarray:
    """How far the probabilities (N, K) are from what the global models say by names alone, (N,)."""
    from ecotone.taxonomy.relations import relate

    change = np.zeros(len(shown.posteriors))
    if not shown.scores:
        return change
    taxonomy = taxonomy_of(project.catalog, dict(shown.scores))
    shares = {}
    for name, scores in shown.scores.items():
        weight = np.asarray(relate(shown.posteriors.classes, scores.classes, taxonomy).weight)
        # Names that only distant relatives share are no claim about a local class.
        claim = np.minimum(weight.max(axis=0, initial=0.0) / CLAIM, 1.0)
        shares[name] = claim * weight / np.maximum(weight.sum(axis=0), 1e-12)
    for start in range(0, len(change), CHUNK):
        rows = slice(start, start + CHUNK)
        certainty = np.zeros(len(change[rows]))
        before = np.zeros((len(certainty), len(shown.posteriors.classes)))
        for name, scores in shown.scores.items():
            part = scores.values[rows]
            top = part.max(axis=1).toarray().ravel() if part.nnz else np.zeros(len(certainty))
            surer = top > certainty
            before[surer] = (part @ shares[name].T)[surer]
            certainty[surer] = top[surer]
        change[rows] = choose.change_of(proba[rows], before, certainty)
    return change


def _picture(shown: Shown, row: int, media: Mapping[str, int]) -> Picture:
    name = shown.posteriors.id[row]
    values = shown.out_of_fold.get(name, shown.posteriors.values[row])
    order = np.argsort(-values, kind="stable")
    classes = shown.posteriors.classes
    label, score = _global_label(shown, row)
    at = media[shown.detections.media_id[row]]
    crop, whole, size, hidden, problem = cut_out(
        shown, row, shown.picture(row, at), values)
    return Picture(
        file=shown.file_name(row, at), prediction=classes[order[0]],
        probability=float(values[order[0]]),
        alternatives=tuple((classes[k], float(values[k])) for k in order[1:3]),
        global_label=label, global_score=score, label=shown.labels.get(name, ""),
        place=str(shown.media.deployment_id[at]),
        time=str(shown.media.timestamp[at]).replace("T", " ")[:16],
        crop=crop, whole=whole, size=size, hidden=hidden, problem=problem,
    )


def cut_out(
    shown: Shown, row: int, path: Path | FrameOf, values: np.ndarray
) -> tuple[bytes | None, bytes | None, tuple[int, int], bool, str]:
    """Crop, whole picture, size of the crop, whether people were made unrecognisable, and why there
    is no picture. values: probabilities (K,) of the row."""
    from ecotone.report.pictures import make_pictures

    people: list[Sequence[float]] = []
    if shown.blur_people:
        people = list(shown.people.get(str(shown.detections.take([row]).shot[0]), ()))
        if _may_be_a_person(shown, row, values):
            people.append(shown.detections.bbox[row].tolist())
    try:
        crop, whole, size = make_pictures(path, shown.detections.bbox[row], people)
    except MediaError as error:
        return None, None, (0, 0), False, str(error).replace(str(path), path.name)
    return crop, whole, size, bool(people), ""


def _may_be_a_person(shown: Shown, row: int, values: np.ndarray) -> bool:
    from ecotone.taxonomy.names import parse_label

    def human(name: str) -> bool:
        return bool(name) and parse_label(name).special == "human"

    if shown.detections.category[row] == "human":
        return True
    known = shown.labels.get(shown.posteriors.id[row], "")
    if known:
        return human(known)
    likely = [c for c, p in zip(shown.posteriors.classes, values, strict=True) if p >= HUMAN]
    label, score = _global_label(shown, row)
    likely.append(label if (score or 0.0) >= HUMAN else "")
    return any(human(name) for name in likely)


def _global_label(shown: Shown, row: int) -> tuple[str, float | None]:
    """The label with the highest score of all global models, and the score."""
    best: tuple[str, float | None] = ("", None)
    for scores in shown.scores.values():
        part = scores.values[row]
        if part.nnz and (best[1] is None or part.data.max() > best[1]):
            at = int(part.data.argmax())
            best = (scores.classes[part.indices[at]], float(part.data[at]))
    return best
