"""The whole project as one study: what came in, and beside it what people and ecotone added.

Rows of kept studies come out as they went in, cell by cell and in their order; people's labels and
machine rows are never mixed up: `classificationMethod` tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ecotone.ingest.text import some
from ecotone.project.answers import answers_of
from ecotone.project.individual_exports import IndividualRows, add_individual
from ecotone.project.individual_runs import Identifications
from ecotone.project.kept_rows import Chained, KeptRows, Rows, active_studies
from ecotone.project.machine_rows import MachineRows
from ecotone.project.own_rows import OwnRows, known_of
from ecotone.study import Row, Study

TABLES = ("deployments", "media", "observations")
_MERGED = ("contributors", "taxonomic", "sources", "keywords", "references")


def study_of(
    project: Any, source: str = "best", run: str | None = None, machine: bool = True,
    people: bool = True, events: bool = False,
) -> Study:
    """The project as a study; media and observations are made anew in every loop.

    source: probabilities of the "fused" predictor, the "local" model alone, or the "best" of both;
    or what the "refined" labels are.
    run: default the newest fusion. machine, people: whether observations by machines and by people
    are given, kept ones included. events: also one machine observation an event and species, with
    the most boxes in one picture as `count`. `problems` tells what a reader should know.
    Raises InputError on another source, ProjectError when there is no such run or a kept study is
    missing.
    """
    catalog = project.catalog
    shifts, labels = catalog.time_shifts(), catalog.labels()
    studies = [KeptRows(project, kept, shifts) for kept in active_studies(catalog.studies())]
    own = OwnRows(project, known_of(studies, catalog, labels), labels)
    answers = answers_of(project, run, source) if machine else None
    makers: list[Callable[[], Iterator[Row]]] = [_Filtered(studies, machine, people).rows]
    if people:
        makers.append(own.people)
    problems = list(own.notes)
    found = Identifications(project) if machine else {}
    if answers is not None:
        rows = MachineRows(own, answers, lambda row, name: add_individual(row, found, name))
        makers += [rows.media_level, *([rows.event_level] if events else [])]
        if rows.without:
            problems.append(f"{rows.without:,} detections are not in run {answers.run}; "
                            "run: ecotone fuse")
    elif machine and len(own.media) and not found:
        problems.append("nothing fused yet: no rows of ecotone's own (run: ecotone fuse)")
    if found:
        makers.append(IndividualRows(own, found, answers).rows)
    problems += _twice(studies)
    added = list(own.deployments())
    return Study(
        [*Chained(studies, "deployments"), *added],
        Rows(Chained(studies, "media").__iter__, own.media_rows), Rows(*makers),
        metadata_of(project, studies, bool(added)), _source(project, studies),
        tuple(dict.fromkeys(r for s in studies for r in s.study.repairs)), tuple(problems),
    )


def _twice(studies: list[KeptRows]) -> list[str]:
    """What to tell of ids that several studies use, one line a table."""
    found = ((table, Chained(studies, table).twice()) for table in TABLES)
    return [
        f"{len(twice):,} {table} have an id that several studies use for different rows, the first "
        f"is written: {some(twice)}" for table, twice in found if twice
    ]


class _Filtered:
    """Observations of kept studies, of machines, of people, or of both."""

    def __init__(self, studies: list[KeptRows], machine: bool, people: bool) -> None:
        self._rows = Chained(studies, "observations")
        self._left_out = {"machine": not machine, "human": not people}

    def rows(self) -> Iterator[Row]:
        """The rows that are asked for; those that do not say who made them are always given."""
        for row in self._rows:
            if not self._left_out.get(row.get("classificationMethod", ""), False):
                yield row


def metadata_of(project: Any, studies: list[KeptRows], more: bool = False) -> dict[str, Any]:
    """The descriptor of the only kept study; of several what they have in common, under the
    project's name. more: deployments were added, so the study's own area and period are too small.
    """
    if len(studies) == 1:
        small = ("spatial", "temporal") if more else ()
        return {k: v for k, v in studies[0].study.metadata.items() if k not in small}
    name = project.config.name or project.path.name
    out: dict[str, Any] = {"name": name, "title": name, "project": {"title": name}}
    for key in _MERGED:
        listed = [v for s in studies for v in s.study.metadata.get(key) or ()]
        if listed:
            out[key] = [v for n, v in enumerate(listed) if v not in listed[:n]]
    return out


def _source(project: Any, studies: list[KeptRows]) -> str:
    """Where files lie that a descriptor names: those of the only kept study."""
    return studies[0].study.source if len(studies) == 1 else str(project.path)
