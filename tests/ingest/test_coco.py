from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.ingest.coco import read_coco
from ecotone.study import DEPLOYMENT_COLUMNS, MEDIA_COLUMNS, MORE, OBSERVATION_COLUMNS
from tests.ingest import write_json
from tests.ingest.hostile import reads_or_says, spoiled

GOOD = {
    "info": {"version": "1.0", "description": "Test cameras", "contributor": "Kim"},
    "images": [
        {"id": 1, "file_name": "cam1\\a.jpg", "width": 200, "height": 100, "location": 7,
         "datetime": "2024-05-01 06:30:00", "seq_id": "s1", "frame_num": 0, "seq_num_frames": 2},
        {"id": "2", "file_name": "cam1/b.jpg", "width": "200", "height": 100.0, "location": "7",
         "datetime": "2024-05-01 06:30:01", "seq_id": "s1", "corrupt": True},
        {"id": 3.0, "file_name": "c.png", "location": float("nan"), "rights_holder": "K. Moe"},
    ],
    "categories": [
        {"id": 0, "name": "empty"}, {"id": 1, "name": "red fox", "scientificName": "Vulpes vulpes"},
        {"id": "2", "name": "Person"}, {"id": 3, "name": "Blank"}, {"id": 4, "name": "unknown"},
    ],
    "annotations": [
        {"id": 10, "image_id": "1", "category_id": 1, "bbox": [20, 10, 100, 50], "count": 2},
        {"id": "11", "image_id": 2, "category_id": "2", "sequence_level_annotation": True},
        {"id": 12, "image_id": 1, "category_id": 2, "sequence_level_annotation": True},
        {"id": 13, "image_id": 3, "category_id": 3},
        {"id": 14, "image_id": 3, "category_id": 1, "bbox_relative": [0.5, 0.25, 0.5, 0.5],
         "score": 0.75},
    ],
}


def read(tmp_path, value):
    return read_coco(write_json(tmp_path, value, "labels.json"))


def test_images_become_media_and_locations_deployments(tmp_path):
    study = read(tmp_path, GOOD)
    first, second, third = study.media
    assert (first["mediaID"], first["deploymentID"], first["eventID"]) == ("1", "7", "s1")
    assert (first["filePath"], first["fileName"]) == ("cam1/a.jpg", "a.jpg")
    assert first["timestamp"] == "2024-05-01T06:30:00" and first["fileMediatype"] == "image/jpeg"
    assert (second["width"], second["height"]) == ("200", "100")
    assert second["mediaComments"] == "corrupt:true"
    assert (third["mediaID"], third["deploymentID"], third["timestamp"]) == ("3", "", "")
    assert third["mediaComments"] == "rightsHolder:K. Moe"
    (place,) = study.deployments
    assert place["deploymentID"] == "7" and place["latitude"] == place["longitude"] == ""
    assert study.metadata == {"title": "Test cameras", "version": "1.0", "contributors": [
        {"title": "Kim", "role": "contributor"}]}
    assert "file_name with other slashes" in study.repairs[0]


def test_annotations_become_observations(tmp_path):
    fox, person, blank, machine = read(tmp_path, GOOD).observations
    assert (fox["observationID"], fox["mediaID"], fox["count"]) == ("10", "1", "2")
    assert (fox["scientificName"], fox["label"]) == ("Vulpes vulpes", "red fox")
    assert [fox[c] for c in ("bboxX", "bboxY", "bboxWidth", "bboxHeight")] == [
        "0.1", "0.1", "0.5", "0.5"]
    assert (fox["classificationMethod"], fox["observationType"]) == ("human", "animal")
    assert (blank["observationType"], blank["label"], blank["scientificName"]) == ("blank", "", "")
    assert (machine["bboxX"], machine["classificationMethod"]) == ("0.5", "machine")
    assert machine["classificationProbability"] == "0.75"
    # The two annotations of the sequence are one observation of the event.
    assert (person["observationLevel"], person["mediaID"], person["eventID"]) == (
        "event", "", "s1")
    assert (person["eventStart"], person["eventEnd"]) == (
        "2024-05-01T06:30:00", "2024-05-01T06:30:01")
    assert (person["observationType"], person["label"]) == ("human", "Person")


def test_rows_can_be_gone_through_again_and_have_all_columns(tmp_path):
    study = read(tmp_path, GOOD)
    assert list(study.media) == list(study.media) and len(list(study.observations)) == 4
    assert set(next(iter(study.media))) == {*MEDIA_COLUMNS, *MORE["media"]}
    assert set(next(iter(study.observations))) == {*OBSERVATION_COLUMNS, *MORE["observations"]}
    assert set(next(iter(study.deployments))) == set(DEPLOYMENT_COLUMNS)


@pytest.mark.parametrize("name", ["Empty", "blank", "nothing", "none", "no animal"])
def test_every_word_for_nothing_is_blank(tmp_path, name):
    value = {"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 5, "name": name}],
             "annotations": [{"id": 1, "image_id": 1, "category_id": 5}]}
    (row,) = read(tmp_path, value).observations
    assert row["observationType"] == "blank" and not row["scientificName"]


def test_what_cannot_be_used_is_told_with_its_place(tmp_path):
    value = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}, 5,
                   {"id": 2, "file_name": "../../x/../c.jpg", "datetime": "yesterday"},
                   {"id": 3, "file_name": ".."}],
        "categories": [{"id": 1, "name": "fox"}, {"id": 1, "name": "deer"}, {"name": "x"}],
        "annotations": [
            {"id": 1, "image_id": 9, "category_id": 1},
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [5, 5, 9, 9]},
            {"id": 2, "image_id": 1, "category_id": 77, "bbox": [0.1, 0.1, 0.5, 0.5]},
            {"id": 4, "image_id": 1, "category_id": 1, "bbox": "here"},
            {"id": 5, "image_id": 1, "category_id": 1, "sequence_level_annotation": True},
        ],
    }
    study = read(tmp_path, value)
    assert [m["filePath"] for m in study.media] == ["a.jpg", "c.jpg"]
    told = "\n".join(study.problems)
    for what in ("id that stands twice, the later one left out (labels.json, row 2",
                 "no object, left out (labels.json, row 3", "no file_name, left out",
                 'datetime that is none, left out (labels.json, row 4: "yesterday")',
                 "no image of the file, left out (labels.json, row 1",
                 "bbox in pixels of an image without width and height",
                 "bbox is not four numbers", "category_id that no category has"):
        assert what in told
    mended = "\n".join(study.repairs)
    for what in ("leading out of its folder", "bbox of at most 1", "stands twice; numbered",
                 "without seq_id, taken as of the image"):
        assert what in mended
    rows = list(study.observations)
    assert [r["label"] for r in rows] == ["fox", "77", "fox", "fox"]
    assert [r["bboxX"] for r in rows] == ["", "0.1", "", ""]
    assert len({r["observationID"] for r in rows}) == 4


@pytest.mark.parametrize(("value", "what"), [
    ({"images": [], "detection_categories": {}}, "expected COCO Camera Traps"),
    ([1], "looks like a list"), ({"images": {}, "annotations": []}, "'images' is dict"),
    ({"images": [{"id": 1}], "annotations": []}, "none of its 1 images can be used"),
])
def test_other_files_are_refused(tmp_path, value, what):
    with pytest.raises(FormatError, match=what):
        read(tmp_path, value)


def test_keys_that_stand_twice_and_endless_numbers_are_told(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text('{"images": [{"id": 1, "file_name": "a.jpg"}], "images": [], '
                    '"annotations": []}', encoding="utf-8")
    assert "keys stand twice, the last is used: images" in read_coco(path).problems[0]
    path.write_text('{"images": [{"id": ' + "9" * 5000 + '}], "annotations": []}')
    with pytest.raises(FormatError, match="too many digits"):
        read_coco(path)
    path.write_text('{"images": ' + "[" * 100_000)
    with pytest.raises(FormatError, match="nested too deeply|not valid json"):
        read_coco(path)


@settings(deadline=None, max_examples=150)
@given(spoiled(GOOD))
def test_hostile_files_are_read_or_refused_in_one_line(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("c") / "labels.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    study = reads_or_says(read_coco, path)
    if study is None:
        return
    media, observations = list(study.media), list(study.observations)
    ids, places = {m["mediaID"] for m in media}, {d["deploymentID"] for d in study.deployments}
    assert len(ids) == len(media) and len({o["observationID"] for o in observations}) == len(
        observations)
    for row in (*media, *observations):
        assert all(isinstance(cell, str) and "\0" not in cell for cell in row.values())
        "".join(row.values()).encode("utf-8")
    for row in media:
        assert ".." not in row["filePath"].split("/") and row["fileName"]
        assert not row["deploymentID"] or row["deploymentID"] in places
    for row in observations:
        assert row["mediaID"] in ids or row["observationLevel"] == "event"
        assert row["classificationMethod"] in ("human", "machine", "")


@settings(deadline=None, max_examples=60)
@given(st.integers(1, len(json.dumps(GOOD)) - 1), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_cut_off_files_are_refused(tmp_path_factory, length, encoding):
    path = tmp_path_factory.mktemp("c") / "labels.json"
    path.write_bytes(json.dumps(GOOD)[:length].encode(encoding))
    assert reads_or_says(read_coco, path) is None


def test_the_real_file(shared_data):
    study = read_coco(shared_data / "formats/zamba_ena24/coco_annotations.json")
    rows = list(study.observations)
    assert len(rows) == len(list(study.media)) == 21 and study.problems == study.repairs == ()
    assert {r["label"] for r in rows} >= {"Virginia Opossum", "Chicken"}
    assert all(0 <= float(r["bboxX"]) + float(r["bboxWidth"]) <= 1 for r in rows)
