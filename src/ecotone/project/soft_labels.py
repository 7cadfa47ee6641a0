"""What a network learns from in a project: crops, the fused posteriors, people's labels.

N detections, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.errors import InputError, ProjectError
from ecotone.evaluation.splits import MIN_LOCATIONS
from ecotone.ingest.training_table import REMOVE, LabelledFiles
from ecotone.media.crop import WHOLE
from ecotone.media.video import FrameOf
from ecotone.project.gathering import UNKNOWN, groups_of, local_classes, take
from ecotone.project.records import read_record

if TYPE_CHECKING:
    from ecotone.bundle.pictures import Picture
    from ecotone.training.pictures import LabelledPictures

FEW = 1e-6  # of probability that is as good as none


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """Pictures with soft labels, before any network.

    ids, location: (N,) str. target: (N, K) rows sum to 1. labelled: (N,) bool, by people. paths:
    (N,) of the pictures: files, URLs, frames of videos; boxes: (N, 4) x y width height in 0..1.
    run: the fusion behind it, "" for labels alone. notes: what to tell the user.
    """

    ids: np.ndarray
    classes: tuple[str, ...]
    target: np.ndarray
    labelled: np.ndarray
    location: np.ndarray
    paths: np.ndarray
    boxes: np.ndarray
    run: str = ""
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def pictures(self) -> LabelledPictures:
        """As the training takes them."""
        from ecotone.training.pictures import LabelledPictures

        return LabelledPictures.from_paths(
            self.paths, self.classes, self.target, self.labelled, self.location, boxes=self.boxes)

    def renamed(self, names: Mapping[str, str]) -> SoftLabels:
        """With classes merged, renamed or removed, see `ingest.training_table.read_names_table`.

        A detection whose probability was all on removed classes is left out.
        Raises InputError when no class or no detection is left.
        """
        new = [names.get(c, c) for c in self.classes]
        classes = tuple(sorted({c for c in new if c != REMOVE}))
        if not classes:
            raise InputError("the names leave no class: every one is removed.")
        target = np.zeros((len(self), len(classes)), dtype=np.float32)
        for column, name in enumerate(new):
            if name != REMOVE:
                target[:, classes.index(name)] += self.target[:, column]
        left = target.sum(axis=1)
        rows = np.flatnonzero(left > FEW)
        if not len(rows):
            raise InputError("the names leave no detection: all are of removed classes.")
        gone = len(self) - len(rows)
        told = [f"{gone:,} detections left out: of removed classes alone"] if gone else []
        idle = sorted(set(names) - set(self.classes))
        told += [f"names for {len(idle):,} classes that are not here: {', '.join(idle[:3])}"
                 ] if idle else []
        return replace(self.take(rows), classes=classes, notes=[*self.notes, *told],
                       target=target[rows] / left[rows, None])

    def take(self, rows: np.ndarray) -> SoftLabels:
        """Some of the detections: indices or a boolean mask."""
        return replace(self, **{name: getattr(self, name)[rows] for name in (
            "ids", "target", "labelled", "location", "paths", "boxes")})


def gather_soft_labels(
    project: Any, labels_only: bool = False, run: str = "latest"
) -> SoftLabels:
    """The project's detections with the fused posteriors, people's labels clamped.

    The posteriors are those of the newest fusion from pictures and scores alone ("fused"), without
    place and time, which a network cannot see. People's labels are those of now. Detections that
    fusion leaves out (human, vehicle, blank with no class for it) are left out here.
    labels_only: people's labels and nothing else. run: another fusion than the newest.

    Raises ProjectError when nothing was fused, or there is no label.
    """
    from ecotone.store.vectors import read_posteriors

    catalog = project.catalog
    known, everything = catalog.current_labels(), catalog.detections()
    if labels_only:
        if not known:
            raise ProjectError("no labels yet; add some: ecotone add labels labels.csv")
        classes = local_classes(project, everything, known, None)
        classes = tuple(c for c in classes if c in set(known.values()))
        row_of = {name: row for row, name in enumerate(everything.id)}
        ids = [i for i in everything.id if known.get(i) in classes]
        target, run = np.zeros((len(ids), len(classes)), dtype=np.float32), ""
    else:
        run = read_record(project, run)["run"]
        found = read_posteriors(catalog, project.vectors, f"{run}-fused")
        row_of = {name: row for row, name in enumerate(everything.id)}
        keep = np.array([i in row_of for i in found.id], dtype=bool)
        ids, classes = found.id[keep].tolist(), found.classes
        target = np.array(found.values[keep], dtype=np.float32)
    media = catalog.media()
    place = {medium: row for row, medium in enumerate(media.id)}
    rows = np.array([row_of[i] for i in ids], dtype=np.intp)
    if not len(rows):
        raise ProjectError("no detection to learn from; run: ecotone fuse")
    detections = take(everything, rows)
    labelled, target = _clamped(detections.id, known, classes, target, labels_only)
    paths = np.empty(len(rows), dtype=object)
    paths[:] = [media.picture(place[m], frame) for m, frame in
                zip(detections.media_id, detections.frame_number, strict=True)]
    return SoftLabels(
        detections.id, classes, target, labelled,
        locations_of(project, detections, labelled), paths,
        detections.bbox.astype(np.float64), run)


def _clamped(
    ids: np.ndarray, known: Mapping[str, str], classes: Sequence[str], target: np.ndarray,
    labels_only: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows people labelled, and the targets with their labels in.

    Raises ProjectError for labels of classes that the newest fusion does not know.
    """
    column = {name: k for k, name in enumerate(classes)}
    labelled = np.zeros(len(ids), dtype=bool)
    newer: set[str] = set()
    for row, name in enumerate(ids):
        label = known.get(name)
        if label in column:
            labelled[row] = True
            target[row] = 0
            target[row, column[label]] = 1
        elif label is not None and label != UNKNOWN:
            newer.add(label)
    sums = target.sum(axis=1, keepdims=True)
    target = np.divide(target, sums, out=np.zeros_like(target), where=sums > 0)
    if not labels_only and newer:
        raise ProjectError(
            f"there are labels of classes that the newest fusion does not know "
            f"({', '.join(sorted(newer)[:3])}); run: ecotone fuse")
    return labelled, target


def locations_of(project: Any, detections: Any, labelled: np.ndarray) -> np.ndarray:
    """What may not be separated when labels are held out, (N,) str: the camera's location where
    labels come from five or more of them, else the event, joined over copies of a picture."""
    from ecotone.project.contextual import places_of

    catalog = project.catalog
    site = places_of(catalog, detections)
    if len(set(site[labelled]) - {""}) >= MIN_LOCATIONS:
        return site
    labels = np.where(labelled, "x", None)
    return groups_of(catalog.media(), detections, labels, "event")


def soft_labels_of_files(
    files: LabelledFiles, boxed: Mapping[str, Picture] | None = None
) -> SoftLabels:
    """The pictures of a table; one of several categories has an equal share of each.

    boxed: picture as the table writes it -> the same with n boxes of animals, each of them a row; a
    picture that is not in it is taken as a whole, one with n = 0 is left out.
    """
    classes = tuple(sorted({c for row in files.rows for c in row.categories}))
    column = {name: k for k, name in enumerate(classes)}
    ids, target, location, paths, found = [], [], [], [], []
    for row in files.rows:
        share = np.zeros(len(classes), dtype=np.float32)
        share[[column[c] for c in row.categories]] = 1 / len(row.categories)
        mine = (boxed or {}).get(row.file)
        crops = [(row.path, WHOLE)] if mine is None else _crops(mine)
        for number, (path, box) in enumerate(crops):
            ids.append(f"{row.file}:{number}")
            target.append(share)
            location.append(row.location)
            paths.append(path)
            found.append(box)
    if not ids:
        raise InputError("no picture is left to learn from: the detector found no animal on any.")
    values = np.stack(target)
    files_of = np.empty(len(paths), dtype=object)
    files_of[:] = paths
    return SoftLabels(
        np.array(ids, dtype=object), classes, values, values.max(axis=1) == 1,
        np.array(location, dtype=object), files_of, np.array(found, dtype=np.float64),
        notes=list(files.problems))


def _crops(picture: Picture) -> list[tuple[Any, np.ndarray]]:
    """Where the pixels of each box are, and the box."""
    frames = picture.frame_numbers
    if frames is None:
        return [(picture.path, box) for box in picture.boxes]
    return [(FrameOf(picture.path, int(n)), box)
            for n, box in zip(frames, picture.boxes, strict=True)]


__all__ = ["SoftLabels", "gather_soft_labels", "locations_of", "soft_labels_of_files"]
