from __future__ import annotations

import copy

import pytest

from ecotone.errors import FormatError
from ecotone.ingest.results_file import read_results
from tests.ingest import write_json

BOX = {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}
DATA = {
    "info": {"format_version": "1.6", "detector": "md_v5a", "classifier": "net",
             "detector_metadata": {"typical_detection_threshold": 0.15}},
    "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
    "classification_categories": {"0": "red deer", "1": "fox"},
    "images": [
        {"file": "a\\1.jpg", "detections": [
            {**BOX, "classifications": [["0", 0.7]],
             "raw_classifications": [["0", 0.6], ["1", 0.3]]},
            {**BOX, "category": "2", "conf": 0.3, "classifications": None}]},
        {"file": "a/2.jpg", "detections": []},
        {"file": "a/3.jpg", "detections": None, "failure": "image access failure"},
        {"file": "a/4.jpg"},
    ],
}


def parse(tmp_path, **changes):
    return read_results(write_json(tmp_path, {**copy.deepcopy(DATA), **changes}))


def test_boxes_scores_and_failures(tmp_path):
    results = parse(tmp_path)
    one, two, three, four = results.images
    assert (results.kind, results.detector, results.classifier) == ("MegaDetector 1.6", "md_v5a",
                                                                    "net")
    assert results.threshold == 0.15 and results.has_boxes and results.has_scores
    assert [b.category for b in one.boxes] == ["animal", "human"]
    assert one.boxes[0].bbox == (0.1, 0.2, 0.3, 0.4) and one.boxes[0].confidence == 0.9
    assert one.boxes[0].scores == (("red deer", 0.6), ("fox", 0.3))  # raw where there are
    assert one.boxes[1].scores == ()
    assert two.boxes == () and three.boxes is None and "access" in three.failure
    assert four.boxes is None and four.failure


@pytest.mark.parametrize("info", [
    {}, None, {"format_version": 1.4}, {"format_version": "3.0", "detector": None},
    {"format_version": "1.2", "detector_metadata": None},
])
def test_versions_and_variants(tmp_path, info):
    results = parse(tmp_path, info=info)
    assert len(results.images) == 4 and results.threshold is None


def test_whole_number_categories_and_texts_as_numbers(tmp_path):
    results = parse(tmp_path, images=[{"file": "1.jpg", "max_detection_conf": "", "detections": [
        {"category": 1, "conf": "0.5", "bbox": ["0.1", 0.1, 0.2, 0.2],
         "classifications": [[0, "0.5"]]},
        {"category": "0", "conf": 0.9, "bbox": [0, 0, 1, 1]}]}])
    (box,) = results.images[0].boxes
    assert box.confidence == 0.5 and box.scores == (("red deer", 0.5),)


def test_a_detector_of_species_finds_animals(tmp_path):
    results = parse(tmp_path, detection_categories={"1": "Elk", "2": "human", "3": "empty"})
    assert [b.category for b in results.images[0].boxes] == ["animal", "human"]


@pytest.mark.parametrize(("change", "what"), [
    ({"bbox": [0.1, 0.2, 0.3]}, "bbox is not four numbers"),
    ({"bbox": None}, "bbox is not four numbers"),
    ({"bbox": [100, 200, 30, 40]}, "bbox is not in 0..1"),
    ({"bbox": [0.1, 0.2, 0, 0.4]}, "bbox has no area"),
    ({"conf": None}, "conf is not a number"), ({"conf": 7}, "conf is not a number"),
    ({"category": "9"}, "not in 'detection_categories'"),
    ({"classifications": [["0"]]}, "a classification is not"),
    ({"classifications": [["0", 3.0]]}, "a score is not a number in 0..1"),
])
def test_a_wrong_entry_is_told_by_place_and_the_rest_is_read(tmp_path, change, what):
    images = [{"file": "1.jpg", "detections": [{**BOX, **change}, BOX]}]
    results = parse(tmp_path, images=images)
    assert len(results.images[0].boxes) in (1, 2)
    (problem,) = results.problems
    assert what in problem and "md.json" in problem and "1.jpg, detection 0" in problem


def test_boxes_are_cut_at_the_border(tmp_path):
    images = [{"file": "1.jpg", "detections": [{**BOX, "bbox": [-0.01, 0.5, 0.5, 0.6]}]}]
    (box,) = parse(tmp_path, images=images).images[0].boxes
    assert box.bbox == (0.0, 0.5, 0.49, 0.5)


def test_what_is_no_list_is_refused(tmp_path):
    with pytest.raises(FormatError, match="'images' is dict, expected a list"):
        parse(tmp_path, images={})
    with pytest.raises(FormatError, match="none of its images has a 'file'"):
        parse(tmp_path, images=[{"detections": []}])


def test_full_speciesnet_lines_stand_for_short_names(tmp_path):
    line = "uuid;mammalia;cetartiodactyla;cervidae;cervus;elaphus;red deer"
    results = parse(tmp_path, classification_category_descriptions={"0": line, "1": "a;b"})
    assert [n for n, _ in results.images[0].boxes[0].scores] == [line, "fox"]


def test_the_real_files(shared_data):
    formats = shared_data / "formats"
    ena = read_results(formats / "zamba_ena24/md_annotations.json")
    assert (ena.kind, ena.threshold, len(ena.images)) == ("MegaDetector 1.4", 0.8, 21)
    assert ena.images[0].boxes[0].scores[0] == ("virginia_opossum", 0.941)
    zamba = read_results(formats / "zamba/megadetector_output.json")
    assert [i.boxes is None for i in zamba.images] == [False, False, False, True, True]
    converted = read_results(formats / "speciesnet/file.json")
    assert len(converted.images) == 14 and converted.images[2].failure
    names = {n for i in converted.images for b in i.boxes or () for n, _ in b.scores}
    assert names and all(n.count(";") == 6 for n in names)
    assert not ena.problems and not zamba.problems and not converted.problems


def test_facts_of_pictures_and_videos_are_kept(tmp_path):
    results = parse(tmp_path, images=[
        {"file": "a.mp4", "frame_rate": 20, "frames_processed": [0, 20], "detections": [
            {**BOX, "frame_number": 20}]},
        {"file": "b.jpg", "width": 800, "height": 600, "datetime": "2024-05-01 06:30:00",
         "exif_metadata": {"Make": "X"}, "detections": []},
        {"file": "c.jpg", "frames_processed": ["x"], "width": -3, "detections": []}])
    video, picture, odd = results.images
    assert (video.frame_rate, video.frames_processed, video.boxes[0].frame_number) == (
        20.0, (0, 20), 20)
    assert (picture.width, picture.height, picture.datetime) == (800, 600, "2024-05-01 06:30:00")
    assert picture.exif == {"Make": "X"} and picture.frame_rate is None
    assert odd.frames_processed is None and odd.width is None
    assert "frames_processed" in results.problems[0]


def test_a_processed_class_beside_raw_ones_is_a_decision(tmp_path):
    box = {**BOX, "classifications": [["1", 0.9]], "raw_classifications": [["0", 0.6], ["1", 0.3]]}
    (found,) = parse(tmp_path, images=[{"file": "1.jpg", "detections": [box]}]).images[0].boxes
    assert found.decision == ("fox", 0.9, "classifier")
    assert found.scores == (("red deer", 0.6), ("fox", 0.3))


@pytest.mark.parametrize("order", [
    ("images", "info", "detection_categories", "classification_categories"),
    ("classification_categories", "detection_categories", "images", "info"),
])
def test_keys_may_stand_in_any_order(tmp_path, order):
    expected = parse(tmp_path).images
    data = {key: copy.deepcopy(DATA)[key] for key in order}
    results = read_results(write_json(tmp_path, data))
    assert results.images == expected and results.threshold == 0.15
    assert results.info["detector"] == "md_v5a"


def test_a_picture_may_stand_there_twice(tmp_path):
    images = [{"file": "1.jpg", "detections": [BOX]}, {"file": "1.jpg", "detections": []}]
    assert [len(i.boxes) for i in parse(tmp_path, images=images).images] == [1, 0]


def test_maps_that_are_none_are_told(tmp_path):
    results = parse(tmp_path, classification_categories=["deer"], detection_categories=3)
    assert [b.category for b in results.images[0].boxes] == ["animal", "human"]
    assert "'detection_categories' is no object" in results.problems[0]
    assert "'classification_categories' is no object" in results.problems[1]


def test_a_name_without_a_taxon_comes_back_plain(tmp_path):
    results = parse(tmp_path, classification_category_descriptions={"0": ";;;;;;Red Deer"})
    assert results.images[0].boxes[0].scores[0] == ("Red Deer", 0.6)


@pytest.mark.parametrize("value", ["\ud800", "x\udfff.jpg"])
def test_half_characters_are_replaced(tmp_path, value):
    images = [{"file": value, "detections": [{**BOX, "category": value}]}]
    results = parse(tmp_path, images=images, info={"detector": value})
    for text in (results.images[0].file, results.detector, *results.problems):
        text.encode()
