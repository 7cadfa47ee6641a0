"""What the newest discovery left behind, for exports, the report and the naming of proposals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.project.records import read_json
from ecotone.report.names import short_name
from ecotone.store.discoveries import DiscoveryTable

NONE_OF_THESE = "none of these"
LEAST_SAID = 0.05  # mean score of a global class from which on it is told


@dataclass(frozen=True)
class Proposal:
    """A class that may be new. number: from 1, the surest first. detections, bursts: how many.
    sites: deployments. typical: detection ids, one a burst, the most typical first. name: that a
    person gave it, "" = none yet. confidence: 0..1, how stable and close it is. note: what else is
    known of it, in sentences."""

    number: int
    detections: int
    bursts: int
    sites: int
    typical: tuple[str, ...]
    name: str = ""
    confidence: float | None = None
    note: str = ""


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
        return read_json(path)
    except ProjectError as error:
        raise ProjectError(f"{error}; run: ecotone discover") from error


def novel_record(project: Any) -> dict[str, Any]:
    """The record of the fusion whose probabilities the newest discovery gave "none of these", under
    the name of the discovery. Raises ProjectError when there are no such probabilities."""
    from ecotone.project.records import read_record

    run = newest_discovery(project)
    found = discovery_record(project, run)
    if not found.get("posteriors"):
        raise ProjectError(
            "the newest discovery has no probabilities, since no fusion was of the labels of then; "
            "run: ecotone fuse, then ecotone discover"
        )
    return {**read_record(project, found["fuse_run"]), "run": run, "created": found["created"],
            "classes": [*found["classes"], NONE_OF_THESE]}


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
    about = discovery_record(project, run).get("about", {})
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
            about.get(str(number), {}).get("confidence"), note_of(about.get(str(number), {})),
        ))
    return out


def note_of(about: dict[str, Any]) -> str:
    """What is known of a proposal beside its size, in sentences."""
    said = []
    if about.get("flagged"):
        said.append(f"{about['flagged']:.0%} of them look like none of the known classes.")
    if about.get("nearest_class"):
        said.append(f"Nearest known class: {about['nearest_class']}.")
    named = [f"{short_name(name)} ({value:.0%})" for name, value in about.get("global_classes", ())
             if value >= LEAST_SAID]
    if named:
        said.append(f"The global model says {', '.join(named)}.")
    return " ".join(said)


def _places(project: Any, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Burst (event, else picture) and deployment of detections."""
    media = project.catalog.media()
    row_of = {medium: row for row, medium in enumerate(media.id)}
    at = np.array([row_of[i.rpartition(":")[0]] for i in ids], dtype=np.intp)
    event = media.event_id[at]
    return np.where(event != "", event, media.id[at]), media.deployment_id[at]


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
