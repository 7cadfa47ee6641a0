"""SpeciesNet's decision for one box: every branch, each threshold at its edge, thresholds moved."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.hierarchy.ensemble import EnsembleThresholds, SpeciesNetEnsemble
from ecotone.hierarchy.ensemble_rows import UNDECIDED
from ecotone.taxonomy.geofence import Geofence
from ecotone.taxonomy.rollup import (
    ANIMAL,
    BLANK,
    HUMAN,
    LEVELS,
    UNKNOWN,
    VEHICLE,
    label_map,
    taxon_key,
)
from tests.hierarchy.speciesnet_labels import (
    ARTIODACTYLA,
    CARNIVORA,
    CERVIDAE,
    CERVUS,
    FOX,
    JAY,
    MAMMALIA,
    PIG,
    RED_DEER,
    ROE,
    RULES,
    SIKA,
    SPECIAL,
    SPECIES,
    SUS,
    TAXONOMY,
)

ENSEMBLE = SpeciesNetEnsemble(TAXONOMY, RULES)
OPEN = SpeciesNetEnsemble(TAXONOMY)
DETECTOR, CLASSIFIER = "detector", "classifier"


def just_above(value: float) -> float:
    return float(np.nextafter(value, 2))


# class, score, kind of box, confidence -> label, score, source. One row a side of each threshold.
CASES = [
    # 1a, 1b: a person in the box
    (JAY, 0.99, "human", 0.71, HUMAN, 0.71, DETECTOR),
    (JAY, 0.99, "human", 0.7, JAY, 0.99, CLASSIFIER),
    (BLANK, 0.9, "human", just_above(0.7), HUMAN, just_above(0.7), DETECTOR),
    (HUMAN, 0.51, "human", 0.21, HUMAN, 0.51, CLASSIFIER),
    (VEHICLE, 0.51, "human", 0.7, HUMAN, 0.51, CLASSIFIER),
    (HUMAN, 0.5, "human", 0.5, UNKNOWN, 0.5, CLASSIFIER),
    (HUMAN, 0.51, "human", 0.2, UNKNOWN, 0.51, CLASSIFIER),
    (HUMAN, 0.51, "human", just_above(0.2), HUMAN, 0.51, CLASSIFIER),
    (VEHICLE, 0.99, "human", 0.2, UNKNOWN, 0.99, CLASSIFIER),
    (HUMAN, 0.66, "human", 0.1, MAMMALIA, 0.66, "classifier+rollup_to_class"),
    # 2a, 2b, 2c: a vehicle in the box
    (HUMAN, 0.51, "vehicle", 0.9, HUMAN, 0.51, CLASSIFIER),
    (HUMAN, 0.5, "vehicle", 0.9, VEHICLE, 0.9, DETECTOR),
    (HUMAN, 0.51, "vehicle", 0.2, UNKNOWN, 0.51, CLASSIFIER),
    (JAY, 0.99, "vehicle", 0.71, VEHICLE, 0.71, DETECTOR),
    (JAY, 0.5, "vehicle", 0.7, UNKNOWN, 0.5, CLASSIFIER),
    (VEHICLE, 0.41, "vehicle", 0.21, VEHICLE, 0.41, CLASSIFIER),
    (VEHICLE, 0.41, "vehicle", 0.2, UNKNOWN, 0.41, CLASSIFIER),
    (VEHICLE, 0.4, "vehicle", 0.5, UNKNOWN, 0.4, CLASSIFIER),
    (VEHICLE, 0.99, "animal", 0.4, UNKNOWN, 0.99, CLASSIFIER),
    # 3a, 3b: nothing in it
    (BLANK, 0.51, "animal", 0.19, BLANK, 0.51, CLASSIFIER),
    (BLANK, 0.51, "animal", 0.2, UNKNOWN, 0.51, CLASSIFIER),
    (BLANK, 0.5, "animal", 0.1, UNKNOWN, 0.5, CLASSIFIER),
    (BLANK, 0.991, "animal", 0.9, BLANK, 0.991, CLASSIFIER),
    (BLANK, 0.99, "animal", 0.9, ANIMAL, 0.9, DETECTOR),
    (BLANK, 0.991, "human", 0.6, BLANK, 0.991, CLASSIFIER),
    (BLANK, 0.6, "vehicle", 0.1, BLANK, 0.6, CLASSIFIER),
    # 4a, 4b: an animal by the classifier
    (JAY, 0.81, "animal", 0.0, JAY, 0.81, CLASSIFIER),
    (JAY, 0.81, "human", 0.5, JAY, 0.81, CLASSIFIER),
    (JAY, 0.8, "human", 0.5, LEVELS[4], 0.8, "classifier+rollup_to_class"),
    (JAY, 0.8, "animal", 0.2, LEVELS[4], 0.8, "classifier+rollup_to_class"),
    (JAY, 0.66, "animal", 0.21, JAY, 0.66, CLASSIFIER),
    (JAY, 0.66, "vehicle", 0.6, LEVELS[4], 0.66, "classifier+rollup_to_class"),
    (JAY, 0.65, "animal", 0.4, UNKNOWN, 0.65, CLASSIFIER),
    (UNKNOWN, 0.9, "animal", 0.4, UNKNOWN, 0.9, CLASSIFIER),
    (ANIMAL, 0.7, "animal", 0.1, ANIMAL, 0.7, "classifier+rollup_to_kingdom"),
    (RED_DEER, 0.66, "human", 0.6, CERVUS, 0.66, "classifier+rollup_to_genus"),
    # 5b: an animal by the detector; else unknown
    (JAY, 0.3, "animal", 0.51, ANIMAL, 0.51, DETECTOR),
    (JAY, 0.3, "animal", 0.5, UNKNOWN, 0.3, CLASSIFIER),
    (JAY, 0.3, "human", 0.6, UNKNOWN, 0.3, CLASSIFIER),
    (VEHICLE, 0.9, "animal", 0.9, ANIMAL, 0.9, DETECTOR),
    (JAY, 0.0, "", 0.9, UNKNOWN, 0.0, CLASSIFIER),  # the confidence of no box does not count
    (JAY, 0.9, "whole_image_classification", 1.0, JAY, 0.9, CLASSIFIER),
    (JAY, 0.3, "whole_image_classification", 1.0, UNKNOWN, 0.3, CLASSIFIER),
    (BLANK, 0.6, "", 1.0, BLANK, 0.6, CLASSIFIER),
    (JAY, 0.3, "blank", 0.3, ANIMAL, 0.7, DETECTOR),  # its surest box was left out at 0.7
    (JAY, 0.3, "blank", 0.9, UNKNOWN, 0.3, CLASSIFIER),
]


@pytest.mark.parametrize(("label", "score", "box", "sure", "answer", "value", "source"), CASES)
def test_each_branch_and_its_edge(label, score, box, sure, answer, value, source):
    found = OPEN.decide([label], [score], box, sure)
    answer = OPEN.labels["aves;;;;"] if answer == "class" else answer
    assert found == (answer, value, source)
    assert ENSEMBLE.decide([label], [score], box, sure) == found  # no country, no fence


@pytest.mark.parametrize(
    ("classes", "scores", "country", "state", "answer", "value", "source"),
    [
        ([RED_DEER], [0.9], "DEU", None, RED_DEER, 0.9, CLASSIFIER),
        ([RED_DEER], [0.9], "GBR", None, CERVIDAE, 0.9, "classifier+geofence+rollup_to_family"),
        ([RED_DEER], [0.9], "usa", "tx", RED_DEER, 0.9, CLASSIFIER),
        ([RED_DEER, ROE, JAY], [0.7, 0.1, 0.1], "GBR", None, CERVIDAE, 0.8,
         "classifier+geofence+rollup_to_family"),
        ([RED_DEER, PIG], [0.7, 0.2], "AUS", None, ARTIODACTYLA, 0.9,
         "classifier+geofence+rollup_to_order"),
        ([RED_DEER, SIKA], [0.7, 0.2], "USA", "HI", ARTIODACTYLA, 0.9,
         "classifier+geofence+rollup_to_order"),
        ([FOX], [0.9], "NZL", None, CARNIVORA, 0.9, "classifier+geofence+rollup_to_order"),
        ([FOX], [0.9], "DEU", None, FOX, 0.9, CLASSIFIER),
        ([MAMMALIA, JAY], [0.82, 0.1], "ATA", None, ANIMAL, 0.92,
         "classifier+geofence+rollup_to_kingdom"),
        # An unfenced roll-up goes round what is fenced, too.
        ([SIKA, ROE], [0.4, 0.4], "AUS", None, ARTIODACTYLA, 0.8, "classifier+rollup_to_order"),
        ([SIKA, ROE], [0.4, 0.4], "DEU", None, CERVIDAE, 0.8, "classifier+rollup_to_family"),
    ],
)
def test_a_fenced_label_rolls_up(classes, scores, country, state, answer, value, source):
    found = ENSEMBLE.decide(classes, scores, "animal", 0.9, country, state)
    assert found == (answer, pytest.approx(value), source)


def test_a_fenced_label_with_nothing_above_it():
    bare = SpeciesNetEnsemble({}, RULES)
    found = bare.decide([RED_DEER], [0.9], "animal", 0.9, "GBR")
    assert found == (UNKNOWN, 0.9, "classifier+geofence+rollup_failed")


def test_only_the_best_five_count():
    classes, scores = [JAY, SIKA, RED_DEER, FOX, BLANK, PIG], [0.3, 0.2, 0.2, 0.2, 0.1, 0.1]
    five, four = OPEN.decide(classes, scores), SpeciesNetEnsemble(TAXONOMY, top=4)
    assert five == (ANIMAL, pytest.approx(0.9), "classifier+rollup_to_kingdom")
    every = SpeciesNetEnsemble(TAXONOMY, top=None).decide(classes, scores)
    assert every == (MAMMALIA, pytest.approx(0.7), "classifier+rollup_to_class")
    assert four.decide([*classes[:4], "no label"], [*scores[:4], 0.1]) == five


def test_roll_up_and_geofence_on_their_own():
    assert ENSEMBLE.roll_up([RED_DEER, SIKA], [0.4, 0.3]) == (
        CERVUS, pytest.approx(0.7), "classifier+rollup_to_genus"
    )
    assert ENSEMBLE.roll_up([RED_DEER], [0.4]) is None
    assert ENSEMBLE.roll_up([RED_DEER], [0.4], levels=("species",), threshold=0.3).label == RED_DEER
    assert ENSEMBLE.roll_up([FOX, FOX], [0.4, 0.4], "NZL", levels=("species",)) is None
    assert ENSEMBLE.roll_up([PIG], np.float64([0.9])).label == SUS
    assert ENSEMBLE.geofence([FOX, ROE], [0.4, 0.1]) == (FOX, 0.4, "classifier")
    assert ENSEMBLE.geofence([FOX, ROE], [0.4, 0.1], "NZL").label == CARNIVORA
    assert ENSEMBLE.geofence([], [], "NZL") is UNDECIDED


def test_numbers_of_numpy_are_plain_numbers():
    found = OPEN.decide(np.array([JAY, ROE]), np.float32([0.8, 0.1]), "human", np.float32(0.2))
    assert found.source == "classifier+rollup_to_class" and type(found.score) is float


def test_nothing_to_decide():
    assert OPEN.decide([], [], "animal", 0.9) is UNDECIDED
    assert OPEN.decide([JAY], [0.9], None) is UNDECIDED  # the detector failed


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ((["jay"], [0.9], "human", 0.9), "label 'jay': 1 tokens, expected the seven"),
        (([JAY], [0.9], "bird", 0.9), "box 'bird': expected animal, human, vehicle"),
        (([JAY], [0.9, 0.1], "animal", 0.9), "1 classes, 2 scores"),
        (([JAY], [float("nan")], "animal", 0.9), r"scores \[nan\], confidence 0.9"),
        (([JAY], [0.9], "animal", float("inf")), "confidence inf"),
        (([JAY], ["high"], "animal", 0.9), r"found \['high'\], expected numbers in 0..1"),
        (([JAY], [0.9], "animal", "high"), "found 'high', expected numbers"),
        (([JAY], [0.9], "animal", 0.9, "DE"), "country 'DE'"),
        (([JAY], [0.9], "human", 0.9, "USA", "Texas"), "region 'Texas'"),
    ],
)
def test_what_is_refused(given_, message):
    with pytest.raises(InputError, match=message):
        ENSEMBLE.decide(*given_)


def test_settings_that_are_refused():
    with pytest.raises(InputError, match="thresholds: blank is nan, expected a number"):
        EnsembleThresholds(blank=float("nan"))
    with pytest.raises(InputError, match="roll_up is '0.65'"):
        EnsembleThresholds(roll_up="0.65")
    with pytest.raises(InputError, match="top is 0"):
        SpeciesNetEnsemble(TAXONOMY, top=0)
    with pytest.raises(InputError, match="taxonomy, line 1: 'deer'"):
        SpeciesNetEnsemble(["deer"])
    with pytest.raises(InputError, match="geofence: taxon 'deer'"):
        SpeciesNetEnsemble(TAXONOMY, {"deer": {}})


def test_taxonomy_and_geofence_as_they_come_or_ready_made():
    made_map = label_map(TAXONOMY)
    for labels in (iter(TAXONOMY), list(TAXONOMY), made_map, dict(made_map)):
        made = SpeciesNetEnsemble(labels, RULES)
        for ensemble in (made, SpeciesNetEnsemble(made.labels, Geofence(RULES))):
            assert ensemble.decide([FOX, ROE], [0.9, 0.05], "", 0, "NZL").label == CARNIVORA


# A threshold, what it is compared with, and a case that it alone decides.
MOVED = {
    "human_box": (JAY, 0.1, "human", 0.6), "human_by_class": (HUMAN, 0.4, "human", 0.3),
    "human_by_class_box": (HUMAN, 0.6, "human", 0.1), "vehicle_box": (JAY, 0.1, "vehicle", 0.6),
    "vehicle_as_human": (HUMAN, 0.4, "vehicle", 0.3), "blank": (BLANK, 0.4, "", 0.0),
    "vehicle_as_human_box": (HUMAN, 0.6, "vehicle", 0.1), "roll_up": (ROE, 0.5, "human", 0.1),
    "vehicle_by_class": (VEHICLE, 0.3, "vehicle", 0.3), "blank_alone": (BLANK, 0.9, "animal", 0.4),
    "vehicle_by_class_box": (VEHICLE, 0.6, "vehicle", 0.1), "animal": (JAY, 0.5, "animal", 0.3),
    "animal_alone": (JAY, 0.5, "human", 0.1), "animal_box": (ROE, 0.7, "animal", 0.1),
    "any_animal_box": (JAY, 0.1, "animal", 0.4),
}


@pytest.mark.parametrize("name", MOVED)
def test_each_threshold_can_be_moved(name):
    label, score, box, sure = MOVED[name]
    lower = replace(EnsembleThresholds(), **{name: 0.05})
    before = OPEN.decide([label], [score], box, sure)
    after = SpeciesNetEnsemble(TAXONOMY, thresholds=lower).decide([label], [score], box, sure)
    assert after != before
    off = replace(EnsembleThresholds(), **{name: 1.1})
    after = SpeciesNetEnsemble(TAXONOMY, thresholds=off).decide([label], [score], box, sure)
    assert after == before


def test_the_confidence_below_which_a_picture_is_blank_can_be_moved():
    assert {*MOVED, "blank_box"} == {field.name for field in fields(EnsembleThresholds)}
    higher = SpeciesNetEnsemble(TAXONOMY, thresholds=EnsembleThresholds(blank_box=0.4))
    assert OPEN.decide([BLANK], [0.6], "animal", 0.3).label == UNKNOWN
    assert higher.decide([BLANK], [0.6], "animal", 0.3).label == BLANK


ROWS = st.lists(
    st.tuples(st.sampled_from((*SPECIES, *SPECIAL)), st.floats(0, 1)), min_size=1, max_size=6,
    unique_by=lambda pair: pair[0],
)
BOX = st.tuples(st.sampled_from(["animal", "human", "vehicle", ""]), st.floats(0, 1))
PLACES = st.sampled_from([("GBR", None), ("USA", "CA"), ("USA", None), ("NZL", None), (None, None)])


@settings(max_examples=100, deadline=None)
@given(ROWS, BOX, PLACES)
def test_what_any_answer_is(row, box, place):
    total = sum(score for _, score in row) or 1.0
    row = sorted(((label, score / max(total, 1.0)) for label, score in row), key=lambda p: -p[1])
    classes, scores = [p[0] for p in row], [p[1] for p in row]
    found = ENSEMBLE.decide(classes, scores, *box, *place)
    assert 0 <= found.score <= 1 + 1e-9
    if "geofence" in found.source:
        assert ENSEMBLE.fence.blocks(classes[0], *place)
        assert found.score >= scores[0] - 1e-9
    if found.label not in SPECIAL:
        assert not ENSEMBLE.fence.blocks(found.label, *place)
    free = OPEN.decide(classes, scores, *box)
    if free.label in SPECIAL or taxon_key(free.label) not in RULES:
        assert found == free
    assert ENSEMBLE.decide(classes, scores, *box) == free
