"""A small tree that the tests of this room share."""

from __future__ import annotations

from ecotone.taxonomy.tree import Taxonomy

SPECIES = {
    "Panthera leo": ("Felidae", "Carnivora", "Mammalia", "lion"),
    "Panthera pardus": ("Felidae", "Carnivora", "Mammalia", "leopard"),
    "Caracal caracal": ("Felidae", "Carnivora", "Mammalia", "caracal"),
    "Equus quagga": ("Equidae", "Perissodactyla", "Mammalia", "plains zebra"),
    "Struthio camelus": ("Struthionidae", "Struthioniformes", "Aves", "ostrich"),
}


def rows() -> list[dict[str, str]]:
    """The species as rows with rank columns."""
    return [
        {
            "scientificName": name, "vernacularName": common, "class": group, "order": order,
            "family": family, "genus": name.split()[0], "species": name.split()[1],
        }
        for name, (family, order, group, common) in SPECIES.items()
    ]


def taxonomy() -> Taxonomy:
    """The species as a Taxonomy."""
    return Taxonomy.from_rows(rows())
