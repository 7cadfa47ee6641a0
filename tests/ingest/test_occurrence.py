from __future__ import annotations

import json
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import FormatError
from ecotone.hierarchy.tree import taxa_of
from ecotone.ingest.occurrence import read_species_list
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy

LION = "ddf59264-185a-4d35-b647-2785792bdf54;mammalia;carnivora;felidae;panthera;leo;lion"


def listed(tmp_path, text, name="list.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return read_species_list(path)


def test_a_csv_gives_both_names_in_its_order(tmp_path):
    text = ("\ufeffvernacularName;scientificName;count\nroe deer;Capreolus capreolus;3\n"
            "wild boar;;1\n;Lynx lynx;\n;NA;\nroe deer;Capreolus capreolus;9\n")
    assert listed(tmp_path, text) == ["Capreolus capreolus (roe deer)", "wild boar", "Lynx lynx"]


@pytest.mark.parametrize("header", ["species", "Scientific Name", "Latin_name", "name"])
def test_one_column_with_a_heading(tmp_path, header):
    assert listed(tmp_path, f"{header}\nLynx lynx\n\nSus scrofa\n") == ["Lynx lynx", "Sus scrofa"]


def test_one_name_a_line_needs_no_heading(tmp_path):
    text = f"# what occurs\nLynx lynx\r\n  wild   boar\n\n{LION}\nLynx lynx\n"
    assert listed(tmp_path, text, "list.txt") == ["Lynx lynx", "wild boar", LION]


def package(**more):
    return {"name": "x", "taxonomic": [
        {"scientificName": "Anas strepera", "vernacularNames": {"nld": "krakeend",
                                                                "eng": "gadwall"}},
        {"scientificName": "Ardea"}, {"scientificName": "Lynx lynx", "vernacularNames": {}},
    ], **more}


def test_the_taxonomic_block_of_a_camtrap_dp_as_file_folder_and_zip(tmp_path):
    wanted = ["Anas strepera (gadwall)", "Ardea", "Lynx lynx"]
    assert listed(tmp_path, json.dumps(package()), "datapackage.json") == wanted
    assert read_species_list(tmp_path) == wanted
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as packed:
        packed.writestr("a/b/datapackage.json", "{}")
        packed.writestr("a/datapackage.json", json.dumps(package()))
    assert read_species_list(tmp_path / "study.zip") == wanted


def test_the_real_example(shared_data):
    names = read_species_list(shared_data / "formats" / "camtrapdp_example")
    assert "Anas platyrhynchos (mallard)" in names and "Ardea (great herons)" in names
    tree = Taxonomy.from_rows([{"scientificName": n.split(" (")[0]} for n in names])
    assert all(len(taxa_of(parse_label(name), tree)) == 1 for name in names)


@pytest.mark.parametrize("name, text, told", [
    ("list.csv", "", "is empty"),
    ("list.csv", "scientificName\n\n", "names no species"),
    ("list.csv", "Lynx lynx,3\nSus scrofa,4\n", "'Lynx lynx,3' has several cells.*one name a line"),
    ("list.csv", "a,b\n1,2\n", "no column 'scientificName'"),
    ("list.json", "{", "not valid json"),
    ("list.json", "[]", "a list, without a list 'taxonomic'"),
    ("list.json", '{"taxonomic": {}}', "without a list 'taxonomic'"),
    ("list.json", '{"taxonomic": [{"scientificName": "Ardea"}, {}]}', "entry 1: no 'scientific"),
    ("list.json", '{"taxonomic": []}', "names no species"),
    ("list.zip", b"PK no zip", "not a zip file"),
    ("list.csv", b"PK\x03\x04 a zip", "a zip or Excel file"),
    ("gone.csv", None, "cannot be read"),
])
def test_what_is_no_list_is_told_in_one_line(tmp_path, name, text, told):
    with pytest.raises(FormatError, match=told) as error:
        if text is None:
            read_species_list(tmp_path / name)
        listed(tmp_path, text, name)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_a_zip_without_or_with_a_broken_descriptor(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("media.csv", "x")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as packed:
        packed.writestr("datapackage.json", "{")
    with pytest.raises(FormatError, match=r"a\.zip: holds no datapackage\.json"):
        read_species_list(tmp_path / "a.zip")
    with pytest.raises(FormatError, match="datapackage.json: not valid json"):
        read_species_list(tmp_path / "b.zip")


words = st.from_regex(r"[A-Z][a-z]{2,9} [a-z]{3,9}", fullmatch=True)


@settings(max_examples=40, deadline=None)
@given(st.lists(words, min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_names_that_are_written_are_read(tmp_path_factory, names, end):
    folder = tmp_path_factory.mktemp("list")
    wanted = list(dict.fromkeys(names))
    assert listed(folder, end.join(names), "a.txt") == wanted
    assert listed(folder, end.join(["scientificName,n", *(f'"{n}",1' for n in names)])) == wanted


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["a.csv", "a.json", "a.zip"]))
def test_whatever_is_in_the_file_it_is_a_list_or_a_format_error(tmp_path_factory, data, name):
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(data)
    try:
        assert read_species_list(path)
    except FormatError as error:
        assert "\n" not in str(error)
