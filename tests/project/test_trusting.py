from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import ProjectError
from ecotone.hierarchy.before import Before
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.project import trusting
from ecotone.project.trusting import Trusted, fewer, trust
from ecotone.taxonomy.tree import Taxonomy

TREE = Taxonomy.from_rows([
    {"scientificName": "Cervus elaphus", "vernacularName": "red deer", "family": "Cervidae"},
    {"scientificName": "Capreolus capreolus", "vernacularName": "roe deer", "family": "Cervidae"},
    {"scientificName": "Capreolus pygargus", "vernacularName": "siberian roe"},
    {"scientificName": "Panthera leo", "vernacularName": "lion", "family": "Felidae"},
])


def trusted(labels, was, score, aliases=None, **options):
    said = np.array(labels, dtype=object)
    return trust(said, Before.read(was, TREE, len(was)), np.array(score, dtype=float), TREE,
                 FiveStageSettings(**options), aliases or {})


def test_people_and_sure_species_are_trusted_under_one_name():
    found = trusted(["red deer", None, None, None, None],
                    ["animal", "Cervus elaphus", "Cervus elaphus", "Panthera leo", "Cervidae"],
                    [np.nan, 0.9, 0.7, 0.95, 0.99])
    assert found.names.tolist() == ["red deer", "red deer", None, "panthera leo", None]
    assert found.by_people.tolist() == [True, False, False, False, False]
    assert found.by_model.tolist() == [False, True, False, True, False]


def test_the_score_from_which_species_are_trusted_is_a_setting():
    args = (["red deer", None], ["animal", "Panthera leo"], [np.nan, 0.7])
    assert trusted(*args).names.tolist() == ["red deer", None]
    assert trusted(*args, trusted_score=0.7).names.tolist() == ["red deer", "panthera leo"]


def test_a_label_before_that_people_contradict_is_not_trusted():
    labels = ["red deer", "red deer", "lion", None, None]
    was = ["Panthera leo"] * 4 + ["Cervus elaphus"]
    found = trusted(labels, was, [0.9] * 5)
    assert found.names.tolist() == ["red deer", "red deer", "lion", None, "red deer"]
    assert np.isnan(found.score[:4]).all() and found.score[4] == 0.9
    assert "panthera leo (2 of 3)" in found.notes[0].lower()
    # Two labels are too few to doubt it, and a coarser label does not contradict it.
    assert trusted(["red deer", "red deer", None], was[:3], [0.9] * 3).names[2] == "panthera leo"
    kept = trusted(["Cervidae"] * 3 + [None], ["Cervus elaphus"] * 4, [0.9] * 4)
    assert kept.names[3] == "cervus elaphus" and kept.score[3] == 0.9


def test_a_lion_is_no_example_where_people_tell_males_and_females_apart():
    found = trusted(["lion male", "lion female", None], ["animal", "animal", "Panthera leo"],
                    [np.nan, np.nan, 0.9])
    assert found.names.tolist() == ["lion male", "lion female", None]


def test_species_of_a_genus_that_people_do_not_tell_apart_are_examples_of_it():
    aliases = {"roes": "Capreolus (roes)"}
    found = trusted(["roes", None], ["animal", "Capreolus capreolus"], [np.nan, 0.9], aliases)
    assert found.names.tolist() == ["roes", "roes"]
    found = trusted(["roes", "siberian roe", None], ["animal", "animal", "Capreolus capreolus"],
                    [np.nan, np.nan, 0.9], aliases)
    assert found.names[2] == "capreolus capreolus"
    # A family is too wide: a red deer is worth more than a deer.
    assert trusted(["Cervidae", None], ["animal", "Cervus elaphus"],
                   [np.nan, 0.9]).names[1] == "cervus elaphus"


def test_labels_that_say_nothing_teach_nothing():
    found = trusted(["unknown", "animal", "red deer"], ["animal"] * 3, [np.nan] * 3)
    assert found.names.tolist() == [None, None, "red deer"]


def test_nothing_to_learn_from_is_told_with_the_way_out():
    with pytest.raises(ProjectError, match="ecotone add labels.*--trusted-score"):
        trusted([None, None], ["animal", "Panthera leo"], [np.nan, 0.79])


def test_the_global_models_rows_are_bounded_and_peoples_are_not(monkeypatch):
    monkeypatch.setattr(trusting, "MOST_OF_CLASS", 25)
    rng = np.random.default_rng(0)
    names = np.array(["a"] * 60 + ["b"] * 10 + [None] * 5, dtype=object)
    by_people = np.zeros(75, dtype=bool)
    by_people[:30] = True
    values = rng.normal(size=(75, 4)).astype(np.float32)
    kept = fewer(Trusted(names, by_people, np.zeros(75)), values, 0)
    assert (kept[:30] == "a").all() and (kept[30:60] == "a").sum() == 25
    assert (kept[60:70] == "b").all() and (names[:60] == "a").all()
    order = rng.permutation(75)
    shuffled = fewer(Trusted(names[order], by_people[order], np.zeros(75)), values[order], 0)
    assert shuffled.tolist() == kept[order].tolist()


said = st.sampled_from([None, "red deer", "lion", "unknown", "human", "Cervidae", "lion male"])
was = st.sampled_from(["animal", "Panthera leo", "Cervus elaphus", "Capreolus", "blank", "", "x y"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(said, was, st.floats(0, 1)), min_size=1, max_size=12))
def test_what_people_said_is_never_another_class(rows):
    labels, before, score = map(list, zip(*rows, strict=True))
    try:
        found = trusted(labels, before, score)
    except ProjectError:
        assert not any(label not in (None, "unknown") for label in labels)
        return
    for label, name, person in zip(labels, found.names, found.by_people, strict=True):
        assert person == (label not in (None, "unknown"))
        assert name == label if person else label in (None, "unknown")
        assert label is None or person or name is None
