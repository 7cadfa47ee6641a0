"""What the catalogue gives: frozen tables of parallel arrays, one row a thing.

M media, N detections, L labels. Texts are object arrays of str, "" where nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ecotone.media.location import is_url, join
from ecotone.media.video import FrameOf


@dataclass(frozen=True, eq=False)
class MediaTable:
    """The pictures of a project, in the order they were added.

    id, root, file_path (posix, relative to root), path (absolute), deployment_id, timestamp (ISO
    8601 local time, corrected where the camera's clock was wrong), event_id, content_hash, camera,
    detector, failure (reasons, "" = fine), original_timestamp (as the camera's clock said),
    time_zone (of `timestamp`, "" = nobody said): (M,) str. width, height: (M,) int64 pixels, 0 =
    unknown. Of videos, frame_rate: (M,) float64 mean frames a second, 0 = unknown, NaN for a
    picture; frames: (M,) int64; frames_processed: (M,) tuples of the frame numbers looked at.
    """

    id: np.ndarray
    root: np.ndarray
    file_path: np.ndarray
    path: np.ndarray
    deployment_id: np.ndarray
    deployment_from: np.ndarray
    timestamp: np.ndarray
    event_id: np.ndarray
    content_hash: np.ndarray
    width: np.ndarray
    height: np.ndarray
    camera: np.ndarray
    detector: np.ndarray
    failure: np.ndarray
    original_timestamp: np.ndarray
    time_zone: np.ndarray
    frame_rate: np.ndarray
    frames: np.ndarray
    frames_processed: np.ndarray

    @cached_property  # asked row by row
    def is_video(self) -> np.ndarray:
        """Which media are videos (M,) bool."""
        return ~np.isnan(self.frame_rate)

    @cached_property
    def duration(self) -> np.ndarray:
        """Seconds that media last (M,) float64; 0 for pictures."""
        known = self.is_video & (self.frame_rate > 0)
        return np.where(known, self.frames / np.where(known, self.frame_rate, 1.0), 0.0)

    def picture(self, row: int, frame_number: int = -1) -> str | Path | FrameOf:
        """Where the pixels of a detection are: a file or URL, or a frame of one."""
        text = str(self.path[row])
        path = text if is_url(text) else Path(text)
        return FrameOf(path, max(int(frame_number), 0)) if self.is_video[row] else path

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, eq=False)
class PlaceTable:
    """Where and when the pictures were taken, in the order they were added: id, deployment_id,
    event_id, content_hash, timestamp (corrected): (M,) str, as in `MediaTable`."""

    id: np.ndarray
    deployment_id: np.ndarray
    event_id: np.ndarray
    content_hash: np.ndarray
    timestamp: np.ndarray

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, eq=False)
class DeploymentTable:
    """Deployments: id, location_name, start, end (ISO 8601), time_zone (as given, "" = nobody
    said): (D,) str; latitude, longitude (D,) float64 degrees or NaN; media (D,) int64 number of
    pictures."""

    id: np.ndarray
    location_name: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    media: np.ndarray
    start: np.ndarray
    end: np.ndarray
    time_zone: np.ndarray

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Every label that was ever given, oldest first.

    number, batch (one import): (L,) int64. media_id, detection_id ("" = the whole medium), label
    (the class name), scientific_name, vernacular_name, created, author, source, observation_id (as
    a study calls it), attributes (json of count, sex and the like): (L,) str.
    """

    number: np.ndarray
    batch: np.ndarray
    media_id: np.ndarray
    detection_id: np.ndarray
    label: np.ndarray
    scientific_name: np.ndarray
    vernacular_name: np.ndarray
    created: np.ndarray
    author: np.ndarray
    source: np.ndarray
    observation_id: np.ndarray
    attributes: np.ndarray

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class NewMedium:
    """One picture or video to be registered; `failure` is why it cannot be read, "" when it can.

    frame_rate: None for a picture. chosen: frames to look at, chosen by `sampling`.
    """

    id: str
    root: str
    file_path: str
    deployment_id: str = ""
    deployment_from: str = "folder"
    timestamp: str = ""
    content_hash: str = ""
    width: int = 0
    height: int = 0
    camera: str = ""
    size: int = 0
    modified: int = 0
    failure: str = ""
    frame_rate: float | None = None
    frames: int = 0
    chosen: tuple[int, ...] = ()
    sampling: str = ""


@dataclass(frozen=True)
class KnownFile:
    """What the catalogue knows of a picture's file, to see whether it has changed."""

    id: str
    root: str
    file_path: str
    size: int
    modified: int
    content_hash: str
    failed: bool
    sampling: str = ""
    detector: str = ""


@dataclass(frozen=True)
class NewLabel:
    """One label to be added; `detection_id` is "" for a label of the whole medium.

    author: who gave it, "" = the author of the whole import. observation_id: as its study calls it.
    attributes: json of what else was said (count, lifeStage, sex, behavior, individualID, ...).
    """

    media_id: str
    label: str
    scientific_name: str = ""
    vernacular_name: str = ""
    detection_id: str = ""
    author: str = ""
    observation_id: str = ""
    attributes: str = "{}"


@dataclass(frozen=True)
class DeploymentFacts:
    """What is known of a deployment; "" and None leave what the catalogue has."""

    id: str
    location_name: str = ""
    latitude: float | None = None
    longitude: float | None = None
    start: str = ""
    end: str = ""
    time_zone: str = ""


@dataclass(frozen=True)
class TimeShift:
    """One correction of a deployment's clock: seconds are added to what the camera said.

    time_zone: of the corrected time, "" = the deployment's. number: 0 until it is stored.
    """

    deployment_id: str
    seconds: float
    time_zone: str = ""
    reason: str = ""
    author: str = ""
    created: str = ""
    number: int = 0


@dataclass(frozen=True)
class KeptStudy:
    """A study that was added whole. folder: its tables, below the project's folder. origin: where
    it was read from. summary: identity, time_zone, counts and the like."""

    number: int
    kind: str
    folder: str
    origin: str
    content_hash: str
    created: str
    summary: dict


@dataclass(frozen=True)
class Box:
    """One detection of a medium: x y width height in 0..1, category, confidence, and the frame of
    a video."""

    bbox: tuple[float, float, float, float]
    category: str
    confidence: float
    frame_number: int | None = None


@dataclass(frozen=True)
class Failure:
    """Why a step failed on one medium."""

    media_id: str
    path: str
    step: str
    reason: str
    created: str


@dataclass(frozen=True)
class Run:
    """One execution. status: "running", "done", "failed" or "interrupted"."""

    id: str
    command: str
    started: str
    finished: str
    status: str
    seed: int | None
    settings: dict
    versions: dict
    summary: dict


FEW = 4096  # different values up to which a column keeps one object for equal ones


def columns(
    rows: list[tuple], count: int, seen: list[dict | None] | None = None
) -> list[np.ndarray]:
    """The columns of fetched rows as object arrays; `count` columns even when there is no row.

    seen: one dict a column, kept from block to block, by which equal values of columns with few
    become one object: names of places and cameras, a million times, would take gigabytes.
    """
    if not rows:
        return [np.empty(0, dtype=object) for _ in range(count)]
    out = []
    for number, values in enumerate(zip(*rows, strict=True)):
        known = seen[number] if seen is not None else None
        if seen is not None and known is not None:
            values = [known.setdefault(v, v) for v in values]
            if len(known) > FEW:
                seen[number] = None
        column = np.empty(len(values), dtype=object)
        column[:] = values
        out.append(column)
    return out


def absolute(root: str, file_path: str) -> str:
    """The absolute path, or the URL, of a medium."""
    return join(root, file_path)
