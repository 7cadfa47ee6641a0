"""Taxonomy files: SpeciesNet's lines of seven tokens, or a csv with names and ranks."""

from __future__ import annotations

from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.labels import SCIENTIFIC, VERNACULAR
from ecotone.ingest.tables import Table, read_table
from ecotone.ingest.text import read_text, some

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies")


def read_taxonomy(path: Path) -> list[dict[str, str]]:
    """Taxa as rows with scientificName, vernacularName and the ranks kingdom to species.

    Genus and above begin with a capital; species is the whole binomial.
    Raises FormatError when the file holds neither SpeciesNet's lines nor a name column.
    """
    lines = [line.strip() for line in read_text(path).splitlines()]
    filled = [(n, line) for n, line in enumerate(lines, start=1) if line]
    if filled and filled[0][1].count(";") == 6 and not is_header(filled[0][1]):
        return _speciesnet(path, filled)
    return _csv(read_table(path))


def is_header(line: str) -> bool:
    """Whether a line of seven tokens is the header of a table, not SpeciesNet's line."""
    tokens = {t.strip().casefold() for t in line.split(";")}
    return bool(tokens & {"scientificname", "vernacularname", "class", "genus"})


def _speciesnet(path: Path, lines: list[tuple[int, str]]) -> list[dict[str, str]]:
    rows = []
    for number, line in lines:
        if line.count(";") != 6:
            raise FormatError(
                f"{path}, row {number}: {line.count(';') + 1} fields, expected 7 "
                "(uuid;class;order;family;genus;species;common name)."
            )
        uuid, *tokens, common = (t.strip() for t in line.split(";"))
        names = dict(zip(("class", "order", "family", "genus", "species"), tokens, strict=True))
        rows.append({**_row(names, "", common), "taxonID": uuid})
    return rows


def _csv(table: Table) -> list[dict[str, str]]:
    scientific = table.column(table.find(SCIENTIFIC))
    common = table.column(table.find(VERNACULAR))
    found = {rank: table.find((rank,)) for rank in RANKS}
    if not any(scientific) and found["genus"] is None and found["species"] is None:
        raise FormatError(
            f"{table.path}, row 1: no names of taxa (found: {some(table.header, 8)}); expected "
            "SpeciesNet's taxonomy, or columns scientificName, vernacularName and ranks."
        )
    columns = {rank: table.column(c) for rank, c in found.items() if c is not None}
    rows = []
    for position in range(len(table.rows)):
        names = {rank: cells[position] for rank, cells in columns.items()}
        several = next((n for n in (*names.values(), scientific[position]) if ";" in n), "")
        if several:
            raise FormatError(
                f"{table.path}, row {table.lines[position]}: {several!r} is several names in one "
                "cell; expected one name, with the ranks in columns of their own."
            )
        row = _row(names, scientific[position], common[position])
        if row["scientificName"] or row["vernacularName"]:
            rows.append(row)
    if not rows:
        raise FormatError(f"{table.path}: holds no taxon; give at least one row with a name.")
    return rows


def _row(names: dict[str, str], scientific: str, common: str) -> dict[str, str]:
    ranks = {rank: _capital(names.get(rank, "")) for rank in RANKS[:6]}
    ranks["species"] = _species(ranks["genus"], names.get("species", ""))
    subspecies = names.get("subspecies", "")
    if len(ranks["species"].split()) == 2 and not ranks["genus"]:
        ranks["genus"] = ranks["species"].split()[0]
    lowest = next((ranks[r] for r in reversed(RANKS[:7]) if ranks[r]), "")
    if subspecies and not scientific:
        scientific = f"{ranks['species']} {subspecies.split()[-1].lower()}"
    return {"scientificName": scientific or lowest, "vernacularName": common, **ranks}


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:].lower() if name else ""


def _species(genus: str, species: str) -> str:
    """The binomial, whether the column holds it or only the epithet."""
    words = species.split()
    if not words:
        return ""
    if genus and words[0].casefold() != genus.casefold():
        words = [genus, *words]
    return " ".join([_capital(words[0]), *(w.lower() for w in words[1:])])
