"""The five stages together, on a generated place."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from ecotone.errors import InputError, MissingExtraError, TaxonomyError
from ecotone.hierarchy.audit import revert
from ecotone.hierarchy.five_stage import FiveStage
from ecotone.hierarchy.five_stage_settings import FiveStageSettings, ablations
from ecotone.hierarchy.metrics import hierarchical_scores
from ecotone.types import GlobalScores
from tests.hierarchy.five_stage_world import (
    ANIMAL,
    BIRD,
    BIRDS,
    BLANK,
    COMMON,
    DEER,
    LINES,
    MAMMAL,
    make_place,
)

SETTINGS = FiveStageSettings(head="closed-form")


@pytest.fixture(scope="module")
def place():
    return make_place()


def run(place, settings=SETTINGS, labels=None, **more):
    five = FiveStage(LINES, settings, **more).fit(
        place.embeddings, place.scores, labels, place.was, was_scores=place.was_scores)
    return five, five.predict(place.embeddings, place.scores, place.was,
                              was_scores=place.was_scores)


def generic(place):
    return np.flatnonzero(place.was_scores < 0.7)


@pytest.fixture(scope="module")
def result(place):
    return run(place)


def test_generic_detections_find_their_species_far_above_chance(place, result):
    five, answer = result
    found = hierarchical_scores(answer, place.latin, five.tree_, generic(place))
    assert found.coverage > 0.9 and found.hierarchical_accuracy > 0.95
    assert found.species_share > 0.6 and found.exact_accuracy > 0.6 > 5 / len(COMMON)
    # The same place with crops that belong to other detections: nothing but chance is left.
    rng = np.random.default_rng(0)
    mixed = replace(place, embeddings=place.embeddings[rng.permutation(len(place.truth))])
    five, answer = run(mixed, replace(SETTINGS, birds=False))
    lost = hierarchical_scores(answer, place.latin, five.tree_, generic(place))
    assert lost.exact_accuracy * lost.coverage < 2 / len(COMMON)


def test_every_row_has_its_audit(place, result):
    five, answer = result
    assert set(answer.stage) == {"trusted", "bird override", "metric head", "unchanged"}
    assert list(answer.was) == list(place.was)
    same = np.isin(answer.stage, ["trusted", "unchanged"])
    assert (answer.node[same] == place.was[same]).all()
    assert (answer.node[~same] != place.was[~same]).all()
    assert np.isfinite(answer.first_distance).all()
    assert (answer.first_distance <= answer.second_distance).all()
    assert set(answer.first) <= set(five.classes_)
    moved = answer.stage == "metric head"
    assert (answer.first_distance[moved] <= answer.threshold[moved]).all()
    assert set(answer.rank[moved]) <= {"species", "genus", "family", "order", "class"}
    sure = answer.stage == "trusted"
    np.testing.assert_array_equal(sure, place.was_scores > 0.8)
    np.testing.assert_allclose(answer.probability[sure], 0.9)
    assert list(revert(answer)) == list(place.was)


def test_answers_stand_below_the_label_before(place, result):
    five, answer = result
    tree = five.tree_
    for row in np.flatnonzero(answer.stage == "metric head"):
        was, node = tree.node_of(place.was[row]), tree.node_of(answer.node[row])
        if place.was[row] not in (BLANK, "blank"):
            assert tree.holds(was, node) and was != node


def test_the_order_of_rows_and_classes_plays_no_part(place, result):
    rng = np.random.default_rng(1)
    order, columns = rng.permutation(len(place.truth)), rng.permutation(len(LINES))
    mixed = place.take(order)
    mixed = replace(mixed, scores=GlobalScores(
        mixed.scores.values[:, columns], [LINES[c] for c in columns]))
    _, answer = run(mixed)
    _, before = result
    for name in ("node", "stage", "rank", "first", "second"):
        np.testing.assert_array_equal(getattr(answer, name), getattr(before, name)[order])
    for name in ("first_distance", "threshold", "probability"):
        np.testing.assert_allclose(
            getattr(answer, name), getattr(before, name)[order], atol=1e-5)


def test_people_decide_what_classes_are_called(place):
    labels = np.where(np.arange(len(place.truth)) < 300, place.names, None)
    five, answer = run(place, labels=labels)
    assert set(five.classes_) == set(COMMON)
    at_species = (answer.stage == "metric head") & answer.at_species
    assert at_species.any() and set(answer.node[at_species]) <= set(COMMON)
    said = five.predict(place.embeddings, None, place.was, labels=labels)
    rows = np.flatnonzero(labels != None)  # noqa: E711
    assert (said.stage[rows] == "trusted").all()
    known = np.char.find(place.was.astype(str), ";") > 0
    sure = place.was_scores > 0.8
    assert (said.node[rows][sure[rows] & known[rows]] == place.was[rows][sure[rows]]).all()
    assert (said.node[rows][~sure[rows]] == labels[rows][~sure[rows]]).all()


def test_each_stage_can_be_switched_off(place, result):
    found = {name: run(place, s, labels=np.where(place.was_scores > 0.8, place.names, None))[1]
             for name, s in ablations(SETTINGS).items()}
    assert "trusted" not in found["without trusted"].stage
    assert "bird override" not in found["without birds"].stage
    assert set(found["without centroids"].stage) == {"trusted", "bird override", "unchanged"}
    assert "centroid" in found["without metric head"].stage
    assert "metric head" not in found["without metric head"].stage
    plain = found["without scoring"]
    moved = plain.stage == "metric head"
    assert moved.sum() > (found["all stages"].stage == "metric head").sum()
    assert plain.at_species[moved].all()
    assert (plain.node[moved] == plain.first[moved]).all()


def test_birds_are_overridden_and_then_named(place):
    five, answer = run(place, replace(SETTINGS, centroids=False))
    rows = answer.stage == "bird override"
    before = np.isin(place.was, ["animal", "blank", ANIMAL, BLANK])
    columns = [i for i, line in enumerate(LINES) if ";aves;" in line]
    mass = np.asarray(place.scores.values[:, columns].sum(axis=1)).ravel()
    np.testing.assert_array_equal(rows, before & (mass >= 0.5 - 1e-6))
    assert set(answer.node[rows]) == {"aves"} and set(answer.rank[rows]) == {"class"}
    np.testing.assert_allclose(answer.probability[rows], mass[rows], atol=1e-6)
    _, named = run(place)
    finer = rows & (named.stage == "metric head")
    assert finer.sum() > 0.5 * rows.sum(), "below the birds the stages after go on"
    assert np.isin(place.truth[finer], BIRDS).all()


def test_the_detector_makes_a_first_bird_one(place):
    five, _ = run(place, replace(SETTINGS, centroids=False))
    scores = GlobalScores(sparse.csr_matrix([[0.3, 0.2]] * 3), (BIRD, MAMMAL))
    answer = five.predict(place.embeddings[:3], scores, ["blank"] * 3,
                          confidences=[0.2, 0.1, None])
    assert list(answer.stage) == ["bird override", "unchanged", "unchanged"]
    assert answer.threshold[0] == pytest.approx(0.2)


def test_the_rule_for_birds_is_chosen_on_reviewed_rows(place):
    rows = np.isin(place.was, ["animal", "blank", ANIMAL, BLANK])
    labels = np.where(rows, place.names, None)
    five, answer = run(place, replace(SETTINGS, centroids=False), labels)
    assert five.bird_rule_.reviewed >= 30
    birds = answer.stage == "bird override"
    assert np.isin(place.truth[birds], BIRDS).mean() >= 0.95
    none = run(place, replace(SETTINGS, centroids=False, bird_precision=1.0),
               np.where(rows, "red fox", None))[0]
    assert np.isinf(none.bird_rule_.mass) and "none is overridden" in none.notes_[-1]


def test_what_does_not_occur_is_not_answered_nor_replaced(place):
    present = [c for c in COMMON if c not in ("arctic fox", "common blackbird", "eurasian jay")]
    _, free = run(place)
    five, answer = run(place, present=present)
    gone = np.isin(free.node, ["vulpes lagopus", "turdus merula", "garrulus glandarius"])
    assert gone.any() and not np.isin(answer.node[generic(place)], free.node[gone]).any()
    foxes = free.node == "vulpes lagopus"
    foxes[np.isin(free.stage, ["trusted"])] = False
    assert set(answer.node[foxes]) == {"vulpes"}
    assert (answer.stage != "bird override").all(), "no bird occurs"
    birds = gone & ~foxes & (free.stage == "metric head")
    assert (answer.stage[birds] == "unchanged").all()
    others = (free.stage == "metric head") & ~gone & ~np.isin(place.truth, (1, *BIRDS))
    assert (answer.node[others] == free.node[others]).mean() > 0.95


def test_human_vehicle_and_species_stay_as_they_are(place):
    five, _ = run(place)
    was = ["human", "vehicle", LINES[0], "red fox", DEER, "", "a purple thing"]
    deer = np.flatnonzero(place.truth == 4)[:1]
    answer = five.predict(np.repeat(place.embeddings[deer], 7, axis=0), None, was)
    assert list(answer.stage[:4]) == ["unchanged"] * 4
    assert list(answer.node[:4]) == was[:4]
    assert answer.stage[5] == answer.stage[4] == "metric head"
    assert answer.node[6] == "a purple thing"
    assert "1 labels before are not in the tree, e.g. 'a purple thing'" in answer.notes[-1]


def test_only_the_labels_that_the_settings_name_are_generic(place):
    _, answer = run(place, replace(SETTINGS, generic=("animal",), above_species=False))
    moved = answer.stage == "metric head"
    assert moved.any() and set(answer.was[moved]) == {"animal", ANIMAL}
    assert set(answer.was[answer.stage == "bird override"]) & {"blank", BLANK}


def test_truncated_scores_and_no_scores_are_fine(place):
    values = place.scores.values.toarray()
    cut = np.sort(values, axis=1)[:, -2][:, None]
    two = GlobalScores(sparse.csr_matrix(np.where(values >= cut, values, 0)), LINES)
    found = {}
    for name, scores in (("two", two), ("none", None)):
        some = replace(place, scores=scores)
        five, answer = run(some)
        found[name] = hierarchical_scores(answer, place.latin, five.tree_, generic(place))
    assert min(f.hierarchical_accuracy for f in found.values()) > 0.95


def test_equal_embeddings_change_nothing(place):
    same = replace(place, embeddings=np.ones_like(place.embeddings))
    five, answer = run(same, replace(SETTINGS, birds=False))
    assert set(answer.stage) == {"trusted", "unchanged"}
    assert "embeddings of all trusted crops are equal" in five.notes_[-1]
    assert np.isnan(answer.first_distance).all()


def test_a_row_of_zeros_has_no_embedding(place):
    five, _ = run(place)
    some = place.embeddings[:3].copy()
    some[1] = 0.0
    answer = five.predict(some, None, ["animal"] * 3)
    assert answer.stage[1] == "unchanged" and np.isnan(answer.first_distance[1])
    assert answer.first[1] == ""


def test_one_class_only(place):
    labels = np.where(place.truth == 0, "red fox", None)
    five = FiveStage(LINES, SETTINGS).fit(place.embeddings, None, labels)
    answer = five.predict(place.embeddings, None, ["animal"] * len(labels))
    assert list(five.classes_) == ["red fox"] and five.head_.kind == "none"
    foxes = answer.node == "red fox"
    assert foxes[place.truth == 0].mean() > 0.7
    assert foxes[~np.isin(place.truth, (0, 1, 2))].mean() < 0.1
    assert set(answer.second) == {""}


def test_too_few_crops_of_every_class(place):
    labels = np.where(np.arange(len(place.truth)) < 55, place.names, None)
    five = FiveStage(LINES, SETTINGS).fit(place.embeddings, None, labels)
    assert "no class has 8 trusted crops" in five.notes_[-1]
    answer = five.predict(place.embeddings, None, ["animal"] * len(labels))
    assert (answer.stage == "unchanged").all() and len(five.classes_) == 0


def test_bad_input_is_told(place):
    x, n = place.embeddings, len(place.truth)
    with pytest.raises(InputError, match="no trusted rows.*label some detections"):
        FiveStage(LINES).fit(x, place.scores, None, ["animal"] * n, was_scores=[0.9] * n)
    with pytest.raises(TaxonomyError, match="vulpis' is not in the tree.*did you mean 'vulpes vul"):
        FiveStage(LINES).fit(x, None, ["vulpes vulpis"] * n)
    with pytest.raises(TaxonomyError, match="ancestor"):
        FiveStage({"a b": "b", "b": "c", "c": "b"}).fit(x, None, ["a b"] * n)
    with pytest.raises(TaxonomyError, match="row of its own"):
        FiveStage({"a b": "b", "c d": "e"}).fit(x, None, ["a b"] * n)
    holes = x.copy()
    holes[5, 3] = np.nan
    with pytest.raises(InputError, match="row 5 holds NaN"):
        FiveStage(LINES).fit(holes, None, place.names)
    with pytest.raises(InputError, match="was_scores: 2 entries"):
        FiveStage(LINES).fit(x, None, place.names, was_scores=[0.1, 0.2])
    with pytest.raises(InputError, match="confidences: expected numbers"):
        FiveStage(LINES).fit(x, None, place.names, confidences=["high"] * n)


def test_bad_input_of_predict_is_told(place):
    with pytest.raises(InputError, match="call fit"):
        FiveStage(LINES).predict(place.embeddings)
    five, _ = run(place)
    with pytest.raises(InputError, match="31 dimensions, fitted with 32"):
        five.predict(place.embeddings[:, 1:])
    with pytest.raises(InputError, match="was: 1 entries"):
        five.predict(place.embeddings, None, ["animal"])
    nothing = five.predict(place.embeddings[:0], None, [])
    assert len(nothing) == 0


def test_labels_at_several_ranks_are_classes(place):
    labels = np.where(np.isin(place.truth, (4, 5)), "deer family", place.names)
    labels = np.where(place.was_scores > 0.8, labels, None)
    five = FiveStage(LINES, SETTINGS).fit(place.embeddings, None, labels)
    answer = five.predict(place.embeddings, None, ["animal"] * len(labels))
    assert "deer family" in five.classes_ and "red deer" not in five.classes_
    deer = np.isin(place.truth, (4, 5))
    assert (answer.node[deer] == "deer family").mean() > 0.8
    assert set(answer.rank[answer.node == "deer family"]) == {"family"}


def test_the_trained_head_where_torch_is_installed(place):
    settings = FiveStageSettings(head="triplet", hidden=64, output=32, steps=60)
    if find_spec("torch") is None:
        with pytest.raises(MissingExtraError, match=r"ecotone\[torch\]"):
            run(place, settings)
        return
    five, answer = run(place, settings)
    found = hierarchical_scores(answer, place.latin, five.tree_, generic(place))
    assert five.head_.kind == "triplet" and "metric head" in answer.stage
    assert found.coverage > 0.8 and found.hierarchical_accuracy > 0.9
    _, again = run(place, settings)
    np.testing.assert_array_equal(answer.node, again.node)
    np.testing.assert_array_equal(answer.first_distance, again.first_distance)


def test_confirmed_labels_are_trusted(place):
    reviewed = place.was_scores > 0.8
    five = FiveStage(LINES, SETTINGS).fit(
        place.embeddings, None, None, place.was, reviewed=[bool(r) or None for r in reviewed])
    assert five.n_trusted_ == reviewed.sum()


def test_it_is_an_estimator(place):
    five = FiveStage(LINES, SETTINGS, present=["red fox"], random_state=3)
    assert clone(five).get_params()["random_state"] == 3
    assert clone(five).get_params()["settings"] == SETTINGS
