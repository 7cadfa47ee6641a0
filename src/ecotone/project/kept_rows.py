"""The rows of kept studies: as they came, but for the times of clocks that were corrected since."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ecotone.ingest.camtrapdp_cells import IDS
from ecotone.ingest.zones import clock_in, find_zone, offset_of, parse_moment, zoned
from ecotone.project.study_files import read_kept
from ecotone.store.tables import KeptStudy, TimeShift
from ecotone.study import Row, Study

TIMES = {"media": ("timestamp",), "observations": ("eventStart", "eventEnd")}


@dataclass(frozen=True)
class Change:
    """How times of a deployment change: seconds to add, as a clock of the zone `was` shows them,
    and the zone that they are in then."""

    seconds: float
    was: str
    zone: str

    def apply(self, text: str) -> str:
        """The corrected time; as it is where nothing changes, or when it is no time."""
        wall = clock_in(text, find_zone(self.was or offset_of(text)))
        if not wall:
            return text
        moved = (datetime.fromisoformat(wall) + timedelta(seconds=self.seconds)).isoformat()
        name = self.zone or self.was or offset_of(text)
        after = zoned(moved, find_zone(name))
        return text if parse_moment(after) == parse_moment(text) else after


class KeptRows:
    """A kept study with the corrections that people made after it came."""

    def __init__(
        self, project: Any, kept: KeptStudy, shifts: Mapping[str, list[TimeShift]]
    ) -> None:
        self.kept = kept
        self.study: Study = read_kept(project, kept)
        self.changes = changes_of(kept, shifts)

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of "deployments", "media" or "observations"."""
        columns = TIMES.get(table, ())
        for row in getattr(self.study, table):
            change = self.changes.get(row.get("deploymentID", "")) if columns else None
            if change is None:
                yield row
            else:
                yield {**row, **{c: change.apply(row[c]) for c in columns if row.get(c)}}


def changes_of(kept: KeptStudy, shifts: Mapping[str, list[TimeShift]]) -> dict[str, Change]:
    """Deployment -> what changes in the study's times, for the clocks that a person corrected.

    A study's own corrections are in its times already.
    """
    seconds = kept.summary.get("seconds", {})
    zones = kept.summary.get("zones", {})
    out = {}
    for place, rows in shifts.items():
        now = rows[-1]
        if all(row.author.startswith("sources/") for row in rows):
            continue
        change = Change(now.seconds - seconds.get(place, 0.0), zones.get(place, ""), now.time_zone)
        if change.seconds or change.zone:
            out[place] = change
    return out


def active_studies(studies: Sequence[KeptStudy]) -> list[KeptStudy]:
    """The newest version of each study, in the order in which the first versions came."""
    newest: dict[str, KeptStudy] = {}
    for study in studies:
        newest[study.summary["identity"]] = study
    return list(newest.values())


class Chained:
    """Rows of several studies after each other; of equal ids the first counts."""

    def __init__(self, studies: Sequence[KeptRows], table: str) -> None:
        self.studies, self.table = studies, table

    def __iter__(self) -> Iterator[Row]:
        if len(self.studies) == 1:
            yield from self.studies[0].rows(self.table)
            return
        column, seen = IDS[self.table], set()
        for study in self.studies:
            own = set()
            for row in study.rows(self.table):
                name = row.get(column, "")
                if name not in seen:
                    own.add(name)
                    yield row
            seen |= own

    def twice(self) -> list[str]:
        """Identifiers that several studies use for rows with different cells."""
        if len(self.studies) < 2:
            return []
        column = IDS[self.table]
        seen: dict[str, int] = {}
        out: dict[str, None] = {}
        for study in self.studies:
            own = {}
            for row in study.rows(self.table):
                name, cells = row.get(column, ""), hash(tuple(sorted(row.items())))
                if seen.get(name, cells) != cells:
                    out[name] = None
                own[name] = cells
            seen.update(own)
        return list(out)


class Rows:
    """Rows of several makers after each other, made anew in every loop."""

    def __init__(self, *makers: Callable[[], Iterator[Row]]) -> None:
        self.makers = makers

    def __iter__(self) -> Iterator[Row]:
        for make in self.makers:
            yield from make()
