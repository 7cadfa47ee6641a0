"""What runs said of individuals: the answers that count, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ecotone.errors import ProjectError
from ecotone.project.individual_labels import named_individuals
from ecotone.store import individuals as store
from ecotone.store.runs import now

PEOPLE = "people"


class Identified(NamedTuple):
    """Who an animal is. individual: individualID, "" = cannot tell. decision: "known", "new",
    "cannot tell", "cluster", or "people". probability: NaN where people said it. known: P(one of
    the known ones). candidates: (individualID, probability, detection). run: "" for people's."""

    individual: str
    decision: str
    probability: float
    known: float
    candidates: list[tuple[str, float, str]]
    run: str


class Identifications(Mapping[str, Identified]):
    """Detection id -> Identified: people's word first, else that of the newest run that counts and
    has the detection.

    runs: the ids of these runs, newest first.
    """

    def __init__(self, project: Any) -> None:
        connection = project.catalog.connection
        every = [r for r in store.read_runs(connection) if not r.undone]
        self._people = named_individuals(project.catalog).individual
        self._row: dict[str, tuple[store.IdentificationTable, int, str]] = {}
        self.runs: list[str] = []
        for run in reversed(every):
            table = store.read_rows(connection, run.run)
            fresh = [(n, d) for n, d in enumerate(table.detection_id) if d not in self._row]
            for n, detection in fresh:
                self._row[detection] = (table, n, run.run)
            if fresh:
                self.runs.append(run.run)

    def __getitem__(self, detection: str) -> Identified:
        name = self._people.get(detection)
        if name is not None:
            nan = float("nan")
            return Identified(name, PEOPLE, nan, nan, [], "")
        table, n, run = self._row[detection]
        return Identified(
            str(table.individual[n]), str(table.decision[n]), float(table.probability[n]),
            float(table.known[n]), table.best(n), run)

    def __iter__(self) -> Iterator[str]:
        yield from self._people
        yield from (d for d in self._row if d not in self._people)

    def __len__(self) -> int:
        return len(self._people.keys() | self._row.keys())

    @property
    def by_machine(self) -> dict[str, str]:
        """Detection id -> individualID of those that a run named."""
        return {d: str(t.individual[n]) for d, (t, n, _) in self._row.items()
                if d not in self._people and t.individual[n]}


@dataclass(frozen=True)
class IndividualsUndone:
    """undone: the run that no longer counts. now: the newest that does, "" = none."""

    undone: str
    now: str


def undo(project: Any, run: str | None = None) -> IndividualsUndone:
    """Take a run of `individuals match` or `catalogue` back, the newest by default; its rows stay.

    Raises ProjectError when there is none, or it was undone before.
    """
    catalog = project.catalog
    every = store.read_runs(catalog.connection)
    found = next((r for r in reversed(every) if r.run == run or (run is None and not r.undone)),
                 None)
    if found is None:
        known = ", ".join(r.run for r in every[-3:]) or "none"
        raise ProjectError(
            f"no such run of individuals {run!r} here; there are: {known}" if run else
            "no run of individuals to undo; make one with: ecotone individuals match")
    if found.undone:
        raise ProjectError(f"{found.run} was undone already, {found.undone}")
    with catalog.transaction() as connection:
        store.mark_undone(connection, found.run, now())
    left = [r for r in store.read_runs(catalog.connection) if not r.undone]
    return IndividualsUndone(found.run, left[-1].run if left else "")
