"""What the tables of a package say of each other: missing deployments, lost media, equal ids.

One pass over each table finds what is wrong; a second, where something is, mends and counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ecotone.ingest.camtrapdp_cells import IDS
from ecotone.ingest.camtrapdp_ids import Ids, Repeats
from ecotone.ingest.camtrapdp_log import Log, Quiet
from ecotone.ingest.camtrapdp_mend import add_tag, has_tag
from ecotone.ingest.camtrapdp_table import Placed
from ecotone.ingest.camtrapdp_times import instant
from ecotone.study import DEPLOYMENT_COLUMNS, Row, blank_row

Read = Callable[[Log], Iterator[Placed]]  # the rows of a table, each mended in itself


@dataclass
class Links:
    """What a package's tables hold of each other. orphans: deployments that are only referred to,
    with the first and last time of their rows; lost: mediaIDs that media.csv lacks; needed:
    deployment and time of media, by mediaID, for observations that do not say them."""

    deployments: list[Row] = field(default_factory=list)
    known: frozenset[str] = frozenset()
    orphans: dict[str, list[str]] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    needed: dict[str, tuple[str, str]] = field(default_factory=dict)
    twice: dict[str, frozenset[str]] = field(default_factory=dict)
    ids: dict[str, Ids] = field(default_factory=dict)
    odd: set[str] = field(default_factory=set)  # tables of which some row is to be mended
    rows: dict[str, int] = field(default_factory=dict)

    def linked(self, table: str, read: Read, log: Log) -> Iterator[Row]:
        """The rows of media or observations, mended in themselves and to the other tables."""
        repeats = Repeats(IDS[table], self.twice[table], self.ids[table])
        mend = self._medium if table == "media" else self._observation
        for number, (file, line, row) in enumerate(read(Quiet()), start=1):
            if not row[IDS[table]]:
                row[IDS[table]] = f"{table}-{number}"
                log.repair(table, f"{IDS[table]} was not given", file, line, "", row[IDS[table]])
            mend(row, log, file, line)
            was = row[IDS[table]]
            done = repeats.settle(row)
            if done:
                _tell(log, table, done, file, line, was, row[IDS[table]])
            if done == "same":
                continue
            said = has_tag(row.get("observationTags", ""), "label")
            if said:
                row["label"] = said
            yield row

    def _medium(self, row: Row, log: Log, file: str, line: int) -> None:
        self._deployment("media", row, log, file, line)

    def _observation(self, row: Row, log: Log, file: str, line: int) -> None:
        table, medium = "observations", row["mediaID"]
        if medium and medium in self.lost:
            clean = medium.strip()
            if clean and clean != medium and clean in self.ids["media"]:
                row["mediaID"] = clean
                log.repair(table, "mediaID without its blanks", file, line, medium, clean)
                medium = clean
            else:
                row["mediaID"] = ""
                row["observationTags"] = add_tag(row["observationTags"], f"mediaID:{medium}")
                log.repair(table, "medium that the media table lacks: mediaID kept in "
                           "observationTags", file, line, medium, "")
        place, taken = self.needed.get(medium, ("", "")) if medium else ("", "")
        if not row["deploymentID"] and place:
            row["deploymentID"] = place
            log.repair(table, "deploymentID taken from the medium", file, line, "", place)
        self._deployment(table, row, log, file, line)
        for column, other in (("eventStart", taken), ("eventEnd", taken or row["eventStart"])):
            if not row[column] and other:
                row[column] = other
                log.repair(table, f"{column} was not given, taken from the medium or the start",
                           file, line, "", other)
        if not row["eventStart"]:
            log.problem(table, "eventStart is empty, which Camtrap DP requires", file, line)

    def _deployment(self, table: str, row: Row, log: Log, file: str, line: int) -> None:
        name = row["deploymentID"]
        if not name:
            log.problem(table, "deploymentID is empty; give the deployment's", file, line)
        elif name not in self.known and name.strip() in self.known:
            row["deploymentID"] = name.strip()
            log.repair(table, "deploymentID without its blanks", file, line, name, name.strip())


def _tell(
    log: Log, table: str, done: str, file: str, line: int, was: str, now: str
) -> None:
    if done == "same":
        log.repair(table, "row that stands twice, left out the second time", file, line, was, "")
    else:
        first = "" if table == "observations" else "; other tables mean the first"
        log.repair(table, f"{IDS[table]} that stands twice with other cells, named anew{first}",
                   file, line, was, now)


def find_links(reads: dict[str, Read], log: Log) -> Links:
    """Goes through the three tables, telling `log` of what each row holds in itself."""
    links = Links(ids={table: Ids() for table in reads})
    links.deployments = list(_deployments(reads["deployments"], links, log))
    links.known = frozenset(r["deploymentID"] for r in links.deployments)
    _scan_media(reads["media"], links, log)
    wanted, needing = _scan_observations(reads["observations"], links, log)
    for table in ("media", "observations"):
        texts = _texts(reads[table], IDS[table], table)
        links.twice[table] = links.ids[table].twice(texts)
    mentioned = _texts(reads["observations"], "mediaID")
    links.lost = links.ids["media"].lacking(wanted, mentioned)
    links.odd |= {table for table, names in links.twice.items() if names}
    links.odd |= {"observations"} if links.lost else set()
    needing |= {text.strip() for text in links.lost & needing}
    if needing:
        for _, _, row in reads["media"](Quiet()):
            if row["mediaID"] in needing:
                links.needed.setdefault(row["mediaID"], (row["deploymentID"], row["timestamp"]))
    for name, (first, last, file, line) in links.orphans.items():
        links.deployments.append(blank_row(
            DEPLOYMENT_COLUMNS, deploymentID=name, deploymentStart=first, deploymentEnd=last
        ))
        log.repair("deployments", "deployment that only other tables name, made from their times, "
                   "without coordinates", file, line, "", name)
    return links


def _texts(read: Read, column: str, table: str = "") -> Callable[[], Iterator[str]]:
    def texts() -> Iterator[str]:
        for number, (_, _, row) in enumerate(read(Quiet()), start=1):
            yield row[column] or (f"{table}-{number}" if table else "")

    return texts


def _deployments(read: Read, links: Links, log: Log) -> Iterator[Row]:
    ids = links.ids["deployments"]
    rows = list(read(log))
    for _, _, row in rows:
        ids.add(row["deploymentID"])
    twice = ids.twice(lambda: (row["deploymentID"] for _, _, row in rows))
    repeats = Repeats("deploymentID", twice, ids)
    for file, line, row in rows:
        was = row["deploymentID"]
        if not was:
            log.problem("deployments", "row without a deploymentID, left out", file, line)
            continue
        done = repeats.settle(row)
        if done:
            _tell(log, "deployments", done, file, line, was, row["deploymentID"])
        if done == "same":
            continue
        for column in ("latitude", "longitude"):
            if not row[column]:
                log.problem("deployments", f"{column} is empty, which Camtrap DP requires; give it "
                            "in the table", file, line)
        yield row


def _scan_media(read: Read, links: Links, log: Log) -> None:
    number, own = 0, links.ids["media"]
    for number, (file, line, row) in enumerate(read(log), start=1):
        own.add(row["mediaID"] or f"media-{number}")
        if not row["mediaID"] or row["deploymentID"] not in links.known:
            links.odd.add("media")
            _orphan(links, row["deploymentID"], row["timestamp"], row["timestamp"], file, line)
        if not row["timestamp"]:
            log.problem("media", "timestamp is empty, which Camtrap DP requires", file, line)
    links.rows["media"] = number


def _scan_observations(read: Read, links: Links, log: Log) -> tuple[Ids, set[str]]:
    """The mediaIDs that observations name, and those whose time or deployment they need."""
    wanted, needing, number = Ids(), set(), 0
    own, known = links.ids["observations"], links.known
    for number, (file, line, row) in enumerate(read(log), start=1):
        own.add(row["observationID"] or f"observations-{number}")
        medium, place = row["mediaID"], row["deploymentID"]
        if medium:
            wanted.add(medium)
        if not (row["observationID"] and row["eventStart"] and row["eventEnd"]) or (
            place not in known
        ):
            links.odd.add("observations")
            _orphan(links, place, row["eventStart"], row["eventEnd"], file, line)
            if medium and not (row["eventStart"] and place):
                needing.add(medium)
    links.rows["observations"] = number
    return wanted, needing


def _orphan(links: Links, name: str, start: str, end: str, file: str, line: int) -> None:
    if not name or name in links.known or name.strip() in links.known:
        return
    entry = links.orphans.setdefault(name, [start, end or start, file, line])
    if start and (not entry[0] or _when(start) < _when(entry[0])):
        entry[0] = start
    if (end or start) and (not entry[1] or _when(end or start) > _when(entry[1])):
        entry[1] = end or start


def _when(text: str) -> float:
    found = instant(text)
    return 0.0 if found is None else found
