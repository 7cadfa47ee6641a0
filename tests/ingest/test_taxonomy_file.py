from __future__ import annotations

import pytest

from ecotone.errors import FormatError
from ecotone.ingest.taxonomy_file import read_taxonomy
from ecotone.taxonomy.tree import Taxonomy


def read(tmp_path, text):
    path = tmp_path / "taxa.txt"
    path.write_text(text, encoding="utf-8")
    return read_taxonomy(path)


def test_speciesnets_lines(tmp_path):
    deer, cervids, blank = read(
        tmp_path, "u1;mammalia;cetartiodactyla;cervidae;cervus;elaphus;red deer\r\n"
                  "u2;mammalia;cetartiodactyla;cervidae;;;cervidae family\nu3;;;;;;blank\n")
    assert deer["scientificName"] == deer["species"] == "Cervus elaphus"
    assert (deer["genus"], deer["family"], deer["class"]) == ("Cervus", "Cervidae", "Mammalia")
    assert (deer["vernacularName"], deer["taxonID"]) == ("red deer", "u1")
    assert cervids["scientificName"] == "Cervidae" and cervids["species"] == ""
    assert blank["scientificName"] == "" and blank["vernacularName"] == "blank"


def test_a_csv_with_names_and_ranks(tmp_path):
    rows = read(tmp_path, "scientificName;vernacularName;family;genus;species\n"
                          "Cervus elaphus;red deer;CERVIDAE;cervus;elaphus\n"
                          ";roe deer;Cervidae;Capreolus;Capreolus capreolus\n;;;;\n")
    assert [r["scientificName"] for r in rows] == ["Cervus elaphus", "Capreolus capreolus"]
    assert [r["species"] for r in rows] == ["Cervus elaphus", "Capreolus capreolus"]
    assert {r["family"] for r in rows} == {"Cervidae"}
    tree = Taxonomy.from_rows(rows)
    assert tree.find("red deer") and tree.find("roe deer")


@pytest.mark.parametrize(("text", "what"), [
    ("u1;mammalia;cetartiodactyla;cervidae;cervus;elaphus;red deer\nu2;aves\n",
     "row 2: 2 fields, expected 7"),
    ("a,b\n1,2\n", "no names of taxa"),
    ("species,rule\nmammalia;carnivora;ursidae;ursus;americanus,allow\n",
     "row 2: .* several names in one cell"),
])
def test_what_is_no_taxonomy_is_told(tmp_path, text, what):
    with pytest.raises(FormatError, match=what):
        read(tmp_path, text)


def test_the_real_taxonomies(shared_data):
    folder = shared_data / "formats/speciesnet"
    rows = read_taxonomy(folder / "taxonomy_release.txt")
    assert len(rows) == 3538
    assert {"scientificName": "Rhinella marina", "vernacularName": "cane toad"}.items() <= next(
        r for r in rows if r["vernacularName"] == "cane toad").items()
    assert len(Taxonomy.from_rows(rows).nodes) > 3000
    (labels,) = folder.glob("*.labels.txt")
    assert len(read_taxonomy(labels)) == 2498
    with pytest.raises(FormatError, match="several names"):
        read_taxonomy(folder / "geofence_fixes.csv")
