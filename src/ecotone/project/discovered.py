"""What the newest discovery left behind, for exports, the report and the naming of proposals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.store.discoveries import DiscoveryTable

NONE_OF_THESE = "none of these"
TYPICAL = 12  # detections of a proposal that stand for it


@dataclass(frozen=True)
class Proposal:
    """A class that may be new. number: from 1, the largest first. detections, bursts: how many.
    sites: deployments. typical: detection ids, one a burst, the surest first. name: that a person
    gave it, "" = none yet. expected: what the newest fusion calls most of them, and its share."""

    number: int
    detections: int
    bursts: int
    sites: int
    typical: tuple[str, ...]
    name: str = ""
    expected: tuple[str, float] = ("", 0.0)


def newest_discovery(project: Any) -> str:
    """The newest discovery. Raises ProjectError when there is none."""
    run = project.catalog.newest_discovery()
    if not run:
        raise ProjectError("nothing was discovered yet; run: ecotone discover")
    return run


def discovery_record(project: Any, run: str) -> dict[str, Any]:
    """The record of a discovery. Raises ProjectError when its file is missing or broken."""
    path = project.runs / f"{run}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProjectError(f"{path}: cannot be read ({error}); run: ecotone discover") from error


def proposals_of(
    project: Any, run: str, table: DiscoveryTable | None = None
) -> list[Proposal]:
    """The proposals of a discovery, with the names that people gave since."""
    table = project.catalog.discovery(run) if table is None else table
    rows = np.flatnonzero(table.proposal > 0)
    if not len(rows):
        return []
    names = {n.proposal: n.label for n in project.catalog.proposal_names() if n.run == run}
    burst, site = _places(project, table.detection_id[rows])
    called = _called(project, run, table.detection_id[rows])
    out = []
    for number in range(1, int(table.proposal.max()) + 1):
        own = np.flatnonzero(table.proposal[rows] == number)
        if not len(own):
            continue
        order = own[np.lexsort((table.detection_id[rows][own], -table.membership[rows][own]))]
        first = order[np.sort(np.unique(burst[order], return_index=True)[1])]
        out.append(Proposal(
            number, len(own), len(first), len(set(site[own].tolist()) - {""}),
            tuple(table.detection_id[rows][first].tolist()), names.get(number, ""),
            _commonest([called.get(i, "") for i in table.detection_id[rows][own]]),
        ))
    return out


def _places(project: Any, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Burst (event, else picture) and deployment of detections."""
    media = project.catalog.media()
    row_of = {medium: row for row, medium in enumerate(media.id)}
    at = np.array([row_of[i.rpartition(":")[0]] for i in ids], dtype=np.intp)
    event = media.event_id[at]
    return np.where(event != "", event, media.id[at]), media.deployment_id[at]


def _called(project: Any, run: str, ids: np.ndarray) -> dict[str, str]:
    """What the fusion behind a discovery calls its detections; {} without one."""
    from ecotone.store.vectors import posterior_runs, read_posteriors

    name = discovery_record(project, run).get("fuse_run", "") if _has_record(project, run) else ""
    if not name or name not in posterior_runs(project.catalog):
        return {}
    found = read_posteriors(project.catalog, project.vectors, name)
    wanted = set(ids.tolist())
    rows = [row for row, i in enumerate(found.id) if i in wanted]
    best = found.values[rows].argmax(axis=1)
    return {str(found.id[row]): found.classes[k] for row, k in zip(rows, best, strict=True)}


def _has_record(project: Any, run: str) -> bool:
    return (project.runs / f"{run}.json").is_file()


def _commonest(names: list[str]) -> tuple[str, float]:
    known = [name for name in names if name]
    if not known:
        return "", 0.0
    best = max(sorted(set(known)), key=known.count)
    return best, known.count(best) / len(names)


@dataclass(frozen=True, eq=False)
class Discovered:
    """Columns of exports, by detection id: P(none of these), flagged as new, number of the
    proposal (0 = none)."""

    run: str
    row_of: dict[str, int]
    table: DiscoveryTable

    def columns(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """What a table of detections shows of some of them."""
        at = np.array([self.row_of.get(str(i), -1) for i in ids], dtype=np.intp)
        here = at >= 0
        novelty = np.full(len(at), np.nan, dtype=np.float32)
        novel = np.zeros(len(at), dtype=bool)
        proposal = np.full(len(at), "", dtype=object)
        novelty[here] = self.table.novelty[at[here]]
        novel[here] = self.table.novel[at[here]]
        numbers = self.table.proposal[at[here]]
        proposal[here] = [str(n) if n else "" for n in numbers]
        return {"noneOfThese": novelty, "novel": novel, "proposal": proposal}


def discovered_of(project: Any) -> Discovered | None:
    """What the newest discovery says of each detection, None when there is none."""
    run = project.catalog.newest_discovery()
    if not run:
        return None
    table = project.catalog.discovery(run)
    return Discovered(run, {i: row for row, i in enumerate(table.detection_id.tolist())}, table)
