"""The decision on pictures: one answer a box or a picture, failures, and real output files."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from ecotone.errors import InputError
from ecotone.hierarchy.ensemble import EnsembleThresholds, SpeciesNetEnsemble
from ecotone.hierarchy.ensemble_pictures import combine
from ecotone.taxonomy.rollup import ANIMAL, BLANK, HUMAN, UNKNOWN
from tests.hierarchy.speciesnet_labels import (
    CERVIDAE,
    FOX,
    JAY,
    RED_DEER,
    ROE,
    RULES,
    SIKA,
    TAXONOMY,
)

ENSEMBLE = SpeciesNetEnsemble(TAXONOMY, RULES)
WHOLE = {"category": "0", "label": "whole_image_classification", "conf": 1.0, "bbox": [0, 0, 1, 1]}


def box(label: str, sure: float, left: float = 0.1, scores: dict | None = None) -> dict:
    category = {"animal": "1", "human": "2", "vehicle": "3"}[label]
    found = {"category": category, "label": label, "conf": sure, "bbox": [left, 0.2, 0.3, 0.4]}
    return found | ({"raw_classifications": raw(scores)} if scores else {})


def raw(scores: dict) -> dict:
    return {"classes": list(scores), "scores": list(scores.values())}


def one(said=None, seen=None, place=None, ensemble=ENSEMBLE, **options) -> dict:
    """The prediction of one picture, made without changing what is given."""
    given = ({"a": said} if said is not None else {}, {"a": seen} if seen is not None else {},
             {"a": place} if place is not None else {})
    before = copy.deepcopy(given)
    found = combine(ensemble, ["a"], *given, **options)[0]
    assert given == before and found.pop("filepath") == "a"
    return found


def answers(prediction: dict) -> list[str | None]:
    return [b.get("processed_classification", {}).get("class") for b in prediction["detections"]]


def test_each_box_is_decided_on_its_own():
    seen = [box("human", 0.9), *(box("animal", sure, sure) for sure in (0.6, 0.3, 0.05))]
    scores = [{JAY: 0.9}, {RED_DEER: 0.85, ROE: 0.1}, {BLANK: 0.995}, None]
    said = [{**b, "raw_classifications": raw(s)} if s else b
            for b, s in zip(seen, scores, strict=True)]
    found = one({"detections": said}, {"detections": seen}, {"country": "GBR"})
    assert answers(found) == [HUMAN, CERVIDAE, BLANK, None]
    assert [b["bbox"] for b in found["detections"]] == [b["bbox"] for b in seen]
    assert found["country"] == "GBR" and "failures" not in found
    assert found["detections"][1]["processed_classification"]["source"] == (
        "classifier+geofence+rollup_to_family"
    )
    assert "raw_classifications" not in found["detections"][3]


def test_the_whole_picture_is_decided_with_the_first_box():
    said = {"detections": [{**WHOLE, "raw_classifications": raw({JAY: 0.7, FOX: 0.1})}]}
    for boxes, expected in (
        ([box("human", 0.9), box("animal", 0.8)], HUMAN),
        ([box("animal", 0.3), box("human", 0.2)], JAY),
        ([], TAXONOMY[-3]),  # nothing found: an animal of confidence 0, so it rolls up
    ):
        found = one(said, {"detections": boxes}, {})
        assert answers(found) == [expected, *[None] * len(boxes)]
        assert found["detections"][0]["category"] == "0" and found["detections"][1:] == boxes
    blank = {"detections": [{**WHOLE, "raw_classifications": raw({BLANK: 0.7})}]}
    assert answers(one(blank, {"detections": []}, {})) == [BLANK]


@pytest.mark.parametrize(
    ("said", "seen", "place", "failures", "boxes"),
    [
        (None, {"failures": ["DETECTOR"]}, {"country": "DEU"}, ["CLASSIFIER", "DETECTOR"], None),
        ({"failures": ["CLASSIFIER"]}, {"detections": [box("animal", 0.5)]}, {}, ["CLASSIFIER"],
         [box("animal", 0.5)]),
        ({"detections": [box("animal", 0.5, scores={JAY: 0.9})]}, None, {}, ["DETECTOR"], None),
        ({"detections": [{**WHOLE, "raw_classifications": raw({JAY: 0.9})}]}, None, None,
         ["DETECTOR", "GEOLOCATION"], [{**WHOLE, "raw_classifications": raw({JAY: 0.9})}]),
        ({"detections": []}, {"detections": []}, None, ["GEOLOCATION"], []),
        (None, None, None, ["CLASSIFIER", "DETECTOR", "GEOLOCATION"], None),
    ],
)
def test_failures_are_named_and_nothing_is_decided(said, seen, place, failures, boxes):
    found = one(said, seen, place)
    assert found["failures"] == failures and found.get("detections") == boxes
    assert found.get("country") == (place or {}).get("country")


def test_the_classes_that_are_reported_do_not_change_the_answer():
    scores = {JAY: 0.3, SIKA: 0.2, RED_DEER: 0.2, ROE: 0.2}
    seen, said = [box("animal", 0.4)], [box("animal", 0.4, scores=scores)]
    for reported, count in ((1, 1), (2, 2), (None, 4)):
        found = one({"detections": said}, {"detections": seen}, {}, reported=reported)
        kept = found["detections"][0]["raw_classifications"]
        assert (len(kept["classes"]), len(kept["scores"])) == (count, count)
        assert answers(found) == [ANIMAL]
    logits = {"target_classes": [JAY], "target_logits": [1.5]}
    said[0]["raw_classifications"] |= logits
    kept = one({"detections": said}, {"detections": seen}, {})["detections"][0]
    assert kept["raw_classifications"].items() >= logits.items()


def test_predictions_made_before_are_taken_as_they_are():
    made = {"filepath": "b", "detections": [], "model_version": "1"}
    found = combine(ENSEMBLE, ["b", "a"], {}, {}, {}, partial={"b": made}, model_version="2")
    assert found[0] == made
    assert found[1] == {"filepath": "a", "failures": ["CLASSIFIER", "DETECTOR", "GEOLOCATION"],
                        "model_version": "2"}


@pytest.mark.parametrize(
    ("said", "seen", "message"),
    [
        ([box("animal", 0.9, 0.1)], [box("animal", 0.9, 0.4)], "a, box 0: the classifier saw"),
        ([box("animal", 0.9)], [box("human", 0.9)], "a, box 0: the classifier saw"),
        ([box("animal", 0.9)], [], "a: the classifier saw 1 boxes, the detector 0"),
        ([box("animal", 0.9, scores={"jay": 1})], [box("animal", 0.9)], "a: label 'jay'"),
        ([box("animal", 0.9) | {"raw_classifications": {"classes": [JAY]}}], [box("animal", 0.9)],
         "a: 'scores' is missing"),
    ],
)
def test_what_is_refused_names_the_picture(said, seen, message):
    with pytest.raises(InputError, match=message):
        one({"detections": said}, {"detections": seen}, {})
    with pytest.raises(InputError, match="a: 'detections' is missing"):
        one({}, {"detections": []}, {})


def test_boxes_that_differ_by_rounding_are_the_same():
    said, seen = box("animal", 0.9, 0.10004, {JAY: 0.9}), box("animal", 0.9, 0.1)
    assert answers(one({"detections": [said]}, {"detections": [seen]}, {})) == [JAY]


def test_the_older_generation_answers_for_the_picture():
    scores = {"classifications": raw({RED_DEER: 0.85, ROE: 0.1})}
    boxes = {"detections": [box("animal", 0.8), box("human", 0.7)]}
    found = one(scores, boxes, {"country": "GBR"}, generation="legacy", model_version="4.0.0a")
    assert found == {
        "country": "GBR", **scores, **boxes, "prediction": CERVIDAE,
        "prediction_score": pytest.approx(0.95), "model_version": "4.0.0a",
        "prediction_source": "classifier+geofence+rollup_to_family",
    }
    nothing = one({"classifications": raw({JAY: 0.3})}, {"detections": []}, {}, generation="legacy")
    assert nothing["prediction"] == UNKNOWN and nothing["detections"] == []
    failed = one(scores, {"failures": ["DETECTOR"]}, {}, generation="legacy")
    assert failed == {"failures": ["DETECTOR"], **scores}
    failed = one({"failures": ["CLASSIFIER"]}, boxes, None, generation="legacy")
    assert failed == {"failures": ["CLASSIFIER", "GEOLOCATION"], **boxes}


def test_an_unknown_generation():
    with pytest.raises(InputError, match="generation '5.0.4': expected one of 20261015, legacy"):
        one(generation="5.0.4")


@pytest.fixture
def real(shared_data: Path) -> Path:
    return shared_data / "formats" / "speciesnet"


def test_real_outputs_are_reproduced(real):
    parts = {
        name: {p["filepath"]: p for p in json.loads(
            (real / f"output_{name}.json").read_text(encoding="utf-8"))["predictions"]}
        for name in ("classifier", "detector", "ensemble")
    }
    lines = (real / "taxonomy_release.txt").read_text(encoding="utf-8").splitlines()
    expected = list(parts["ensemble"].values())
    places = {p["filepath"]: {k: p[k] for k in ("country", "admin1_region") if k in p}
              for p in expected}
    found = combine(
        SpeciesNetEnsemble(lines), parts["ensemble"], parts["classifier"], parts["detector"],
        places, generation="legacy", model_version="4.0.0a",
    )
    assert found == expected and len(found) == 2
    strict = SpeciesNetEnsemble(
        lines, thresholds=EnsembleThresholds(animal_alone=0.999, animal=0.999)
    )
    again = combine(
        strict, parts["ensemble"], parts["classifier"], parts["detector"], places,
        generation="legacy", model_version="4.0.0a",
    )
    assert [p["prediction"].split(";")[4] for p in again] == ["loxodonta", "ursus"]
    assert {p["prediction_source"] for p in again} == {"classifier+rollup_to_genus"}
