from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ecotone.errors import ProjectError
from ecotone.hierarchy.tree import ClassTree
from ecotone.project import Project
from ecotone.project.refining_tree import is_speciesnet, tree_of
from ecotone.taxonomy.rollup import BLANK, UNKNOWN
from ecotone.types import GlobalScores

LION = "ddf59264-185a-4d35-b647-2785792bdf54;mammalia;carnivora;felidae;panthera;leo;lion"
CATS = "df8514b0-10a5-411f-8ed6-0f415e8153a3;mammalia;carnivora;felidae;;;cat family"


@pytest.fixture
def project(tmp_path):
    with Project.init(tmp_path / "reserve") as opened:
        yield opened


def scores(*classes):
    return GlobalScores(sparse.csr_matrix((1, len(classes))), classes)


def above(tree, label):
    """The nodes on the way from a label to the root, by name."""
    placed = ClassTree.build([label], tree)
    return [placed.nodes[n] for n in placed.above(int(placed.class_node[0]))]


def test_without_any_taxonomy_names_and_the_language_make_the_tree(project):
    tree = tree_of(project, {}, ["red deer", "guepard", "lion male", "deer", "human", "marmoset"],
                   {"guepard": ("Acinonyx jubatus", "")})
    assert above(tree, "red deer") == [
        "cervus elaphus", "cervus", "cervidae", "artiodactyla", "mammalia", "animal", ""]
    assert above(tree, "guepard")[:3] == ["acinonyx jubatus", "acinonyx", "felidae"]
    assert above(tree, "lion male")[0] == "panthera leo"
    assert above(tree, "deer")[0] == "cervidae" and above(tree, "human") == ["human", ""]
    assert above(tree, "marmoset")[:2] == ["marmoset", "callitrichidae"]
    assert tree.notes == ()


def test_the_projects_taxonomy_comes_first_and_speciesnets_lines_add_to_it(project):
    project.catalog.set_note("taxonomy", [
        {"scientificName": "Panthera leo", "vernacularName": "Löwe", "family": "Bigcats"}])
    tree = tree_of(project, {"sn": scores(LION, CATS, BLANK, UNKNOWN), "other": scores("a;b")},
                   ["Löwe"], {})
    assert above(tree, "Löwe")[:3] == ["panthera leo", "panthera", "bigcats"]
    assert tree.parent("felidae") == "carnivora" and "no cv result" not in tree
    assert is_speciesnet(scores(LION, BLANK)) and not is_speciesnet(scores(LION, "lion"))
    assert any("two parents" in note for note in tree.notes)


def test_a_label_with_a_scientific_name_means_that_and_nothing_else(project):
    project.catalog.set_note("taxonomy", [
        {"scientificName": "Vulpes vulpes", "vernacularName": "fox"},
        {"scientificName": "Urocyon cinereoargenteus", "vernacularName": "gray fox"}])
    tree = tree_of(project, {}, ["fox"], {"fox": ("Urocyon cinereoargenteus", "")})
    assert tree.find("fox") == ["urocyon cinereoargenteus"]
    assert tree.find("gray fox") == ["urocyon cinereoargenteus"]


def test_a_label_that_nothing_knows_stands_below_animal_and_is_told(project):
    tree = tree_of(project, {}, ["red deer", "xyzzy"], {})
    assert above(tree, "xyzzy") == ["xyzzy", "animal", ""]
    assert "xyzzy" in tree.notes[-1] and "ecotone add taxonomy" in tree.notes[-1]


def test_when_nothing_gives_a_tree_the_way_out_is_told(project):
    with pytest.raises(ProjectError, match="ecotone add taxonomy"):
        tree_of(project, {}, ["xyzzy", "human"], {})


def test_species_without_a_known_genus_bring_their_own(project):
    tree = tree_of(project, {}, ["Abcdus efghus", "Abcdus efghus minor"],
                   {"Abcdus efghus minor": ("Abcdus efghus minor", "")})
    assert above(tree, "Abcdus efghus minor") == [
        "abcdus efghus minor", "abcdus efghus", "abcdus", "animal", ""]


names = st.sampled_from([
    "red deer", "Vulpes vulpes", "lion", "bird", "rodent", "Felidae", "Ardea", "moose", "deer spp.",
    "fox (kit)", "Sus scrofa (wild boar)", "x", "雉", "%",
])


@settings(max_examples=40, deadline=None)
@given(st.lists(names, min_size=1, max_size=6, unique=True),
       st.dictionaries(names, st.tuples(names, names), max_size=3))
def test_every_label_of_any_kind_has_a_place(tmp_path_factory, labels, given_names):
    with Project.init(tmp_path_factory.mktemp("p") / "x") as project:
        try:
            tree = tree_of(project, {}, labels, given_names)
        except ProjectError:
            return
        assert len(ClassTree.build(labels, tree).classes) == len(labels)
