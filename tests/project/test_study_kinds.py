"""Studies in other formats than Camtrap DP: COCO Camera Traps and Wildlife Insights."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ecotone.project import Project

COCO = {
    "info": {"version": "1", "description": "oak"},
    "images": [
        {"id": "a", "file_name": "cam1/1.jpg", "width": 40, "height": 20, "location": "cam 1",
         "datetime": "2024-05-01 06:30:00", "seq_id": "s1"},
        {"id": "b", "file_name": "cam1/2.jpg", "location": "cam 1", "seq_id": "s1"},
        {"id": "c", "file_name": "../secret.jpg", "location": "cam 1"},
    ],
    "annotations": [
        {"id": "1", "image_id": "a", "category_id": 1, "bbox": [4, 4, 8, 8]},
        {"id": "2", "image_id": "b", "category_id": 0},
        {"id": "3", "image_id": "c", "category_id": 1, "score": 0.7},
    ],
    "categories": [{"id": 0, "name": "empty"}, {"id": 1, "name": "red fox"}],
}
IMAGES = (
    "project_id,deployment_id,image_id,filename,location,is_blank,identified_by,wi_taxon_id,class,"
    "order,family,genus,species,common_name,timestamp,number_of_objects\n"
    "7,Ford,i1,IMG_1.JPG,https://x.org/i1,0,Ann,u,Mammalia,Carnivora,Canidae,Vulpes,vulpes,Red Fox,"
    "2024-05-01 06:30:00,2\n"
    "7,Ford,i2,IMG_2.JPG,https://x.org/i2,1,Ann,u,,,,,,Blank,2024-05-01 06:31:00,1\n"
    "7,Ford,i3,IMG_3.JPG,https://x.org/i3,0,Computer vision,u,Mammalia,Carnivora,Canidae,Vulpes,"
    "vulpes,Red Fox,2024-05-01 06:32:00,1\n"
)


@pytest.fixture
def project(tmp_path):
    with Project.init(tmp_path / "p") as opened:
        yield opened


def test_coco_with_its_pictures(project, tmp_path, make_picture):
    for name in ("coco/cam1/1.jpg", "coco/cam1/2.jpg", "secret.jpg"):
        make_picture(tmp_path / name, size=(40, 20), seed=len(name))
    file = tmp_path / "coco" / "oak.json"
    file.write_text(json.dumps(COCO), encoding="utf-8")
    report = project.add_study(file, time_zone="Europe/Brussels")
    assert (report.kind, report.media, report.pictures, report.labels) == ("coco", 3, 2, 2)
    media = project.catalog.media()
    assert set(media.deployment_id) == {"cam 1"} and len(media) == 2
    assert media.timestamp.tolist()[0] == "2024-05-01T06:30:00"
    assert project.catalog.labels().label.tolist() == ["red fox", "blank"]
    detections = project.catalog.detections()
    np.testing.assert_allclose(detections.bbox[0], [0.1, 0.2, 0.2, 0.4], atol=1e-6)
    kept = project.path / report.study
    assert (kept / "oak.json").read_bytes() == file.read_bytes()
    times = [row["timestamp"] for row in project.study().media]
    assert times[0] == "2024-05-01T06:30:00+02:00"
    assert not project.add_study(file, time_zone="Europe/Brussels").new


@pytest.fixture
def download(tmp_path, make_picture):
    folder = tmp_path / "wi"
    for i in range(1, 4):
        make_picture(folder / f"pictures/IMG_{i}.JPG", size=(20, 10), seed=i)
    (folder / "images.csv").write_text(IMAGES, encoding="utf-8")
    (folder / "deployments.csv").write_text(
        "project_id,deployment_id,placename,longitude,latitude,start_date,end_date,camera_id\n"
        "7,Ford,By the ford,4.5,50.25,2024-05-01 00:00:00,2024-06-01 00:00:00,c1\n", "utf-8")
    return folder


def test_a_wildlife_insights_download_with_its_pictures(project, download):
    report = project.add_study(download)
    assert (report.kind, report.pictures, report.labels) == ("wildlife insights", 3, 2)
    catalog = project.catalog
    assert sorted(catalog.labels().label) == ["Red Fox", "blank"]
    assert json.loads(catalog.labels().attributes[0])["count"] == "2"
    places = catalog.deployments()
    assert (places.id.tolist(), places.latitude.tolist()) == (["Ford"], [50.25])
    assert catalog.media().timestamp.tolist()[0] == "2024-05-01T06:30:00"
    rows = list(project.study().observations)
    assert [r["classificationMethod"] for r in rows] == ["human", "human", "machine"]
    assert project.add_study(download / "images.csv").new is False


def test_what_came_from_one_platform_goes_to_another(project, download, tmp_path):
    project.add_study(download, time_zone="Europe/Brussels")
    project.export(tmp_path / "coco.json", format="coco")
    project.export(tmp_path / "dp", format="camtrapdp")
    data = json.loads((tmp_path / "coco.json").read_text("utf-8"))
    assert {i["id"] for i in data["images"]} == {"i1", "i2", "i3"}
    with (tmp_path / "dp/observations.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [r["scientificName"] for r in rows] == ["Vulpes vulpes", "", "Vulpes vulpes"]
    assert rows[0]["eventStart"] == "2024-05-01T06:30:00+02:00"
