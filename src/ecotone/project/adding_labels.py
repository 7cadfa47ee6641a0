"""`ecotone add labels`: from rows of a csv file to labels, deployments and times."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecotone.ingest.boxes import pair_boxes
from ecotone.ingest.labels import LabelRow, class_names, read_labels
from ecotone.ingest.matching import MediaIndex
from ecotone.ingest.text import some
from ecotone.project.adding import AddReport, Progress, need_media, renew_events, sayer
from ecotone.store.tables import LabelTable, MediaTable, NewLabel


def add_labels(
    project: Any, file: Path, author: str = "", progress: Progress | None = None
) -> AddReport:
    """Add the labels that people gave, from a csv file; see `ecotone.ingest.labels` for columns.

    A row that says of a picture what this file (or this author) said of it before adds nothing.
    Locations in the file become deployments where the folders tell no places apart, times fill in
    where the pictures have none.
    Raises FormatError when the file is no table of labels, ProjectError without pictures.
    """
    say = sayer(progress)
    say(0, None, f"reading {file.name}")
    read = read_labels(file)
    catalog = project.catalog
    media = need_media(catalog)
    placed, problems = _place(catalog, media, read.rows, file)
    table = catalog.labels()
    placed, nameless = _with_names(catalog, placed, file)
    given, two = _given(placed, class_names([row for row, _, _ in placed], catalog.label_names()))
    problems += [*nameless, *two]
    source = str(file.resolve())
    fresh, skipped = _news(given, table, author, source)
    rows = [row for row, _, _ in placed]
    where = [medium for _, medium, _ in placed]
    say(0, None, "storing labels")
    with catalog.transaction():
        added = catalog.add_labels(fresh, author, source)
        updated = _update_media(catalog, media, rows, where)
    renew_events(catalog, project.config.event_gap, project.config.time_zone)
    problems += _ambiguous(catalog, media, set(where))
    return AddReport(added, updated, skipped, [*read.problems, *problems])


Placed = tuple[LabelRow, str, str]  # row, media id, detection id or ""
Given = dict[str, dict[str, NewLabel]]  # detection or media id -> class -> label


def _with_names(
    catalog: Any, placed: Sequence[Placed], file: Path
) -> tuple[list[Placed], list[str]]:
    """Rows that name an individual alone get the class that the picture has; without one they are
    left out, and told."""
    if all(row.named for row, _, _ in placed):
        return list(placed), []
    current = catalog.current_labels()
    of_medium: dict[str, set[str]] = defaultdict(set)
    for detection, label in current.items():
        of_medium[detection.rpartition(":")[0]].add(label)
    out, lost = [], []
    for row, medium, detection in placed:
        labels = {current[detection]} if detection in current else of_medium.get(medium, set())
        if row.named:
            out.append((row, medium, detection))
        elif len(labels) == 1:
            out.append((replace(row, label=next(iter(labels))), medium, detection))
        else:
            lost.append(str(row.line))
    if not lost:
        return out, []
    return out, [f"{file.name}: {len(lost):,} rows name an individual but no species, and the "
                 f"picture has none either (add a column scientificName): row {some(lost)}"]


def _given(placed: Sequence[Placed], names: Sequence[str]) -> tuple[Given, list[str]]:
    """The labels by what they are of, and what to tell of pictures with several individuals."""
    given: Given = defaultdict(dict)
    several: dict[str, None] = {}
    for (row, medium, detection), name in zip(placed, names, strict=True):
        here = given[detection or medium]
        label = NewLabel(medium, name, row.scientific_name, row.vernacular_name, detection,
                         attributes=individual_json(row.individual, row.viewpoint))
        before = here.setdefault(name, label)
        if before.attributes != label.attributes:
            several[row.path or medium] = None
            here[name] = replace(before, attributes="{}")
    if not several:
        return given, []
    return given, [
        f"{len(several):,} pictures name several individuals or viewpoints of one species that no "
        f"box tells apart; their individuals are left out: {some(list(several))}"]


def individual_json(individual: str, viewpoint: str) -> str:
    """The attributes of a label that says who it is, and which side is seen."""
    said = {"individualID": individual, "viewpoint": viewpoint}
    return json.dumps({k: v for k, v in said.items() if v}, ensure_ascii=False)


def _place(
    catalog: Any, media: MediaTable, rows: Sequence[LabelRow], file: Path
) -> tuple[list[Placed], list[str]]:
    """The picture (and box) of each row, and what to tell of rows without one."""
    known = set(media.id)
    boxes: dict[str, tuple[list[str], list[Any]]] = {}
    if any(row.detection_id or row.bbox for row in rows):
        boxes = boxes_by_medium(catalog)
    found: dict[int, tuple[str, str]] = {}
    by_path = []
    for position, row in enumerate(rows):
        medium = row.detection_id.rpartition(":")[0]
        if medium in known and row.detection_id in boxes.get(medium, ([], []))[0]:
            found[position] = (medium, row.detection_id)
        elif row.media_id in known:
            found[position] = (row.media_id, _box_of(row, boxes.get(row.media_id)))
        else:
            by_path.append(position)
    texts = [rows[p].path or rows[p].media_id or rows[p].detection_id for p in by_path]
    matches = MediaIndex(media.path, media.file_path).find(texts, file.parent)
    for position, medium in zip(by_path, matches.rows, strict=True):
        if medium >= 0:
            identity = media.id[medium]
            found[position] = (identity, _box_of(rows[position], boxes.get(identity)))
    placed = [(rows[p], *found[p]) for p in sorted(found)]
    return placed, matches.problems(file.name)


def boxes_by_medium(catalog: Any) -> dict[str, tuple[list[str], list[Any]]]:
    """Media id -> (detection ids, boxes) in use."""
    detections = catalog.detections()
    out: dict[str, tuple[list[str], list[Any]]] = defaultdict(lambda: ([], []))
    for identity, medium, box in zip(
        detections.id, detections.media_id, detections.bbox, strict=True
    ):
        out[medium][0].append(identity)
        out[medium][1].append(box)
    return dict(out)


def _box_of(row: LabelRow, here: tuple[list[str], list[Any]] | None) -> str:
    """The detection that a row's box means, "" for the whole picture."""
    if row.bbox is None or here is None:
        return ""
    (pair,) = pair_boxes([row.bbox], here[1])
    return here[0][pair] if pair >= 0 else ""


def _news(
    given: Mapping[str, Mapping[str, NewLabel]], table: LabelTable, author: str, source: str
) -> tuple[list[NewLabel], int]:
    """The labels that say something new, and how many do not."""
    newest: dict[str, tuple[int, str, dict[str, str]]] = {}
    here: dict[str, tuple[int, dict[str, str]]] = {}
    for batch, medium, detection, label, who, where, attributes in zip(
        table.batch, table.media_id, table.detection_id, table.label, table.author, table.source,
        table.attributes, strict=True,
    ):
        unit = detection or medium
        if unit not in newest or newest[unit][0] != batch:
            newest[unit] = (batch, who, {})
        newest[unit][2][label] = attributes
        if (who, where) == (author, source):
            if unit not in here or here[unit][0] != batch:
                here[unit] = (batch, {})
            here[unit][1][label] = attributes
    fresh, skipped = [], 0
    for unit, labels in given.items():
        said = newest.get(unit)
        before = here.get(unit, (0, {}))[1]
        if _says(before, labels) or (
            said is not None and said[1] == author and _says(said[2], labels)
        ):
            skipped += len(labels)
        else:
            fresh += labels.values()
    return fresh, skipped


def _says(before: Mapping[str, str], labels: Mapping[str, NewLabel]) -> bool:
    """Whether labels with these attributes hold all that new ones say."""
    if set(before) != set(labels):
        return False
    for name, label in labels.items():
        if label.attributes != "{}" and label.attributes != before[name]:
            said, old = json.loads(label.attributes), json.loads(before[name])
            if any(old.get(key) != value for key, value in said.items()):
                return False
    return True


def _update_media(
    catalog: Any, media: MediaTable, rows: Sequence[LabelRow], where: Sequence[str]
) -> int:
    """Deployments and times that the labels tell; how many media changed."""
    row_of = {m: n for n, m in enumerate(media.id)}
    several = _told_apart(media)
    deployments, times = {}, {}
    for row, medium in zip(rows, where, strict=True):
        n = row_of[medium]
        weak = media.deployment_from[n] != "folder" or media.root[n] not in several
        if row.location and weak and media.deployment_id[n] != row.location:
            deployments[medium] = row.location
        if row.timestamp and not media.timestamp[n]:
            times[medium] = row.timestamp
    catalog.set_deployments(deployments)
    catalog.set_timestamps(times)
    return len(deployments.keys() | times.keys())


def _told_apart(media: MediaTable) -> set[str]:
    """Roots whose folders tell deployments apart."""
    found: dict[str, set[str]] = defaultdict(set)
    for root, deployment, said_by in zip(
        media.root, media.deployment_id, media.deployment_from, strict=True
    ):
        if said_by == "folder":
            found[root].add(deployment)
    return {root for root, deployments in found.items() if len(deployments) > 1}


def _ambiguous(catalog: Any, media: MediaTable, touched: set[str]) -> list[str]:
    path_of = dict(zip(media.id, media.file_path, strict=True))
    found = [
        f"{path_of[m]} ({', '.join(labels)})" for m, labels in catalog.ambiguous_labels()
        if m in touched
    ]
    if not found:
        return []
    return [
        f"{len(found):,} pictures have several labels that no box tells apart, kept but not "
        f"learned from: {some(found)}"
    ]
