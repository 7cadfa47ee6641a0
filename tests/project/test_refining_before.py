from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.hierarchy.ensemble import EnsembleThresholds
from ecotone.ingest.taxonomy_file import read_taxonomy
from ecotone.project.refining_before import (
    Decide,
    labels_before,
    roll_up_rows,
    speciesnet_lines,
)
from ecotone.taxonomy.geofence import Geofence
from ecotone.taxonomy.rollup import ANIMAL, BLANK, HUMAN, UNKNOWN
from ecotone.taxonomy.tree import Taxonomy
from ecotone.types import Detections, GlobalScores

LION = "ddf59264-185a-4d35-b647-2785792bdf54;mammalia;carnivora;felidae;panthera;leo;lion"
TIGER = "a1;mammalia;carnivora;felidae;panthera;tigris;tiger"
DOG = "a2;mammalia;carnivora;canidae;canis;familiaris;domestic dog"
CLASSES = (LION, TIGER, DOG, BLANK, HUMAN)
TREE = Taxonomy.from_speciesnet([LION, TIGER, DOG])


def detections(category, confidence):
    n = len(category)
    return Detections([f"m{i}:0" for i in range(n)], [f"m{i}" for i in range(n)],
                      np.tile([0, 0, 1, 1], (n, 1)), category, confidence)


def before(values, category="animal", confidence=0.9, looked=True, decide=None, classes=CLASSES):
    """The label before and its score of one detection with these scores."""
    rows = np.array([[*values, *[0.0] * (len(classes) - len(values))]], dtype=np.float32)
    found = labels_before(detections([category], [confidence]), np.array([looked]),
                          {"sn": GlobalScores.from_dense(rows, classes)}, TREE, decide or Decide())
    return found.label[0], pytest.approx(float(found.score[0]), abs=1e-6, nan_ok=True), found.notes


def test_speciesnets_own_rules_decide_its_scores():
    assert before([0.9, 0.05])[:2] == (LION, 0.9)
    assert before([0.4, 0.4])[:2] == (";mammalia;carnivora;felidae;panthera;;panthera", 0.8)
    assert before([0.3, 0.2, 0.3])[:2] == (";mammalia;carnivora;;;;carnivora", 0.8)
    assert before([0.1, 0.1])[:2] == (ANIMAL, 0.9)
    assert before([0.1], confidence=0.3)[:2] == ("unknown", 0.1)
    assert before([0.0, 0.0, 0.0, 0.6], confidence=0.1)[:2] == (BLANK, 0.6)
    assert before([0.1], category="human", confidence=0.8)[:2] == (HUMAN, 0.8)


def test_a_picture_that_no_detector_saw_has_a_box_of_no_confidence():
    assert before([0.7], looked=True)[:2] == (LION, 0.7)
    assert before([0.7], looked=False)[0] == ";mammalia;carnivora;felidae;panthera;;panthera"
    assert before([0.0, 0.0, 0.0, 0.6], looked=False)[:2] == (BLANK, 0.6)


def test_thresholds_and_a_geofence_change_the_decision():
    soft = Decide(EnsembleThresholds(roll_up=0.3, animal_alone=0.2))
    assert before([0.3], decide=soft)[:2] == (LION, 0.3)
    fence = Geofence({"mammalia;carnivora;felidae;panthera;leo": {"allow": {"KEN": []}}})
    at = {c: before([0.9], decide=Decide(geofence=fence, country=c))[0] for c in ("KEN", "USA", "")}
    assert at == {"KEN": LION, "": LION, "USA": ";mammalia;carnivora;felidae;;;felidae"}
    with pytest.raises(InputError, match="'KE'"):
        before([0.9], decide=Decide(geofence=fence, country="KE"))


def test_without_scores_the_detectors_category_is_all_there_is():
    found = labels_before(detections(["animal", "blank", "human"], [0.9, 0.9, 0.5]),
                          np.ones(3, dtype=bool), {}, TREE, Decide())
    assert found.label.tolist() == ["animal", "blank", "human"] and np.isnan(found.score).all()
    assert before([], category="vehicle")[:2] == ("vehicle", float("nan"))


def test_other_models_are_rolled_up_and_speciesnet_comes_first():
    world = GlobalScores.from_dense(
        np.array([[0.7, 0.1, 0.2], [0.4, 0.4, 0.2], [0.3, 0.0, 0.3], [0.0, 0.0, 1.0]]),
        ["lion, king of beasts, Panthera leo", "Panthera tigris", "toaster"])
    label, share = roll_up_rows(world, TREE, 0.65)
    assert label.tolist() == ["Panthera leo", "Panthera", "", ""]
    np.testing.assert_allclose(share, [0.7, 0.8, np.nan, np.nan], atol=1e-6)
    sure = GlobalScores.from_dense(np.array([[0, 0, 0.95], [0, 0, 0], [0, 0, 0], [0, 0, 0]]),
                                   [LION, TIGER, DOG])
    found = labels_before(detections(["animal"] * 4, [0.9] * 4), np.ones(4, dtype=bool),
                          {"world": world, "sn": sure}, TREE, Decide())
    assert found.label.tolist() == [DOG, "Panthera", "animal", "animal"]


def test_higher_taxa_are_made_up_only_where_speciesnets_own_are_missing():
    lines, made = speciesnet_lines([{"scientificName": "Lynx lynx"}], CLASSES)
    assert made and ";mammalia;carnivora;;;;carnivora" in lines and LION in lines
    label, _, notes = before([0.9])
    assert any("taxonomy_release.txt" in note for note in notes)
    rows = [{"taxonID": "x1", "class": "Mammalia", "order": "", "family": "", "genus": "",
             "species": "", "vernacularName": "mammal"},
            {"taxonID": LION.split(";")[0], "class": "Mammalia", "order": "Carnivora",
             "family": "Felidae", "genus": "Panthera", "species": "Panthera leo minor",
             "vernacularName": "lion"}]
    assert speciesnet_lines(rows, CLASSES) == (["x1;mammalia;;;;;mammal", LION], False)
    found = before([0.3, 0.3, 0.2], decide=Decide(rows=rows))
    assert found[0] == "x1;mammalia;;;;;mammal" and not found[2]


def test_the_release_comes_through_the_project_unchanged(shared_data):
    path = shared_data / "formats" / "speciesnet" / "taxonomy_release.txt"
    written = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    lines, made = speciesnet_lines(read_taxonomy(path), written)
    assert not made and lines == written
    assert sum(a != b for a, b in zip(speciesnet_lines(read_taxonomy(path), [])[0], written,
                                      strict=True)) <= 2


def test_two_classes_a_row_are_told():
    found = labels_before(
        detections(["animal"] * 3, [0.9] * 3), np.ones(3, dtype=bool),
        {"sn 5": GlobalScores.from_dense(np.array([[0.6, 0.2, 0]] * 3), [LION, TIGER, DOG])},
        TREE, Decide())
    assert any(n.startswith("most rows of sn 5 hold two classes") for n in found.notes)


NAMES = ["Panthera leo", "tiger", "Felidae", "dog", "Carnivora", "blank", "animal", "human", "?"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=len(NAMES), max_size=len(NAMES)),
       st.sampled_from([0.5, 0.65, 0.9]))
def test_the_roll_up_is_the_lowest_taxon_that_is_sure_enough(parts, threshold):
    values = np.array(parts) / max(sum(parts), 1)
    label, share = roll_up_rows(
        GlobalScores.from_dense(values[None].astype(np.float32), NAMES), TREE, threshold)
    best = np.argsort(-values, kind="stable")[:5]
    below = {"Panthera leo": [0], "Panthera tigris": [1], "Panthera": [0, 1], "Felidae": [0, 1, 2],
             "Canis familiaris": [3], "Canis": [3], "Canidae": [3], "Carnivora": [0, 1, 2, 3, 4],
             "Mammalia": [0, 1, 2, 3, 4], "blank": [5], "human": [7]}
    below["animal"] = [*below["Mammalia"], 6]
    mass = {name: values[[s for s in under if s in best]].sum() for name, under in below.items()}
    sure = [n for n in mass if mass[n] > threshold + 1e-6]
    if any(abs(m - threshold) < 1e-5 for m in mass.values()):
        return
    if not sure:
        assert label[0] == "" and np.isnan(share[0])
        return
    lowest = min(sure, key=lambda n: (len(below[n]), -len(n.split())))
    assert mass[label[0]] == pytest.approx(float(share[0]), abs=1e-5)
    assert below[label[0]] == below[lowest]


def test_unknown_is_not_a_label_of_the_tree():
    assert before([0.1], confidence=0.3)[0] != UNKNOWN
