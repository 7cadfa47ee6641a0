"""Rows on their way into a Camtrap DP: completed, checked against the standard, and counted.

A row is mended as when it is read; one that still lacks what the standard requires is a fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import tzinfo

from ecotone.ingest.camtrapdp_cells import IDS, REQUIRED, TIMES, fits_path
from ecotone.ingest.camtrapdp_ids import Ids
from ecotone.ingest.camtrapdp_log import Log
from ecotone.ingest.camtrapdp_mend import Mender, add_tag
from ecotone.ingest.camtrapdp_table import MISSING
from ecotone.ingest.camtrapdp_times import instant
from ecotone.study import Row

_MARKS = frozenset(MISSING) - {""}
_PLACES = "give them in a csv with deploymentID, latitude, longitude (ecotone add deployments)"
ADVICE = {
    "latitude is empty": _PLACES, "longitude is empty": _PLACES,
    "timestamp is empty": "give the times of the pictures",
    "eventStart is empty": "give the time of the event",
}


@dataclass
class Faults:
    """Rows of one table that the standard cannot hold: kind -> number and first identifiers."""

    table: str
    kinds: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        count, names = self.kinds.get(kind, (0, []))
        self.kinds[kind] = (count + 1, [*names, name] if len(names) < 3 else names)

    def lines(self) -> list[str]:
        """One line a kind: which rows, and what to do."""
        out = []
        for kind, (count, names) in self.kinds.items():
            which = ", ".join(map(repr, names)) + (f" and {count - 3:,} more" if count > 3 else "")
            advice = f"; {ADVICE[kind]}" if kind in ADVICE else ""
            out.append(f"{self.table}: {count:,} cannot be written, {kind} ({which}){advice}")
        return out


class _Strict(Log):
    """A log that remembers the problem of the last row, and the cell."""

    def __init__(self) -> None:
        super().__init__()
        self.fault, self.cell = "", ""

    def problem(self, table: str, kind: str, file: str, line: int, was: str = "") -> None:
        self.fault, self.cell = kind, was


@dataclass
class Coverage:
    """What the rows written so far are about: names with their vernacular names, levels, ways of
    capture, whether there are individuals, and the times of deployments that have none."""

    names: dict[str, str] = field(default_factory=dict)
    levels: set[str] = field(default_factory=set)
    captures: set[str] = field(default_factory=set)
    individuals: bool = False
    undated: dict[str, list[str]] = field(default_factory=dict)

    def date(self, row: Row, start: str, end: str) -> None:
        """Keeps the times of a row whose deployment has none of its own."""
        times = self.undated.get(row["deploymentID"])
        if times is None or not row[start]:
            return
        first, last = row[start], row[end]
        if not times:
            times[:] = [first, last]
        times[0] = min(times[0], first, key=_when)
        times[1] = max(times[1], last, key=_when)


def _when(text: str) -> float:
    return instant(text) or 0.0


class Outgoing:
    """The rows of one table.

    deployments: those that are written; media: the identifiers of the media that are written.
    """

    def __init__(
        self, table: str, zone: tzinfo | None, coverage: Coverage,
        deployments: frozenset[str] = frozenset(), media: Ids | None = None,
    ) -> None:
        self.table, self.coverage = table, coverage
        self.log, self.faults, self.ids = _Strict(), Faults(table), Ids()
        self._mender = Mender(table, zone)
        # Times of deployments may still come from their media.
        late = TIMES[table] if table == "deployments" else ()
        self._required = tuple(c for c in REQUIRED[table] if c not in late)
        self._deployments, self._media = deployments, media
        self._number, self._columns = 0, frozenset(self._mender.columns)
        self._complete = {"media": self._medium, "observations": self._observation}.get(table)

    def take(self, given: Row) -> Row | None:
        """The row as it is to be written, None when it is at fault; `given` is left as it is."""
        self._number += 1
        row = given.copy()
        if not (self._columns <= row.keys() and _MARKS.isdisjoint(row.values())):
            for column in self._mender.columns:
                if row.get(column, "NA") in MISSING:  # what readers would take for nothing
                    row[column] = ""
        self.log.fault = self.log.cell = ""
        if self._complete is not None:
            self._complete(row)
        self._mender.mend(row, self.log, self.table, self._number)
        fault = self.log.fault or next((f"{c} is empty" for c in self._required if not row[c]), "")
        fault = fault or self._links(row)
        if fault:
            name = row[IDS[self.table]] or f"row {self._number}"
            self.faults.add(fault, f"{name}: {self.log.cell[:40]}" if self.log.cell else name)
            return None
        self.ids.add(row[IDS[self.table]])
        return row

    def _links(self, row: Row) -> str:
        if self.table == "deployments":
            return ""
        if row["deploymentID"] not in self._deployments:
            return "its deployment is not among those written"
        if self.table == "media":
            if not fits_path(row["filePath"]):
                return "filePath starts with a dot or has two in a row; rename the file"
            self._count_medium(row)
            return ""
        if row["mediaID"] and row["mediaID"] not in self._media:
            return "its medium is not among those written"
        self._count_observation(row)
        return ""

    def _say(self, what: str, was: str, now: str) -> None:
        self.log.repair(self.table, what, self.table, self._number, was, now)

    def _medium(self, row: Row) -> None:
        if not row["filePublic"]:
            row["filePublic"] = "false"
            self._say("filePublic is not known, written as false", "", "false")
        path = row["filePath"]
        if path and not fits_path(path):
            row["filePath"] = inside(path)
            if row["filePath"] != path:
                self._say("filePath leads outside the package, written without its start", path,
                          row["filePath"])

    def _observation(self, row: Row) -> None:
        if not row["eventEnd"] and row["eventStart"]:
            row["eventEnd"] = row["eventStart"]
            self._say("eventEnd is not known, written as the start", "", row["eventStart"])
        label = row.get("label", "")
        if label and label.casefold() != row["scientificName"].casefold():
            tag = f"label:{' '.join(label.split()).replace('|', '/')}"
            row["observationTags"] = add_tag(row["observationTags"], tag)
        if row["classificationMethod"] == "machine" and not row["classifiedBy"]:
            self._say("classified by a machine that classifiedBy does not name", "", "")

    def _count_medium(self, row: Row) -> None:
        if row["captureMethod"]:
            self.coverage.captures.add(row["captureMethod"])
        if row["deploymentID"] in self.coverage.undated:
            self.coverage.date(row, "timestamp", "timestamp")

    def _count_observation(self, row: Row) -> None:
        cover, name = self.coverage, row["scientificName"]
        cover.levels.add(row["observationLevel"])
        if name and not cover.names.get(name):
            cover.names[name] = row.get("vernacularName", "")
        if row["individualID"]:
            cover.individuals = True
        if row["deploymentID"] in cover.undated:
            cover.date(row, "eventStart", "eventEnd")


def inside(path: str) -> str:
    """A path that may stand in a package: without root, home and "..", which lead out of it.

    >>> inside("/data/cam1/a.jpg"), inside("../cam1/a.jpg"), inside("https://x.org/a..b.jpg")
    ('data/cam1/a.jpg', 'cam1/a.jpg', 'https://x.org/a%2E%2Eb.jpg')
    """
    if "://" in path:
        return path.replace("..", "%2E%2E")
    parts = path.replace("\\", "/").split("/")
    parts = [p for p in parts if p not in ("", ".", "..", "~")]
    return re.sub(r"^[A-Za-z]:/?", "", "/".join(parts)) or path
