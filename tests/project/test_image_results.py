from __future__ import annotations

import pytest

from ecotone.project import Project
from ecotone.project.answers import answers_of
from ecotone.project.image_results import ImageResults, descriptions_of
from ecotone.store.tables import Box, DeploymentFacts, NewMedium
from tests.project.runs import fake_run

CLASSES = ("Cervus elaphus", "red fox", "blank", "human")


@pytest.fixture
def project(tmp_path):
    """Five pictures: boxed, found empty, never looked at (three, one of them unreadable)."""
    with Project.init(tmp_path / "p") as opened:
        catalog = opened.catalog
        catalog.add_media([
            NewMedium(f"m{i}", "/pics", f"cam/{i}.jpg", "cam", width=40, height=30,
                      timestamp="2024-05-01T06:30:00", failure="truncated" if i == 4 else "")
            for i in range(5)
        ])
        catalog.replace_boxes({
            "m0": [Box((0.1, 0.2, 0.3, 0.4), "animal", 0.9),
                   Box((0.5, 0.5, 0.2, 0.2), "human", 0.6)],
            "m1": [Box((0, 0, 1, 1), "blank", 0.95)],
        }, "md_v5a")
        catalog.set_deployment_facts([DeploymentFacts("cam", latitude=1.5, longitude=2.5)])
        yield opened


def test_boxes_carry_the_local_classes(project):
    ids = project.catalog.detections().id[:-1]
    fake_run(project, CLASSES, ["Cervus elaphus", "human", "blank", "blank", "human"], ids=ids)
    images = ImageResults(project, answers_of(project))
    first, empty, blank, person, failed = list(images)
    assert list(images) == [first, empty, blank, person, failed] and len(images) == 5
    assert [b.category for b in first.boxes] == ["animal", "human"]
    assert first.boxes[0].bbox == (0.1, 0.2, 0.3, 0.4) and first.boxes[0].confidence == 0.9
    names = [(name, round(score, 4)) for name, score in first.boxes[0].scores]
    assert names == [("Cervus elaphus", 0.8), ("red fox", 0.2)]
    assert (first.width, first.height, first.latitude, first.longitude) == (40, 30, 1.5, 2.5)
    assert empty.boxes == () and empty.failure == ""
    assert blank.boxes[0].bbox == (0.0, 0.0, 1.0, 1.0)  # nobody looked: not blank by 0.2
    assert blank.boxes[0].confidence == pytest.approx(0.2)
    assert person.boxes[0].category == "human" and person.boxes[0].confidence == pytest.approx(1.0)
    assert failed.boxes is None and failed.failure == "truncated"


def test_without_boxes_a_picture_has_scores_of_its_own(project):
    fake_run(project, CLASSES, ["Cervus elaphus"] * 6)
    images = list(ImageResults(project, answers_of(project), boxed=False))
    assert images[2].boxes is None and images[2].scores[0][0] == "Cervus elaphus"
    assert images[0].boxes[0].scores and images[0].scores == () and images[1].boxes == ()


def test_without_a_fusion_there_are_boxes_alone(project):
    images = list(ImageResults(project, None))
    assert [b.scores for b in images[0].boxes] == [(), ()]
    assert images[2].boxes[0].confidence == 1.0


def test_descriptions_are_lines_of_seven_names(project):
    project.catalog.set_note("taxonomy", [
        {"class": "mammalia", "order": "carnivora", "family": "canidae", "genus": "vulpes",
         "species": "vulpes vulpes", "scientificName": "vulpes vulpes",
         "vernacularName": "red fox", "taxonRank": "species"}])
    fake_run(project, CLASSES, ["blank"] * 6)
    lines = ("u-1;mammalia;carnivora;canidae;vulpes;vulpes;red fox",)
    found = descriptions_of(answers_of(project), lines)
    assert found["red fox"] == "u-1;mammalia;carnivora;canidae;vulpes;vulpes;red fox"
    assert found["Cervus elaphus"] == ";;;;cervus;elaphus;"
    assert all(line.count(";") == 6 for line in found.values())
    assert descriptions_of(None) == {}
