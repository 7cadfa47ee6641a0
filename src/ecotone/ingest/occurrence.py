"""Lists of species that occur somewhere: a csv, one name a line, or a Camtrap DP's `taxonomic`.

A name is given as "Latin name (common name)" where both are known, so that either can be found in a
tree. Source of the block: https://camtrap-dp.tdwg.org/metadata/#taxonomic (1.0.2).
"""

from __future__ import annotations

import csv
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ecotone.errors import FormatError
from ecotone.ingest.labels import SCIENTIFIC, VERNACULAR
from ecotone.ingest.tables import DELIMITERS, clean, key, read_table, sniff
from ecotone.ingest.text import looks_like, read_json, read_text

DESCRIPTOR = "datapackage.json"
ANY_NAME = ("species", "name", "taxon", "label", "class", "animal")
COMMENT = "#"
TOKENS = 6  # semicolons of one of SpeciesNet's labels


def read_species_list(path: Path) -> list[str]:
    """The names of a list, each once, in its order.

    path: a csv with scientificName, vernacularName or both; a text with one name a line (lines that
    begin with # are comments; SpeciesNet's labels are fine); a datapackage.json with a `taxonomic`
    block; or a folder or zip that holds one.
    Raises FormatError when it is none of these, or names nothing.
    """
    if path.is_dir():
        return read_species_list(path / DESCRIPTOR)
    if path.suffix.casefold() == ".zip":
        names = _taxonomic(_zipped(path), path)
    elif path.suffix.casefold() == ".json":
        names = _taxonomic(read_json(path), path)
    else:
        names = _lines(path)
    found = list(dict.fromkeys(name for name in names if name))
    if not found:
        raise FormatError(f"{path}: names no species; give one name a row.")
    return found


def _zipped(path: Path) -> Any:
    """The descriptor inside a zip: the one that lies least deep."""
    try:
        with zipfile.ZipFile(path) as packed:
            inside = [n for n in packed.namelist() if PurePosixPath(n).name == DESCRIPTOR]
            if not inside:
                raise FormatError(f"{path}: holds no {DESCRIPTOR}; give a csv, or a Camtrap DP.")
            return json.loads(packed.read(min(inside, key=lambda n: n.count("/"))))
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"{path}: not a zip file that can be read ({error}).") from error
    except ValueError as error:
        raise FormatError(f"{path}, {DESCRIPTOR}: not valid json ({error}).") from error


def _taxonomic(data: Any, path: Path) -> list[str]:
    listed = data.get("taxonomic") if isinstance(data, Mapping) else None
    if not isinstance(listed, list):
        raise FormatError(
            f"{path}: looks like {looks_like(data)}, without a list 'taxonomic'; expected the "
            "datapackage.json of a Camtrap DP whose 'taxonomic' names the species."
        )
    names = []
    for position, entry in enumerate(listed):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("scientificName"), str):
            raise FormatError(
                f"{path}, taxonomic, entry {position}: no 'scientificName'; give one, or leave the "
                "entry out."
            )
        common = entry.get("vernacularNames")
        texts = list(common.values()) if isinstance(common, Mapping) else []
        english = common.get("eng") if isinstance(common, Mapping) else None
        spoken = next((t for t in (english, *texts) if isinstance(t, str) and t), "")
        names.append(_both(entry["scientificName"], spoken))
    return names


def _lines(path: Path) -> list[str]:
    text = read_text(path)
    lines = [line.strip().strip("\ufeff") for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(COMMENT)]
    if lines and _is_header(lines[0], sniff("\n".join(lines))):
        return _table(path)
    several = next((n for n, line in enumerate(lines) if _is_row(line)), None)
    if several is not None:
        raise FormatError(
            f"{path}: {lines[several]!r} has several cells and the file no column 'scientificName' "
            "or 'vernacularName'; name the columns in a first row, or give one name a line."
        )
    return [" ".join(line.strip('"').split()) for line in lines]


def _is_header(line: str, delimiter: str) -> bool:
    cells = [key(cell) for cell in next(csv.reader([line], delimiter=delimiter), [])]
    return bool({*SCIENTIFIC, *VERNACULAR, *ANY_NAME} & {*cells})


def _is_row(line: str) -> bool:
    if line.count(";") == TOKENS:
        return False
    return any(d in line for d in DELIMITERS)


def _table(path: Path) -> list[str]:
    table = read_table(path)
    scientific = table.column(table.find(SCIENTIFIC))
    common = table.column(table.find(VERNACULAR))
    other = table.column(table.find(ANY_NAME))
    return [
        _both(latin, spoken) or name
        for latin, spoken, name in zip(scientific, common, other, strict=True)
        if not (latin or spoken or name).startswith(COMMENT)
    ]


def _both(scientific: str, vernacular: str) -> str:
    latin, spoken = clean(scientific), clean(vernacular)
    return f"{latin} ({spoken})" if latin and spoken else latin or spoken


__all__ = ["read_species_list"]
