"""Who is on which picture: csv files in people's own words, and Camtrap DP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecotone.errors import FormatError
from ecotone.ingest.individuals import read_individuals


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_full_table(tmp_path: Path) -> None:
    path = written(tmp_path, "filePath,individualID,viewpoint,scientificName,bboxX,bboxY,bboxWidth,"
                             "bboxHeight,theta,eventID,split\n"
                             "a/1.jpg,Z1,Left,Equus quagga,0.1,0.2,0.5,0.6,0.3,e1,train\n"
                             "/abs/2.jpg,Z2,,,,,,,,,test\n")
    found = read_individuals(path)
    one, two = found.rows
    assert one.path == tmp_path / "a/1.jpg" and two.path == Path("/abs/2.jpg")
    assert (one.individual, one.viewpoint, one.species) == ("Z1", "left", "Equus quagga")
    assert one.bbox == (0.1, 0.2, 0.5, 0.6) and one.theta == 0.3 and one.encounter == "e1"
    assert two.bbox == (0, 0, 1, 1) and two.viewpoint == "" and two.split == "test"
    assert not found.problems
    assert read_individuals(path, tmp_path / "b").rows[0].path == tmp_path / "b/a/1.jpg"


@pytest.mark.parametrize("header", [
    "path,identity,split", "image;name;side", "RelativePath,File,individual",
])
def test_other_names_of_columns(tmp_path: Path, header: str) -> None:
    separator = ";" if ";" in header else ","
    cells = ["x", "1.jpg", "Z1"] if "File" in header else ["x/1.jpg", "Z1", "left"]
    found = read_individuals(written(tmp_path, f"{header}\n{separator.join(cells)}\n"))
    assert found.rows[0].path == tmp_path / "x/1.jpg" and found.rows[0].individual == "Z1"


def test_rows_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    found = read_individuals(written(
        tmp_path, "filePath,individualID,bboxX,bboxY,bboxWidth,bboxHeight\n1.jpg,,,,,\n"
                  "2.jpg,unknown,,,,\n,Z1,,,,\n3.jpg,Z1,0.5,0.5,-1,2\n4.jpg,Z1,10,10,300,200\n"))
    assert [r.path.name for r in found.rows] == ["3.jpg", "4.jpg"]
    assert all(r.bbox == (0, 0, 1, 1) for r in found.rows)
    assert "2 rows name no individual: row 2, 3" in found.problems[0]
    assert "1 rows name no picture: row 4" in found.problems[1]
    assert "2 rows have a box that is none" in found.problems[2]


@pytest.mark.parametrize("header, says", [
    ("filePath,species", "no column names the individual"),
    ("individualID,species", "no column names the picture"),
])
def test_tables_without_what_is_needed(tmp_path: Path, header: str, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        read_individuals(written(tmp_path, f"{header}\na,b\n"))


def package(tmp_path: Path, individual: str) -> Path:
    (tmp_path / "deployments.csv").write_text(
        "deploymentID,latitude,longitude,deploymentStart,deploymentEnd\n"
        "d1,50,4,2024-05-01T00:00:00Z,2024-06-01T00:00:00Z\n")
    (tmp_path / "media.csv").write_text(
        "mediaID,deploymentID,timestamp,filePath,filePublic,fileMediatype\n"
        "m1,d1,2024-05-02T00:00:00Z,media/1.jpg,false,image/jpeg\n")
    (tmp_path / "observations.csv").write_text(
        "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,"
        "observationType,scientificName,individualID,bboxX,bboxY,bboxWidth,bboxHeight,"
        "observationTags\n"
        "o1,d1,m1,e1,2024-05-02T00:00:00Z,2024-05-02T00:00:00Z,media,animal,Panthera pardus,"
        f"{individual},0.1,0.1,0.5,0.5,viewpoint:left | collar\n")
    resources = [{"name": n, "path": f"{n}.csv", "profile": "tabular-data-resource", "schema": (
        f"https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2/{n}-table-schema.json")}
        for n in ("deployments", "media", "observations")]
    (tmp_path / "datapackage.json").write_text(json.dumps({
        "profile": "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2/"
                   "camtrap-dp-profile.json", "resources": resources}))
    return tmp_path


def test_a_camtrap_dp(tmp_path: Path) -> None:
    row, = read_individuals(package(tmp_path, "L7")).rows
    assert row.path == tmp_path / "media/1.jpg" and row.individual == "L7"
    assert row.viewpoint == "left" and row.encounter == "e1" and row.bbox == (0.1, 0.1, 0.5, 0.5)
    assert row.species == "Panthera pardus"


def test_a_camtrap_dp_without_individuals_is_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no observation has an individualID"):
        read_individuals(package(tmp_path, ""))


def test_the_nyala(shared_data: Path) -> None:
    found = read_individuals(shared_data / "nyala" / "labels.csv")
    assert len(found.rows) == 1213 and len({r.individual for r in found.rows}) == 179
    assert {r.viewpoint for r in found.rows} and found.rows[0].path.is_file()
