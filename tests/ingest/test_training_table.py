"""The csv files of the SpeciesNet fine-tuning recipe, as they are and broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecotone.errors import FormatError
from ecotone.ingest.training_table import (
    NAMES,
    PICTURES,
    kind_of_table,
    read_labelled_files,
    read_names_table,
)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three files in A01 and B02; what is in them is never read here."""
    for file in ("A01/1.JPG", "A01/2.JPG", "B02/3.JPG"):
        (tmp_path / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / file).write_bytes(b"x")
    return tmp_path


def write(folder: Path, text: str, name: str = "data.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


DATA = ("filename,category,location\nA01/1.JPG,black_agouti,A01\nA01/2.JPG,collared_peccary,A01\n"
        "B02/3.JPG,empty,B02\n")
MAP = ("input,output,count\nblack_agouti,agouti,14206\ncollared_peccary,,24784\n"
       "orinoco_agouti,agouti,4\nempty,remove,20334\n")


def test_the_recipes_files_as_they_are(folder):
    table = write(folder, DATA)
    found = read_labelled_files(table, folder / "images")
    assert [(r.file, r.categories, r.location) for r in found.rows] == [
        ("A01/1.JPG", ("black_agouti",), "A01"), ("A01/2.JPG", ("collared_peccary",), "A01"),
        ("B02/3.JPG", ("empty",), "B02")]
    assert not found.problems
    names = read_names_table(write(folder, MAP, "map.csv"))
    assert names == {"black_agouti": "agouti", "orinoco_agouti": "agouti", "empty": "remove"}
    new = found.renamed(names)
    assert [r.categories for r in new.rows] == [("agouti",), ("collared_peccary",)]
    assert any("empty: removed, 1 pictures" in p for p in new.problems)
    assert any("orinoco_agouti" in p for p in new.problems)
    assert kind_of_table(table) == PICTURES and kind_of_table(folder / "map.csv") == NAMES


def test_names_are_relative_to_the_table_or_absolute(folder):
    beside = write(folder / "images", DATA)
    assert len(read_labelled_files(beside).rows) == 3
    path = (folder / "images" / "A01" / "1.JPG").resolve()
    table = write(folder, f"filename,category,location\n{path},fox,A\n")
    assert read_labelled_files(table).rows[0].path == path
    windows = write(folder, "filename,category,location\nA01\\1.JPG,fox,A\n")
    assert read_labelled_files(windows, folder / "images").rows[0].file == "A01/1.JPG"


def test_input_output_of_pictures(folder):
    table = write(folder, "input,output\nA01/1.JPG,fox\nB02/3.JPG,deer\n")
    found = read_labelled_files(table, folder / "images")
    assert [(r.categories, r.location) for r in found.rows] == [(("fox",), "A01"),
                                                               (("deer",), "B02")]
    assert "folders count as locations" in found.problems[-1]


def test_a_picture_of_two_species_has_both_and_equal_rows_count_once(folder):
    table = write(folder, "filename,category,location\nA01/1.JPG,fox,A\nA01/1.JPG,deer,A\n"
                          "A01/1.JPG,fox,A\nA01/2.JPG,,A\n")
    found = read_labelled_files(table, folder / "images")
    assert [r.categories for r in found.rows] == [("fox", "deer")]
    assert [p.split(": ", 1)[1] for p in found.problems] == [
        "1 rows lack a picture or a category and are left out: row 5",
        "1 rows say what another row says and count once: row 4",
        "1 pictures have several categories, each of them an equal share"]


@pytest.mark.parametrize(("text", "said"), [
    ("file,thing\nA01/1.JPG,fox\n", "row 1: columns file, thing; expected filename,category"),
    ("", "is empty"),
    ("filename,category,location\n", "no row with a picture"),
    ("filename,category,location\nA01/9.JPG,fox,A\n", "none of its 1 pictures is in"),
    ("filename,category,location\nA01/1.JPG,fox,A\nA01/1.JPG,fox,B\n",
     "row 3: A01/1.JPG is at location 'B', in row 2 at 'A'"),
    ("input,output\nfox,deer\n", "its inputs are names of categories"),
    ("input,output\n", "holds a header and no rows"),
    ('filename,category,location\nA01/1.JPG,"fox,A\n', "quote that is never closed"),
])
def test_one_line_for_every_mistake(folder, text, said):
    with pytest.raises(FormatError) as error:
        read_labelled_files(write(folder, text), folder / "images")
    assert said in str(error.value) and "\n" not in str(error.value)


def test_some_missing_pictures_are_told(folder):
    table = write(folder, DATA + "B02/4.JPG,fox,B02\n")
    found = read_labelled_files(table, folder / "images")
    assert len(found.rows) == 3
    assert found.problems == ["data.csv: 1 pictures are not there: B02/4.JPG"]


@pytest.mark.parametrize(("text", "said"), [
    ("input,output\nfox,a\nfox,b\n", "row 3: input 'fox' stands in row 2 too"),
    ("input,output\n,a\n", "row 2: input is empty"),
    (DATA, "its rows are pictures"),
])
def test_names_that_are_wrong(folder, text, said):
    with pytest.raises(FormatError, match="."):
        read_names_table(write(folder, text))
    with pytest.raises(FormatError) as error:
        read_names_table(write(folder, text))
    assert said in str(error.value)


def test_names_are_looked_up_once(folder):
    found = read_labelled_files(write(folder, DATA), folder / "images").renamed(
        {"black_agouti": "collared_peccary", "collared_peccary": "pig"})
    assert [r.categories[0] for r in found.rows] == ["collared_peccary", "pig", "empty"]
    with pytest.raises(FormatError, match="every category is removed"):
        found.renamed(dict.fromkeys(("collared_peccary", "pig", "empty"), "remove"))
