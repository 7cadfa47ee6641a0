"""The tree of classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import TaxonomyError
from ecotone.hierarchy.tree import ClassTree, as_taxonomy
from tests.hierarchy.trees import SPECIES, rows, taxonomy

NAMES = list(SPECIES)


def test_classes_of_any_rank_and_beside_the_animals():
    tree = ClassTree.build(["lion", "Felidae", "blank", "human", "Equus quagga"], taxonomy())
    node = dict(zip(tree.classes, tree.class_node, strict=True))
    assert tree.nodes[node["lion"]] == "panthera leo"
    assert tree.rank[node["Felidae"]] == "family"
    assert tree.holds(node["Felidae"], node["lion"])
    assert not tree.holds(node["lion"], node["Felidae"])
    assert tree.parent[node["blank"]] == 0
    assert tree.nodes[tree.common([node["lion"], node["Equus quagga"]])] == "mammalia"
    assert tree.common([node["lion"], node["blank"]]) == 0


def test_classes_that_share_a_species_have_nodes_of_their_own():
    tree = ClassTree.build(["Panthera leo male", "Panthera leo female", "caracal"], taxonomy(),
                           strict=False)
    first, second, third = tree.class_node
    assert tree.rank[first] == tree.rank[second] == "local" and first != second
    assert tree.nodes[tree.parent[first]] == "panthera leo" == tree.nodes[tree.parent[second]]
    assert tree.rank[third] == "species"


@pytest.mark.parametrize("text, name", [
    ("animal", "animal"), ("Mammalia", "mammalia"), ("lion", "panthera leo"), ("blank", "blank"),
    ("uuid;mammalia;carnivora;felidae;;;cat family", "felidae"), ("unicorn", None),
    ("Aves", "aves"), ("empty", "blank"), ("Animalia", "animal"),
    ("mammal", "mammalia"), ("bird", "aves"),
])
def test_labels_of_any_convention_find_their_node(text, name):
    tree = ClassTree.build([*NAMES, "blank"], taxonomy())
    node = tree.node_of(text)
    assert (tree.nodes[node] if node >= 0 else None) == name


def test_a_taxon_without_classes_below_has_no_node():
    assert ClassTree.build(["lion"], taxonomy()).node_of("Aves") == -1


def test_trees_as_people_have_them():
    parents = {"lion": "cats", "leopard": "cats", "cats": "", "zebra": ""}
    tree = ClassTree.build(["lion", "leopard", "zebra"], parents)
    assert tree.nodes[tree.common(list(tree.class_node[:2]))] == "cats"
    lines = ["u;mammalia;carnivora;felidae;panthera;leo;lion"]
    for given_tree in (rows(), lines, taxonomy()):
        assert "panthera leo" in as_taxonomy(given_tree)


@pytest.mark.parametrize("tree, words", [
    ({"a": "b", "b": "a"}, "own ancestor"),
    ({"a": "b", "b": "c", "c": "a"}, "own ancestor"),
    ({"a": "x", "c": "y"}, "no row of its own"),
    ({"a": "x", "c": "y", "x": ""}, "'c' has the parent 'y', which has no row of its own"),
    (3.5, "expected a Taxonomy"),
    (["one;two"], "7"),
])
def test_trees_that_are_none(tree, words):
    with pytest.raises(TaxonomyError, match=words):
        ClassTree.build(["a"], tree)


def test_a_label_that_is_not_in_the_tree_is_named_with_the_nearest():
    with pytest.raises(TaxonomyError, match="'Panthera lio' is not in the tree.*panthera leo"):
        ClassTree.build(["Panthera lio"], taxonomy())
    loose = ClassTree.build(["Panthera tigris", "okapi"], taxonomy(), strict=False)
    assert loose.nodes[loose.parent[loose.class_node[0]]] == "panthera"
    assert loose.nodes[loose.parent[loose.class_node[1]]] == "animal"
    assert any("okapi" in note for note in loose.notes)


def test_no_classes_and_a_class_twice():
    with pytest.raises(TaxonomyError, match="no classes"):
        ClassTree.build([], taxonomy())
    with pytest.raises(TaxonomyError, match="twice"):
        ClassTree.build(["lion", "lion"], taxonomy())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(NAMES), min_size=1, unique=True), st.randoms(use_true_random=False))
def test_node_probabilities_are_sums_and_do_not_depend_on_the_order(classes, random):
    tree = ClassTree.build(classes, taxonomy())
    p = np.random.default_rng(random.randrange(99)).dirichlet(np.ones(len(classes)), size=4)
    proba = tree.proba(p)
    assert np.allclose(proba[:, 0], 1)
    for v in range(1, len(tree.nodes)):
        below = [k for k, n in enumerate(tree.class_node) if v in tree.above(int(n))]
        assert np.allclose(proba[:, v], p[:, below].sum(axis=1))
    order = random.sample(range(len(classes)), len(classes))
    other = ClassTree.build([classes[i] for i in order], taxonomy())
    again = other.proba(p[:, order])
    for v, name in enumerate(tree.nodes):
        assert np.allclose(proba[:, v], again[:, other.nodes.index(name)])
