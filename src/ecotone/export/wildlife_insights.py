"""The four tables of a Wildlife Insights batch upload, from a study.

All columns are there; every deployment has pictures and a camera, every camera a deployment, and
deployments end after they start. One row of `images.csv` is one identification of one picture.
Source: as `ecotone.export.wildlife_insights_tables`.
"""

from __future__ import annotations

import difflib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from ecotone.errors import InputError
from ecotone.export.atomic import Sheet, csv_files
from ecotone.export.study_index import StudyIndex, scratch, stored
from ecotone.export.wildlife_insights_tables import (
    UPLOAD,
    Cells,
    Taxa,
    camera_cells,
    days,
    deployment_cells,
    image_cells,
    project_cells,
)
from ecotone.export.written import Written
from ecotone.ingest.wildlife_insights_project import OWN
from ecotone.study import Row, Study

NEEDED = {
    "projects.csv": (
        "project_name", "project_id", "project_objectives", "project_species",
        "project_sensor_layout", "project_sensor_method", "project_admin", "project_admin_email",
        "country_code", "metadata_license", "image_license",
    ),
    "cameras.csv": ("project_id", "camera_id"),
    "deployments.csv": (
        "project_id", "deployment_id", "placename", "longitude", "latitude", "start_date",
        "end_date", "camera_id",
    ),
    "images.csv": ("project_id", "deployment_id", "image_id", "location", "identified_by",
                   "wi_taxon_id", "timestamp"),
}
NO_PLACE = "unknown"  # deployment of pictures that name none


def write_wildlife_insights(
    study: Study, folder: str | Path, *, project: Mapping[str, str] | None = None, url: str = "",
    machine: bool = False,
) -> Written:
    """Write projects.csv, cameras.csv, deployments.csv and images.csv into a folder.

    project: values of columns of projects.csv, which count before those that the study knows. url:
    where the pictures lie, put before their relative paths. machine: also what models said, as
    identified_by "Computer vision (model)"; else a picture has people's rows alone.
    Raises InputError when a column of `project` does not exist or a file cannot be written.
    """
    given = dict(project or {})
    for name in given:
        if name not in UPLOAD["projects.csv"]:
            near = difflib.get_close_matches(name, UPLOAD["projects.csv"], 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"projects.csv has no column {name!r}{hint}")
    with scratch() as database, csv_files(Path(folder), UPLOAD) as files:
        upload = _Upload(study, StudyIndex(study, database), database, files, given)
        upload.write(url, machine)
        return Written(Path(folder), upload.counts(), upload.warnings)


class _Said:
    """The observations of a study by picture and by event, on disk."""

    def __init__(self, study: Study, database: sqlite3.Connection, machine: bool) -> None:
        self._database = database
        self.left_out = 0
        database.execute("CREATE TABLE said (place INTEGER PRIMARY KEY, media TEXT, event TEXT, "
                         "deployment TEXT, cells TEXT)")
        database.executemany(
            "INSERT INTO said (media, event, deployment, cells) VALUES (?, ?, ?, ?)",
            self._rows(study, machine),
        )
        database.execute("CREATE INDEX said_of ON said (media, event, deployment)")

    def _rows(self, study: Study, machine: bool) -> Iterator[tuple[str, str, str, str]]:
        for row in study.observations:
            if row.get("classificationMethod") == "machine" and not machine:
                self.left_out += 1
            elif row.get("observationType") != "unclassified":
                media = row.get("mediaID", "")
                names = (media, "" if media else row.get("eventID", ""),
                         "" if media else row.get("deploymentID", ""))
                yield (*(stored(n) for n in names), json.dumps(row))

    def of(self, media: str, event: str, deployment: str) -> list[Row]:
        """Observations of a picture (event ""), or of an event (media "")."""
        found = self._database.execute(
            "SELECT cells FROM said WHERE media = ? AND event = ? AND deployment = ? "
            "ORDER BY place", (stored(media), stored(event), stored(deployment)),
        )
        return [json.loads(cells) for (cells,) in found]


class _Upload:
    def __init__(
        self, study: Study, index: StudyIndex, database: sqlite3.Connection,
        files: Mapping[str, Sheet], given: Mapping[str, str],
    ) -> None:
        self._study, self._index, self._database, self._files = study, index, database, files
        self._project = project_cells(study.metadata, given)
        self._rows = dict.fromkeys(UPLOAD, 0)
        self._empty: dict[tuple[str, str], _Tally] = {}
        self._notes: dict[str, _Tally] = {}
        self._spans: dict[str, tuple[str, str]] = {}  # deployment -> first and last picture

    def write(self, url: str, machine: bool) -> None:
        """All four tables."""
        said = _Said(self._study, self._database, machine)
        if said.left_out:
            self._note("observations of models are left out; ask for them with machine", "",
                       said.left_out)
        self._images(said, Taxa(self._study.metadata), url)
        self._places()
        self._put("projects.csv", self._project, self._project.get("project_id", ""))

    def _put(self, file: str, cells: Cells, name: str) -> None:
        cells = {**cells, "project_id": self._project.get("project_id", "")}
        self._files[file].write([cells.get(c, "") for c in UPLOAD[file]])
        self._rows[file] += 1
        for column in NEEDED[file]:
            if not cells.get(column):
                self._empty.setdefault((file, column), _Tally()).add(name)

    def _note(self, what: str, name: str, count: int = 1) -> None:
        self._notes.setdefault(what, _Tally()).add(name, count)

    def _images(self, said: _Said, taxa: Taxa, url: str) -> None:
        for medium, event, _, _ in self._index.media():
            place = medium["deploymentID"] = medium.get("deploymentID") or NO_PLACE
            time = days(medium.get("timestamp", ""))
            first, last = self._spans.get(place, (time, time))
            self._spans[place] = (min(first or time, time or first), max(last, time))
            rows = said.of(medium["mediaID"], "", "")
            if not rows and event:
                rows = said.of("", event, place)
                if rows:
                    self._note("observations of events are written on each of their pictures",
                               medium["mediaID"])
            for row in rows or [None]:
                if row and row.get("bboxX"):
                    self._note("boxes cannot be held, left out", medium["mediaID"])
                cells = image_cells(medium, row, taxa, url)
                if cells["location"] and "://" not in cells["location"]:
                    self._note("locations are no web addresses (gs://...); give url",
                               cells["location"])
                self._put("images.csv", cells, medium["mediaID"])

    def _places(self) -> None:
        own = self._study.metadata.get(OWN)
        kept = own.get("cameras") if isinstance(own, dict) else None
        known = {c.get("camera_id"): c for c in kept or [] if isinstance(c, dict)}
        cameras: dict[str, str] = {}
        seen: set[str] = set()
        for row in self._study.deployments:
            place = row["deploymentID"]
            if place in self._spans and place not in seen:
                self._place(row, cameras)
            elif place not in seen:
                self._note("deployments without pictures are left out", place)
            seen.add(place)
        for place in self._spans.keys() - seen:
            self._note("deployments are named by pictures alone", place)
            self._place({"deploymentID": place}, cameras)
        for camera, model in cameras.items():
            self._put("cameras.csv", camera_cells(camera, model, known.get(camera, {})), camera)

    def _place(self, row: Row, cameras: dict[str, str]) -> None:
        place = row["deploymentID"]
        camera = row.get("cameraID") or place
        if not row.get("cameraID"):
            self._note("deployments have no cameraID; the camera is named after the deployment",
                       place)
        cameras.setdefault(camera, row.get("cameraModel", ""))
        start, end = self._days(row)
        cells = {**deployment_cells(row, camera), "start_date": start, "end_date": end}
        self._put("deployments.csv", cells, place)

    def _days(self, row: Row) -> tuple[str, str]:
        """Start and end, the end after the start; from the pictures where they are not known."""
        place = row["deploymentID"]
        first, last = self._spans[place]
        start, end = days(row.get("deploymentStart", "")), days(row.get("deploymentEnd", ""))
        if not (start and end):
            self._note("deployments lack a start or end, taken from their pictures", place)
        start, end = start or first, end or last
        if first and start and end and (first < start or last > end):
            self._note("deployments have pictures from before their start or after their end",
                       place)
        if start and end <= start:
            self._note("deployments do not end after they start; the end is moved", place)
            second = timedelta(seconds=0 if start > "9999-12-31" else 1)
            end = max(last, (datetime.fromisoformat(start) + second).isoformat(sep=" "))
        return start, end

    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        return {name.removesuffix(".csv"): count for name, count in self._rows.items()}

    @property
    def warnings(self) -> list[str]:
        """What is missing, and what was changed or left out."""
        out = [
            f"{file}: {column} is empty in {tally.count:,} of {self._rows[file]:,} rows, which "
            f"Wildlife Insights needs{tally.examples}"
            for (file, column), tally in self._empty.items()
        ]
        out += [f"{t.count:,} {what}{t.examples}" for what, t in self._notes.items()]
        if self._index.twice:
            out.append(f"{self._index.twice:,} media have an id that stands twice, left out")
        return out


class _Tally:
    """How often, and the first names."""

    def __init__(self) -> None:
        self.count = 0
        self._names: dict[str, None] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Counts a row of this name."""
        self.count += count
        if name and len(self._names) < 3:
            self._names.setdefault(name)

    @property
    def examples(self) -> str:
        """The first names in brackets, "" without any."""
        return f" ({', '.join(self._names)})" if self._names else ""
