"""What the report shows of the refinement that counts: flows, stages, pictures.

N detections that the refinement speaks of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecotone.hierarchy.audit import TRUSTED
from ecotone.hierarchy.before import Before
from ecotone.hierarchy.results import SPECIES_RANKS, UNCHANGED
from ecotone.project.galleries import Shown, cut_out
from ecotone.project.refined import (
    PEOPLE,
    Names,
    names_of,
    read_audit,
    read_refine_record,
    refinement_of,
)
from ecotone.project.refining_figures import settled
from ecotone.project.shots import shown_of
from ecotone.report.refinement import (
    RefinedGallery,
    RefinedPicture,
    RefinementData,
    StageRow,
)
from ecotone.report.refinement_flow import ABOVE, SAME, SPECIES, Flow
from ecotone.store.refinements import RefinementTable
from ecotone.types import Detections

Progress = Callable[[int, "int | None", str], None]
SHOWN = 12  # pictures a gallery
TEXTS = {
    "surest": ("Named most surely", "What is in these pictures was only a group, “animal” or "
               "“blank” before. If one of these is wrong, look at that species first."),
    "least": ("Named least surely", "Still sure enough for the bound that was asked for. Labels "
              "for these pictures teach it most."),
    "left": ("Left as they were, on purpose", "It looked and said no more than was known: what is "
             "nearest is not sure enough, or is nothing that the label before could be."),
}


@dataclass(frozen=True, eq=False)
class Audit:
    """The audit rows with what follows from them. generic, changed: (N,) bool. sure: (N,) how sure
    an answer is, comparable within a method; place: (N,) numbers among all detections."""

    table: RefinementTable
    generic: np.ndarray
    changed: np.ndarray
    sure: np.ndarray
    place: np.ndarray
    names: Names
    climbs: bool

    @classmethod
    def read(cls, project: Any, run: str, detections: Detections, climbs: bool) -> Audit:
        """The audit of a run, in the order of the catalogue. climbs: its method."""
        names = names_of(project)
        table = read_audit(project, run, names)
        before = Before.read(table.was, names.taxonomy, len(table))
        people = table.stage == PEOPLE
        number = {name: row for row, name in enumerate(detections.id.tolist())}
        near = -table.first_distance / np.where(table.threshold > 0, table.threshold, 1.0)
        sure = table.probability if climbs else near
        return cls(
            table, ~settled(before) & ~people, (table.was != table.became) & ~people,
            np.nan_to_num(sure, nan=-1.0, posinf=1.0, neginf=-1.0),
            np.array([number[d] for d in table.detection_id], dtype=np.intp), names, climbs,
        )


def collect_refinement(
    project: Any, media: Any, detections: Detections, progress: Progress | None = None
) -> RefinementData | None:
    """What the page shows of the newest refinement that counts; None without one."""
    run = refinement_of(project)
    if run is None:
        return None
    record = read_refine_record(project, run.run)
    audit = Audit.read(project, run.run, detections, record.get("method") == "climb")
    return RefinementData(
        run=run.run, created=str(record.get("created", "")), method=str(record.get("method", "")),
        alpha=record.get("settings", {}).get("refine_alpha"), counts=record.get("counts", {}),
        flows=flows_of(audit), stages=stages_of(audit.table), figures=record.get("figures", {}),
        present=record.get("present", {}), notes=tuple(record.get("notes", ())),
        galleries=make_galleries(project, audit, media, detections, progress),
    )


def flows_of(audit: Audit) -> tuple[Flow, ...]:
    """What detections above species were called and are called, with their numbers."""
    table, found = audit.table, Counter()
    for row in np.flatnonzero(audit.generic):
        tone = SAME
        if audit.changed[row]:
            tone = SPECIES if table.rank[row] in SPECIES_RANKS else ABOVE
        found[(table.was[row], table.became[row], tone)] += 1
    flows: Counter[tuple[str, str, str]] = Counter()
    for (was, became, tone), n in found.items():
        flows[(audit.names.of(was)[0], audit.names.of(became)[0], tone)] += n
    return tuple(Flow(was, became, n, tone) for (was, became, tone), n in flows.items())


def stages_of(table: RefinementTable) -> tuple[StageRow, ...]:
    """How many detections each stage decided, most first; those that decided nothing last."""
    species = np.isin(table.rank.astype(str), SPECIES_RANKS)
    rows = [
        StageRow(str(stage), int(here.sum()), int((here & species).sum()))
        for stage in sorted(set(table.stage.tolist())) for here in (table.stage == stage,)
    ]
    last = (TRUSTED, PEOPLE, UNCHANGED)
    return tuple(sorted(rows, key=lambda r: (r.stage in last, -r.detections)))


def choose(audit: Audit, units: np.ndarray) -> dict[str, list[int]]:
    """Rows of each gallery; no row is in two, nor of what changed two of one unit (burst).

    units: (N,) what shows the same animal.
    """
    table = audit.table
    changed = np.flatnonzero(audit.changed)
    order = changed[np.argsort(-audit.sure[changed], kind="stable")]
    rows = {"surest": spread(order, table.became, units, SHOWN)}
    shown = set(units[rows["surest"]].tolist())
    rest = np.array([row for row in order[::-1] if units[row] not in shown], dtype=np.intp)
    rows["least"] = spread(rest, table.became, units, SHOWN)
    looked = audit.generic & ~audit.changed & np.isfinite(table.first_distance)
    gap = table.second_distance - table.first_distance
    left = np.flatnonzero(looked & np.isfinite(gap))
    rows["left"] = spread(left[np.argsort(gap[left], kind="stable")], table.first, units, SHOWN)
    return {key: found for key, found in rows.items() if found}


def spread(
    order: np.ndarray, label: np.ndarray, units: np.ndarray, most: int
) -> list[int]:
    """At most `most` rows in the given order, labels taking turns, one of each unit."""
    queues: dict[str, list[int]] = {}
    seen = set()
    for row in order.tolist():
        queue = queues.setdefault(label[row], [])
        if len(queue) < most and units[row] not in seen:
            seen.add(units[row])
            queue.append(row)
    turns = [queue[turn] for turn in range(most) for queue in queues.values() if turn < len(queue)]
    return turns[:most]


def make_galleries(
    project: Any, audit: Audit, media: Any, detections: Detections,
    progress: Progress | None = None,
) -> tuple[RefinedGallery, ...]:
    """The galleries with their pictures; empty ones are left out."""
    of_medium = {name: row for row, name in enumerate(media.id)}
    units = np.array([
        media.event_id[at] or media.content_hash[at] or media.id[at]
        for at in (of_medium[m] for m in detections.media_id[audit.place])
    ], dtype=object)
    chosen = choose(audit, units)
    rows = [row for found in chosen.values() for row in found]
    shown = shown_of(project, media, detections, audit.place[rows])
    number = {row: n for n, row in enumerate(rows)}
    galleries = []
    for key, found in chosen.items():
        pictures = []
        for row in found:
            pictures.append(_picture(shown, number[row], audit, row, of_medium))
            if progress is not None:
                progress(number[row] + 1, len(rows), "pictures of the refinement")
        galleries.append(RefinedGallery(key, *TEXTS[key], tuple(pictures)))
    return tuple(galleries)


def _picture(
    shown: Shown, number: int, audit: Audit, row: int, of_medium: Mapping[str, int]
) -> RefinedPicture:
    table, media = audit.table, shown.media
    at = of_medium[shown.detections.media_id[number]]
    crop, whole, size, hidden, problem = cut_out(
        shown, number, shown.picture(number, at), np.zeros(0))
    probability, changed = float(table.probability[row]), bool(audit.changed[row])
    return RefinedPicture(
        file=shown.file_name(number, at), prediction=audit.names.of(table.became[row])[0],
        probability=probability, alternatives=_nearest(audit, row),
        global_label=audit.names.of(table.was[row])[0], place=str(media.deployment_id[at]),
        time=str(media.timestamp[at]).replace("T", " ")[:16], crop=crop, whole=whole, size=size,
        hidden=hidden, problem=problem, rank=str(table.rank[row]), stage=str(table.stage[row]),
        sure=changed and bool(np.isfinite(probability)), changed=changed,
    )


def _nearest(audit: Audit, row: int) -> tuple[tuple[str, Any], ...]:
    """The two nearest classes; with their probability where distances are 1 - probability."""
    table, found = audit.table, []
    for name, far in ((table.first[row], table.first_distance[row]),
                      (table.second[row], table.second_distance[row])):
        if name and np.isfinite(far):
            found.append((audit.names.of(name)[0], float(1.0 - far) if audit.climbs else None))
    return tuple(found)
