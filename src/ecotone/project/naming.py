"""`ecotone discover --name`: a person says what a proposal is, which makes labels of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from ecotone.discovery.proposals import usual_labels
from ecotone.errors import InputError, ProjectError
from ecotone.ingest.labels import LabelRow, class_names
from ecotone.project.discovered import newest_discovery, proposals_of
from ecotone.store.discoveries import ProposalName
from ecotone.store.runs import now
from ecotone.store.tables import NewLabel


@dataclass(frozen=True)
class Named:
    """What naming did. label: the local class; new: whether it is one that the project did not
    have. labels: detections labelled; skipped: those that had a label already."""

    run: str
    proposal: int
    label: str
    new: bool
    labels: int
    skipped: int


def name_proposal(
    project: Any, proposal: int, name: str, author: str = "",
    members: int | Literal["usual", "all"] = "usual",
    run: str | None = None,
) -> Named:
    """Give a proposal a name: its most typical detections, one a burst, become labels of it.

    members: how many at most: a number, "all" detections, or "usual": as many as a class here has
    labels (`usual_labels`), so that a new class does not outweigh those known. The labels have
    the author, and "discover" as their source; what was labelled since keeps its label. run: a
    discovery, default the newest. Raises InputError without a name or when there is no such
    proposal, ProjectError without a discovery.
    """
    name = " ".join(name.split())
    if not name:
        raise InputError("--name: give the name of the class, as in: --name 3 \"snow leopard\"")
    if members not in ("usual", "all") and (isinstance(members, str) or members < 1):
        raise InputError(f"--members {members}: expected at least 1.")
    run = run or newest_discovery(project)
    catalog = project.catalog
    table = catalog.discovery(run)
    found = {p.number: p for p in proposals_of(project, run, table)}
    if proposal not in found:
        raise InputError(f"no proposal {proposal} in {run}; there are: {_numbers(found)}")
    known = catalog.current_labels()
    if members == "usual":
        members = usual_labels(list(Counter(known.values()).values()))
    ids = (table.detection_id[table.proposal == proposal].tolist() if members == "all"
           else list(found[proposal].typical)[:members])
    fresh = [i for i in ids if i not in known]
    if not fresh:
        raise ProjectError(f"proposal {proposal}: all its detections have a label by now")
    names = catalog.label_names()
    (label,) = class_names([LabelRow(0, label=name)], names)
    whole = _whole(project)
    labels = [
        NewLabel(i.rpartition(":")[0], label, detection_id="" if i in whole else i) for i in fresh
    ]
    catalog.name_proposal(
        ProposalName(run, proposal, label, author, len(labels), now()), labels
    )
    return Named(run, proposal, label, label not in names, len(labels), len(ids) - len(fresh))


def _numbers(found: dict[int, Any]) -> str:
    if len(found) == 1:
        return f"only {max(found)}"
    return f"1 to {max(found)}" if found else "none"


def _whole(project: Any) -> set[str]:
    """Detections that are the only one of their picture and all of it: a label of them is one of
    the picture, which stays when boxes come."""
    import numpy as np

    detections = project.catalog.detections()
    full = (detections.bbox == np.array([0, 0, 1, 1], dtype=np.float32)).all(axis=1)
    alone = np.array([i.endswith(":0") for i in detections.id], dtype=bool)
    return set(detections.id[full & alone].tolist())
