from __future__ import annotations

import json
import os

import numpy as np
import pytest

from ecotone.errors import FormatError, InputError, ProjectError
from ecotone.project import Project
from tests.project.packages import (
    contents,
    make_pictures,
    medium,
    observation,
    tables,
    write_package,
)


@pytest.fixture
def project(tmp_path):
    with Project.init(tmp_path / "p") as opened:
        yield opened


@pytest.fixture
def package(tmp_path, make_picture):
    rows = tables()
    make_pictures(tmp_path / "study", make_picture, rows)
    return write_package(tmp_path / "study", rows)


def by_name(project):
    """Study's mediaID -> row of the media table."""
    ids = project.catalog.media().id.tolist()
    return {i: ids.index(m) for i, m in project.catalog.study_media(1).items()}


def test_a_study_brings_pictures_places_and_peoples_labels(project, package):
    report = project.add_study(package, kind="camtrapdp")
    assert report.new and report.problems[-3:] == [
        "1 observations by machines, which are never labels, kept as rows",
        "1 observations of an event, not of a picture, kept as rows",
        "1 observations that name no class, kept as rows"]
    assert (report.pictures, report.added, report.labels, report.detections) == (6, 6, 5, 3)
    catalog, at = project.catalog, by_name(project)
    media = catalog.media()
    assert media.deployment_id[at["med0"]] == "d-1" and media.deployment_id[at["med4"]] == "d-2"
    assert set(media.time_zone) == {"+02:00"} and catalog.time_shifts() == {}
    places = catalog.deployments()
    assert places.id.tolist() == ["d-1", "d-2"] and places.media.tolist() == [3, 3]
    np.testing.assert_allclose(places.latitude, [50.5, -33.5])
    np.testing.assert_allclose(places.longitude, [4.25, 150.125])
    assert places.location_name.tolist() == ["Old oak", "Ford"]
    assert places.start[0] == "2024-05-01T00:00:00+02:00"


def test_labels_carry_what_people_said_and_boxes_are_matched(project, package):
    project.add_study(package, kind="camtrapdp")
    catalog, at = project.catalog, by_name(project)
    table = catalog.labels()
    first = table.observation_id.tolist().index("o0")
    said = json.loads(table.attributes[first])
    assert (said["count"], said["sex"]) == ("2", "female") and table.author[first] == "Ann"
    assert table.author[table.observation_id.tolist().index("o1")] == "Kim"
    assert set(table.source) == {"sources/1-camtrapdp"}
    ids = catalog.media().id
    current = {
        tuple(map(int, (at_of(at, ids, d), d.rpartition(":")[2]))): label
        for d, label in catalog.current_labels().items()
    }
    assert current == {(0, 1): "Cervus elaphus", (0, 2): "Sus scrofa", (1, 0): "Vulpes vulpes",
                       (2, 0): "blank", (4, 0): "human"}
    detections = catalog.detections()
    boxes = detections.bbox[[m == ids[at["med3"]] for m in detections.media_id]]
    np.testing.assert_allclose(boxes, [[0.3, 0.2, 0.3, 0.4]], atol=1e-6)
    assert catalog.media().detector[at["med3"]] == "oak-study"


def at_of(at, ids, detection):
    """The number of the study's medium that a detection is of."""
    row = ids.tolist().index(detection.rpartition(":")[0])
    return next(name for name, r in at.items() if r == row).removeprefix("med")


def test_the_same_study_again_changes_nothing(project, package):
    project.add_study(package, kind="camtrapdp")
    before = contents(project)
    report = project.add_study(package, kind="camtrapdp")
    assert not report.new and (report.added, report.labels, report.detections) == (0, 0, 0)
    assert report.same == 5 and contents(project) == before
    project.add_study(package / "datapackage.json", kind="camtrapdp")
    assert contents(project) == before


def test_its_tables_are_kept_as_they_came(project, package):
    (package / "observations.csv").write_bytes(
        (package / "observations.csv").read_bytes().replace(b"\n", b"\r\n"))
    project.add_study(package, kind="camtrapdp")
    kept = project.path / "sources/1-camtrapdp"
    assert sorted(p.name for p in kept.iterdir()) == [
        "datapackage.json", "deployments.csv", "media.csv", "observations.csv"]
    for path in kept.iterdir():
        assert path.read_bytes() == (package / path.name).read_bytes()


def test_a_newer_version_adds_what_is_new_and_keeps_older_labels(project, package):
    project.add_study(package, kind="camtrapdp")
    rows = tables()
    o1 = rows["observations"][2]
    o1["scientificName"] = "Canis lupus"  # changed
    del rows["observations"][3]  # o2, dropped
    rows["observations"].append(observation("o9", rows["media"][5], "Martes martes"))
    write_package(package, rows)
    report = project.add_study(package, kind="camtrapdp")
    assert report.new and (report.labels, report.same) == (2, 3)
    assert [s.folder for s in project.catalog.studies()] == [
        "sources/1-camtrapdp", "sources/2-camtrapdp"]
    table = project.catalog.labels()
    assert len(table) == 7 and "blank" in table.label.tolist()
    current = set(project.catalog.current_labels().values())
    assert {"Canis lupus", "Martes martes", "blank"} <= current and "Vulpes vulpes" not in current
    again = project.add_study(package, kind="camtrapdp")
    assert (again.new, again.labels, again.same) == (False, 0, 5)


def test_a_later_label_by_a_person_outlives_adding_the_study_again(project, package, tmp_path):
    project.add_study(package, kind="camtrapdp")
    file = tmp_path / "labels.csv"
    file.write_text("filePath,label\nimg/cam1/IMG_1.JPG,lynx\n", encoding="utf-8")
    project.add_labels(file, author="Lou")
    project.add_study(package, kind="camtrapdp")
    assert "lynx" in set(project.catalog.current_labels().values())


def test_rows_without_a_picture_are_kept_and_found_when_it_comes(project, package, tmp_path):
    away = tmp_path / "photos"
    (package / "img").rename(away)
    report = project.add_study(package, kind="camtrapdp")
    assert (report.pictures, report.labels) == (0, 0)
    assert "6 of 6 media have no picture here" in report.problems[0]
    assert project.catalog.deployments().id.tolist() == []
    assert set(project.catalog.study_deployments(1)) == {"d-1", "d-2"}
    project.add_images(away)
    report = project.add_study(package, kind="camtrapdp")
    assert (report.new, report.pictures, report.labels) == (False, 6, 5)
    assert project.catalog.deployments().id.tolist() == ["d-1", "d-2"]


def test_pictures_are_found_by_name_where_paths_are_web_addresses(project, tmp_path, make_picture):
    rows = tables()
    make_pictures(tmp_path / "study", make_picture, rows)
    for row in rows["media"]:
        row["filePath"] = f"https://example.org/{row['mediaID']}/file"
    (tmp_path / "study/img/cam1").rename(tmp_path / "study/img/d-1")
    (tmp_path / "study/img/cam2").rename(tmp_path / "study/img/Ford")  # by the place's name
    report = project.add_study(write_package(tmp_path / "study", rows), kind="camtrapdp")
    assert report.pictures == 6
    media = project.catalog.media()
    for name, row in by_name(project).items():
        assert media.file_path[row].endswith(f"IMG_{int(name[3:]) % 3}.JPG")
        assert media.deployment_id[row] == ("d-1" if "d-1" in media.file_path[row] else "d-2")


def test_paths_that_lead_out_are_never_followed(project, package, make_picture, tmp_path):
    secret = make_picture(tmp_path / "secret" / "x.jpg", size=(16, 16))
    (package / "img" / "link").symlink_to(tmp_path / "secret", target_is_directory=True)
    rows = tables()
    media = rows["media"]
    media += [
        medium("out1", "d-1", "../secret/x.jpg", "2024-05-01T06:30:00+02:00"),
        medium("out2", "d-1", str(secret), "2024-05-01T06:30:00+02:00"),
        medium("out3", "d-1", "img/link/x.jpg", "2024-05-01T06:30:00+02:00"),
        medium("out4", "d-1", "img/../../secret/x.jpg", "2024-05-01T06:30:00+02:00"),
    ]
    write_package(package, rows)
    report = project.add_study(package, kind="camtrapdp")
    assert report.pictures == 6 and len(project.catalog.media()) == 6
    assert any("lead outside" in p and "x.jpg" in p for p in report.problems)
    project.add_images(tmp_path / "secret")  # now it is one of the project's pictures
    assert project.add_study(package, kind="camtrapdp").pictures == 7


def test_a_fault_leaves_nothing_half_stored(project, package, monkeypatch):
    before = contents(project)

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ecotone.project.adding_study.renew_events", broken)
    with pytest.raises(OSError):
        project.add_study(package, kind="camtrapdp")
    assert contents(project) == before and list((project.path / "sources").iterdir()) == []
    monkeypatch.undo()
    project.add_study(package, kind="camtrapdp")
    with Project.init(project.path.parent / "q") as other:
        other.add_study(package, kind="camtrapdp")
        assert contents(other) == contents(project)


def test_what_a_killed_call_left_is_cleared_away(project, package):
    home = project.path / "sources"
    for name in (".adding-x1", "1-camtrapdp", "7-coco"):
        (home / name).mkdir(parents=True)
        (home / name / "media.csv").write_text("x")
    (home / "notes").mkdir()
    project.add_study(package, kind="camtrapdp")
    assert sorted(p.name for p in home.iterdir()) == ["1-camtrapdp", "notes"]


def test_a_lost_copy_is_made_again(project, package):
    import shutil

    project.add_study(package, kind="camtrapdp")
    before = contents(project)
    shutil.rmtree(project.path / "sources")
    project.add_study(package, kind="camtrapdp")
    assert contents(project) == before


def test_a_project_that_cannot_be_written_is_said(project, package, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", denied)
    with pytest.raises(InputError, match="sources: cannot be written .Permission denied"):
        project.add_study(package, kind="camtrapdp")
    monkeypatch.setattr("pathlib.Path.open", denied)
    with pytest.raises(ProjectError, match="cannot write here"):
        project.add_study(package, kind="camtrapdp")


def test_what_is_no_study_changes_nothing(project, package):
    (package / "media.csv").unlink()
    with pytest.raises(FormatError, match="media.csv"):
        project.add_study(package, kind="camtrapdp")
    assert not (project.path / "sources").exists() and project.catalog.studies() == []
    with pytest.raises(InputError, match="time zone 'Mars' is not known"):
        project.add_study(package, kind="camtrapdp", time_zone="Mars")


def test_the_study_itself_is_only_read(project, package):
    def state():
        return {p.relative_to(package).as_posix(): (p.stat().st_mtime_ns, p.stat().st_size)
                for p in sorted(package.rglob("*"))}

    before = state()
    for path in sorted(package.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    package.chmod(0o555)
    try:
        assert project.add_study(package, kind="camtrapdp").pictures == 6
        assert state() == before
        kept = project.path / "sources/1-camtrapdp"
        assert all(os.access(p, os.W_OK) for p in (kept, *kept.iterdir()))
    finally:
        for path in (package, *package.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_zip_brings_the_same_rows_and_finds_known_pictures(project, package, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "oak.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(package.glob("*.*")):
            archive.write(path, f"top/{path.name}")
    project.add_images(package / "img")
    report = project.add_study(tmp_path / "oak.zip", kind="camtrapdp")
    assert (report.pictures, report.labels) == (6, 5)
    kept = project.path / report.study
    assert (kept / "media.csv").read_bytes() == (package / "media.csv").read_bytes()
