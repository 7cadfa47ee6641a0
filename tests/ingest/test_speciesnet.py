from __future__ import annotations

import pytest

from ecotone.errors import FormatError
from ecotone.hierarchy.ensemble_rows import Decision
from ecotone.ingest.results_file import read_results
from ecotone.ingest.speciesnet import generation
from tests.ingest import write_json

DEER = "u1;mammalia;cetartiodactyla;cervidae;cervus;elaphus;red deer"
FOX = "u2;mammalia;carnivora;canidae;vulpes;vulpes;red fox"
BOX = {"category": "1", "label": "animal", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}
TOP = {"classes": [DEER, FOX], "scores": [0.7, 0.2]}


def parse(tmp_path, *predictions, **more):
    return read_results(write_json(tmp_path, {**more, "predictions": list(predictions)}))


def test_legacy_scores_belong_to_the_picture(tmp_path):
    results = parse(
        tmp_path, {"filepath": "a.jpg", "classifications": TOP, "detections": [BOX],
                   "prediction": DEER, "prediction_score": 0.7, "model_version": "4.0.1a"},
        {"filepath": "b.jpg", "detections": [], "prediction": FOX, "prediction_score": 0.3})
    assert results.kind == "SpeciesNet legacy" and results.classifier == "speciesnet 4.0.1a"
    one, two = results.images
    assert one.scores == ((DEER, 0.7), (FOX, 0.2)) and one.boxes[0].scores == ()
    assert two.boxes == () and two.scores == ((FOX, 0.3),)


def test_dev_scores_belong_to_the_boxes(tmp_path):
    box = {**BOX, "classifications": TOP, "prediction": DEER, "prediction_score": 0.7}
    results = parse(tmp_path, {"filepath": "a.jpg", "detections": [box, {**BOX, "category": "2"}]})
    assert results.kind == "SpeciesNet dev"
    (image,) = results.images
    assert image.boxes[0].scores == ((DEER, 0.7), (FOX, 0.2)) and image.scores == ()
    assert image.boxes[1].category == "human"


NEW = {"info": {"format_version": "20261015"}}
WHOLE = {"category": "0", "label": "whole_image_classification", "conf": 1.0,
         "bbox": [0, 0, 1, 1], "raw_classifications": TOP}


def test_20261015_scores_belong_to_boxes_or_the_whole(tmp_path):
    box = {**BOX, "raw_classifications": TOP,
           "processed_classification": {"class": DEER, "score": 0.9, "source": "x"}}
    results = parse(
        tmp_path, {"filepath": "a.jpg", "detections": [box, {**BOX, "conf": 0.05}]},
        {"filepath": "b.jpg", "detections": [WHOLE]},
        {"filepath": "c.jpg", "detections": [
            {**BOX, "processed_classification": {"class": DEER, "score": 0.9}}]}, **NEW)
    assert results.kind == "SpeciesNet 20261015"
    one, two, three = results.images
    assert [b.scores for b in one.boxes] == [((DEER, 0.7), (FOX, 0.2)), ()]
    assert two.boxes == () and two.scores == ((DEER, 0.7), (FOX, 0.2))  # the detector found nothing
    assert three.boxes[0].scores == ((DEER, 0.9),)


def test_a_classifier_alone_leaves_the_pictures_whole(tmp_path):
    results = parse(tmp_path, {"filepath": "b.jpg", "detections": [WHOLE]}, **NEW)
    assert results.images[0].boxes is None and results.images[0].scores and not results.has_boxes


def test_failures_are_kept(tmp_path):
    results = parse(
        tmp_path, {"filepath": "a.jpg", "failures": ["CLASSIFIER", "DETECTOR"]},
        {"filepath": "b.jpg", "failures": ["CLASSIFIER"], "detections": [BOX]})
    assert "classifier, detector" in results.images[0].failure
    assert results.images[1].failure == "" and results.images[1].boxes


def test_a_picture_whose_detector_failed_keeps_its_whole_classes(tmp_path):
    results = parse(
        tmp_path, {"filepath": "a.jpg", "failures": ["DETECTOR"], "detections": [WHOLE]},
        {"filepath": "b.jpg", "detections": [BOX]}, **NEW)
    one, two = results.images
    assert one.boxes is None and one.scores and one.failures == ("DETECTOR",)
    assert two.boxes and not two.failures


def test_decisions_and_places_are_kept(tmp_path):
    processed = {"class": DEER, "score": 0.9, "source": "classifier+geofence+rollup_to_genus"}
    legacy = parse(
        tmp_path, {"filepath": "a.jpg", "classifications": TOP, "detections": [BOX],
                   "prediction": FOX, "prediction_score": 0.61, "prediction_source": "classifier",
                   "country": "ken", "admin1_region": "NY", "latitude": -1.5, "longitude": 36.8,
                   "model_version": "4.0.1a"}).images[0]
    assert legacy.decision == Decision(FOX, 0.61, "classifier")
    assert (legacy.country, legacy.admin1_region) == ("KEN", "NY")
    assert (legacy.latitude, legacy.longitude, legacy.model_version) == (-1.5, 36.8, "4.0.1a")
    dev = parse(tmp_path, {"filepath": "a.jpg", "detections": [
        {**BOX, "classifications": TOP, "prediction": FOX, "prediction_score": 0.6,
         "prediction_source": "classifier"}]}).images[0]
    assert dev.boxes[0].decision == Decision(FOX, 0.6, "classifier") and dev.decision is None
    new = parse(tmp_path, {"filepath": "a.jpg", "latitude": 100, "detections": [
        {**BOX, "raw_classifications": TOP, "processed_classification": processed},
        {**WHOLE, "processed_classification": processed}]}, **NEW).images[0]
    assert new.boxes[0].decision == new.decision == Decision(*processed.values())
    assert new.boxes[0].scores == ((DEER, 0.7), (FOX, 0.2)) and new.latitude is None


def test_classes_without_scores_are_told(tmp_path):
    results = parse(
        tmp_path, {"filepath": "a.jpg", "classifications": {"classes": [DEER, FOX],
                                                            "scores": [0.5]}},
        {"filepath": "b.jpg", "classifications": {"classes": [DEER], "scores": 0.5}})
    assert results.images[0].scores == ((DEER, 0.5),) and results.images[1].scores == ()
    assert "as many scores as classes" in results.problems[0]
    assert "are no lists" in results.problems[1]


def test_wrong_entries_are_told(tmp_path):
    results = parse(tmp_path, 7, {"prediction": DEER},
                    {"filepath": "a.jpg", "detections": [{**BOX, "conf": "high"}, 3]})
    assert len(results.images) == 1 and len(results.problems) == 4
    with pytest.raises(FormatError, match="'predictions' is str"):
        read_results(write_json(tmp_path, {"predictions": "x"}))


def test_generation_is_told_by_content():
    assert generation({"predictions": [{"detections": None}]}) == "legacy"
    assert generation({"predictions": [{"detections": [{"prediction": "x"}]}]}) == "dev"
    assert generation({**NEW, "predictions": []}) == "20261015"


def test_the_real_files(shared_data):
    folder = shared_data / "formats/speciesnet"
    ensemble = read_results(folder / "output_ensemble.json")
    assert ensemble.kind == "SpeciesNet legacy" and ensemble.classifier == "speciesnet 4.0.0a"
    assert len(ensemble.images[0].boxes) == 15 and len(ensemble.images[0].scores) == 5
    decision = ensemble.images[0].decision
    assert decision.source == "classifier" and decision.label.endswith("african elephant")
    assert ensemble.images[0].country == "KEN"
    detector = read_results(folder / "output_detector.json")
    assert detector.has_boxes and not detector.has_scores
    classifier = read_results(folder / "output_classifier.json")
    assert classifier.has_scores and not classifier.has_boxes
    for name in ("instances.json", "instances_with_errors.json", "local_instances.json"):
        with pytest.raises(FormatError, match="input .instances.json"):
            read_results(folder / name)
    with pytest.raises(FormatError, match="COCO"):
        read_results(shared_data / "formats/zamba_ena24/coco_annotations.json")
