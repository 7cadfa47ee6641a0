"""individualID and viewpoint of labels: read, kept, and found again by detection."""

from __future__ import annotations

import json

import pytest

from ecotone.project import Project
from ecotone.project.individual_labels import named_individuals


@pytest.fixture
def project(tmp_path, pictures):
    with Project.init(tmp_path / "project") as made:
        made.add_images(pictures)
        yield made


def write(tmp_path, text: str, name: str = "who.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def by_file(project, values: dict[str, str]) -> dict[str, str]:
    media = project.catalog.media()
    path = dict(zip(media.id, media.file_path, strict=True))
    return {path[d.rpartition(":")[0]]: v for d, v in values.items()}


HEADER = "filePath,scientificName,individualID,viewpoint\n"
ONE, TWO = "cam1/red_deer_0.jpg", "cam1/red_deer_1.jpg"


def test_individuals_and_viewpoints_are_read_and_kept(project, tmp_path):
    file = write(tmp_path, HEADER + f"{ONE},Cervus elaphus,Ada,Left\n"
                 f"{TWO},Cervus elaphus,unknown,\n")
    assert project.add_labels(file).added == 2
    assert project.add_labels(file).skipped == 2
    found = named_individuals(project.catalog)
    assert by_file(project, found.individual) == {ONE: "Ada"}
    assert by_file(project, found.viewpoint) == {ONE: "left"}
    attributes = json.loads(project.catalog.labels().attributes[0])
    assert attributes == {"individualID": "Ada", "viewpoint": "left"}


def test_an_individual_added_later_is_news_and_a_species_takes_none_back(project, tmp_path):
    project.add_labels(write(tmp_path, f"filePath,scientificName\n{ONE},Cervus elaphus\n"))
    named = write(tmp_path, HEADER + f"{ONE},Cervus elaphus,Ada,left\n", "named.csv")
    assert project.add_labels(named).added == 1
    again = write(tmp_path, f"filePath,scientificName\n{ONE},Sus scrofa\n", "again.csv")
    assert project.add_labels(again).added == 1
    assert by_file(project, named_individuals(project.catalog).individual) == {ONE: "Ada"}
    renamed = write(tmp_path, HEADER + f"{ONE},Cervus elaphus,Bea,left\n", "renamed.csv")
    assert project.add_labels(renamed).added == 1
    assert by_file(project, named_individuals(project.catalog).individual) == {ONE: "Bea"}


def test_an_individual_without_species_takes_the_pictures_own(project, tmp_path):
    file = write(tmp_path, f"identity,path\nAda,{ONE}\nBea,{TWO}\n")
    report = project.add_labels(file)
    assert report.added == 0 and "name an individual but no species" in report.problems[0]
    project.add_labels(write(tmp_path, f"filePath,scientificName\n{ONE},Cervus elaphus\n", "s.csv"))
    report = project.add_labels(file)
    assert report.added == 1 and "1 rows name an individual" in report.problems[0]
    assert by_file(project, named_individuals(project.catalog).individual) == {ONE: "Ada"}


def test_two_individuals_on_one_picture_need_boxes(project, tmp_path):
    file = write(tmp_path, HEADER + f"{ONE},Cervus elaphus,Ada,left\n"
                 f"{ONE},Cervus elaphus,Bea,left\n")
    report = project.add_labels(file)
    assert report.added == 1 and "several individuals" in report.problems[0]
    assert not named_individuals(project.catalog).individual


def test_a_picture_with_two_animals_is_unclear_until_a_box_is_named(
    project, tmp_path, detections_json
):
    content = json.loads(detections_json.read_text())
    first = next(i for i in content["images"] if i["file"] == ONE)
    first["detections"] = [{"category": "1", "conf": 0.9, "bbox": [x, 0.2, 0.3, 0.5]}
                           for x in (0.1, 0.6)]
    detections_json.write_text(json.dumps(content))
    project.add_detections(detections_json)
    project.add_labels(write(tmp_path, HEADER + f"{ONE},Cervus elaphus,Ada,left\n"))
    found = named_individuals(project.catalog)
    assert not found.individual and len(found.unclear) == 1
    columns = "filePath,scientificName,individualID,bboxX,bboxY,bboxWidth,bboxHeight\n"
    boxed = write(tmp_path, columns + f"{ONE},Cervus elaphus,Ada,0.6,0.2,0.3,0.5\n", "boxed.csv")
    project.add_labels(boxed)
    found = named_individuals(project.catalog)
    assert list(found.individual.values()) == ["Ada"]
    (detection,) = found.individual
    boxes = dict(zip(project.catalog.detections().id, project.catalog.detections().bbox,
                     strict=True))
    assert boxes[detection][0] == pytest.approx(0.6)


def test_viewpoints_of_a_camtrap_dp_stand_in_its_tags(project):
    from ecotone.project.individual_labels import _tag

    assert _tag("stage:climb | viewpoint: Right ") == " Right "
    assert _tag("") == ""


def test_a_table_of_individuals_is_recognised(project, tmp_path):
    project.add_labels(write(tmp_path, f"filePath,scientificName\n{ONE},Cervus elaphus\n", "s.csv"))
    (report,) = project.add_data([write(tmp_path, f"identity,path\nAda,{ONE}\n")])
    assert by_file(project, named_individuals(project.catalog).individual) == {ONE: "Ada"}
