"""The tree of classes and of what occurs."""

from __future__ import annotations

import pytest

from ecotone.errors import InputError, TaxonomyError
from ecotone.hierarchy.present import place_classes
from ecotone.hierarchy.tree import as_taxonomy
from tests.hierarchy.five_stage_world import LINES

TAXONOMY = as_taxonomy(LINES[:-2])


def occurring(place) -> set[str]:
    return {name for name, here in zip(place.tree.nodes, place.occurs, strict=True) if here}


def test_without_a_list_everything_occurs():
    place = place_classes(["red fox", "red deer"], None, TAXONOMY, {})
    assert place.occurs.all() and place.tree.classes == ("red fox", "red deer")


def test_a_listed_taxon_brings_what_holds_it_and_what_it_holds():
    place = place_classes(["red fox", "red deer", "wild boar", "blank"],
                          ["Vulpes lagopus", "cervidae"], TAXONOMY, {})
    assert occurring(place) == {
        "", "animal", "mammalia", "carnivora", "canidae", "vulpes", "vulpes lagopus",
        "artiodactyla", "cervidae", "cervus", "cervus elaphus"}
    assert place.tree.classes[:4] == ("red fox", "red deer", "wild boar", "blank")


def test_a_listed_class_keeps_its_own_node():
    place = place_classes(["red fox"], ["Vulpes vulpes"], TAXONOMY, {})
    assert place.tree.classes == ("red fox",)
    assert place.tree.nodes[place.tree.class_node[0]] == "vulpes vulpes"
    assert place.occurs.all()
    place = place_classes(["rusty"], ["red fox"], TAXONOMY, {"rusty": "red fox"})
    assert place.occurs.all()


def test_a_listed_name_that_nothing_knows_is_told():
    place = place_classes(["red fox"], ["Okapia johnstoni", "unicorn"], TAXONOMY, {})
    assert not place.occurs.any()
    assert "2 names are not in the tree, e.g. 'Okapia johnstoni'" in place.notes[0]


def test_one_text_is_no_list():
    with pytest.raises(InputError, match="'red fox', expected a list"):
        place_classes(["red fox"], "red fox", TAXONOMY, {})


def test_a_class_that_is_not_in_the_tree_is_an_error():
    with pytest.raises(TaxonomyError, match="'red fx' is not in the tree"):
        place_classes(["red fx"], None, TAXONOMY, {})
