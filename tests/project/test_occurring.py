from __future__ import annotations

import pytest

from ecotone.errors import FormatError, InputError
from ecotone.project.occurring import Occurring, find_list, occurring
from ecotone.taxonomy.tree import Taxonomy

TREE = Taxonomy.from_rows([
    {"scientificName": "Panthera leo", "vernacularName": "lion", "family": "Felidae"},
    {"scientificName": "Acinonyx jubatus", "vernacularName": "cheetah", "family": "Felidae"},
])


def test_names_in_the_tree_are_kept_as_written_and_the_others_are_told(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("scientificName,vernacularName\nPanthera leo,König\n,cheetah\nFelis x,\n"
                    "Felidae,\nHomo sapiens,human\n", encoding="utf-8")
    found = occurring(path, (), TREE)
    assert found.names == ("Panthera leo (König)", "cheetah", "Felidae")
    assert found.lost == ("Felis x",)
    (note,) = found.notes()
    assert note.startswith(f"1 of 4 names in {path} are not in the tree") and "Felis x" in note


def test_the_labels_may_be_the_list(tmp_path):
    found = occurring("labels", ["lion", "human", "lion", "blank"], TREE)
    assert found == Occurring(("lion",), (), "the labels") and found.notes() == []


def test_no_list_means_that_anything_may_occur():
    assert occurring("", ["lion"], TREE) is None


def test_a_list_of_strangers_is_an_error_that_names_them(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("".join(f"Abc def{c}\n" for c in "abcdefghijkl"), encoding="utf-8")
    with pytest.raises(InputError, match=r"none of its names.*Abc defa.*and 4 more.*add taxonomy"):
        occurring(path, (), TREE)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(FormatError):
        occurring(path.rename(tmp_path / "list.json"), (), TREE)


def test_files_of_the_settings_lie_in_the_project(tmp_path):
    (tmp_path / "list.csv").write_text("name\nlion\n", encoding="utf-8")
    assert find_list("list.csv", tmp_path, True) == tmp_path / "list.csv"
    assert find_list("labels", tmp_path, True) == "labels" and find_list("", tmp_path, False) == ""
    with pytest.raises(InputError, match="gone.csv: no such list of species"):
        find_list("gone.csv", tmp_path, True)
    with pytest.raises(InputError, match="no such list"):
        find_list("list.csv", tmp_path, False)
