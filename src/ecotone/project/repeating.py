"""False alarms that come back: the same box at the same camera, found by `context.find_repeats`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

EMPTY = ("blank", "vehicle")  # labels that do not say that an animal is in the box


@dataclass(frozen=True)
class RepeatGroup:
    """One box that comes back. box: x y width height in 0..1. example: a detection in it."""

    number: int
    place: str
    box: tuple[float, ...]
    pictures: int
    occasions: int
    days: int
    why: str
    example: str


@dataclass(frozen=True)
class Repeated:
    """The groups, the most suspicious first, and the group of each detection in one."""

    groups: list[RepeatGroup] = field(default_factory=list)
    group_of: dict[str, int] = field(default_factory=dict)


def find_repeated(project: Any) -> Repeated:
    """Boxes that come back too often in the same place to be animals; nothing is deleted.

    Boxes in which a person saw an animal are none.
    """
    from ecotone.context import find_repeats
    from ecotone.project.answers import type_of

    catalog = project.catalog
    detections, media = catalog.detections(), catalog.media()
    if not len(detections):
        return Repeated()
    row_of = {medium: row for row, medium in enumerate(media.id)}
    at = np.array([row_of[m] for m in detections.media_id], dtype=np.intp)
    labels = catalog.current_labels()
    seen = np.array([i in labels and type_of(labels[i]) not in EMPTY for i in detections.id])
    found = find_repeats(
        detections.bbox, media.deployment_id[at], media.timestamp[at], detections.media_id,
        confirmed=seen,
    )
    groups, group_of = [], {}
    for g in range(len(found.place)):
        rows = found.row[found.group == g]
        if not len(rows):
            continue
        number = len(groups) + 1
        group_of.update((str(detections.id[row]), number) for row in rows)
        groups.append(RepeatGroup(
            number, str(found.place[g]), tuple(round(float(v), 5) for v in found.box[g]),
            int(found.pictures[g]), int(found.occasions[g]), int(found.days[g]),
            str(found.why[g]), str(detections.id[rows[0]]),
        ))
    return Repeated(groups, group_of)
