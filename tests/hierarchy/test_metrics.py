"""Scores of answers at any height."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.hierarchy.metrics import hierarchical_scores
from ecotone.hierarchy.results import UNCHANGED, Refinement
from ecotone.hierarchy.tree import ClassTree
from tests.hierarchy.trees import SPECIES, taxonomy

TREE = ClassTree.build(list(SPECIES), taxonomy())


def answers(rows):
    """Refinement of (answer, rank, was) rows."""
    node, rank, was = (np.array(c, dtype=object) for c in zip(*rows, strict=True))
    n, text = len(rows), np.full(len(rows), "", dtype=object)
    stage = np.where(node == was, UNCHANGED, "climb").astype(object)
    zero = np.zeros(n)
    return Refinement(node, rank, zero, stage, was, text, zero, text, zero, zero)


def test_worked_by_hand():
    found = answers([
        ("Panthera leo", "species", "animal"),      # right: 5 classes to 1
        ("panthera", "genus", "mammalia"),          # holds the truth: 4 classes to 2
        ("Panthera leo", "species", "felidae"),     # wrong species: 3 classes to 1
        ("animal", "kingdom", "animal"),            # unchanged
    ])
    truth = ["Panthera leo", "Panthera leo", "Panthera pardus", "Struthio camelus"]
    scores = hierarchical_scores(found, truth, TREE)
    assert scores.n == 4 and scores.coverage == 0.75
    assert scores.hierarchical_accuracy == pytest.approx(2 / 3)
    assert scores.species_share == pytest.approx(2 / 3)
    assert scores.exact_accuracy == scores.wrong_species_rate == pytest.approx(1 / 3)
    assert scores.held == 0.75
    assert scores.information_gain == pytest.approx((np.log2(5) + 1 + np.log2(3)) / 4)
    part = hierarchical_scores(found, truth, TREE, np.array([True, False, False, True]))
    assert part.n == 2 and part.hierarchical_accuracy == 1.0


def test_nothing_changed_has_no_accuracy():
    scores = hierarchical_scores(answers([("animal", "kingdom", "animal")]), ["Panthera leo"], TREE)
    assert scores.coverage == 0 and np.isnan(scores.hierarchical_accuracy) and scores.held == 1


def test_a_truth_that_is_no_class():
    with pytest.raises(InputError, match="'unicorn' is no class"):
        hierarchical_scores(answers([("animal", "kingdom", "animal")]), ["unicorn"], TREE)
