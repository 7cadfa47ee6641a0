"""`ecotone refine`: from "animal" and "mammal" down to species, or to an honest ancestor.

N detections in use. One audit row each goes into the catalogue; people's labels are never changed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np

from ecotone.hierarchy.audit import TRUSTED
from ecotone.hierarchy.before import Before
from ecotone.hierarchy.results import SPECIES_RANKS, UNCHANGED, Refinement
from ecotone.project.fusing import ensure_embeddings
from ecotone.project.records import recorded_run, versions, write_json
from ecotone.project.refined import PEOPLE
from ecotone.project.refining_figures import measure
from ecotone.project.refining_input import RefineInput, gather_refinement
from ecotone.project.refining_methods import Method, blocks, learn
from ecotone.project.refining_settings import RefineSettings, settings_of
from ecotone.store.refinements import RefinementTable

Progress = Callable[[int, "int | None", str], None]
CHUNK = 65536


@dataclass(frozen=True)
class RefineResult:
    """What a refinement did.

    run: its id. counts: detections, labelled, trusted (sure labels of a global model), changed,
    species_before and species_after. stages: changed detections by stage. figures: see
    `refining_figures.measure`. notes: what to know.
    """

    run: str
    method: str
    counts: dict[str, int]
    stages: dict[str, int]
    figures: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def refine(
    project: Any, progress: Progress | None = None, check: bool = True, **options: Any
) -> RefineResult:
    """Refine the labels of all detections, and keep one audit row for each.

    check: whether to measure how good it is on people's labels, each hidden in turn. options: see
    `refining_settings.settings_of`. Raises ProjectError when the project lacks what it needs,
    InputError for a setting that is not possible.
    """
    say = progress or (lambda done, total, text: None)
    settings = settings_of(project, **options)
    notes = ensure_embeddings(project, settings.embedding_model, progress)
    data = gather_refinement(project, settings, say)
    catalog = project.catalog
    catalog.drop_unfinished_refinements()
    kept = {**settings.kept, "random_state": settings.seed,
            "embedding_model": data.embedding_model, "score_models": list(data.score_models)}
    started = time.perf_counter()
    with recorded_run(catalog, "refine", kept, settings.seed) as (run, summary):
        say(0, None, f"learning from {_learned(data):,} trusted detections")
        method = learn(data, settings)
        counts = _store(catalog, run, data, method, say)
        figures, more = measure(data, settings, say) if check else ({}, [])
        record = {
            "run": run, "command": "refine", "method": settings.method, "seed": settings.seed,
            "settings": kept, "versions": versions(),
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "counts": counts.as_dict(), "stages": dict(counts.stages), "learned": method.figures,
            "present": _present(data), "figures": figures,
            "notes": list(dict.fromkeys(
                [*notes, *data.notes, *method.notes, *_nothing(counts, settings), *more])),
            "seconds": round(time.perf_counter() - started, 2),
        }
        write_json(project.path / "runs" / f"{run}.json", record)
        summary.update(method=settings.method, counts=record["counts"])
    return RefineResult(run, settings.method, record["counts"], record["stages"], figures,
                        record["notes"])


@dataclass
class _Counts:
    """What is counted while answers are stored."""

    detections: int = 0
    labelled: int = 0
    trusted: int = 0
    changed: int = 0
    species_before: int = 0
    species_after: int = 0
    stages: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, int]:
        names = ("detections", "labelled", "trusted", "changed", "species_before", "species_after")
        return {name: int(getattr(self, name)) for name in names}

    def add(self, table: RefinementTable, species_before: np.ndarray) -> None:
        people = table.stage == PEOPLE
        changed = ~people & (table.was != table.became)
        self.detections += len(table)
        self.labelled += int(people.sum())
        self.trusted += int((table.stage == TRUSTED).sum())
        self.changed += int(changed.sum())
        self.species_before += int(species_before.sum())
        self.species_after += int(np.isin(table.rank.astype(str), SPECIES_RANKS).sum())
        self.stages.update(table.stage[changed].tolist())


def _nothing(counts: _Counts, settings: RefineSettings) -> list[str]:
    """What to say where not one detection got another label."""
    free = counts.detections - counts.labelled - counts.species_before
    if counts.changed or free <= 0:
        return []
    more = "more labels" + (", or a larger --alpha, do" if settings.method == "climb" else " do")
    return [f"what was learned from is too little to name any detection: {more}"]


def _learned(data: RefineInput) -> int:
    return int(sum(name is not None for name in data.trusted.names))


def _present(data: RefineInput) -> dict[str, Any]:
    if data.present is None:
        return {}
    return {"source": data.present.source, "names": list(data.present.names),
            "not_in_the_tree": list(data.present.lost)}


def _store(
    catalog: Any, run: str, data: RefineInput, method: Method, say: Progress
) -> _Counts:
    """Answer all detections and keep the audit rows; those without an embedding are unchanged."""
    auditor, counts, done = _Auditor(data), _Counts(), 0
    total = len(data.ids)
    for rows in blocks(data, np.arange(len(data))):
        every = data.rows[rows]
        table = auditor.rows(every, method.answer(data, rows), data.trusted.by_model[rows])
        counts.add(table, data.before.species[data.before.code[every]])
        catalog.add_refinement(run, table)
        done += len(rows)
        say(done, total, "going down the tree")
    rest = np.flatnonzero(~data.usable)
    for start in range(0, len(rest), CHUNK):
        every = rest[start : start + CHUNK]
        table = auditor.rows(every, None, np.zeros(len(every), dtype=bool))
        counts.add(table, data.before.species[data.before.code[every]])
        catalog.add_refinement(run, table)
    return counts


class _Auditor:
    """Makes audit rows: answers, over them what people said."""

    def __init__(self, data: RefineInput) -> None:
        self.data = data
        self.rank = np.array([*data.before.rank, ""], dtype=object)
        people = Before.read(data.labels, data.taxonomy, len(data.labels))
        self.said = np.array([*people.rank, ""], dtype=object)[people.code]
        own = {label for label in data.labels if label is not None} | {*data.classes}
        self.shown = {
            name: name if name in own else name[:1].upper() + name[1:]
            for name in (*data.taxonomy.nodes, *own)
        }

    def rows(
        self, every: np.ndarray, answer: Refinement | None, by_model: np.ndarray
    ) -> RefinementTable:
        """Audit rows of detections `every` (numbers among all N)."""
        data, n = self.data, len(every)
        was, labels = data.before.label[every], data.labels[every]
        empty, blank = np.full(n, np.nan), np.full(n, "", dtype=object)
        became, stage = was.copy(), np.full(n, UNCHANGED, dtype=object)
        rank, probability = self.rank[data.before.code[every]], data.was_score[every].copy()
        first, second, gap, beyond, threshold = blank, blank, empty, empty, empty
        if answer is not None:
            moved = answer.node != was
            became[moved] = self._names(answer.node[moved])
            rank = np.where(moved, answer.rank, rank)
            probability[moved] = answer.probability[moved]
            stage[moved] = answer.stage[moved]
            first, second = self._names(answer.first), self._names(answer.second)
            gap, beyond = answer.first_distance, answer.second_distance
            threshold = answer.threshold
        stage[by_model & (stage == UNCHANGED)] = TRUSTED
        people = np.array([label is not None for label in labels], dtype=bool)
        became[people], stage[people] = labels[people], PEOPLE
        rank = np.where(people, self.said[every], rank)
        probability[people] = np.nan
        return RefinementTable(data.ids[every], stage, was, became, rank, probability, first, gap,
                               second, beyond, threshold)

    def _names(self, values: np.ndarray) -> np.ndarray:
        out = np.empty(len(values), dtype=object)
        out[:] = [self.shown.get(name, name) for name in values]
        return out
