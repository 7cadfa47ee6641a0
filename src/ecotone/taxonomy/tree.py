"""A taxonomy: names, ranks, parents. Read from SpeciesNet's lines or from a table's rows.

Tolerated, and told in `notes`: a taxon written with two parents (the first counts), labels that
appear twice, a subspecies in the species column, missing ranks. Not tolerated: a cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ecotone.errors import TaxonomyError
from ecotone.taxonomy.words import key, plain

RANKS = (
    "kingdom", "phylum", "class", "order", "family", "subfamily", "tribe", "genus", "species",
    "subspecies",
)
COLUMNS = {
    "scientificname": "scientificName", "scientific": "scientificName", "taxon": "scientificName",
    "latinname": "scientificName", "binomial": "scientificName",
    "vernacularname": "vernacularName", "commonname": "vernacularName", "common": "vernacularName",
    "vernacular": "vernacularName", "englishname": "vernacularName", "taxonrank": "taxonRank",
    "rank": "taxonRank",
}


@dataclass(frozen=True)
class Taxon:
    """One node. name: lower case, "genus species" for species. parent: a name, "" at the top."""

    name: str
    rank: str
    parent: str
    vernacular: tuple[str, ...] = ()


class Taxonomy:
    """A forest of taxa.

    nodes: name -> Taxon. notes: what was odd in the source and how it was read.
    Raises TaxonomyError when a parent is missing or a taxon is its own ancestor.
    """

    def __init__(self, nodes: Mapping[str, Taxon], notes: Iterable[str] = ()) -> None:
        self.nodes = dict(nodes)
        self.notes = tuple(notes)
        for name, taxon in self.nodes.items():
            if taxon.parent and taxon.parent not in self.nodes:
                raise TaxonomyError(f"taxonomy: {name!r} has the parent {taxon.parent!r}, which "
                                    "is not in it; add the parent.")
            self.ancestors(name)
        self._vernacular: dict[tuple[str, ...], list[str]] = {}
        self._children: dict[str, list[str]] = {}
        for name, taxon in self.nodes.items():
            self._children.setdefault(taxon.parent, []).append(name)
            for common in taxon.vernacular:
                known = self._vernacular.setdefault(key(common), [])
                if name not in known:
                    known.append(name)

    @classmethod
    def from_speciesnet(cls, lines: Iterable[str]) -> Taxonomy:
        """Lines "uuid;class;order;family;genus;species;common name", as SpeciesNet ships them.

        Raises TaxonomyError on a line with another number of tokens, or a cycle.
        """
        builder = _Builder()
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            tokens = [t.strip() for t in line.rstrip("\r\n").split(";")]
            if len(tokens) not in (6, 7):
                raise TaxonomyError(f"taxonomy, line {number}: {len(tokens)} tokens, expected 7 "
                                    "(uuid;class;order;family;genus;species;common name).")
            *ranks, common = tokens[-6:]
            path = lineage_path(dict(zip(("class", "order", "family", "genus", "species"), ranks,
                                         strict=True)))
            builder.add(path, common, f"line {number}")
        return builder.taxonomy()

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, str]]) -> Taxonomy:
        """Rows with scientificName, vernacularName and any of the columns of `RANKS`.

        Column names are read without regard to case and underscores. A row without rank columns
        is placed by its scientific name (genus and species). Raises TaxonomyError on a cycle.
        """
        builder = _Builder()
        for number, row in enumerate(rows, start=1):
            fields = _fields(row)
            path = _row_path(fields)
            builder.add(path, fields.get("vernacularName", ""), f"row {number}")
        return builder.taxonomy()

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and plain(name) in self.nodes

    def find(self, name: str) -> list[str]:
        """The taxa of a scientific or vernacular name; several when it is ambiguous."""
        if plain(name) in self.nodes:
            return [plain(name)]
        return list(self._vernacular.get(key(name), ()))

    def parent(self, name: str) -> str:
        """The parent's name, "" at the top. Raises TaxonomyError for a name that is not here."""
        return self._taxon(name).parent

    def rank(self, name: str) -> str:
        """The rank, e.g. "family". Raises TaxonomyError for a name that is not here."""
        return self._taxon(name).rank

    def ancestors(self, name: str) -> list[str]:
        """All ancestors, nearest first. Raises TaxonomyError on a cycle or an unknown name."""
        found: list[str] = []
        above = self._taxon(name).parent
        while above:
            if above == name or above in found:
                raise TaxonomyError(f"taxonomy: {name!r} is its own ancestor (through {above!r}); "
                                    "mend the rows of these two taxa.")
            found.append(above)
            above = self._taxon(above).parent
        return found

    def children(self, name: str) -> list[str]:
        """The direct children; of "" the tops of the forest."""
        return list(self._children.get(plain(name), ()))

    def lineage(self, name: str) -> dict[str, str]:
        """Rank -> name of a taxon and its ancestors."""
        chain = [plain(name), *self.ancestors(plain(name))]
        return {self.nodes[n].rank: n for n in reversed(chain)}

    def rows(self) -> Iterator[dict[str, str]]:
        """One row a taxon, as `from_rows` reads them."""
        for name, taxon in self.nodes.items():
            lineage = self.lineage(name)
            yield {
                "scientificName": name, "vernacularName": "|".join(taxon.vernacular),
                "taxonRank": taxon.rank, **{rank: lineage.get(rank, "") for rank in RANKS},
            }

    def _taxon(self, name: str) -> Taxon:
        found = self.nodes.get(plain(name))
        if found is None:
            raise TaxonomyError(f"taxonomy: no taxon {name!r}.")
        return found


def lineage_path(ranks: Mapping[str, str]) -> list[tuple[str, str]]:
    """(rank, name) from the top down, of rank columns. Species become "genus species".

    The species column may hold an epithet, a whole binomial, an abbreviation ("u. arctos") or a
    subspecies ("lupus dingo"): the species is then put above the subspecies.
    """
    path: list[tuple[str, str]] = []
    genus = plain(ranks.get("genus", "")).strip()
    for rank in RANKS:
        value = " ".join(plain(ranks.get(rank, "") or "").split())
        if not value:
            continue
        if rank not in ("species", "subspecies"):
            path.append((rank, value))
            continue
        words = [w for w in value.split() if not w.endswith(".")]
        if genus and (words[:1] != [genus] or len(words) == 1):
            words = [genus, *words]
        if rank == "subspecies" and len(words) == 2:  # an epithet alone: below the species above
            words = [*(path[-1][1].split() if path[-1][0] == "species" else words[:1]), words[-1]]
        if len(words) > 2:
            path.append(("species", " ".join(words[:2])))
            path.append(("subspecies", " ".join(words)))
        elif words:
            path.append(("species", " ".join(words)))
    return list(dict.fromkeys(path))


def _fields(row: Mapping[str, str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for column, value in row.items():
        name = str(column or "").strip().lower().replace("_", "").replace(" ", "")
        name = COLUMNS.get(name, name)
        if name not in fields or not fields[name]:
            fields[name] = str(value or "").strip()
    return fields


def _row_path(fields: Mapping[str, str]) -> list[tuple[str, str]]:
    path = lineage_path(fields)
    scientific = " ".join(plain(fields.get("scientificName", "")).split())
    if scientific and scientific not in {name for _, name in path}:
        words = scientific.split()
        if len(words) > 1 and path and path[-1][0] in ("species", "subspecies"):
            return path  # a synonym, or with its author: the rank columns are taken
        if len(words) > 1:
            if not any(rank == "genus" for rank, _ in path):
                path.append(("genus", words[0]))
            path += lineage_path({"species": " ".join(words[:3])})
        else:
            rank = plain(fields.get("taxonRank", "")) or _rank_of_one_word(scientific, path)
            path.append((rank, scientific))
    return path


def _rank_of_one_word(name: str, path: list[tuple[str, str]]) -> str:
    if name.endswith("idae"):
        return "family"
    above = path[-1][0] if path else ""
    return RANKS[RANKS.index(above) + 1] if above in RANKS[:-1] and above != "family" else "genus"


class _Builder:
    """Collects paths into nodes."""

    def __init__(self) -> None:
        self.nodes: dict[str, Taxon] = {}
        self.notes: list[str] = []

    def taxonomy(self) -> Taxonomy:
        return Taxonomy(self.nodes, dict.fromkeys(self.notes))

    def add(self, path: list[tuple[str, str]], common: str, where: str) -> None:
        parent = ""
        for rank, name in path:
            if name == parent:
                continue
            known = self.nodes.get(name)
            if known is None:
                self.nodes[name] = Taxon(name, rank, parent)
            elif parent and known.parent != parent:
                self._reparent(known, parent, where)
            parent = name
        if parent and common:
            taxon = self.nodes[parent]
            new = [c.strip() for c in common.split("|") if c.strip()]
            names = tuple(dict.fromkeys([*taxon.vernacular, *new]))
            self.nodes[parent] = replace(taxon, vernacular=names)

    def _above(self, name: str) -> list[str]:
        found = []
        while name:
            found.append(name)
            name = self.nodes[name].parent
        return found

    def _reparent(self, known: Taxon, parent: str, where: str) -> None:
        """A known taxon comes with another parent: the finer or the first one counts."""
        if known.name in self._above(parent):
            raise TaxonomyError(
                f"taxonomy, {where}: {known.name!r} stands below {parent!r}, which stands below it "
                "elsewhere; a taxonomy is a tree: mend one of the rows."
            )
        if not known.parent or known.parent in self._above(parent):
            self.nodes[known.name] = replace(known, parent=parent)
        elif parent not in self._above(known.parent):
            self.notes.append(f"{known.name}: two parents, {known.parent} (taken) and {parent}")
