"""The project as one study: what came in comes out, and what was added is marked."""

from __future__ import annotations

import csv
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError, ProjectError
from ecotone.project import Project
from ecotone.project.study import study_of
from ecotone.store.tables import Box, NewLabel, TimeShift
from tests.project.packages import deployment, make_pictures, medium, tables, write_package
from tests.project.runs import fake_run

CLASSES = ("Cervus elaphus", "fox (Vulpes vulpes)", "blank", "human", "truck")


@pytest.fixture
def project(tmp_path):
    with Project.init(tmp_path / "p") as opened:
        yield opened


@pytest.fixture
def package(tmp_path, make_picture):
    rows = tables()
    make_pictures(tmp_path / "study", make_picture, rows)
    return write_package(tmp_path / "study", rows)


@pytest.fixture
def filled(project, package, make_picture, tmp_path):
    """The study, and two pictures beside it that no study has."""
    project.add_study(package, kind="camtrapdp")
    for i in range(2):
        make_picture(tmp_path / f"more/cam9/{i}.jpg", size=(20, 10), seed=i,
                     taken=f"2024:06:01 06:30:{10 * i:02d}")
    project.add_images(tmp_path / "more")
    return project


def read(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_kept_study_comes_out_cell_by_cell(project, package):
    project.add_study(package, kind="camtrapdp")
    study = study_of(project)
    for table in ("deployments", "media", "observations"):
        assert list(getattr(study, table)) == read(package / f"{table}.csv")
        assert list(getattr(study, table)) == list(getattr(study, table))  # again and again
    assert study.metadata["name"] == "oak-study"
    assert study.problems == ("nothing fused yet: no rows of ecotone's own (run: ecotone fuse)",)


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20).filter(
    lambda t: t == t.strip() and t not in ("NA", "NaN", "nan"))


@given(comments=st.lists(TEXT, min_size=6, max_size=6), tags=TEXT, species=TEXT)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_cells_say_comes_out(tmp_path_factory, comments, tags, species):
    folder = tmp_path_factory.mktemp("any")
    rows = tables()
    for row, comment in zip(rows["media"], comments, strict=True):
        row["mediaComments"] = comment
    rows["deployments"][0]["deploymentComments"] = comments[0]
    rows["observations"][0].update(observationComments=tags, scientificName=species)
    write_package(folder / "study", rows)
    with Project.init(folder / "p") as project:
        project.add_study(folder / "study", kind="camtrapdp")
        study = study_of(project)
        assert {t: list(getattr(study, t)) for t in rows} == rows


def test_machine_rows_stand_behind_those_of_the_study(filled, package):
    detections = filled.catalog.detections()
    best = [CLASSES[i % len(CLASSES)] for i in range(len(detections))]
    run = fake_run(filled, CLASSES, best)
    study = study_of(filled)
    kept = read(package / "observations.csv")
    rows = list(study.observations)
    assert rows[: len(kept)] == kept
    own = rows[len(kept):]
    assert len(own) == len(detections) == 9
    assert {r["classificationMethod"] for r in own} == {"machine"}
    assert {r["classifiedBy"] for r in own} == {f"ecotone 0.9 ({run}; world, detector)"}
    assert [r["observationID"] for r in own] == detections.id.tolist()
    first = own[0]
    assert (first["mediaID"], first["deploymentID"], first["eventID"]) == ("med0", "d-1", "e-med0")
    assert first["eventStart"] == "2024-05-01T06:30:00+02:00"
    assert (first["observationType"], first["scientificName"], first["label"]) == (
        "animal", "Cervus elaphus", "")
    assert first["classificationProbability"] == "0.8000"
    assert first["observationTags"] == "fox (Vulpes vulpes):0.2000"
    assert (first["bboxX"], first["bboxWidth"], first["detectionConfidence"]) == ("0.1", "0.3", "1")
    by_label = {CLASSES[i % len(CLASSES)]: r for i, r in enumerate(own)}
    assert by_label[CLASSES[1]]["scientificName"] == "Vulpes vulpes"
    assert by_label[CLASSES[1]]["label"] == CLASSES[1]
    assert (by_label["blank"]["observationType"], by_label["blank"]["scientificName"]) == (
        "blank", "")
    assert by_label["human"]["observationType"] == "human"
    assert by_label["truck"]["observationType"] == "vehicle"


def test_what_no_study_has_gets_rows_of_its_own(filled):
    filled.fix_time(["cam9"], shift="+1h", time_zone="Europe/Brussels", reason="summer time")
    fake_run(filled, CLASSES, ["blank"] * 9)
    study = study_of(filled)
    place = study.deployments[-1]
    assert [d["deploymentID"] for d in study.deployments] == ["d-1", "d-2", "cam9"]
    assert (place["timestampIssues"], place["cameraModel"]) == ("true", "ExampleCam X1")
    assert place["deploymentComments"] == (
        "times corrected by +01:00:00 from what the camera said (summer time)")
    media = list(study.media)[6:]
    assert [m["timestamp"] for m in media] == [
        "2024-06-01T07:30:00+02:00", "2024-06-01T07:30:10+02:00"]
    assert [m["fileName"] for m in media] == ["0.jpg", "1.jpg"]
    assert media[0]["filePath"] == "more/cam9/0.jpg"  # several roots: from what they share
    own = [r for r in study.observations if r["deploymentID"] == "cam9"]
    assert {(r["eventID"], r["eventStart"], r["eventEnd"]) for r in own} == {
        ("cam9 2024-06-01T07:30:00", "2024-06-01T07:30:00+02:00", "2024-06-01T07:30:10+02:00")}
    assert "spatial" not in study.metadata and study.metadata["name"] == "oak-study"


def test_people_and_machines_are_never_mixed_up(filled):
    media = filled.catalog.media()
    own, kept = media.id[7], media.id[5]
    filled.catalog.add_labels([NewLabel(own, "fox (Vulpes vulpes)"), NewLabel(kept, "blank")],
                              author="Lou", source="csv")
    fake_run(filled, CLASSES, ["blank"] * 9)
    rows = list(study_of(filled).observations)
    people = [r for r in rows[8:] if r["classificationMethod"] == "human"]
    assert [(r["mediaID"], r["label"], r["scientificName"], r["classifiedBy"]) for r in people] == [
        (own, "fox (Vulpes vulpes)", "Vulpes vulpes", "Lou"), ("med5", "blank", "", "Lou")]
    assert people[1]["observationType"] == "blank" and people[1]["eventID"] == "e-med5"
    assert people[0]["observationID"] == "label-6"
    assert not any(r["classificationProbability"] for r in people)
    ids = [r["observationID"] for r in rows]
    assert len(ids) == len(set(ids))
    machines = list(study_of(filled, people=False).observations)
    assert {r["classificationMethod"] for r in machines} == {"machine"} and len(machines) == 10
    humans = list(study_of(filled, machine=False).observations)
    assert {r["classificationMethod"] for r in humans} == {"human"} and len(humans) == 9


def test_labels_that_a_newer_version_dropped_are_rows_of_their_own(project, package):
    project.add_study(package, kind="camtrapdp")
    rows = tables()
    dropped = rows["observations"].pop(2)
    write_package(package, rows)
    project.add_study(package, kind="camtrapdp")
    study = study_of(project, machine=False)
    assert list(study.media) == read(package / "media.csv")  # the newest version alone
    found = list(study.observations)
    assert found[:-1] == [r for r in rows["observations"] if r["classificationMethod"] == "human"]
    told = {k: v for k, v in found[-1].items() if v and k in dropped}
    assert told == {k: v for k, v in dropped.items() if v}


def test_a_persons_correction_moves_the_times_of_a_kept_study(filled):
    before = study_of(filled)
    filled.fix_time(["d-1"], shift="-30m")
    after = study_of(filled)
    times = {r["mediaID"]: r["timestamp"] for r in after.media}
    assert times["med0"] == "2024-05-01T06:00:00+02:00"
    assert times["med4"] == "2024-05-05T06:30:00+02:00"
    assert [r["eventStart"] for r in after.observations][:2] == ["2024-05-01T06:00:00+02:00"] * 2
    assert list(after.deployments) == list(before.deployments)
    filled.fix_time(["d-1"], undo=True)
    assert list(study_of(filled).media) == list(before.media)
    filled.fix_time(["d-1"], time_zone="UTC")
    assert next(iter(study_of(filled).media))["timestamp"] == "2024-05-01T06:30:00Z"


def test_a_studys_own_correction_is_in_its_rows_already(filled):
    filled.catalog.add_time_shifts([TimeShift("d-1", 60.0, author="sources/1-camtrapdp")])
    assert next(iter(study_of(filled).media))["timestamp"] == "2024-05-01T06:30:00+02:00"


def test_events_count_the_most_boxes_in_one_picture(project, make_picture, tmp_path):
    for i in range(4):
        make_picture(tmp_path / f"more/cam1/{i}.jpg", size=(20, 10), seed=i,
                     taken=f"2024:06:01 06:30:{10 * i:02d}" if i < 3 else "2024:06:01 09:00:00")
    project.add_images(tmp_path / "more")
    ids = project.catalog.media().id

    def boxes(*xs):
        return [Box((x, 0.1, 0.2, 0.2), "animal", 0.9) for x in xs]

    project.catalog.replace_boxes(
        {ids[0]: boxes(0.1, 0.4), ids[1]: boxes(0.1, 0.4, 0.7), ids[2]: boxes(0.2)}, "md")
    deer, fox = CLASSES[:2]
    fake_run(project, CLASSES, [deer, deer, deer, deer, fox, "blank", "blank"])
    rows = list(study_of(project, events=True).observations)
    events = [r for r in rows if r["observationLevel"] == "event"]
    assert [(r["label"] or r["scientificName"], r["count"]) for r in events] == [
        (deer, "2"), (fox, "1"), ("blank", "")]
    assert all(r["mediaID"] == "" for r in events)
    assert events[0]["eventStart"] == "2024-06-01T06:30:00"
    assert events[0]["eventEnd"] == "2024-06-01T06:30:20"
    assert events[2]["eventID"] == "cam1 2024-06-01T09:00:00"
    assert len({r["observationID"] for r in rows}) == len(rows) == 10
    assert all(r["classificationProbability"] == "0.8000" for r in events)


def test_an_export_that_comes_back_keeps_ids_apart(filled):
    fake_run(filled, CLASSES, ["blank"] * 9)
    rows = list(study_of(filled).observations)
    kept = {t: list(getattr(study_of(filled), t)) for t in ("deployments", "media")}
    folder = filled.path.parent / "back"
    plain = [{k: v for k, v in r.items() if k in rows[0]} for r in rows]
    media = [{k: v for k, v in r.items() if k in kept["media"][0]} for r in kept["media"]]
    write_package(folder, {**kept, "media": media, "observations": plain}, name="again")
    with Project.init(filled.path.parent / "q") as other:
        other.add_images(filled.path.parent / "study")
        other.add_images(filled.path.parent / "more")
        other.add_study(folder, kind="camtrapdp")
        assert len(other.catalog.labels()) == 5  # people's, and none of the machine's
        detections = other.catalog.detections()
        fake_run(other, CLASSES, ["blank"] * len(detections))
        ids = [r["observationID"] for r in study_of(other).observations]
        assert len(ids) == len(set(ids)) == len(rows) + len(detections)


def test_two_studies_stand_after_each_other(project, package, tmp_path, make_picture):
    project.add_study(package, kind="camtrapdp")
    rows = {"deployments": [deployment("d-1", "Other place"), deployment("x", "Hill")],
            "media": [medium("y0", "x", "a/0.jpg", "2024-05-01T06:30:00+02:00")],
            "observations": []}
    make_pictures(tmp_path / "two", make_picture, rows)
    project.add_study(write_package(tmp_path / "two", rows, name="hill-study"), kind="camtrapdp")
    study = study_of(project)
    assert [d["deploymentID"] for d in study.deployments] == ["d-1", "d-2", "x"]
    assert [m["mediaID"] for m in study.media][-1] == "y0"
    assert any("1 deployments have an id that several studies use" in p for p in study.problems)
    assert study.metadata["name"] == "p" and study.metadata["contributors"] == [{"title": "Ann"}]


def test_what_cannot_be_given_is_said(filled):
    with pytest.raises(InputError, match="source is 'both'"):
        study_of(filled, source="both")
    with pytest.raises(ProjectError, match="no such run"):
        study_of(filled, run="r")
    shutil.rmtree(filled.path / "sources")
    with pytest.raises(ProjectError, match="is missing; restore it, or add it again"):
        study_of(filled)


def test_detections_that_the_run_lacks_are_told(filled):
    ids = filled.catalog.detections().id[:3]
    fake_run(filled, CLASSES, ["blank"] * 3, ids=ids)
    study = study_of(filled)
    assert "6 detections are not in run" in study.problems[-1]
    assert len([r for r in study.observations if r["classifiedBy"].startswith("ecotone")]) == 3


def test_a_real_fusion_gives_one_row_a_detection(small_project):
    result = small_project.fuse()
    for source in ("best", "fused", "local"):
        rows = list(study_of(small_project, source=source, people=False).observations)
        assert len(rows) == 90 and all(result.run in r["classifiedBy"] for r in rows)
    assert ("local model" in rows[0]["classifiedBy"]) and rows[0]["bboxX"] == ""
    people = list(study_of(small_project, machine=False).observations)
    assert len(people) == 12 and {r["classificationMethod"] for r in people} == {"human"}
