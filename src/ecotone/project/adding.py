"""`ecotone add`: pictures, labels and a taxonomy; boxes and scores are in `adding_results`.

Everything here may be interrupted and started again, and adding the same thing twice changes
nothing.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.errors import ProjectError
from ecotone.ingest import labels as label_files
from ecotone.ingest.events import event_ids
from ecotone.ingest.folder import Picture, deployment_of, describe, list_pictures, media_id
from ecotone.ingest.matching import MediaIndex
from ecotone.ingest.taxonomy_file import read_taxonomy
from ecotone.ingest.text import some
from ecotone.store.tables import KnownFile, LabelTable, MediaTable, NewLabel, NewMedium, absolute

Progress = Callable[[int, int | None, str], None]
CHUNK = 512  # pictures registered in one transaction


@dataclass(frozen=True)
class AddReport:
    """What an `add` did: how many were added, updated, already there; and what could not be used,
    one line a reason."""

    added: int = 0
    updated: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)


def add_images(project: Any, folder: Path, progress: Progress | None = None) -> AddReport:
    """Register the pictures of a folder and its subfolders.

    Pictures stay where they are. Time, camera and size come from the file; the deployment is the
    folder. A file that was changed since is looked at again, one that was moved together with its
    root is found again by its content. What cannot be read is kept with the reason.
    Raises InputError when there is no such folder.
    """
    root = folder.resolve()
    say = progress or (lambda done, total, text: None)
    listing = list_pictures(root)
    if not listing.files:
        return AddReport(0, 0, 0, [
            f"{folder}: no pictures (jpg, png, tif, webp, bmp) in this folder or below it",
            *listing.problems,
        ])
    catalog = project.catalog
    register = _Register(catalog.files(), root)
    waiting = [f for f in listing.files if not register.is_known(f)]
    skipped = len(listing.files) - len(waiting)
    done = skipped
    say(done, len(listing.files), "pictures")
    for files, pictures in _described(root, waiting, project.config.workers):
        new, changed = register.sort(files, pictures)
        with catalog.transaction():
            catalog.add_media(new)
            catalog.update_media(changed)
        done += len(files)
        say(done, len(listing.files), "pictures")
    renew_events(catalog, project.config.event_gap)
    problems = list(listing.problems)
    if register.failed:
        problems.append(
            f"{len(register.failed):,} pictures cannot be read (kept, and tried again next time): "
            + some(register.failed)
        )
    skipped += register.same
    return AddReport(register.added, register.updated, skipped, problems)


def _described(
    root: Path, files: Sequence[str], workers: int
) -> Iterator[tuple[Sequence[str], list[Picture]]]:
    threads = workers or min(8, 2 * (os.cpu_count() or 1))
    # Pillow warns of odd headers; set for all threads here, since filters are not thread-safe.
    with ThreadPoolExecutor(threads) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for start in range(0, len(files), CHUNK):
            chunk = files[start : start + CHUNK]
            yield chunk, list(pool.map(lambda f: describe(root / f), chunk))


class _Register:
    """Tells new, changed, moved and unchanged files apart."""

    def __init__(self, known: Iterable[KnownFile], root: Path) -> None:
        self.root = root
        self.by_path: dict[str, KnownFile] = {}
        self.by_place: dict[str, list[KnownFile]] = defaultdict(list)
        for file in known:
            self.by_path[absolute(file.root, file.file_path)] = file
            if file.root != str(root):
                self.by_place[file.file_path].append(file)
        self.ids = {file.id for file in self.by_path.values()}
        self.added = self.updated = self.same = 0
        self.failed: list[str] = []

    def is_known(self, file: str) -> bool:
        """Whether the catalogue has this file as it is now, and could read it."""
        before = self.by_path.get(absolute(str(self.root), file))
        if before is None or before.failed:
            return False
        try:
            status = os.stat(self.root / file)
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (before.size, before.modified)

    def sort(
        self, files: Sequence[str], pictures: Sequence[Picture]
    ) -> tuple[list[NewMedium], list[NewMedium]]:
        """The media to be added, and those to be renewed."""
        new, changed = [], []
        for file, picture in zip(files, pictures, strict=True):
            before = self.by_path.get(absolute(str(self.root), file)) or self._moved(file, picture)
            if picture.failure:
                self.failed.append(f"{file} ({picture.failure})")
            if before is None:
                new.append(self._medium(self._new_id(file), str(self.root), file, picture))
                self.added += 1
                continue
            # A root inside another root adds the same files: the first one keeps them.
            inside = absolute(before.root, before.file_path) == absolute(str(self.root), file)
            place = (before.root, before.file_path) if inside else (str(self.root), file)
            medium = self._medium(before.id, *place, picture)
            if before.failed and picture.failure or self._unchanged(before, medium):
                self.same += 1
            else:
                changed.append(medium)
                self.updated += 1
        return new, changed

    def _unchanged(self, before: KnownFile, medium: NewMedium) -> bool:
        then = (before.root, before.content_hash, before.size, before.modified, before.failed)
        return then == (medium.root, medium.content_hash, medium.size, medium.modified, False)

    def _moved(self, file: str, picture: Picture) -> KnownFile | None:
        for before in self.by_place.get(file, ()):
            same = before.content_hash and before.content_hash == picture.content_hash
            if same and not os.path.exists(absolute(before.root, before.file_path)):
                return before
        return None

    def _new_id(self, file: str) -> str:
        found = media_id(file)
        if found in self.ids:  # the same path in another root
            found = media_id(file, str(self.root))
        self.ids.add(found)
        return found

    @staticmethod
    def _medium(identity: str, root: str, file: str, picture: Picture) -> NewMedium:
        deployment, said_by = deployment_of(file, Path(root).name)
        return NewMedium(
            identity, root, file, deployment, said_by, picture.timestamp, picture.content_hash,
            picture.width, picture.height, picture.camera, picture.size, picture.modified,
            picture.failure,
        )


def renew_events(catalog: Any, gap: float) -> None:
    """Group the pictures of each deployment into events; only what changed is written."""
    media = catalog.media()
    events = event_ids(media.deployment_id, media.timestamp, gap)
    catalog.set_events({
        m: new for m, new, old in zip(media.id, events, media.event_id, strict=True) if new != old
    })


def add_labels(project: Any, file: Path, author: str = "") -> AddReport:
    """Add the labels that people gave, from a csv file; see `ecotone.ingest.labels` for columns.

    A row that says of a picture what this file (or this author) said of it before adds nothing.
    Locations in the file become deployments where the folders tell no places apart, times fill in
    where the pictures have none.
    Raises FormatError when the file is no table of labels, ProjectError without pictures.
    """
    read = label_files.read_labels(file)
    catalog = project.catalog
    media = need_media(catalog)
    placed, problems = _place(catalog, media, read.rows, file)
    table = catalog.labels()
    names = label_files.class_names([row for row, _, _ in placed], catalog.label_names())
    given: dict[str, dict[str, NewLabel]] = defaultdict(dict)
    for (row, medium, detection), name in zip(placed, names, strict=True):
        given[detection or medium].setdefault(
            name, NewLabel(medium, name, row.scientific_name, row.vernacular_name, detection)
        )
    source = str(file.resolve())
    fresh, skipped = _news(given, table, author, source)
    rows = [row for row, _, _ in placed]
    where = [medium for _, medium, _ in placed]
    with catalog.transaction():
        added = catalog.add_labels(fresh, author, source)
        updated = _update_media(catalog, media, rows, where)
    renew_events(catalog, project.config.event_gap)
    problems += _ambiguous(catalog, media, set(where))
    return AddReport(added, updated, skipped, [*read.problems, *problems])


def need_media(catalog: Any) -> MediaTable:
    """The media of a project.

    Raises ProjectError when there are none.
    """
    media = catalog.media()
    if not len(media):
        raise ProjectError(
            "no pictures in this project yet; add them first: ecotone add images FOLDER"
        )
    return media


Placed = tuple[label_files.LabelRow, str, str]  # row, media id, detection id or ""


def _place(
    catalog: Any, media: MediaTable, rows: Sequence[label_files.LabelRow], file: Path
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


def _box_of(row: label_files.LabelRow, here: tuple[list[str], list[Any]] | None) -> str:
    """The detection that a row's box means, "" for the whole picture."""
    from ecotone.ingest.boxes import pair_boxes

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
    catalog: Any, media: MediaTable, rows: Sequence[label_files.LabelRow], where: Sequence[str]
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


def add_taxonomy(project: Any, file: Path) -> AddReport:
    """Add taxa to the project's taxonomy; see `ecotone.ingest.taxonomy_file` for the formats.

    Raises FormatError when the file is no taxonomy, TaxonomyError when it makes no tree.
    """
    from ecotone.taxonomy.tree import Taxonomy

    catalog = project.catalog
    known = catalog.note("taxonomy") or []
    place = {_taxon_key(row): n for n, row in enumerate(known)}
    merged = list(known)
    added = updated = skipped = 0
    for row in read_taxonomy(file):
        n = place.setdefault(_taxon_key(row), len(merged))
        if n == len(merged):
            merged.append(row)
            added += 1
        elif merged[n] == row:
            skipped += 1
        else:
            merged[n] = {**merged[n], **{k: v for k, v in row.items() if v}}
            updated += 1
    if added or updated:
        Taxonomy.from_rows(merged)
        catalog.set_note("taxonomy", merged)
    return AddReport(added, updated, skipped)


def _taxon_key(row: Mapping[str, str]) -> tuple[str, ...]:
    if row.get("taxonID"):
        return (row["taxonID"],)
    return row["scientificName"].casefold(), row["vernacularName"].casefold()


def add_detections(project: Any, file: Path) -> AddReport:
    """Add a detector's boxes; see `ecotone.project.adding_results`."""
    from ecotone.project.adding_results import add_detections as add

    return add(project, file)


def add_scores(project: Any, file: Path, name: str | None = None) -> AddReport:
    """Add the scores of a global model; see `ecotone.project.adding_results`."""
    from ecotone.project.adding_results import add_scores as add

    return add(project, file, name)


__all__ = [
    "AddReport", "add_detections", "add_images", "add_labels", "add_scores", "add_taxonomy",
]
