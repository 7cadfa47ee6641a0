"""Lists of what occurs here."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ecotone.hierarchy.occurrence import OtherSpecies, allowed_classes, sure_species
from ecotone.hierarchy.tree import ClassTree
from ecotone.types import GlobalScores
from tests.hierarchy.trees import SPECIES, taxonomy

NAMES = list(SPECIES)


def scores_of(columns: list[int], n: int = 4) -> GlobalScores:
    values = sparse.csr_matrix((np.full(n, 0.9), (np.arange(n), columns)), shape=(n, len(NAMES)))
    return GlobalScores(values, tuple(NAMES))


def test_a_class_occurs_when_it_or_its_kin_is_listed():
    tree = ClassTree.build([*NAMES, "Felidae", "blank"], taxonomy())
    present = np.array([tree.node_of("Panthera pardus"), tree.node_of("Equidae")])
    allowed = dict(zip(tree.classes, allowed_classes(tree, present), strict=True))
    assert allowed["Panthera pardus"] and allowed["Equus quagga"] and allowed["Felidae"]
    assert allowed["blank"]  # no animal, so no list speaks of it
    assert not allowed["Panthera leo"] and not allowed["Struthio camelus"]


def test_sure_species_are_those_that_are_said_and_not_known_otherwise():
    given = {"m": scores_of([0, 0, 2, 4])}
    assert sure_species(given, taxonomy(), {"caracal caracal"}) == [
        "panthera leo", "struthio camelus",
    ]
    weak = GlobalScores(given["m"].values * 0.4, given["m"].classes)
    assert sure_species({"m": weak}, taxonomy(), ()) == []


def test_a_species_that_is_not_listed_is_spoken_of():
    tree = ClassTree.build(["Panthera pardus", "Equus quagga"], taxonomy())
    given = {"m": scores_of([0, 1, 3, 4])}
    labels = np.full(4, None, dtype=object)
    other = OtherSpecies.learn(given, tree, np.ones(2, dtype=bool), labels)
    nodes = [tree.nodes[n] if n >= 0 else None for n in other.spoken_of(given)]
    # Nothing below the birds is in the tree, so an ostrich is only known to be an animal.
    assert nodes == ["panthera", None, None, "animal"]


def test_labels_teach_that_a_species_is_misnamed():
    tree = ClassTree.build(["Panthera pardus", "Equus quagga"], taxonomy())
    given = {"m": scores_of([0] * 30 + [3] * 10, 40)}
    labels = np.array(["Panthera pardus"] * 20 + [None] * 20, dtype=object)
    other = OtherSpecies.learn(given, tree, np.ones(2, dtype=bool), labels)
    assert (other.spoken_of(given) == -1).all()


def test_nothing_to_speak_of():
    tree = ClassTree.build(NAMES, taxonomy())
    labels = np.full(4, None, dtype=object)
    every, none = np.ones(5, dtype=bool), np.zeros(5, dtype=bool)
    assert OtherSpecies.learn({"m": scores_of([0, 1, 2, 3])}, tree, every, labels) is None
    assert OtherSpecies.learn({}, tree, none, labels) is None
