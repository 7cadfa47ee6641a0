"""Rows of what no kept study has: the project's own deployments, pictures and people's labels.

M media; a picture's place, event and times are looked up once for all kinds of rows.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ecotone.ingest.camtrapdp_cells import mediatype_of
from ecotone.ingest.zones import clock_notes, find_zone, zoned
from ecotone.project.answers import type_of
from ecotone.project.gathering import taxonomy_of
from ecotone.project.kept_rows import KeptRows
from ecotone.project.modelling import class_rows
from ecotone.project.times import shift_text, zone_names
from ecotone.store.tables import LabelTable, MediaTable, TimeShift
from ecotone.study import (
    DEPLOYMENT_COLUMNS,
    MEDIA_COLUMNS,
    MORE,
    OBSERVATION_COLUMNS,
    Row,
    blank_row,
)

BBOX = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
MEDIA = (*MEDIA_COLUMNS, *MORE["media"])
OBSERVATIONS = (*OBSERVATION_COLUMNS, *MORE["observations"])


class Place(NamedTuple):
    """Where a picture belongs, in the names that its study uses."""

    medium: str
    deployment: str
    event: str
    start: str
    end: str


@dataclass
class Known:
    """What kept studies hold of the project's pictures. places: media id -> its place.
    observations: ids of observations that labels came from, or that look like a detection's.
    deployments: their ids."""

    places: dict[str, Place] = field(default_factory=dict)
    observations: set[str] = field(default_factory=set)
    deployments: set[str] = field(default_factory=set)


def known_of(studies: list[KeptRows], catalog: Any, labels: LabelTable) -> Known:
    """One pass over the rows of kept studies; of a picture in two of them the first counts."""
    out = Known()
    wanted = set(labels.observation_id)
    for study in studies:
        media_of = catalog.study_media(study.kept.number)
        out.deployments |= {row.get("deploymentID", "") for row in study.study.deployments}
        own: dict[str, Place] = {}
        for row in study.rows("media") if media_of else ():
            medium = media_of.get(row.get("mediaID", ""))
            if medium is not None and medium not in out.places:
                time = row.get("timestamp", "")
                own[medium] = Place(row["mediaID"], row.get("deploymentID", ""),
                                    row.get("eventID", ""), time, time)
        placed = {place.medium: medium for medium, place in own.items()}
        seen: set[str] = set()
        for row in study.rows("observations"):
            name, medium = row.get("observationID", ""), placed.get(row.get("mediaID", ""))
            if name in wanted or ":" in name:
                out.observations.add(name)
            if medium is not None and row.get("eventID") and medium not in seen:
                seen.add(medium)
                own[medium] = own[medium]._replace(
                    event=row["eventID"], start=row.get("eventStart", ""),
                    end=row.get("eventEnd", ""))
        out.places.update(own)
    return out


class OwnRows:
    """Maker of the project's own rows, beside those of kept studies.

    notes: what to tell of their times.
    """

    def __init__(self, project: Any, known: Known, labels: LabelTable) -> None:
        self.project, self.known, self.labels = project, known, labels
        self.catalog = project.catalog
        self.media: MediaTable = self.catalog.media()
        self.zones = zone_names(self.media, project.config.time_zone)
        self.row_of = {m: row for row, m in enumerate(self.media.id)}
        self.paths = relative_paths(self.media)
        self.own = np.array([m not in known.places for m in self.media.id], dtype=bool)
        self._spans = self._event_spans()
        rows = class_rows(sorted(set(labels.label)), self.catalog.label_names(),
                          taxonomy_of(self.catalog, {}))
        self._latin = {row["label"]: row["scientificName"] for row in rows}

    @property
    def notes(self) -> list[str]:
        """What to tell of the times of pictures that no study has."""
        out = []
        for zone in dict.fromkeys(self.zones[self.own]):
            rows = self.own & (self.zones == zone)
            if zone:
                out += clock_notes(self.media.timestamp[rows], zone, "pictures")
            elif (self.media.timestamp[rows] != "").any():
                out.append(
                    f"{int(rows.sum()):,} pictures have no time zone: ecotone fix-time "
                    "--time-zone, or time_zone in ecotone.toml"
                )
        untimed = int((self.own & (self.media.timestamp == "")).sum())
        return out + ([f"{untimed:,} pictures have no time"] if untimed else [])

    def _event_spans(self) -> dict[str, tuple[str, str]]:
        """Event -> its first and last time, as clocks show them."""
        spans: dict[str, tuple[str, str]] = {}
        for event, time in zip(self.media.event_id, self.media.timestamp, strict=True):
            if event:
                first, last = spans.get(event, (time, time))
                spans[event] = (min(first, time), max(last, time))
        return spans

    def place(self, medium: str) -> Place:
        """Where a picture belongs: by its study, else by the catalogue."""
        kept = self.known.places.get(medium)
        if kept is not None and kept.event:
            return kept
        row = self.row_of[medium]
        event, zone = self.media.event_id[row], find_zone(self.zones[row])
        if kept is not None:
            return kept._replace(event=event)
        time = self.media.timestamp[row]
        first, last = self._spans.get(event, (time, time))
        return Place(medium, self.media.deployment_id[row], event, zoned(first, zone),
                     zoned(last, zone))

    def deployments(self) -> Iterator[Row]:
        """Deployments of pictures here that no kept study has."""
        table, shifts = self.catalog.deployments(), self.catalog.time_shifts()
        used = set(self.media.deployment_id[self.own])
        cameras: dict[str, str] = {}
        for place, camera in zip(self.media.deployment_id, self.media.camera, strict=True):
            if camera:
                cameras.setdefault(place, camera)
        for n, name in enumerate(table.id):
            if name not in used or name in self.known.deployments:
                continue
            shift = shifts.get(name, [TimeShift(name, 0.0)])[-1]
            zone = find_zone(shift.time_zone or table.time_zone[n] or self.project.config.time_zone)
            yield blank_row(
                DEPLOYMENT_COLUMNS, deploymentID=name,
                locationName=table.location_name[n] or name,
                latitude=_degrees(table.latitude[n]), longitude=_degrees(table.longitude[n]),
                deploymentStart=zoned(table.start[n], zone),
                deploymentEnd=zoned(table.end[n], zone),
                cameraModel=cameras.get(name, ""),
                timestampIssues="true" if shift.seconds else "",
                deploymentComments=_comment(shift),
            )

    def media_rows(self) -> Iterator[Row]:
        """Pictures that no kept study has."""
        media = self.media
        for row in np.flatnonzero(self.own):
            path = self.paths[row]
            failure = media.failure[row]
            yield blank_row(
                MEDIA, mediaID=media.id[row], deploymentID=media.deployment_id[row],
                timestamp=zoned(media.timestamp[row], find_zone(self.zones[row])), filePath=path,
                filePublic="false", fileName=posixpath.basename(path),
                fileMediatype=mediatype_of(path) or "image/jpeg",
                mediaComments=f"cannot be read: {failure}" if failure else "",
                width=str(media.width[row] or ""), height=str(media.height[row] or ""),
                eventID=media.event_id[row],
            )

    def people(self) -> Iterator[Row]:
        """People's labels that count now and stand in no kept study."""
        table, boxes = self.labels, {}
        if any(table.detection_id):
            detections = self.catalog.detections()
            boxes = dict(zip(detections.id, detections.bbox, strict=True))
        taken, videos = set(self.known.observations), set()
        silent = said_anew(table, boxes, self.catalog.replaced_boxes())
        for n in current_rows(table):
            if n in silent:
                continue
            one = (table.media_id[n], table.label[n], table.batch[n])
            if table.detection_id[n] and self.media.is_video[self.row_of.get(one[0], 0)]:
                if one in videos:  # the frames of an animal that were named at once
                    continue
                videos.add(one)
            name = table.observation_id[n]
            if name and name in self.known.observations and self._from_study(n):
                continue
            if table.media_id[n] not in self.row_of:
                continue
            identity = name if name and name not in taken else f"label-{table.number[n]}"
            taken.add(identity)
            yield self._person(n, identity, boxes.get(table.detection_id[n]))

    def _from_study(self, n: int) -> bool:
        return str(self.labels.source[n]).startswith("sources/")

    def _person(self, n: int, identity: str, box: np.ndarray | None) -> Row:
        table, place = self.labels, self.place(self.labels.media_id[n])
        said: Mapping[str, str] = json.loads(table.attributes[n])
        label = table.label[n]
        kind = type_of(label)
        row = blank_row(
            OBSERVATIONS, eventID=place.event, eventStart=place.start, eventEnd=place.end,
            observationType=kind, vernacularName=table.vernacular_name[n],
            scientificName="" if kind == "blank" else (
                table.scientific_name[n] or self._latin[label]),
            # When it was given; of a study's labels only the study knows.
            classificationTimestamp="" if self._from_study(n) else table.created[n],
        )
        if box is not None:
            row.update(box_cells(box))
        row.update({k: v for k, v in said.items() if k in row})
        side = said.get("viewpoint", "")
        if side and not row["observationTags"]:
            row["observationTags"] = f"viewpoint:{side}"
        row.update(
            observationID=identity, deploymentID=place.deployment, mediaID=place.medium,
            observationLevel="media", classificationMethod="human", classifiedBy=table.author[n],
        )
        if label != row["scientificName"]:
            row["label"] = label
        return row


def current_rows(table: LabelTable) -> list[int]:
    """Rows of the labels that count now: those of the newest import of each medium or box."""
    newest: dict[str, int] = {}
    units = [d or m for d, m in zip(table.detection_id, table.media_id, strict=True)]
    for unit, batch in zip(units, table.batch, strict=True):
        newest[unit] = max(batch, newest.get(unit, 0))
    return [n for n, unit in enumerate(units) if table.batch[n] == newest[unit]]


def said_anew(table: LabelTable, boxes: Iterable[str], replaced: set[str]) -> set[int]:
    """Rows that newer ones say anew: of a picture each of whose boxes (ids) has a newer label of
    its own, and of boxes that a person's box stands for, which has their label."""
    own: dict[str, int] = {}
    for detection, number in zip(table.detection_id, table.number, strict=True):
        if detection:
            own[detection] = max(int(number), own.get(detection, 0))
    oldest: dict[str, int] = {}  # newest own label of the box of a picture that has the oldest one
    for detection in boxes if own else ():
        medium = detection.rpartition(":")[0]
        number = own.get(detection, 0)
        oldest[medium] = min(number, oldest.get(medium, number))
    return {n for n, (d, m) in enumerate(zip(table.detection_id, table.media_id, strict=True))
            if d in replaced or (not d and oldest.get(m, 0) > table.number[n])}


def relative_paths(media: MediaTable) -> np.ndarray:
    """Paths (M,) of pictures relative to their root, or to what several roots have in common."""
    roots = sorted(set(media.root))
    if len(roots) < 2:
        return media.file_path
    try:
        common = posixpath.commonpath([r.replace("\\", "/") for r in roots])
    except ValueError:  # on several drives
        return media.file_path
    out = media.file_path.copy()
    below = {r: posixpath.relpath(r.replace("\\", "/"), common) for r in roots}
    out[:] = [posixpath.normpath(f"{below[r]}/{f}")
              for r, f in zip(media.root, media.file_path, strict=True)]
    return out


def box_cells(box: np.ndarray) -> dict[str, str]:
    """The four cells of a box, inside the picture; none for the whole of it."""
    x, y, width, height = (round(float(v), 6) for v in box)
    if (x, y, width, height) == (0.0, 0.0, 1.0, 1.0):
        return {}
    numbers = (x, y, min(width, 1.0 - x), min(height, 1.0 - y))
    return {name: f"{v:.6g}" for name, v in zip(BBOX, numbers, strict=True)}


def _degrees(value: float) -> str:
    return "" if value != value else f"{value:.7f}".rstrip("0").rstrip(".")


def _comment(shift: TimeShift) -> str:
    if not shift.seconds:
        return ""
    why = f" ({shift.reason})" if shift.reason else ""
    return f"times corrected by {shift_text(shift.seconds)} from what the camera said{why}"

