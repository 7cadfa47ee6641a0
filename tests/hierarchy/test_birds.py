"""Birds in raw scores: mass, first place, the rule and its choice on reviewed detections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ecotone.hierarchy.birds import (
    BirdEvidence,
    BirdRule,
    bird_evidence,
    choose_rule,
    group_mass,
    in_group,
    overridden,
)
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.hierarchy.tree import as_taxonomy
from ecotone.types import GlobalScores
from tests.hierarchy.five_stage_world import BIRD, BIRDS, LINES

SETTINGS = FiveStageSettings()


def test_birds_are_found_by_lineage_taxonomy_and_name():
    found = in_group(LINES, None, "aves")
    assert list(np.flatnonzero(found)) == [*BIRDS, LINES.index(BIRD)]
    names = ["garrulus glandarius", "red fox", "common blackbird"]
    tree = as_taxonomy(LINES[:-2])
    assert list(in_group(names, tree, "aves")) == [True, False, True]
    words = ["bald eagle, American eagle, Haliaeetus leucocephalus", "great grey owl", "tabby cat",
             "blank", "unknown", "animal", "Turdus merula"]
    assert list(in_group(words, None, "aves")[:6]) == [True, True, False, False, False, False]
    assert list(in_group(["mammalia;carnivora;;;;"], None, "carnivora")) == [True]


def test_the_birds_of_speciesnet_are_those_of_its_own_lineages(shared_data):
    file = next((shared_data / "formats" / "speciesnet").glob("*.labels.txt"))
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    found = in_group(lines, None, "aves")
    assert len(lines) > 2000
    np.testing.assert_array_equal(found, [line.split(";")[1] == "aves" for line in lines])


def slow_mass(values: np.ndarray, inside: np.ndarray, top: int) -> tuple[float, bool]:
    """One dense row, by the definition."""
    positive = sorted((v for v in values if v > 0), reverse=True)
    if not positive:
        return 0.0, False
    last = positive[min(top, len(positive)) - 1]
    mass = sum(float(v) for v, i in zip(values, inside, strict=True) if i and v >= last and v > 0)
    return mass, all(inside[s] for s in range(len(values)) if values[s] == positive[0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 6))
def test_mass_is_the_sum_over_the_highest(seed, classes, top):
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 4, (9, classes)) / (4.0 * classes)  # quantised: many equal scores
    inside = rng.random(classes) < 0.5
    scores = GlobalScores(sparse.csr_matrix(dense), tuple(map(str, range(classes))))
    mass, first = group_mass(scores, inside, top)
    for row in range(9):
        expected = slow_mass(dense[row].astype(np.float32), inside, top)
        assert mass[row] == pytest.approx(expected[0], abs=1e-6)
        assert bool(first[row]) is expected[1]
    order = rng.permutation(classes)
    other = GlobalScores(sparse.csr_matrix(dense[:, order]), tuple(map(str, order)))
    again = group_mass(other, inside[order], top)
    np.testing.assert_allclose(again[0], mass, atol=1e-9)
    np.testing.assert_array_equal(again[1], first)


def test_blocks_do_not_change_the_mass(monkeypatch):
    rng = np.random.default_rng(0)
    dense = rng.dirichlet(np.ones(6), 50)
    inside = np.array([True, False] * 3)
    scores = GlobalScores.from_dense(dense, list("abcdef"))
    whole = group_mass(scores, inside, 3)
    monkeypatch.setattr("ecotone.hierarchy.birds.ENTRIES", 20)
    parts = group_mass(scores, inside, 3)
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_array_equal(whole[1], parts[1])


def test_of_several_models_the_larger_mass_counts():
    classes = ["Turdus merula (common blackbird)", "red fox"]
    weak = GlobalScores.from_dense(np.array([[0.3, 0.7], [0.9, 0.1]]), classes)
    other = GlobalScores.from_dense(np.array([[0.6, 0.4], [0.2, 0.8]]), classes)
    mammals = GlobalScores.from_dense(np.ones((2, 1)), ["red fox"])
    found = bird_evidence([weak, other, mammals], None, SETTINGS, 2)
    np.testing.assert_allclose(found.mass, [0.6, 0.9], atol=1e-6)
    np.testing.assert_allclose(found.first_mass, [0.6, 0.9], atol=1e-6)
    assert not bird_evidence([], None, SETTINGS, 2).mass.any()


def test_the_two_halves_of_the_rule():
    evidence = BirdEvidence(np.array([0.5, 0.49, 0.3, 0.3, 0.3, 0.19]),
                            np.array([0.0, 0.0, 0.3, 0.3, 0.3, 0.19]))
    confidence = np.array([0.0, 0.9, 0.2, 0.1, np.nan, 0.9])
    rule = choose_rule(np.zeros(0), np.zeros(0, bool), SETTINGS)
    assert rule == BirdRule(0.5, 0.2, 0.2)
    assert list(overridden(evidence, rule, confidence)) == [True, False, True, False, False, False]
    # float32 scores that sum to a little less than the threshold
    near = BirdEvidence(np.array([np.float32(0.3) + np.float32(0.2)], float), np.zeros(1))
    assert overridden(near, rule, np.array([0.0]))[0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_the_chosen_mass_is_the_least_that_is_precise_enough(seed, precision):
    rng = np.random.default_rng(seed)
    mass = rng.integers(1, 11, 40) / 10
    bird = rng.random(40) < mass
    rule = choose_rule(mass, bird, FiveStageSettings(bird_precision=precision))
    fine = [cut for cut in np.unique(mass) if bird[mass >= cut].mean() >= precision]
    assert rule.mass == (min(fine) if fine else np.inf)
    assert rule.reviewed == 40 and rule.top_mass == np.inf
    order = rng.permutation(40)
    again = choose_rule(mass[order], bird[order], FiveStageSettings(bird_precision=precision))
    assert again == rule


def test_the_mass_is_chosen_on_enough_reviewed_rows_only():
    mass, bird = np.full(29, 0.3), np.ones(29, bool)
    assert choose_rule(mass, bird, SETTINGS).reviewed == 0
    assert choose_rule(np.append(mass, 0.0), np.append(bird, False), SETTINGS).reviewed == 0, (
        "a row without mass in birds says nothing of the rule")
    chosen = choose_rule(np.append(mass, 0.2), np.append(bird, False), SETTINGS)
    assert chosen.reviewed == 30 and chosen.mass == 0.2  # 29 of 30 are birds
    chosen = choose_rule(np.append(mass, [0.2, 0.2]), np.append(bird, [False] * 2), SETTINGS)
    assert chosen.mass == 0.3
