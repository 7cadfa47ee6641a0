"""One voice a picture, for formats that cannot say who named an animal.

People's where there is one, else ecotone's, else another machine's: what is counted counts once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ecotone.study import Row, Study

PEOPLE, ECOTONE, MACHINE = 0, 1, 2
Key = tuple[str, ...]


def people_first(study: Study) -> Study:
    """The study with the observations of the best voice on each medium and event alone.

    What people said of an event counts for its pictures. Rows that do not say who made them are
    people's. `problems` tells how many rows are left out.
    """
    best: dict[Key, int] = {}
    for row in study.observations:
        key = _key(row)
        best[key] = min(_voice(row), best.get(key, MACHINE))
    rows = _Best(study, best)
    left_out = sum(1 for row in study.observations if not rows.counts(row))
    problems = study.problems
    if left_out:
        problems += (f"{left_out:,} observations by machines are left out where people, or a newer "
                     "model, named the picture",)
    return replace(study, observations=rows, problems=problems)


def _key(row: Row) -> Key:
    if row.get("observationLevel") == "event" or not row.get("mediaID"):
        return "event", row.get("deploymentID", ""), row.get("eventID", "")
    return "media", row["mediaID"]


def _voice(row: Row) -> int:
    if row.get("classificationMethod") != "machine":
        return PEOPLE
    return ECOTONE if row.get("classifiedBy", "").startswith("ecotone ") else MACHINE


class _Best:
    """The observations that count, made anew in every loop."""

    def __init__(self, study: Study, best: dict[Key, int]) -> None:
        self._rows, self._best = study.observations, best

    def __iter__(self) -> Iterator[Row]:
        return (row for row in self._rows if self.counts(row))

    def counts(self, row: Row) -> bool:
        """Whether nobody better has spoken of the picture or its event."""
        voice = _voice(row)
        if voice == PEOPLE:
            return True
        event = ("event", row.get("deploymentID", ""), row.get("eventID", ""))
        by_people = event[2] and self._best.get(event) == PEOPLE
        return not by_people and voice == self._best[_key(row)]
