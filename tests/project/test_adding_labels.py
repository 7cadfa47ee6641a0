"""Adding the labels that people gave."""

from __future__ import annotations

import pytest

from ecotone.errors import ProjectError
from ecotone.project import Project
from tests.project.adding_files import by_file, numbers, write


@pytest.fixture
def project(tmp_path):
    with Project.init(tmp_path / "reserve") as opened:
        yield opened


@pytest.fixture
def filled(project, pictures):
    project.add_images(pictures)
    return project


def test_labels_once_and_once_only(filled, labels_csv):
    assert numbers(filled.add_labels(labels_csv, "Kim")) == (6, 0, 0)
    assert numbers(filled.add_labels(labels_csv, "Kim")) == (0, 0, 6)
    found = filled.catalog.current_labels()
    assert sorted(found.values()) == sorted(["grey fox", "red deer", "wild boar"] * 2)
    assert set(filled.catalog.labels().author) == {"Kim"}


def test_a_file_that_grew_adds_what_is_new(filled, labels_csv):
    filled.add_labels(labels_csv)
    with labels_csv.open("a", encoding="utf-8") as handle:
        handle.write("cam2\\RED_DEER_1.JPG,Red deer\n")
    assert numbers(filled.add_labels(labels_csv)) == (1, 0, 6)
    assert set(filled.catalog.current_labels().values()) == {"grey fox", "red deer", "wild boar"}


def test_a_changed_mind_counts_and_a_second_look_at_the_old_file_does_not(filled, tmp_path):
    first = write(tmp_path, "filePath,label\ncam1/red_deer_0.jpg,red deer\n", "a.csv")
    second = write(tmp_path, "filePath,label\ncam1/red_deer_0.jpg,roe deer\n", "b.csv")
    for file, added in ((first, 1), (second, 1), (first, 0), (second, 0)):
        assert filled.add_labels(file).added == added
        assert len(filled.catalog.current_labels()) == 1
    assert set(filled.catalog.current_labels().values()) == {"roe deer"}
    write(tmp_path, "filePath,label\ncam1/red_deer_0.jpg,fallow deer\n", "a.csv")
    assert filled.add_labels(first).added == 1
    write(tmp_path, "filePath,label\ncam1/red_deer_0.jpg,red deer\n", "a.csv")
    assert filled.add_labels(first).added == 1  # and back again
    assert set(filled.catalog.current_labels().values()) == {"red deer"}


def test_the_same_label_by_another_person_is_kept(filled, labels_csv):
    filled.add_labels(labels_csv, "Kim")
    assert numbers(filled.add_labels(labels_csv, "Lee")) == (6, 0, 0)


def test_unknown_pictures_are_named_and_counted(filled, tmp_path):
    rows = "".join(f"new/{n}.jpg,fox\n" for n in range(5))
    file = write(tmp_path, "filePath,label\ncam1/red_deer_0.jpg,red deer\n" + rows)
    report = filled.add_labels(file)
    assert report.added == 1
    assert "5 of 6 rows name no picture" in report.problems[0] and "new/0.jpg" in report.problems[0]


def test_both_names_are_kept_and_one_of_them_is_the_class(filled, tmp_path):
    filled.add_labels(write(
        tmp_path, "filePath;scientificName;vernacularName\ncam1/red_deer_0.jpg;Cervus elaphus;red "
                  "deer\ncam1/grey_fox_0.jpg;Urocyon cinereoargenteus;\n", "a.csv"))
    filled.add_labels(write(
        tmp_path, "filePath,scientificName\ncam1/red_deer_1.jpg,Cervus elaphus\n", "b.csv"))
    assert filled.catalog.label_names() == {
        "red deer": ("Cervus elaphus", "red deer"),
        "Urocyon cinereoargenteus": ("Urocyon cinereoargenteus", "")}


def test_locations_count_where_the_folders_say_nothing(filled, project, tmp_path, make_picture):
    for n in range(3):
        make_picture(tmp_path / f"flat/{n}.jpg", seed=n + 50)
    filled.add_images(tmp_path / "flat")
    report = filled.add_labels(write(
        tmp_path, "filename,category,location,timestamp\n0.jpg,deer,ridge,2024-05-01 06:00:00\n"
                  "1.jpg,deer,ridge,2024-05-01 06:00:30\ncam1/red_deer_0.jpg,deer,ridge,\n"))
    assert numbers(report) == (3, 2, 0)
    media = project.catalog.media()
    found = dict(zip(media.file_path, media.deployment_id, strict=True))
    assert (found["0.jpg"], found["1.jpg"], found["2.jpg"]) == ("ridge", "ridge", "flat")
    assert found["cam1/red_deer_0.jpg"] == "cam1"
    events = dict(zip(media.file_path, media.event_id, strict=True))
    assert events["0.jpg"] == events["1.jpg"] == "ridge 2024-05-01T06:00:00"
    assert numbers(filled.add_images(tmp_path / "flat")) == (0, 0, 3)
    assert filled.catalog.media().deployment_id.tolist()[-3:] == ["ridge", "ridge", "flat"]


def test_labels_by_media_and_detection_id(filled, tmp_path):
    files = by_file(filled)
    medium = files["cam1/red_deer_0.jpg"]
    filled.add_labels(write(tmp_path, f"mediaID,label\n{medium},deer\nnone,fox\n", "a.csv"))
    filled.add_labels(write(
        tmp_path, f"observationID,label\n{files['cam2/wild_boar_1.jpg']}:0,boar\n", "b.csv"))
    assert filled.catalog.current_labels() == {
        f"{medium}:0": "deer", f"{files['cam2/wild_boar_1.jpg']}:0": "boar"}


def test_several_labels_of_one_picture_are_told(filled, tmp_path):
    report = filled.add_labels(write(
        tmp_path, "filePath,label\ncam1/red_deer_0.jpg,deer\ncam1/red_deer_0.jpg,fox\n"))
    assert report.added == 2 and "cam1/red_deer_0.jpg (deer, fox)" in report.problems[0]
    assert filled.catalog.current_labels() == {}


def test_labels_need_pictures(project, labels_csv):
    with pytest.raises(ProjectError, match="ecotone add images"):
        project.add_labels(labels_csv)
