"""Out-of-fold predictions of a fusion with the labels as they are now, and what is without a label.

n labelled detections that a model predicted without having seen their labels, K local classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.evaluation.splits import MIN_LOCATIONS, make_units
from ecotone.project.records import read_record
from ecotone.types import Posteriors

GROUPS = ("event", "deployment")


@dataclass(frozen=True, eq=False)
class HeldLabels:
    """Held-out predictions. proba (n, K) rows sum to 1, target (n,) class numbers, ids and files
    (n,) str, groups (n,) str, weight (n,) or None where no label was chosen by `suggest`."""

    run: str
    classes: tuple[str, ...]
    ids: np.ndarray
    files: np.ndarray
    proba: np.ndarray
    target: np.ndarray
    groups: np.ndarray
    weight: np.ndarray | None
    labels: dict[str, str]
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def unlabelled(self, project: Any) -> Posteriors:
        """The posteriors of detections in use that nobody labelled."""
        from ecotone.store.vectors import read_posteriors

        found = read_posteriors(project.catalog, project.vectors, self.run)
        there = set(project.catalog.detections().id.tolist()) - self.labels.keys()
        rows = np.array([i in there for i in found.id], dtype=bool)
        return Posteriors(found.id[rows], found.values[rows], found.classes)

    def places(self, project: Any, ids: Sequence[str]) -> np.ndarray:
        """Deployments of detections where there are five or more of them, else events."""
        media = project.catalog.media()
        row_of = {medium: row for row, medium in enumerate(media.id)}
        at = np.array([row_of[str(i).rpartition(":")[0]] for i in ids], dtype=np.intp)
        site = media.deployment_id[at]
        if len(set(site.tolist()) - {""}) >= MIN_LOCATIONS:
            return site
        return np.where(media.event_id[at] != "", media.event_id[at], media.id[at])


def held_labels(project: Any, by: str = "event", run: str = "latest") -> HeldLabels:
    """The held-out predictions of a fusion. A label that was corrected since counts as it is now.

    by: what near copies are grouped by, "event" or "deployment".
    Raises ProjectError when nothing was fused or no label was held out.
    """
    record = read_record(project, run)
    held = record.get("out_of_fold", {})
    classes = tuple(record.get("classes", ()))
    catalog = project.catalog
    now, media = catalog.current_labels(), catalog.media()
    column = {name: k for k, name in enumerate(classes)}
    ids = held.get("ids", ())
    rows = [i for i, name in enumerate(ids) if now.get(name) in column]
    if not rows:
        raise ProjectError(
            "the newest fusion held out no label: too few, or of one class only; add labels and "
            "run: ecotone fuse"
        )
    proba = np.asarray(held["proba"], dtype=np.float64)[rows]
    proba /= np.maximum(proba.sum(axis=1, keepdims=True), 1e-12)
    kept = np.array([ids[i] for i in rows], dtype=object)
    row_of = {medium: row for row, medium in enumerate(media.id)}
    at = np.array([row_of[i.rpartition(":")[0]] for i in kept], dtype=np.intp)
    weight = held.get("weight")
    return HeldLabels(
        record["run"], classes, kept, media.file_path[at], proba,
        np.array([column[now[i]] for i in kept]), _groups(media, at, by),
        None if weight is None else np.asarray(weight, dtype=np.float64)[rows], now,
        _notes(record, now, weight),
    )


def _groups(media: Any, at: np.ndarray, by: str) -> np.ndarray:
    units, _ = make_units(
        len(media), locations=media.deployment_id if by == "deployment" else None,
        events=media.event_id, duplicates=[media.content_hash], min_locations=1,
    )
    return np.array([f"group {unit}" for unit in units[at]], dtype=object)


def _notes(record: dict[str, Any], now: dict[str, str], weight: Any) -> list[str]:
    notes = []
    fresh = len(now) - record.get("counts", {}).get("labelled", len(now))
    if fresh > 0:
        words = "1 label is" if fresh == 1 else f"{fresh:,} labels are"
        notes.append(f"{words} newer than this fusion and not looked at; run: ecotone fuse")
    chosen = record.get("counts", {}).get("chosen_labels", 0)
    if weight is not None:
        notes.append(
            f"{chosen:,} of the labels were chosen and are not like the rest: those that suggest "
            "asked for are mostly harder, so thresholds are rather too careful; those of a named "
            "proposal are its most typical, so its threshold may promise too much; labels drawn "
            "at random tell exactly what needs no eye"
        )
    return notes
