"""What the page knows of all detections: parallel arrays that fit in memory, read once.

N detections in use, M media, K local classes; T top classes of each detection are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.project.records import LATEST

TOP = 5
BLOCK = 16384
HUMAN = 0.1  # probability of a person from which a picture is not shown sharp


@dataclass(eq=False)
class Table:
    """Detections and media.

    id: (N,) str. medium: (N,) row of its medium. bbox: (N, 4). category: (N,) str. used: (N,) bool,
    False for a box that a person has replaced since. media_id, file_path, timestamp: (M,) str.
    site, event: (M,) numbers into `sites` and `events`, -1 for none. frame: (N,) of a video, -1
    for a picture. frame_rate: (M,), NaN for pictures. videos: ids of the media that are videos.
    """

    id: np.ndarray
    medium: np.ndarray
    bbox: np.ndarray
    category: np.ndarray
    used: np.ndarray
    media_id: np.ndarray
    root: np.ndarray
    file_path: np.ndarray
    timestamp: np.ndarray
    version: np.ndarray
    site: np.ndarray
    sites: list[str]
    event: np.ndarray
    events: list[str]
    frame: np.ndarray
    frame_rate: np.ndarray
    videos: frozenset[str]
    row_of: dict[str, int] = field(default_factory=dict)
    media_row: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.id)

    def rows_of_media(self, medium: int) -> np.ndarray:
        """Rows of the detections in use of one medium."""
        return np.flatnonzero((self.medium == medium) & self.used)

    def burst(self, medium: int) -> np.ndarray:
        """Rows of the media of the same event, by time; the medium alone when it has none."""
        if self.event[medium] < 0:
            return np.array([medium])
        found = np.flatnonzero(self.event == self.event[medium])
        return found[np.lexsort((self.file_path[found], self.timestamp[found]))]

    def add(self, identity: str, like: int, bbox: Sequence[float]) -> int:
        """Append a detection on the medium of row `like`; its row."""
        self.medium = np.append(self.medium, self.medium[like])
        self.bbox = np.vstack([self.bbox, np.asarray(bbox, dtype=np.float32)])
        self.category = np.append(self.category, self.category[like])
        self.used = np.append(self.used, True)
        self.frame = np.append(self.frame, self.frame[like])
        self.id = np.append(self.id, np.array([identity], dtype=object))
        self.row_of[identity] = len(self.id) - 1
        return len(self.id) - 1


def read_table(catalog: Any) -> Table:
    """Read detections and media of a catalogue."""
    media, detections = catalog.media(), catalog.detections()
    media_row = {name: row for row, name in enumerate(media.id.tolist())}
    medium = np.fromiter(
        (media_row[m] for m in detections.media_id), dtype=np.int32, count=len(detections)
    )
    sites, site = _codes(media.deployment_id)
    events, event = _codes(media.event_id)
    return Table(
        detections.id, medium, detections.bbox, detections.category,
        np.ones(len(detections), dtype=bool), media.id, media.root, media.file_path,
        media.timestamp, media.content_hash, site, sites, event, events,
        detections.frame_number, media.frame_rate, frozenset(media.id[media.is_video].tolist()),
        {name: row for row, name in enumerate(detections.id.tolist())}, media_row,
    )


def _codes(values: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Distinct values in order, "" left out, and the number (M,) of each, -1 for ""."""
    names = sorted(set(values.tolist()) - {""})
    number = {name: code for code, name in enumerate(names)}
    return names, np.fromiter(
        (number.get(v, -1) for v in values), dtype=np.int32, count=len(values)
    )


@dataclass(eq=False)
class Answers:
    """What the newest fusion says. run: "" before the first. classes: K names. top: (N, T) columns,
    best first, -1 where nothing is known. p: (N, T). human: (N,) probability of a person.
    surprise: row -> probability of the label that a person gave, where models had not seen it."""

    run: str
    classes: tuple[str, ...]
    top: np.ndarray
    p: np.ndarray
    human: np.ndarray
    held: dict[str, tuple[str, float]] = field(default_factory=dict)

    def grown(self, n: int) -> Answers:
        """The same for n detections: nothing is known of the added ones."""
        more = n - len(self.top)
        if more <= 0:
            return self
        return Answers(
            self.run, self.classes,
            np.vstack([self.top, np.full((more, TOP), -1, dtype=self.top.dtype)]),
            np.vstack([self.p, np.zeros((more, TOP), dtype=self.p.dtype)]),
            np.append(self.human, np.zeros(more, dtype=self.human.dtype)), self.held,
        )


def read_answers(project: Any, table: Table) -> Answers:
    """The T most probable classes of every detection by the newest fusion."""
    from ecotone.errors import ProjectError
    from ecotone.project.records import read_record
    from ecotone.store.vectors import read_posteriors

    n = len(table)
    out = Answers(
        "", (), np.full((n, TOP), -1, dtype=np.int16), np.zeros((n, TOP), dtype=np.float32),
        np.zeros(n, dtype=np.float32),
    )
    run = (project.catalog.note(LATEST) or {}).get("run", "")
    if not run:
        return out
    try:
        found, record = read_posteriors(project.catalog, project.vectors, run), read_record(project)
    except ProjectError:  # a run whose files were taken away: as if there were none
        return out
    rows = np.fromiter(
        (table.row_of.get(i, -1) for i in found.id), dtype=np.int64, count=len(found)
    )
    person = person_columns(found.classes)
    for start in range(0, len(found), BLOCK):
        part, here = found.values[start : start + BLOCK], rows[start : start + BLOCK]
        part, here = part[here >= 0], here[here >= 0]
        most = min(TOP, part.shape[1])
        order = np.argsort(-part, axis=1, kind="stable")[:, :most]
        out.top[here, :most] = order
        out.p[here, :most] = np.take_along_axis(part, order, axis=1)
        out.human[here] = part[:, person].sum(axis=1)
    return Answers(run, found.classes, out.top, out.p, out.human, _held(record))


def person_columns(classes: Sequence[str]) -> list[int]:
    """Columns of classes that mean a person."""
    from ecotone.taxonomy.names import parse_label

    return [k for k, name in enumerate(classes) if parse_label(name).special == "human"]


def _held(record: dict[str, Any]) -> dict[str, tuple[str, float]]:
    """Detection -> (best class, its probability) as foretold without the detection's own label."""
    held, classes = record.get("out_of_fold") or {}, record.get("classes") or ()
    out = {}
    for identity, proba in zip(held.get("ids", ()), held.get("proba", ()), strict=True):
        best = int(np.argmax(proba))
        out[identity] = (classes[best], float(proba[best]))
    return out
