from __future__ import annotations

import csv
import json

import pytest

from ecotone.project import Project
from ecotone.project.people_first import people_first
from ecotone.study import Study
from tests.project.packages import make_pictures, medium, observation, tables, write_package
from tests.project.runs import fake_run

A, B, C = (medium(name, "d", f"{name}.jpg", "2024-05-01T06:30:00Z") for name in "abc")


def names(*rows):
    study = people_first(Study(observations=rows))
    assert list(study.observations) == list(study.observations)
    return [r["observationID"] for r in study.observations], study.problems


def test_people_come_before_machines_and_ecotone_before_others():
    found, problems = names(
        observation("h", A, "Lepus"), observation("m", A, "Lepus", method="machine"),
        observation("m2", B, "Lepus", method="machine"),
        observation("e2", B, "Sus", method="machine", classifiedBy="ecotone 1 (r; w)"),
        observation("m3", C, "Lepus", method="machine"),
        observation("q", C | {"mediaID": "other"}, "Sus", method=""),
    )
    assert found == ["h", "e2", "m3", "q"] and problems[0].startswith("2 observations by machines")


def test_what_people_said_of_an_event_counts_for_its_pictures():
    found, _ = names(
        observation("m", A, "Lepus", method="machine", eventID="e"),
        observation("ev", A, "Sus", observationLevel="event", mediaID="", eventID="e"),
        observation("m2", B, "Lepus", method="machine", eventID=""),
    )
    assert found == ["ev", "m2"]


@pytest.fixture
def project(tmp_path, make_picture):
    make_pictures(tmp_path / "study", make_picture, tables())
    with Project.init(tmp_path / "p") as opened:
        opened.add_study(write_package(tmp_path / "study", tables()), kind="camtrapdp")
        fake_run(opened, ("Cervus elaphus", "blank"),
                 ["Cervus elaphus"] * len(opened.catalog.detections()))
        yield opened


def test_nothing_is_counted_twice(project, tmp_path):
    project.export(tmp_path / "map.geojson", format="geojson")
    features = json.loads((tmp_path / "map.geojson").read_text("utf-8"))["features"]
    text = json.dumps(features)
    assert "Meles meles" not in text  # another machine's, on a picture that ecotone has named
    project.export(tmp_path / "records.csv", format="camtrapr")
    with (tmp_path / "records.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    by_file = {}
    for row in rows:
        by_file.setdefault(row["FileName"], []).append((row["Station"], row["Species"]))
    assert sorted(s for _, s in by_file["IMG_0.JPG"]) == [
        "Cervus elaphus", "Cervus elaphus", "Sus scrofa"]  # by people; at the other station by us
    people = project.export(tmp_path / "people.csv", format="camtrapr", machine=False)
    assert people.counts["records"] < len(rows)
