"""`ecotone add study`: a whole data set with its deployments, pictures and people's observations.

Everything that goes into the catalogue goes in one transaction: all of the study or none of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError
from ecotone.ingest.tables import number
from ecotone.ingest.text import some
from ecotone.ingest.zones import find_zone
from ecotone.project.adding import Progress, register_files, sayer
from ecotone.project.adding_labels import boxes_by_medium
from ecotone.project.adding_results import TYPICAL, carry_scores
from ecotone.project.study_clocks import Clocks, compare_clocks
from ecotone.project.study_files import (
    Copy,
    Tables,
    clean_sources,
    copied,
    find_study,
    folder_name,
    read_study,
    tables_of,
)
from ecotone.project.study_labels import new_labels, read_observations
from ecotone.project.study_media import (
    Medium,
    pictures_beside,
    place_media,
    places_of,
    read_media,
)
from ecotone.project.times import renew_events
from ecotone.store.studies import next_study
from ecotone.store.tables import DeploymentFacts, KeptStudy, MediaTable
from ecotone.study import Row, Study


@dataclass(frozen=True)
class StudyReport:
    """What adding a study did.

    study: where its tables are kept. new: False when this very study was here before. deployments,
    media, observations: its rows. pictures: its media that the project has; added, labels and
    detections: pictures, labels and boxes that are new. same: labels that were here. repairs: what
    the reader mended; problems: what could not be used.
    """

    study: str
    kind: str
    name: str
    new: bool
    deployments: int
    media: int
    observations: int
    pictures: int
    added: int
    labels: int
    same: int
    detections: int
    repairs: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report for people."""
        state = "kept in" if self.new else "was here already:"
        return [
            f"{self.name}: {self.deployments:,} deployments, {self.media:,} media, "
            f"{self.observations:,} observations, {state} {self.study}",
            f"{self.pictures:,} of its media have a picture here, {self.added:,} pictures added",
            f"{self.labels:,} labels by people added, {self.same:,} already there; "
            f"{self.detections:,} boxes taken over",
            *(f"mended: {repair}" for repair in self.repairs),
        ]


def add_study(
    project: Any, path: Path, kind: str | None = None, time_zone: str | None = None,
    progress: Progress | None = None,
) -> StudyReport:
    """Add a whole study: Camtrap DP, COCO Camera Traps or a Wildlife Insights download.

    Its own tables are kept as they came. Its pictures are found by path or name and registered
    where they lie beside it; deployments get their coordinates and times; what people observed
    becomes labels, what machines said does not. Adding it again changes nothing, and a newer
    version adds what is new.
    kind: as in `study_files.READERS`, default by the content. time_zone: of times that have none.
    Raises FormatError when it is no study, InputError when it cannot be copied.
    """
    say = sayer(progress)
    find_zone(time_zone or "")
    if kind is None:
        kind, path = find_study(path)
    clean_sources(project)
    say(0, None, f"reading {path.name}")
    study = read_study(kind, path, time_zone)
    tables = tables_of(kind, path)
    with copied(project, tables) as copy:
        adding = _Adding(project, kind, path.resolve(), study, tables, time_zone or "", say)
        report = adding.run(copy)
    carry_scores(project, adding.boxed)
    return report


class _Adding:
    """One study on its way into the project."""

    def __init__(
        self, project: Any, kind: str, origin: Path, study: Study, tables: Tables,
        time_zone: str, say: Progress,
    ) -> None:
        self.project, self.catalog, self.say = project, project.catalog, say
        self.kind, self.origin, self.study = kind, origin, study
        self.tables, self.time_zone = tables, time_zone
        self.deployments = list(study.deployments)
        self.media = read_media(study.media)
        self.problems = list(study.problems)
        self.boxed: list[str] = []
        if not self.media and not self.deployments:
            raise FormatError(f"{origin}: holds no deployment and no medium.")

    def run(self, copy: Copy) -> StudyReport:
        """Everything in one transaction; a fault leaves neither rows nor files."""
        target = None
        try:
            with self.catalog.transaction():
                self.kept, new = self._record(copy.content_hash)
                folder = self.project.path / self.kept.folder
                if new or not folder.is_dir():
                    target = folder
                    copy.put_in_place(folder)
                return self._fill(new)
        except BaseException:
            if target is not None:
                shutil.rmtree(target, ignore_errors=True)
            raise

    def _record(self, content_hash: str) -> tuple[KeptStudy, bool]:
        """The study's record: the one that is here, or a new one."""
        every = self.catalog.studies()
        for before in every:
            same_zone = before.summary.get("time_zone", "") == self.time_zone
            if before.content_hash == content_hash and same_zone:
                return before, False
        number_ = next_study(self.catalog.connection)
        summary = {
            "identity": identity_of(self.study, self.kind, self.origin), "name": self.name,
            "main": self.tables.main, "time_zone": self.time_zone,
        }
        kept = KeptStudy(
            number_, self.kind, folder_name(number_, self.kind), str(self.origin), content_hash,
            "", summary,
        )
        rows = {row.get("deploymentID", ""): row for row in self.deployments}
        self.catalog.add_study(kept, rows.items())
        return kept, True

    @property
    def name(self) -> str:
        """What the study calls itself, else its file's name."""
        said = self.study.metadata.get("name") or self.study.metadata.get("title")
        return str(said or self.origin.name)

    def _fill(self, new: bool) -> StudyReport:
        added = self._add_pictures()
        table = self.catalog.media()
        places = places_of(self.deployments)
        self.say(0, None, "finding the pictures of its rows")
        placed = place_media(table, self.media, self.tables.base, places)
        self.problems += placed.problems
        pairs = [(m, placed.row_of[m.id]) for m in self.media if m.id in placed.row_of]
        media_of = {m.id: str(table.id[row]) for m, row in pairs}
        self.catalog.add_study_media(self.kept.number, media_of)
        clocks = self._set_places(table, pairs)
        found = read_observations(self.study.observations, media_of, self._threshold())
        detections = self._add_boxes(table, found.boxes)
        labels, same = self._add_labels(found.said)
        self.problems += found.lines()
        renew_events(self.catalog, self.project.config.event_gap, self.project.config.time_zone)
        counts = {"deployments": len(self.deployments), "media": len(self.media),
                  "observations": found.rows}
        summary = {
            **self.kept.summary, "counts": counts, "pictures": len(pairs),
            "zones": {**self.kept.summary.get("zones", {}), **clocks.zones},
            "seconds": {**self.kept.summary.get("seconds", {}), **clocks.seconds},
        }
        self.catalog.set_study_summary(self.kept.number, summary)
        return StudyReport(
            self.kept.folder, self.kind, self.name, new, *counts.values(), len(pairs), added,
            labels, same, detections, list(self.study.repairs), self.problems,
        )

    def _add_pictures(self) -> int:
        """Register the pictures that lie beside the study; how many are new."""
        base = self.tables.base.resolve()
        listed = self.kind != "coco" and self.origin.suffix.lower() != ".zip"
        beside = pictures_beside(base, self.media, places_of(self.deployments), listed)
        self.problems += beside.problems
        if not beside.files:
            return 0
        register, _ = register_files(self.project, base, beside.files, self.say)
        if register.failed:
            self.problems.append(
                f"{len(register.failed):,} pictures cannot be read (kept, and tried again next "
                f"time): {some(register.failed)}"
            )
        return register.added

    def _set_places(self, table: MediaTable, pairs: Sequence[tuple[Medium, int]]) -> Clocks:
        """Deployments of pictures, their coordinates and times, and what the clocks say."""
        here = {str(table.id[row]): m.deployment for m, row in pairs if m.deployment}
        self.catalog.set_deployments(here, "study")
        history = self.catalog.time_shifts()
        clocks = compare_clocks(table, pairs, history, self.time_zone, self.kept.folder)
        self.problems += clocks.problems
        known = set(self.catalog.deployments().id)
        self.catalog.set_deployment_facts([
            facts_of(row, clocks.zones.get(row.get("deploymentID", ""), ""))
            for row in self.deployments if row.get("deploymentID", "") in known
        ])
        self.catalog.set_timestamps(clocks.times)
        self.catalog.add_time_shifts(clocks.shifts)
        return clocks

    def _threshold(self) -> float:
        given = self.project.config.detection_threshold
        return TYPICAL if given is None else float(given)

    def _add_boxes(self, table: MediaTable, boxes: dict[str, list]) -> int:
        """The study's boxes where no detector has looked before; how many."""
        seen = dict(zip(table.id, table.detector, strict=True))
        wanted = {m: b for m, b in boxes.items() if b and seen[m] in ("", self.name)}
        self.catalog.replace_boxes(wanted, self.name)
        self.boxed = list(wanted)
        return sum(len(b) for m, b in wanted.items() if not seen[m])

    def _add_labels(self, said: Sequence[Any]) -> tuple[int, int]:
        """People's labels, in one import; how many are new and how many were here."""
        identity = self.kept.summary["identity"]
        sources = {s.folder for s in self.catalog.studies() if s.summary["identity"] == identity}
        boxed = any(one.row.bbox is not None for one in said)
        fresh, same = new_labels(
            said, boxes_by_medium(self.catalog) if boxed else {}, self.catalog.labels(),
            self.catalog.label_names(), sources,
        )
        return self.catalog.add_labels(fresh, source=self.kept.folder), same


def identity_of(study: Study, kind: str, origin: Path) -> str:
    """What the versions of one study have in common: its id or name, else where it lies."""
    said = study.metadata.get("id") or study.metadata.get("name")
    return f"{kind}: {said or origin}"


def facts_of(row: Row, time_zone: str = "") -> DeploymentFacts:
    """What a deployment's row tells of it; coordinates only where both are possible."""
    latitude, longitude = (number(row.get(c, "")) for c in ("latitude", "longitude"))
    there = abs(latitude) <= 90 and abs(longitude) <= 180
    facts = DeploymentFacts(
        row.get("deploymentID", ""), row.get("locationName", "") or row.get("locationID", ""),
        start=row.get("deploymentStart", ""), end=row.get("deploymentEnd", ""),
        time_zone=time_zone,
    )
    return replace(facts, latitude=latitude, longitude=longitude) if there else facts
