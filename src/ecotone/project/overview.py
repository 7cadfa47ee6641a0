"""What the report's overview is made of: effort, species, times and sites from the catalogue.

M media, N detections, D deployments, J sites, K species. Columns at a time: no object a detection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.project.answers import type_of
from ecotone.report.acceptance import AcceptanceData
from ecotone.report.activity import Activity, activity_of, times_of_day
from ecotone.report.effort import NAT, measure_effort, overlapping
from ecotone.report.overview import OverviewData
from ecotone.report.tally import MODEL, PEOPLE, UNSURE, first_of_event, tally
from ecotone.types import Detections

CHUNK = 65536
UNNAMED = "unnamed"
ROUND = 4  # decimals of a degree within which deployments of one name are at one site, about 10 m


def collect_overview(
    project: Any, media: Any, detections: Detections, labels: Mapping[str, str],
    acceptance: AcceptanceData | None,
) -> OverviewData | None:
    """The overview; None in a project without pictures."""
    if not len(media):
        return None
    deployments = project.catalog.deployments()
    column = {name: d for d, name in enumerate(deployments.id.tolist())}
    deployment = _codes(media.deployment_id, column)
    time = _times(media.timestamp)
    effort = measure_effort(deployment, time, _times(deployments.start),
                            _times(deployments.end, last=True))
    sites, site, coordinates = _sites(deployments)
    overlap, overlap_days = overlapping(site, effort.start, effort.end)
    names, species, who, basis = _named(project, detections, labels, acceptance)
    kinds = np.array([type_of(n) != "animal" or n == UNNAMED for n in names] or [False])
    medium = _codes(detections.media_id, {m: row for row, m in enumerate(media.id.tolist())})
    event, events = _events(media.event_id)
    at = np.append(site, -1)[deployment[medium]]  # the last one for pictures of no deployment
    animal = np.where(kinds[species], -1, species)
    order = np.cumsum(~kinds) - 1
    animal = np.where(animal >= 0, order[animal], -1)
    kept = [n for n, other in zip(names, kinds, strict=False) if not other]
    seconds, dated = times_of_day(time)
    where = first_of_event(np.where(animal >= 0, 0, -1), who, event[medium])
    return OverviewData(
        len(media), events, len(detections), tuple(kept),
        tally(animal, who, event[medium], at, len(kept), len(sites)), basis, sites, coordinates,
        site, effort, int(overlap.sum()), overlap_days, _other(names, kinds, species),
        _activity(kept, animal, who, event[medium], seconds[medium]), dated,
        int(np.isnat(time).sum()), np.bincount(at[where][at[where] >= 0], minlength=len(sites)),
        project.config.event_gap, acceptance.precision if basis == "accepted" else None,
        _notes(deployment),
    )


def _codes(values: Iterable[str], column: Mapping[str, int]) -> np.ndarray:
    return np.fromiter((column.get(v, -1) for v in values), dtype=np.int64)


def _times(texts: np.ndarray, last: bool = False) -> np.ndarray:
    """ISO 8601 texts as datetime64[s] of the local clock, NaT for "" and what is no time.

    last: a date alone means the end of that day.
    """
    try:
        times = np.array([t[:19] for t in texts], dtype="datetime64[s]")
    except ValueError:
        times = np.array([_time(t[:19]) for t in texts], dtype="datetime64[s]")
    if last:
        times += np.array([86399 if len(t) == 10 else 0 for t in texts], dtype="timedelta64[s]")
    return times.reshape(len(texts))


def _time(text: str) -> np.datetime64:
    try:
        return np.datetime64(text, "s")
    except ValueError:
        return NAT


def _sites(deployments: Any) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names of sites (J), the site of each deployment (D,), coordinates (J, 2).

    A site is a location name at one place; a deployment without a location name is its own.
    """
    keys = []
    for name, location, *place in zip(deployments.id, deployments.location_name,
                                      deployments.latitude, deployments.longitude, strict=True):
        spot = tuple("" if np.isnan(v) else round(float(v), ROUND) for v in place)
        keys.append((location or name, *spot))
    column = {key: j for j, key in enumerate(sorted(set(keys), key=str))}
    site = np.array([column[key] for key in keys], dtype=np.int64)
    first = {j: d for d, j in reversed(list(enumerate(site.tolist())))}
    often = Counter(key[0] for key in column)
    names = tuple(
        key[0] if often[key[0]] == 1 else f"{key[0]} ({deployments.id[first[j]]})"
        for key, j in column.items()
    )
    rows = np.array([first[j] for j in range(len(names))], dtype=np.intp)
    return names, site, np.column_stack([deployments.latitude[rows], deployments.longitude[rows]])


def _events(event_id: np.ndarray) -> tuple[np.ndarray, int]:
    """Event of each medium (M,) as a number, and how many there are; one without an event is one
    of its own."""
    known: dict[str, int] = {}
    event = np.fromiter((known.setdefault(e, len(known)) if e else -1 for e in event_id),
                        dtype=np.int64)
    alone = np.flatnonzero(event < 0)
    event[alone] = len(known) + np.arange(len(alone))
    return event, len(known) + len(alone)


def _named(
    project: Any, detections: Detections, labels: Mapping[str, str],
    acceptance: AcceptanceData | None,
) -> tuple[list[str], np.ndarray, np.ndarray, str]:
    """Names; of each detection (N,) the column of its name and who gave it; what the model's
    answers rest on."""
    column: dict[str, int] = {UNNAMED: 0}
    species = np.zeros(len(detections), dtype=np.int64)
    who = np.full(len(detections), UNSURE, dtype=np.int8)
    basis = _by_model(project, detections, acceptance, column, species, who)
    for row, name in enumerate(detections.id.tolist()):
        if name in labels:
            species[row] = column.setdefault(labels[name], len(column))
            who[row] = PEOPLE
    return list(column), species, who, basis


def _by_model(
    project: Any, detections: Detections, acceptance: AcceptanceData | None,
    column: dict[str, int], species: np.ndarray, who: np.ndarray,
) -> str:
    """Fill in what the model says, and what that rests on: "accepted", "probable", "refined"."""
    from ecotone.project.answers import answers_of
    from ecotone.project.records import LATEST

    try:
        found = answers_of(project)
    except ProjectError:
        return ""  # the rest of the page tells what is broken
    if found is None:
        return ""
    if not project.catalog.note(LATEST):
        for start in range(0, len(detections), CHUNK):
            part = found.of(detections.id[start:start + CHUNK])
            rows = start + np.flatnonzero(part.known)
            species[rows] = [column.setdefault(n, len(column)) for n in part.label[part.known]]
            who[rows] = MODEL
        return "refined"
    threshold = {s.name: s.threshold for s in acceptance.species} if acceptance else {}
    accepted = acceptance is not None and acceptance.accepted > 0
    least = np.array([_least(threshold.get(c), accepted) for c in found.posteriors.classes])
    codes = np.array([column.setdefault(c, len(column)) for c in found.posteriors.classes])
    at = _codes(detections.id, found.row_of)
    for start in range(0, len(at) if len(codes) else 0, CHUNK):
        rows = start + np.flatnonzero(at[start:start + CHUNK] >= 0)
        values = np.asarray(found.posteriors.values[at[rows]], dtype=np.float64)
        fine = np.isfinite(values).all(axis=1)
        rows, values = rows[fine], values[fine]
        top = values.argmax(axis=1)
        best = values.max(axis=1) / np.maximum(values.sum(axis=1), 1e-12)
        species[rows] = codes[top]
        who[rows] = np.where(best >= least[top], MODEL, UNSURE)
    return "accepted" if accepted else "probable"


def _least(threshold: float | None, accepted: bool) -> float:
    """The least probability of a class that counts."""
    if not accepted:
        return 0.0
    return np.inf if threshold is None else threshold


def _other(names: Sequence[str], kinds: np.ndarray, species: np.ndarray) -> dict[str, int]:
    """Detections of no species, by name."""
    count = np.bincount(species, minlength=len(names))
    return {n: int(count[i]) for i, n in enumerate(names) if kinds[i] and count[i]}


def _activity(
    names: Sequence[str], species: np.ndarray, who: np.ndarray, event: np.ndarray,
    seconds: np.ndarray,
) -> tuple[Activity, ...]:
    """The species with times of day, those with most events first."""
    rows = first_of_event(np.where(seconds >= 0, species, -1), who, event)
    rows = rows[np.argsort(species[rows], kind="stable")]
    bounds = np.searchsorted(species[rows], np.arange(len(names) + 1))
    found = [activity_of(name, seconds[rows[bounds[k]:bounds[k + 1]]])
             for k, name in enumerate(names) if bounds[k] < bounds[k + 1]]
    return tuple(sorted(found, key=lambda a: -a.events))


def _notes(deployment: np.ndarray) -> tuple[str, ...]:
    homeless = int((deployment < 0).sum())
    if not homeless:
        return ()
    words = "picture is" if homeless == 1 else "pictures are"
    return (f"{homeless:,} {words} of no deployment: counted, but at no site.",)
