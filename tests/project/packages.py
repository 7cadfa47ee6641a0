"""Small Camtrap DP packages with their pictures, and what adding one left behind."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from ecotone.study import DEPLOYMENT_COLUMNS, MEDIA_COLUMNS, OBSERVATION_COLUMNS, blank_row

PROFILE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2/camtrap-dp-profile.json"
COLUMNS = {"deployments": DEPLOYMENT_COLUMNS, "media": MEDIA_COLUMNS,
           "observations": OBSERVATION_COLUMNS}


def deployment(name, place, latitude="50.5", longitude="4.25", **more):
    return blank_row(
        DEPLOYMENT_COLUMNS, deploymentID=name, locationName=place, latitude=latitude,
        longitude=longitude, deploymentStart="2024-05-01T00:00:00+02:00",
        deploymentEnd="2024-06-01T00:00:00+02:00", **more)


def medium(name, place, path, time, **more):
    return blank_row(
        MEDIA_COLUMNS, mediaID=name, deploymentID=place, timestamp=time, filePath=path,
        filePublic="false", fileName=path.rpartition("/")[2], fileMediatype="image/jpeg", **more)


def observation(name, of, species="", kind="animal", method="human", **more):
    cells = {"eventID": f"e-{of['mediaID']}", "classifiedBy": "Ann" if method == "human" else "M 1"}
    return blank_row(OBSERVATION_COLUMNS, **{
        **cells, "observationID": name, "deploymentID": of["deploymentID"],
        "mediaID": of["mediaID"], "eventStart": of["timestamp"], "eventEnd": of["timestamp"],
        "observationLevel": "media", "observationType": kind, "scientificName": species,
        "classificationMethod": method, **more})


def box(x):
    return dict(zip(("bboxX", "bboxY", "bboxWidth", "bboxHeight"), (str(x), "0.2", "0.3", "0.4"),
                    strict=True))


def tables(folder="img"):
    """Rows of two deployments and six pictures, with people's and a machine's observations."""
    deployments = [deployment("d-1", "Old oak"), deployment("d-2", "Ford", "-33.5", "150.125")]
    media = [
        medium(f"med{i}", f"d-{1 + i // 3}", f"{folder}/cam{1 + i // 3}/IMG_{i % 3}.JPG",
               f"2024-05-{1 + i:02d}T06:30:00+02:00")
        for i in range(6)
    ]
    observations = [
        observation("o0", media[0], "Cervus elaphus", count="2", sex="female", **box(0.1)),
        observation("o0b", media[0], "Sus scrofa", **box(0.6)),
        observation("o1", media[1], "Vulpes vulpes", classifiedBy="Kim", lifeStage="adult"),
        observation("o2", media[2], kind="blank"),
        observation("o3", media[3], "Meles meles", method="machine",
                    classificationProbability="0.7", **box(0.3)),
        observation("o4", media[4], "Homo sapiens", kind="human"),
        observation("o5", media[5], kind="unknown"),
        observation("ev", media[1], "Vulpes vulpes", observationLevel="event", mediaID=""),
    ]
    return {"deployments": deployments, "media": media, "observations": observations}


def write_package(folder: Path, rows, name="oak-study", **more) -> Path:
    """Write a package; its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, columns in COLUMNS.items():
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[table])
    descriptor = {
        "name": name, "profile": PROFILE, "created": "2024-07-01T00:00:00Z",
        "contributors": [{"title": "Ann"}], "spatial": {}, "taxonomic": [],
        "temporal": {"start": "2024-05-01", "end": "2024-06-01"},
        "project": {"title": "Oaks", "samplingDesign": "targeted", "individualAnimals": False,
                    "captureMethod": ["activityDetection"], "observationLevel": ["media"]},
        "resources": [
            {"name": t, "path": f"{t}.csv", "profile": "tabular-data-resource",
             "schema": PROFILE.replace("camtrap-dp-profile", f"{t}-table-schema")}
            for t in COLUMNS
        ], **more,
    }
    (folder / "datapackage.json").write_text(json.dumps(descriptor), encoding="utf-8")
    return folder


def make_pictures(folder: Path, make_picture, rows, taken=True) -> None:
    """The pictures of the media rows; their EXIF says the row's local time."""
    for i, row in enumerate(rows["media"]):
        time = row["timestamp"][:19].replace("-", ":").replace("T", " ") if taken else ""
        make_picture(folder / row["filePath"], (40 * i, 90, 60), size=(32, 24), seed=i, taken=time)


def contents(project):
    """All that a project holds, but for when it came."""
    catalog = project.catalog
    out = {}
    for table, order in (("medium", "id"), ("detection", "medium, number"), ("label", "n"),
                         ("deployment", "id"), ("study_medium", "study, id"),
                         ("study_deployment", "study, id"), ("time_shift", "n"), ("study", "n"),
                         ("failure", "media_id")):
        cursor = catalog.connection.execute(f"SELECT * FROM {table} ORDER BY {order}")
        names = [c[0] for c in cursor.description]
        out[table] = [
            tuple(v for n, v in zip(names, row, strict=True) if n not in ("created", "modified"))
            for row in cursor
        ]
    home = project.path / "sources"
    out["files"] = {p.relative_to(home).as_posix(): p.read_bytes()
                    for p in sorted(home.rglob("*")) if p.is_file()} if home.is_dir() else {}
    return out
