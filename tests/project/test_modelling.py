from __future__ import annotations

from ecotone.project.modelling import class_rows
from ecotone.taxonomy.tree import Taxonomy


def test_a_row_a_class_with_names_and_ranks():
    tree = Taxonomy.from_rows([
        {"scientificName": "Vulpes vulpes", "vernacularName": "red fox", "order": "Carnivora",
         "family": "Canidae", "genus": "Vulpes", "species": "Vulpes vulpes"},
    ])
    names = {"fox at night": ("Vulpes vulpes", "red fox")}
    rows = class_rows(["fox at night", "red fox", "blank"], names, tree)
    assert [row["label"] for row in rows] == ["fox at night", "red fox", "blank"]
    assert rows[0]["scientificName"] == "Vulpes vulpes" and rows[0]["family"] == "canidae"
    assert rows[1]["vernacularName"] == "red fox" and rows[1]["genus"] == "vulpes"
    assert rows[2]["species"] == "" and rows[2]["scientificName"] == ""
    assert class_rows(["Cervus elaphus"], {}, None)[0]["scientificName"] == "Cervus elaphus"
