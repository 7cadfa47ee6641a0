"""What the global models and a refinement say of each detection, read block by block.

N detections, K local classes, S global classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from ecotone.project.gathering import taxonomy_of
from ecotone.report.names import short_name
from ecotone.review.table import HUMAN, Answers, Table, person_columns

CLAIM = 0.05  # weight by names from which a global name stands for a local class
SURE = 0.5  # of a global model: below, its answer was hardly one that could be changed
STAYS = ("people", "unchanged", "trusted")  # stages of a refinement that change nothing


@dataclass(eq=False)
class Machines:
    """name: (N,) number into `names` of the surest global answer, -1 for none; score: (N,).
    mapped: (N,) local class that this answer stands for, -1 where it stands for none. human: (N,)
    bool, perhaps a person. refined: row -> (label before, label after, stage), of those changed.
    novelty: row -> probability that it is of no known class, of those flagged. groups: "clusters"
    (proposals of `ecotone discover`, the surest first) and "repeats" (boxes that come back) ->
    group -> its rows. discovery: the run that these are of."""

    names: list[str]
    name: np.ndarray
    score: np.ndarray
    mapped: np.ndarray
    human: np.ndarray
    refined: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    novelty: dict[int, float] = field(default_factory=dict)
    groups: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    discovery: str = ""

    @classmethod
    def nothing(cls, n: int) -> Machines:
        """Of n detections that no model has seen."""
        return cls([], np.full(n, -1, dtype=np.int32), np.zeros(n, dtype=np.float32),
                   np.full(n, -1, dtype=np.int16), np.zeros(n, dtype=bool))

    def grown(self, n: int) -> Machines:
        """The same for n detections."""
        more = n - len(self.name)
        if more <= 0:
            return self
        new = Machines.nothing(more)
        return Machines(
            self.names, np.append(self.name, new.name), np.append(self.score, new.score),
            np.append(self.mapped, new.mapped), np.append(self.human, new.human), self.refined,
            self.novelty, self.groups, self.discovery,
        )


def read_machines(
    project: Any, table: Table, answers: Answers, rest: Callable[[], None] = lambda: None
) -> Machines:
    """Read the scores of all global models, and the refinement that counts. rest: called between
    two pieces of the work."""
    from ecotone.store import shards

    out = Machines.nothing(len(table))
    for known in shards.sets(project.catalog, "scores"):
        if not known.rows:
            continue
        rest()
        first = len(out.names)
        out.names += [short_name(c) for c in known.classes]
        local = _stands_for(project, known.classes, answers.classes)
        person = np.zeros(len(known.classes), dtype=bool)
        person[person_columns(known.classes)] = True
        for file in known.files:
            rest()
            ids, indptr, indices, data = shards.load_shard(
                project.vectors, known, file, "ids", "indptr", "indices", "data"
            )
            shape = (len(indptr) - 1, len(known.classes))
            part = sparse.csr_matrix((data, indices, indptr), shape=shape)
            _fill(out, table, ids.astype(str).tolist(), part, first, local, person)
    out.refined = _refined(project, table)
    out.discovery = project.catalog.newest_discovery()
    out.novelty, out.groups = _discovered(project, table, out.discovery)
    return out


def _discovered(
    project: Any, table: Table, run: str
) -> tuple[dict[int, float], dict[str, dict[str, list[int]]]]:
    if not run:
        return {}, {}
    found = project.catalog.discovery(run)
    rows = np.array([table.row_of.get(i, -1) for i in found.detection_id], dtype=np.int64)
    flagged = np.flatnonzero(found.novel & (rows >= 0))
    groups: dict[str, dict[str, list[int]]] = {}
    surest = np.argsort(-found.membership, kind="stable")
    for key, group, order in (
        ("clusters", found.proposal, surest), ("repeats", found.repeat, np.arange(len(rows))),
    ):
        for at in order[(group[order] > 0) & (rows[order] >= 0)]:
            groups.setdefault(key, {}).setdefault(str(group[at]), []).append(int(rows[at]))
    return {int(rows[at]): float(found.novelty[at]) for at in flagged}, groups


def _fill(
    out: Machines, table: Table, ids: list[str], part: sparse.csr_matrix, first: int,
    local: np.ndarray, person: np.ndarray,
) -> None:
    rows = np.fromiter((table.row_of.get(i, -1) for i in ids), dtype=np.int64, count=len(ids))
    filled = np.diff(part.indptr) > 0
    best, score = _surest(part)
    human = np.asarray(part[:, person].sum(axis=1)).ravel() >= HUMAN
    here = rows >= 0
    out.human[rows[here]] |= human[here]
    surer = here & filled & (score > out.score[np.maximum(rows, 0)])
    out.name[rows[surer]] = first + best[surer]
    out.score[rows[surer]] = score[surer]
    out.mapped[rows[surer]] = local[best[surer]]


def _surest(part: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Column and value (n,) of the largest entry of each row, the first of equal ones; 0 and 0.0
    where a row has none."""
    rows = len(part.indptr) - 1
    best, score = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.float32)
    if not len(part.data):
        return best, score
    row = np.repeat(np.arange(rows), np.diff(part.indptr))
    order = np.lexsort((part.indices, -part.data, row))
    first = order[np.r_[True, np.diff(row[order]) > 0]]
    best[row[first]], score[row[first]] = part.indices[first], part.data[first]
    return best, score


def _stands_for(
    project: Any, names: tuple[str, ...], classes: tuple[str, ...]
) -> np.ndarray:
    """The local class (S,) that each global class stands for by its name, -1 for none."""
    from ecotone.taxonomy.relations import relate

    if not classes:
        return np.full(len(names), -1, dtype=np.int16)
    weight = relate(classes, names, taxonomy_of(project.catalog, {})).weight
    best = weight.argmax(axis=0).astype(np.int16)
    best[weight.max(axis=0) < CLAIM] = -1
    return best


def _refined(project: Any, table: Table) -> dict[int, tuple[str, str, str]]:
    from ecotone.errors import EcotoneError
    from ecotone.project.refined import refined_of

    try:
        found = refined_of(project)
    except EcotoneError:  # a record that was taken away: nothing to show
        return {}
    if found is None:
        return {}
    out = {}
    rows = zip(found.table.detection_id, found.table.stage, found.table.was, found.table.became,
               strict=True)
    for identity, stage, was, became in rows:
        row = table.row_of.get(identity)
        if row is not None and stage not in STAYS and was != became:
            out[row] = (short_name(was), found.shown(became)[0], stage)
    return out
