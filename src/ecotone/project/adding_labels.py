"""`ecotone add labels`: from rows of a csv file to labels, deployments and times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
    names = class_names([row for row, _, _ in placed], catalog.label_names())
    given: dict[str, dict[str, NewLabel]] = defaultdict(dict)
    for (row, medium, detection), name in zip(placed, names, strict=True):
        given[detection or medium].setdefault(
            name, NewLabel(medium, name, row.scientific_name, row.vernacular_name, detection)
        )
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
    newest: dict[str, tuple[int, str, set[str]]] = {}
    here: dict[str, tuple[int, set[str]]] = {}
    for batch, medium, detection, label, who, where in zip(
        table.batch, table.media_id, table.detection_id, table.label, table.author, table.source,
        strict=True,
    ):
        unit = detection or medium
        if unit not in newest or newest[unit][0] != batch:
            newest[unit] = (batch, who, set())
        newest[unit][2].add(label)
        if (who, where) == (author, source):
            if unit not in here or here[unit][0] != batch:
                here[unit] = (batch, set())
            here[unit][1].add(label)
    fresh, skipped = [], 0
    for unit, labels in given.items():
        names = set(labels)
        said = newest.get(unit)
        before = here.get(unit, (0, set()))[1]
        if before == names or (said is not None and said[1] == author and said[2] == names):
            skipped += len(labels)
        else:
            fresh += labels.values()
    return fresh, skipped


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
