from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.errors import TaxonomyError
from ecotone.taxonomy.tree import RANKS, Taxonomy

LINES = [
    "a;mammalia;carnivora;canidae;vulpes;vulpes;red fox",
    "b;mammalia;carnivora;canidae;;;canine family",
    "c;mammalia;carnivora;canidae;canis;lupus dingo;dingo",
    "d;;;;;;blank",
]


def test_speciesnet_lines() -> None:
    tree = Taxonomy.from_speciesnet(LINES)
    assert tree.parent("vulpes vulpes") == "vulpes"
    assert tree.ancestors("canis lupus dingo") == [
        "canis lupus", "canis", "canidae", "carnivora", "mammalia"]
    assert tree.find("Red Fox") == ["vulpes vulpes"]
    assert tree.find("VULPES") == ["vulpes"]
    assert tree.rank("canidae") == "family"
    assert tree.lineage("vulpes vulpes")["order"] == "carnivora"
    assert tree.children("canidae") == ["vulpes", "canis"]
    assert "Vulpes vulpes" in tree and "" not in tree


def test_rows_in_any_columns() -> None:
    tree = Taxonomy.from_rows([
        {"scientific_name": "Cervus elaphus", "common_name": "Red Deer", "Family": "Cervidae"},
        {"scientificName": "Cervidae", "vernacularName": "deer", "taxonRank": "family"},
        {"scientificName": "Meles meles", "vernacularName": "badger"},
        {"species": "Sus scrofa", "genus": "Sus", "vernacularName": "wild boar|boar"},
    ])
    assert tree.ancestors("cervus elaphus") == ["cervus", "cervidae"]
    assert tree.find("deer") == ["cervidae"] and tree.rank("meles") == "genus"
    assert tree.find("boars") == ["sus scrofa"]


def test_rows_come_back_the_same() -> None:
    tree = Taxonomy.from_speciesnet(LINES)
    again = Taxonomy.from_rows(tree.rows())
    assert again.nodes == tree.nodes


def test_two_parents_are_told_and_the_first_counts() -> None:
    tree = Taxonomy.from_speciesnet([
        "a;reptilia;crocodylia;alligatoridae;caiman;crocodilus;spectacled caiman",
        "b;reptilia;crocodilia;alligatoridae;caiman;latirostris;broad-snouted caiman",
    ])
    assert tree.parent("alligatoridae") == "crocodylia"
    assert any("alligatoridae" in note and "crocodilia" in note for note in tree.notes)


def test_a_finer_parent_found_later_is_taken() -> None:
    tree = Taxonomy.from_rows([
        {"order": "Carnivora", "genus": "Vulpes"},
        {"order": "Carnivora", "family": "Canidae", "genus": "Vulpes"},
    ])
    assert tree.ancestors("vulpes") == ["canidae", "carnivora"] and not tree.notes


def test_cycles_are_refused() -> None:
    rows = [{"family": "Aidae", "genus": "Bus"}, {"family": "Bus", "genus": "Aidae"}]
    with pytest.raises(TaxonomyError, match="row 2.*aidae"):
        Taxonomy.from_rows(rows)


def test_wrong_lines_and_unknown_names() -> None:
    with pytest.raises(TaxonomyError, match="line 1: 2 tokens"):
        Taxonomy.from_speciesnet(["a;b"])
    with pytest.raises(TaxonomyError, match="no taxon"):
        Taxonomy.from_speciesnet(LINES).parent("felidae")
    assert len(Taxonomy.from_rows([])) == 0


NAMES = st.sampled_from(["", "Aus", "Bus", "Cus", "Didae", "Eformes", "Fia", "aus bus"])


@given(st.lists(st.fixed_dictionaries({rank: NAMES for rank in RANKS[2:9]}), max_size=6))
def test_any_rows_give_a_tree_or_a_clear_error(rows: list[dict[str, str]]) -> None:
    try:
        tree = Taxonomy.from_rows(rows)
    except TaxonomyError as error:
        assert "row" in str(error)
        return
    for name in tree.nodes:
        assert name not in tree.ancestors(name)


def test_the_real_taxonomy(shared_data: Path) -> None:
    file = shared_data / "formats" / "speciesnet" / "taxonomy_release.txt"
    tree = Taxonomy.from_speciesnet(file.read_text("utf-8").splitlines())
    assert tree.find("mantled howler monkey") == ["alouatta palliata"]
    assert tree.lineage("alouatta palliata")["family"] == "atelidae"
    assert len(tree.notes) == 1 and "alligatoridae" in tree.notes[0]
