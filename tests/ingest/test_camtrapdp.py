from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ecotone.errors import FormatError, InputError
from ecotone.ingest.camtrapdp import VERSIONS, read_camtrapdp
from ecotone.study import (
    DEPLOYMENT_COLUMNS,
    MEDIA_COLUMNS,
    OBSERVATION_COLUMNS,
    Row,
    blank_row,
)

COLUMNS = {"deployments": DEPLOYMENT_COLUMNS, "media": MEDIA_COLUMNS,
           "observations": OBSERVATION_COLUMNS}
BASE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/{}/"
START, END = "2024-05-01T06:30:00+02:00", "2024-05-01T06:31:00+02:00"


def deployment(name: str = "dep1", **cells: str) -> Row:
    return blank_row(DEPLOYMENT_COLUMNS, **{
        "deploymentID": name, "latitude": "50.5", "longitude": "4.25", "deploymentStart": START,
        "deploymentEnd": END, **cells,
    })


def medium(name: str = "m1", **cells: str) -> Row:
    return blank_row(MEDIA_COLUMNS, **{
        "mediaID": name, "deploymentID": "dep1", "timestamp": START, "filePath": f"cam/{name}.jpg",
        "filePublic": "true", "fileName": f"{name}.jpg", "fileMediatype": "image/jpeg", **cells,
    })


def observation(name: str = "o1", **cells: str) -> Row:
    return blank_row(OBSERVATION_COLUMNS, **{
        "observationID": name, "deploymentID": "dep1", "mediaID": "m1", "eventID": "e1",
        "eventStart": START, "eventEnd": END, "observationLevel": "media",
        "observationType": "animal", "scientificName": "Vulpes vulpes", "count": "1",
        "classificationMethod": "human", **cells,
    })


def csv_text(rows: Iterable[Mapping[str, str]], columns: Iterable[str] | None = None,
             **dialect: Any) -> str:
    rows = list(rows)
    out = io.StringIO(newline="")
    writer = csv.writer(out, **{"lineterminator": "\n", **dialect})
    columns = list(columns or rows[0])
    writer.writerow(columns)
    writer.writerows([row.get(c, "") for c in columns] for row in rows)
    return out.getvalue()


def descriptor(version: str = "1.0.2", **more: Any) -> dict[str, Any]:
    base = BASE.format(version)
    tables = [{"name": t, "path": f"{t}.csv", "profile": "tabular-data-resource",
               "encoding": "utf-8", "schema": f"{base}{t}-table-schema.json"} for t in COLUMNS]
    return {"resources": tables, "profile": f"{base}camtrap-dp-profile.json", **more}


def write_package(folder: Path, deployments: Iterable[Row] = (deployment(),),
                  media: Iterable[Row] = (medium(),),
                  observations: Iterable[Row] = (observation(),),
                  about: Any = None) -> Path:
    """A small package; rows may have more columns than the standard's."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"deployments": deployments, "media": media, "observations": observations}
    for name, rows in tables.items():
        rows = list(rows)
        columns = list(dict.fromkeys([*COLUMNS[name], *(c for row in rows for c in row)]))
        text = csv_text(rows, columns, lineterminator="\r\n")
        (folder / f"{name}.csv").write_bytes(text.encode())
    (folder / "datapackage.json").write_text(json.dumps(about or descriptor()), "utf-8")
    return folder


def zipped(folder: Path, path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, top + file.relative_to(folder).as_posix())
    return path


def resource(about: dict[str, Any], name: str) -> dict[str, Any]:
    return next(r for r in about["resources"] if r["name"] == name)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_valid_package_is_read_as_it_is(tmp_path, version):
    about = descriptor(version, name="a-study", title="A study")
    study = read_camtrapdp(write_package(tmp_path / "p", about=about))
    assert list(study.deployments) == [deployment()]
    assert list(study.media) == [medium()]
    assert list(study.observations) == list(study.observations) == [observation()]
    assert (len(study.media), len(study.observations)) == (1, 1)
    assert study.metadata == about
    assert (study.repairs, study.problems) == ((), ())
    assert study.source == str(tmp_path / "p")


def test_the_official_example(shared_data):
    folder = shared_data / "formats" / "camtrapdp_example"
    study = read_camtrapdp(folder)
    counts = [len(list(t)) for t in (study.deployments, study.media, study.observations)]
    assert counts == [4, 423, 549]
    assert (study.repairs, study.problems) == ((), ())
    first = next(iter(study.observations))
    assert (first["observationID"], first["observationLevel"]) == ("705e6036", "event")
    assert (first["scientificName"], first["count"]) == ("Anas platyrhynchos", "1")
    assert study.metadata["project"]["acronym"] == "MICA"
    assert study.metadata["resources"][3]["data"][0]["individualName"] == "Reinaert"
    assert read_camtrapdp(folder / "datapackage.json").metadata == study.metadata


def test_an_invalid_package_from_another_tool(shared_data):
    study = read_camtrapdp(shared_data / "formats" / "camtrapdp_zamba_invalid")
    assert len(study.observations) == 7
    assert [r.split(" (")[0] for r in study.repairs] == [
        "deployments: columns that are missing, taken as empty: cameraDelay",
        "deployments: 2 rows: fewer cells than the header, filled with empty ones",
    ]


@pytest.mark.parametrize("top", ["", "my study/"])
def test_a_zip_holds_the_same(tmp_path, top):
    folder = write_package(tmp_path / "p")
    path = zipped(folder, tmp_path / "p.zip", top)
    study = read_camtrapdp(path)
    assert list(study.observations) == list(study.observations) == [observation()]
    assert (study.repairs, study.problems) == ((), ())


def test_tables_may_be_packed_and_parted(tmp_path):
    about = descriptor()
    resource(about, "media")["path"] = "media.csv.gz"
    resource(about, "observations")["path"] = ["obs/1.csv", "obs/2.csv", "obs/3.csv"]
    folder = write_package(tmp_path / "p", about=about)
    (folder / "media.csv.gz").write_bytes(gzip.compress((folder / "media.csv").read_bytes()))
    rows = [observation(f"o{i}") for i in range(6)]
    (folder / "obs").mkdir()
    for number in (1, 2, 3):
        text = csv_text(rows[2 * number - 2 : 2 * number])
        text = text.split("\n", 1)[1] if number == 3 else text  # a part without a heading
        (folder / "obs" / f"{number}.csv").write_text(text, "utf-8")
    for path in (folder, zipped(folder, tmp_path / "p.zip")):
        study = read_camtrapdp(path)
        assert list(study.observations) == rows
        assert list(study.media) == [medium()]
        assert study.repairs == ()


def test_rows_may_stand_in_the_descriptor(tmp_path):
    about = descriptor()
    seen = {"observationID": "o1", "deploymentID": "dep1", "mediaID": "m1", "eventStart": START,
            "eventEnd": END, "observationLevel": "media", "observationType": "animal", "count": 2,
            "classificationProbability": 0.5, "scientificName": None}
    tables = {
        "deployments": csv_text([deployment()]), "observations": [seen],
        "media": [list(MEDIA_COLUMNS), list(medium(favorite="", exifData="").values())],
    }
    tables["media"][1][6] = True
    tables["media"][1][8] = {"EXIF": {"ISO": 200}}
    for name, data in tables.items():
        resource(about, name).pop("path")
        resource(about, name)["data"] = data
    study = read_camtrapdp(write_package(tmp_path / "p", about=about))
    row = next(iter(study.observations))
    assert (row["count"], row["classificationProbability"], row["scientificName"]) == (
        "2", "0.5", "")
    picture = next(iter(study.media))
    assert (picture["filePublic"], picture["exifData"]) == ("true", '{"EXIF": {"ISO": 200}}')
    assert list(study.deployments) == [deployment()]
    assert "data" not in resource(study.metadata, "media")


def test_dialects_encodings_and_any_order_of_columns(tmp_path):
    about = descriptor()
    resource(about, "observations").update(
        dialect={"delimiter": "|", "quoteChar": "'", "commentChar": "#"}, encoding="latin1"
    )
    folder = write_package(tmp_path / "p", about=about)
    row = observation(observationComments="Büsche | 'hinten'", behavior="läuft")
    text = csv_text([row], list(row)[::-1], delimiter="|", quotechar="'")
    (folder / "observations.csv").write_bytes(("# Stand: Mai\n" + text).encode("latin1"))
    study = read_camtrapdp(folder)
    assert list(study.observations) == [row]
    assert study.repairs == ()


@pytest.mark.parametrize(("dialect", "encoding", "said"), [
    ({"delimiter": ";"}, "utf-8", "cells are parted by ';', which the descriptor does not say"),
    ({"delimiter": "\t"}, "utf-8-sig", r"cells are parted by '\t'"),
    ({"lineterminator": "\r\n"}, "utf-16", "read as utf-16, not utf-8 as stated"),
    ({"lineterminator": "\r"}, "cp1252", "read as cp1252, not utf-8 as stated"),
])
def test_what_the_descriptor_does_not_say_is_found(tmp_path, dialect, encoding, said):
    folder = write_package(tmp_path / "p")
    row = observation(observationComments="café, über\nzwei Zeilen")
    text = csv_text([row], **dialect)
    (folder / "observations.csv").write_bytes(text.encode(encoding))
    study = read_camtrapdp(folder)
    assert list(study.observations) == [row]
    assert len(study.repairs) == 1 and said in study.repairs[0]


def test_what_stands_for_nothing_is_empty(tmp_path):
    rows = [observation(sex="NA", lifeStage="NaN", behavior="nan", observationComments="NaNo")]
    study = read_camtrapdp(write_package(tmp_path / "p", observations=rows))
    assert list(study.observations) == [observation(observationComments="NaNo")]
    assert study.repairs == ()


def test_unknown_columns_and_resources_are_kept(tmp_path):
    about = descriptor(funding={"by": "nobody"})
    about["resources"].append({"name": "individuals", "path": "individuals.csv"})
    rows = [observation(_id="7"), observation("o2", _id="")]
    study = read_camtrapdp(write_package(tmp_path / "p", observations=rows, about=about))
    assert list(study.observations) == rows
    assert study.metadata == about


def test_columns_spelled_otherwise_missing_or_double(tmp_path):
    folder = write_package(tmp_path / "p")
    text = csv_text([observation()]).replace("observationID", "Observation_ID", 1)
    lines = text.replace("sex", "count").split("\n")
    (folder / "observations.csv").write_text(f"{lines[0]},\n{lines[1]},x\n", "utf-8")
    study = read_camtrapdp(folder)
    assert list(study.observations) == [observation()]
    assert study.repairs == (
        "observations: column Observation_ID read as observationID",
        "observations: columns that are missing, taken as empty: sex",
    )
    assert study.problems == (
        "observations: column stands twice: count; left out",
        "observations: column 29 has no name; left out",
    )


def test_rows_of_another_length_are_told(tmp_path):
    folder = write_package(tmp_path / "p")
    text = csv_text([observation(), observation("o2"), observation("o3")])
    head, one, two, three = text.rstrip("\n").split("\n")
    (folder / "observations.csv").write_text(f"{head}\n{one}\n{two},x\n{three[:40]}", "utf-8")
    study = read_camtrapdp(folder)
    assert [r["observationID"] for r in study.observations] == ["o1", "o3"]
    assert "more cells than the header (29, not 28), left out" in study.problems[0]
    assert "(observations.csv, row 3)" in study.problems[0]
    assert "fewer cells than the header" in study.repairs[0]


def test_a_label_among_the_tags_comes_back(tmp_path):
    rows = [observation(observationTags="travelDirection:left | label:red fox")]
    study = read_camtrapdp(write_package(tmp_path / "p", observations=rows))
    assert list(study.observations) == [rows[0] | {"label": "red fox"}]


@pytest.mark.parametrize("version", ["0.1.6", "1.0-rc.1", "2.0"])
def test_other_generations_are_refused(tmp_path, version):
    folder = write_package(tmp_path / "p", about=descriptor(version))
    with pytest.raises(FormatError, match=rf"is Camtrap DP {version}, expected 1\.0"):
        read_camtrapdp(folder)


def test_a_newer_or_unsaid_version_is_read_and_told(tmp_path):
    newer = read_camtrapdp(write_package(tmp_path / "p", about=descriptor("1.1")))
    assert "1.1 is newer than 1.0.2" in newer.problems[0]
    about = {"resources": [{"name": t, "path": f"{t}.csv"} for t in COLUMNS]}
    unsaid = read_camtrapdp(write_package(tmp_path / "q", about=about))
    assert "does not say which version" in unsaid.repairs[0]


def test_a_time_zone_that_is_none(tmp_path):
    with pytest.raises(InputError, match="time zone 'Nowhere' is not known"):
        read_camtrapdp(write_package(tmp_path / "p"), time_zone="Nowhere")
