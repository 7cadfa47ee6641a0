"""Which rows are trusted, and which of them become crops."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.hierarchy.before import Before
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.hierarchy.tree import as_taxonomy
from ecotone.hierarchy.trusted import accepted, crops_of, find_trusted
from tests.hierarchy.five_stage_world import ANIMAL, BLANK, DEER, LINES

TAXONOMY = as_taxonomy([line for line in LINES if line not in (ANIMAL, BLANK)])
SETTINGS = FiveStageSettings()


def find(labels, was, score, reviewed=None, settings=SETTINGS, aliases=None):
    n = len(was)
    before = Before.read(was, TAXONOMY, n)
    review = np.zeros(n, bool) if reviewed is None else np.array(reviewed)
    return find_trusted(labels, before, np.array(score, float), review, TAXONOMY, settings,
                        aliases or {})


def named(trusted):
    return {int(r): trusted.classes[t] for r, t in zip(trusted.rows, trusted.target, strict=True)}


def test_people_sure_species_and_confirmed_labels_are_trusted():
    was = [LINES[0], LINES[0], LINES[4], DEER, DEER, "animal", "human", "Puma concolor"]
    score = [0.9, 0.79, 0.8, 0.99, 0.3, 1.0, 0.9, 0.9]
    labels = [None, None, "red deer", None, None, None, None, None]
    found = find(labels, was, score, [False, False, False, False, True, True, False, False])
    assert named(found) == {0: "vulpes vulpes", 2: "red deer", 4: "cervidae", 6: "human"}
    assert list(found.by_people) == [False, True, False, False]
    assert "1 sure labels before have no place in the tree, e.g. 'Puma concolor'" in found.notes[0]


def test_model_and_people_share_a_class():
    was = [LINES[0], "Vulpes vulpes", "animal"]
    found = find([None, None, "red fox"], was, [0.9, 0.9, 0.1])
    assert named(found) == dict.fromkeys(range(3), "red fox")
    found = find([None, None, "rusty"], was, [0.9, 0.9, 0.1], aliases={"rusty": "red fox"})
    assert named(found) == dict.fromkeys(range(3), "rusty")


def test_two_classes_of_one_taxon_keep_the_models_rows_apart():
    was = [LINES[0], "animal", "animal"]
    found = find([None, "red fox", "Vulpes vulpes"], was, [0.9, 0.1, 0.1])
    assert named(found) == {0: "vulpes vulpes", 1: "red fox", 2: "Vulpes vulpes"}


def test_labels_that_say_nothing_are_no_examples():
    found = find(["unknown", "animal", "red fox", "blank"], ["animal"] * 4, [0.1] * 4)
    assert named(found) == {2: "red fox", 3: "blank"}


def test_the_stage_can_be_off_and_the_threshold_moved():
    before = Before.read([LINES[0], LINES[1], DEER], TAXONOMY, 3)
    score = np.array([0.8, 0.5, 0.99], dtype=np.float32).astype(float)
    assert list(accepted(before, score, SETTINGS)) == [True, False, False]
    assert list(accepted(before, score, FiveStageSettings(trusted_score=0.5))) == [True, True,
                                                                                   False]
    assert not accepted(before, score, FiveStageSettings(trusted=False)).any()
    assert not accepted(before, np.full(3, np.nan), SETTINGS).any()


def test_without_trusted_rows_the_error_says_how_to_get_some():
    with pytest.raises(InputError, match="no trusted rows.*score of 0.8.*label some.*8 of a"):
        find(None, ["animal", DEER], [0.9, 0.9])
    with pytest.raises(InputError, match="stage trusted is off; label some"):
        find(None, [LINES[0]], [0.9], settings=FiveStageSettings(trusted=False))


def test_crops_come_from_classes_that_have_enough():
    rng = np.random.default_rng(0)
    labels = ["red fox"] * 12 + ["grey wolf"] * 7 + ["red deer"] * 9
    embeddings = rng.normal(size=(28, 4)).astype(np.float32)
    embeddings[-1] = 0.0
    trusted = find(labels, ["animal"] * 28, [0.1] * 28)
    crops, number = crops_of(embeddings, trusted, SETTINGS)
    assert [trusted.classes[c] for c in number] == ["red deer", "red fox"]
    assert list(np.bincount(crops.target)) == [8, 12]
    np.testing.assert_allclose(np.linalg.norm(crops.embeddings, axis=1), 1, atol=1e-6)
    crops, number = crops_of(embeddings, trusted, FiveStageSettings(crops=13))
    assert crops is None and len(number) == 0


def test_of_too_many_crops_those_of_people_come_first():
    rng = np.random.default_rng(1)
    labels = [None] * 30 + ["red fox"] * 6
    embeddings = rng.normal(size=(36, 4)).astype(np.float32)
    trusted = find(labels, [LINES[0]] * 36, [0.9] * 36)
    crops, _ = crops_of(embeddings, trusted, FiveStageSettings(most_crops=10))
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    chosen = {int(np.argmax(unit @ c)) for c in crops.embeddings}
    assert len(chosen) == 10 and set(range(30, 36)) <= chosen


def test_the_order_of_rows_plays_no_part():
    rng = np.random.default_rng(2)
    labels = np.array(["red fox"] * 20 + ["red deer"] * 20, dtype=object)
    embeddings = rng.normal(size=(40, 5)).astype(np.float32)
    settings = FiveStageSettings(most_crops=9)
    one, _ = crops_of(embeddings, find(labels, [""] * 40, [0] * 40), settings)
    order = rng.permutation(40)
    two, _ = crops_of(embeddings[order], find(labels[order], [""] * 40, [0] * 40), settings)
    np.testing.assert_array_equal(one.embeddings, two.embeddings)
    np.testing.assert_array_equal(one.target, two.target)
