"""A Wildlife Insights download, of images or of sequences, read as a study.

Source: Wildlife Insights data downloads (images.csv, sequences.csv, deployments.csv, cameras.csv,
projects.csv); the batch upload templates of Wildlife-Insights----Data-Migration are read too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError
from ecotone.ingest.camtrapdp_log import Log, Quiet
from ecotone.ingest.coco import Again
from ecotone.ingest.tables import key, number
from ecotone.ingest.wildlife_insights_files import RANKS, Tables
from ecotone.ingest.wildlife_insights_project import METHODS, metadata_of
from ecotone.ingest.wildlife_insights_rows import (
    clock,
    deployment_row,
    identification,
    kind_of,
    media_row,
)
from ecotone.study import DEPLOYMENT_COLUMNS, MORE, OBSERVATION_COLUMNS, Row, Study, blank_row

_OBSERVATIONS = (*OBSERVATION_COLUMNS, *MORE["observations"])


def read_wildlife_insights(path: Path) -> Study:
    """A download in a folder or zip (or one of its csv files) as a study.

    Rows that "Computer vision" identified are of a machine, all others of people; in projects of
    sequences the rows of `sequences.csv` are observations of events.
    Raises FormatError when it is no such download or a file of it cannot be read.
    """
    if path.is_file() and path.suffix.lower() == ".csv":
        path = path.parent
    elif not path.exists():
        raise FormatError(f"{path}: no such file or folder; give the folder or zip of a download.")
    log = Log()
    download = _Download(Tables(path, log), log)
    if not sum(1 for _ in download.media(log)):
        raise FormatError(
            f"{path}: none of its rows of images can be used: {'; '.join(log.problems[:1])}"
        )
    for _ in download.observations(log):
        pass
    quiet = Quiet()
    return Study(
        deployments=download.deployments(log), media=Again(lambda: download.media(quiet)),
        observations=Again(lambda: download.observations(quiet)),
        metadata=download.metadata(), source=str(path), repairs=log.repairs, problems=log.problems,
    )


class _Download:
    """The rows of one download; `log` hears of what is mended or left out."""

    def __init__(self, tables: Tables, log: Log) -> None:
        self._tables = tables
        quiet = Quiet()
        self._projects = [c for _, _, c in tables.rows("projects", log)]
        self._cameras = [c for _, _, c in tables.rows("cameras", log)]
        self._method = {
            p["project_id"]: METHODS.get(key(p["project_sensor_method"]), "")
            for p in self._projects
        }
        self._deployments = [c for _, _, c in tables.rows("deployments", log)]
        pairs = {(c["project_id"], c["deployment_id"]) for c in self._deployments}
        self._several = _twice([name for _, name in pairs])
        self._sequences = {
            self._in_project(c, c["sequence_id"]) for _, _, c in tables.rows("sequences", quiet)
            if c["sequence_id"]
        }
        self._taxa: dict[tuple[str, ...], None] = {}
        self._orphans: dict[str, None] = {}
        self._scale = 1.0
        self._survey()

    def _survey(self) -> None:
        """What only all rows together tell: taxa, deployments that images alone name, per cent."""
        known = {self._deployment(c) for c in self._deployments}
        for table in ("images", "sequences"):
            for _, _, cells in self._tables.rows(table, Quiet()):
                if cells["cv_confidence"] and number(cells["cv_confidence"]) > 1:
                    self._scale = 100.0
                taxon = tuple(cells[c] for c in ("wi_taxon_id", *RANKS, "common_name"))
                if any(taxon):
                    self._taxa.setdefault(taxon)
                if self._deployment(cells) not in known:
                    self._orphans.setdefault(self._deployment(cells))

    def _in_project(self, cells: Mapping[str, str], name: str) -> tuple[str, str]:
        return cells["project_id"], name

    def _deployment(self, cells: Mapping[str, str]) -> str:
        """Names of deployments are unique in their project alone."""
        name = cells["deployment_id"]
        return f"{cells['project_id']} {name}" if name in self._several else name

    def deployments(self, log: Log) -> list[Row]:
        """The rows of deployments.csv, and those that images name beside."""
        cameras = {self._in_project(c, c["camera_id"]): c for c in self._cameras}
        out: dict[str, Row] = {}
        for number_, cells in enumerate(self._deployments, start=2):
            identity = self._deployment(cells)
            camera = cameras.get(self._in_project(cells, cells["camera_id"]), {})
            if not identity or identity in out:
                log.problem("deployments", "no deployment_id, or one that stands twice, left out",
                            "deployments.csv", number_, identity)
            else:
                out[identity] = deployment_row(cells, identity, camera)
        for identity in self._orphans:
            if identity and identity not in out:
                log.problem("deployments", "not in deployments.csv but named by images; place and "
                            "days are unknown", "images.csv", 1, identity)
                out[identity] = blank_row(DEPLOYMENT_COLUMNS, deploymentID=identity)
        return list(out.values())

    def media(self, log: Log) -> Iterator[Row]:
        """One row a picture, however many animals are on it."""
        seen: set[str] = set()
        for file, line, cells in self._tables.rows("images", log):
            identity = self._media_id(cells)
            if not identity:
                log.problem("images", "neither image_id nor filename, left out", file, line)
                continue
            if not cells["image_id"]:
                log.repair("images", "no image_id, named after deployment and file", file, line, "",
                           identity)
            if identity in seen:
                continue
            seen.add(identity)
            row = media_row(cells, identity, self._deployment(cells),
                            self._method.get(cells["project_id"], ""))
            if cells["timestamp"] and not row["timestamp"]:
                log.problem("images", "timestamp that is none, left out", file, line,
                            cells["timestamp"])
            yield row

    def _media_id(self, cells: Mapping[str, str]) -> str:
        file = cells["filename"] or cells["location"]
        return cells["image_id"] or (f"{self._deployment(cells)}/{file}" if file else "")

    def observations(self, log: Log) -> Iterator[Row]:
        """One row an identification of an image, or of a sequence where those are identified."""
        count: dict[str, int] = {}
        for file, line, cells in self._tables.rows("images", Quiet()):
            kind, media = kind_of(cells), self._media_id(cells)
            if not kind or not media:
                continue
            if self._in_project(cells, cells["sequence_id"]) in self._sequences:
                log.repair("images", "an identification that its sequence has too; that of the "
                           "sequence counts", file, line, cells["common_name"], "")
                continue
            time = clock(cells["timestamp"])
            count[media] = count.get(media, 0) + 1
            yield blank_row(
                _OBSERVATIONS, observationID=f"{media}:{count[media]}", mediaID=media,
                deploymentID=self._deployment(cells), eventID=cells["sequence_id"],
                eventStart=time, eventEnd=time, observationLevel="media",
                **identification(cells, kind, cells["number_of_objects"], self._scale),
            )
        yield from self._of_sequences(log, count)

    def _of_sequences(self, log: Log, count: dict[str, int]) -> Iterator[Row]:
        for file, line, cells in self._tables.rows("sequences", log):
            kind, event = kind_of(cells), cells["sequence_id"]
            if not kind or not event:
                if not event:
                    log.problem("sequences", "no sequence_id, left out", file, line)
                continue
            count[event] = count.get(event, 0) + 1
            start = clock(cells["start_time"])
            yield blank_row(
                _OBSERVATIONS, observationID=f"{event}:{count[event]}", eventID=event,
                deploymentID=self._deployment(cells), observationLevel="event", eventStart=start,
                eventEnd=clock(cells["end_time"]) or start,
                **identification(cells, kind, cells["group_size"], self._scale),
            )

    def metadata(self) -> dict[str, Any]:
        """The project's facts and the taxa, in the terms of Camtrap DP's descriptor."""
        names = ("wi_taxon_id", *RANKS, "common_name")
        taxa = [dict(zip(names, taxon, strict=True)) for taxon in self._taxa]
        level = "event" if self._sequences else "media"
        return metadata_of(self._projects, self._cameras, taxa, level)


def _twice(names: list[str]) -> set[str]:
    seen: set[str] = set()
    return {n for n in names if n in seen or seen.add(n)}  # type: ignore[func-returns-value]
