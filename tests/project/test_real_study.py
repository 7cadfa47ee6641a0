"""The official example of Camtrap DP with ten of its pictures, in and out."""

from __future__ import annotations

import csv

import pytest

from ecotone.project import Project
from ecotone.project.study import study_of
from tests.project.runs import fake_run

CLASSES = ("Ardea cinerea (grey heron)", "blank")


@pytest.fixture
def example(shared_data):
    folder = shared_data / "formats" / "camtrapdp_example"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is missing")
    return folder


@pytest.fixture
def project(tmp_path, example):
    with Project.init(tmp_path / "p") as opened:
        opened.add_study(example, kind="camtrapdp")
        yield opened


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_ten_pictures_are_found_and_machines_give_no_label(project):
    catalog = project.catalog
    media = catalog.media()
    assert len(media) == 10 and set(media.deployment_id) == {"62c200a9"}
    assert len(catalog.labels()) == 0
    assert set(media.detector) == {"camtrap-dp-example-dataset"}
    assert set(media.time_zone) == {"+01:00"} and catalog.time_shifts() == {}
    assert media.timestamp.tolist() == media.original_timestamp.tolist()
    assert set(media.event_id) == {"62c200a9 2021-04-11T20:43:09"}
    (latitude,) = catalog.deployments().latitude
    assert latitude == 50.699
    assert len(catalog.study_deployments(1)) == 4


def test_what_came_in_comes_out_and_only_ecotones_rows_are_new(project, example, tmp_path):
    fake_run(project, CLASSES, [CLASSES[0]] * 10)
    written = project.export(tmp_path / "out", format="camtrapdp")
    assert written.counts == {"deployments": 4, "media": 423, "observations": 559}
    for table in ("deployments", "media"):
        assert (tmp_path / f"out/{table}.csv").read_bytes() == (
            example / f"{table}.csv").read_bytes().replace(b"\r\n", b"\n")
    before, after = (rows_of(f / "observations.csv") for f in (example, tmp_path / "out"))
    assert after[: len(before)] == before
    first = after[len(before)]
    assert (first["mediaID"], first["eventID"]) == ("7ab33b3a", "7245a2aa")
    assert (first["eventStart"], first["scientificName"]) == (
        "2021-04-11T19:43:09Z", "Ardea cinerea")
    assert {r["classificationMethod"] for r in after[len(before):]} == {"machine"}
    box = [float(first[c]) for c in ("bboxX", "bboxY", "bboxWidth", "bboxHeight")]
    assert box == pytest.approx([0.35947, 0.61382, 0.32951, 0.31225])


def test_labels_come_from_people_once_the_pictures_are_here(
    project, example, tmp_path, make_picture
):
    media = rows_of(example / "media.csv")
    for i, row in enumerate(media[:60]):
        make_picture(tmp_path / "photos" / row["fileName"], size=(8, 6), seed=i)
    project.add_images(tmp_path / "photos")
    report = project.add_study(example, kind="camtrapdp")
    assert report.pictures == 70 and not report.new
    people = {
        r["mediaID"]: r for r in rows_of(example / "observations.csv")
        if r["classificationMethod"] == "human" and r["mediaID"]
        and r["observationType"] in ("animal", "human", "vehicle", "blank")
    }
    here = {r["mediaID"] for r in media[:60]} & set(people)
    assert report.labels == len(here) > 0
    labels = project.catalog.labels()
    assert set(labels.author) <= {r["classifiedBy"] for r in people.values()}
    study = study_of(project, machine=False)
    assert [r for r in study.observations if r["observationID"].startswith("label-")] == []
