"""The match page of the report: queries beside their best candidates, from the newest run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ecotone.project.individual_labels import named_individuals
from ecotone.project.shots import Shots
from ecotone.report.data import Picture
from ecotone.report.individuals import IndividualsData, QueryGallery, QueryPicture
from ecotone.store import individuals as store
from ecotone.types import Detections

Progress = Callable[[int, "int | None", str], None]
SHOWN = 5  # queries of a gallery
TEXTS = {
    "unsure": ("Cannot tell", "Likely matches that are not sure enough: whoever knows the animals "
               "decides these first."),
    "known": ("Least sure matches", "Named, but of all that were named the ones to look at first."),
    "surest": ("Surest matches", "If one of these is wrong, something is wrong with the "
               "individualIDs or the pictures."),
    "new": ("New individuals", "None of the known ones; their nearest known ones stand beside."),
}


def collect_individuals(
    project: Any, media: Any, detections: Detections, progress: Progress | None = None
) -> IndividualsData | None:
    """What the page shows of the newest run of individuals that counts; None without one."""
    connection = project.catalog.connection
    run = next((r for r in reversed(store.read_runs(connection)) if not r.undone), None)
    if run is None:
        return None
    try:
        record = json.loads((project.path / "runs" / f"{run.run}.json").read_text("utf-8"))
    except (OSError, ValueError):
        record = {}
    table = store.read_rows(connection, run.run)
    galleries: tuple[QueryGallery, ...] = ()
    if run.command == "individuals match":
        galleries = _galleries(project, table, media, detections, progress)
    return IndividualsData(
        run.run, str(record.get("created", run.started)), run.command,
        record.get("counts", run.summary.get("counts", {})), record.get("open_set", {}),
        record.get("curve", {}), record.get("settings", {}).get("precision"), galleries,
        tuple(record.get("notes", ())))


def _galleries(
    project: Any, table: store.IdentificationTable, media: Any, detections: Detections,
    progress: Progress | None,
) -> tuple[QueryGallery, ...]:
    chosen = choose(table, _events(media, table.detection_id))
    people = named_individuals(project.catalog).individual
    chosen = {k: [n for n in rows if table.detection_id[n] not in people]
              for k, rows in chosen.items()}
    wanted = [n for rows in chosen.values() for n in rows]
    ids = [table.detection_id[n] for n in wanted]
    ids += [d for n in wanted for _, _, d in table.best(n) if d]
    shots = Shots(project, media, detections, list(dict.fromkeys(ids)))
    events = Counter(e for e in _events(media, table.detection_id) if e)
    galleries, done = [], 0
    for key, rows in chosen.items():
        pictures = []
        for n in rows:
            pictures.append(_query(table, n, shots, events, media))
            done += 1
            if progress is not None:
                progress(done, len(wanted), "pictures of individuals")
        if pictures:
            galleries.append(QueryGallery(key, *TEXTS[key], tuple(pictures)))
    return tuple(galleries)


def choose(table: store.IdentificationTable, event: Sequence[str]) -> dict[str, list[int]]:
    """Rows of each gallery: of an encounter one picture, of an individual one encounter first."""
    p = np.nan_to_num(table.probability, nan=0.0)
    nearest = np.array([b[0][1] if (b := table.best(n)) else 0.0 for n in range(len(table))])
    known = np.flatnonzero(table.decision == "known")
    unsure = np.flatnonzero(table.decision == "cannot tell")
    new = np.flatnonzero(table.decision == "new")
    used: set[str] = set()
    rows = {
        "unsure": _apart(unsure[np.argsort(-nearest[unsure], kind="stable")], table, event, used),
        "known": _apart(known[np.argsort(p[known], kind="stable")], table, event, used),
        "surest": _apart(known[np.argsort(-p[known], kind="stable")], table, event, used),
        "new": _apart(new[np.argsort(-p[new], kind="stable")], table, event, used),
    }
    return rows


def _apart(
    order: np.ndarray, table: store.IdentificationTable, event: Sequence[str], used: set[str]
) -> list[int]:
    out, seen = [], set()
    for n in order.tolist():
        unit = event[n] or str(table.detection_id[n])
        name = str(table.individual[n])
        if unit in used or (name and name in seen) or len(out) == SHOWN:
            continue
        used.add(unit)
        seen.add(name)
        out.append(n)
    return out


def _events(media: Any, ids: np.ndarray) -> list[str]:
    event = dict(zip(media.id, media.event_id, strict=True))
    return [str(event.get(i.rpartition(":")[0], "")) for i in ids]


def _query(
    table: store.IdentificationTable, n: int, shots: Shots, events: Counter[str], media: Any
) -> QueryPicture:
    beside = []
    for name, p, detection in table.best(n):
        shot = shots.of(detection) if detection else {}
        shot = {**{"file": "", "problem": "no picture"}, **shot, "whole": None}
        beside.append(Picture(prediction=name, probability=p, **shot))
    (event,) = _events(media, table.detection_id[n:n + 1])
    shot = {**{"file": "", "problem": "no picture"}, **shots.of(table.detection_id[n])}
    return QueryPicture(
        prediction=str(table.individual[n]), probability=float(table.probability[n]),
        decision=str(table.decision[n]), alike=max(events.get(event, 1), 1),
        candidates=tuple(beside), **shot)
