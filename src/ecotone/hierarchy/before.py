"""What the labels before mean: "animal", "mammal", a SpeciesNet label, or none.

N detections, U different labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.hierarchy.results import SPECIES_RANKS
from ecotone.hierarchy.tree import ANIMAL, BESIDE, ClassTree, taxa_of
from ecotone.taxonomy.names import LINEAGE, ParsedLabel, parse_label
from ecotone.taxonomy.tree import Taxonomy, lineage_path
from ecotone.taxonomy.vocabulary import vocabulary
from ecotone.taxonomy.words import key, plain

SAYS_NOTHING = ("blank", "unknown")  # of what the animal is: any answer stands below


@dataclass(frozen=True, eq=False)
class Before:
    """The labels before.

    label: (N,) str. code: (N,) int, the number of the row's label. names: U labels. special: U,
    "unknown" for no label. taxon: U names in the taxonomy, "" where there is none or several.
    rank: U ranks, "" where unknown. species: (U,) bool, at species level or finer.
    """

    label: np.ndarray
    code: np.ndarray
    names: tuple[str, ...]
    special: tuple[str, ...]
    taxon: tuple[str, ...]
    rank: tuple[str, ...]
    species: np.ndarray

    @classmethod
    def read(cls, labels: Sequence[str] | None, taxonomy: Taxonomy, n: int) -> Before:
        """Read N labels of any convention; None for N rows without a label.

        Raises InputError when there are not n.
        """
        label = texts(labels, n, "was")
        number: dict[str, int] = {}
        code = np.fromiter((number.setdefault(s, len(number)) for s in label), int, n)
        parsed = [parse_label(name) for name in number]
        special = tuple("unknown" if not name else p.special
                        for name, p in zip(number, parsed, strict=True))
        taxon = tuple(taxon_of(p, taxonomy) for p in parsed)
        rank = tuple(_rank(p, t, taxonomy) for p, t in zip(parsed, taxon, strict=True))
        species = np.array([r in SPECIES_RANKS for r in rank], dtype=bool)
        return cls(label, code, tuple(number), special, taxon, rank, species)

    def node(self, tree: ClassTree) -> np.ndarray:
        """The node (U,) of each label in a tree: the root where it says nothing of the animal, -1
        where the tree has no class at or below what it means."""
        out = np.full(len(self.names), -1, dtype=int)
        for u, name in enumerate(self.names):
            if self.special[u] in SAYS_NOTHING:
                out[u] = 0
                continue
            out[u] = tree.node_of(name)
            if out[u] < 0 and self.taxon[u]:
                out[u] = tree.node_of(self.taxon[u])
        return out

    def means(self, wanted: Sequence[str]) -> np.ndarray:
        """(U,) bool: whether a label is one of `wanted`, in whatever convention it is written."""
        said = {word for name in wanted for word in _words(parse_label(name), name)}
        return np.array([
            special in said or bool(said & _words(parse_label(name), name))
            for name, special in zip(self.names, self.special, strict=True)
        ], dtype=bool)


def texts(values: Sequence[object] | None, n: int, what: str) -> np.ndarray:
    """N texts as an object array, "" for None and NaN. Raises InputError on another length."""
    out = np.full(n, "", dtype=object)
    if values is None:
        return out
    if len(values) != n:
        raise InputError(f"{what}: {len(values)} entries, expected {n}; give one a row.")
    for row, value in enumerate(values):
        empty = value is None or (isinstance(value, float) and np.isnan(value))
        out[row] = "" if empty else str(value)
    return out


def taxon_of(label: ParsedLabel, taxonomy: Taxonomy) -> str:
    """The one taxon that a label means, "animal", "blank", "human" or "vehicle" included; "" when
    it means none here, or several."""
    found = taxa_of(label, taxonomy)
    return found[0] if len(found) == 1 else ""


def _rank(label: ParsedLabel, taxon: str, taxonomy: Taxonomy) -> str:
    """The rank: of the taxon, else what the label itself says."""
    if label.special == "human":
        return "species"
    if label.special or taxon in (ANIMAL, *BESIDE):
        return "kingdom" if label.special == ANIMAL else ""
    if taxon:
        return taxonomy.rank(taxon)
    if any(label.lineage):
        path = lineage_path(dict(zip(LINEAGE, label.lineage, strict=True)))
        return path[-1][0]
    return ("", "", "species", "subspecies")[min(len(label.scientific.split()), 3)]


def _words(label: ParsedLabel, text: str) -> set[str]:
    """The names by which two labels are compared."""
    names = {plain(label.scientific), *map(plain, label.vernacular), label.special, plain(text)}
    for name in label.vernacular:
        names.update(vocabulary().whole(key(name)))
    return names - {""}
