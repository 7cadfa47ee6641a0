"""SpeciesNet's geofence: the json of a release, and the csv of corrections to it.

Source: google/cameratrapai (Apache-2.0), data/model_package/geofence_release.json,
data/geofence_fixes.csv and scripts/build_geofence_release.py.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError, InputError
from ecotone.ingest.text import looks_like, read_json, read_text
from ecotone.taxonomy.geofence import Geofence, check_rules
from ecotone.taxonomy.geofence_fixes import Fix, apply_fixes, check_fixes, propagate

FIX_COLUMNS = ("species", "rule", "country_code", "admin1_region_code")
DELIMITERS = (",", "\t", ";")
COMMENT = "#"


def is_geofence(data: Any) -> bool:
    """Whether a json value looks like geofence rules: taxa of five tokens with allow or block."""
    if not isinstance(data, dict) or not data:
        return False
    taxon, kinds = next(iter(data.items()))
    return taxon.count(";") == 4 and isinstance(kinds, dict) and bool({"allow", "block"} & {*kinds})


def read_geofence(
    path: Path, fixes: Path | None = None, labels: Iterable[str] | None = None
) -> Geofence:
    """The rules of a release, with corrections where they are given.

    labels: the model's labels; corrections are then carried down to all that is below a blocked
    taxon, and up from what is allowed. Raises FormatError, naming file and row or taxon.
    """
    rules = read_geofence_rules(path)
    if fixes is None:
        return Geofence(rules)
    notes: list[str] = []
    fixed = apply_fixes(rules, read_fixes(fixes), notes=notes)
    if labels is not None:
        fixed = propagate(fixed, labels)
    return Geofence(fixed, tuple(f"{fixes.name}, {note}" for note in notes))


def read_geofence_rules(path: Path) -> dict[str, dict[str, dict[str, list[str]]]]:
    """The rules of a release as they stand in the file.

    Raises FormatError when the file is no json, or no geofence; naming the taxon, when a rule has
    another form.
    """
    data = read_json(path)
    if not is_geofence(data):
        raise FormatError(
            f"{path}: looks like {looks_like(data)}, expected a geofence: "
            '{"class;order;family;genus;species": {"allow": {"KEN": []}}}.'
        )
    try:
        check_rules(data)
    except InputError as error:
        raise FormatError(f"{path}: {error}") from error
    return data


def read_fixes(path: Path) -> list[Fix]:
    """The corrections of a csv with the columns species, rule, country_code, admin1_region_code.

    Lines that begin with # are comments. Raises FormatError, naming the row, when the columns are
    others, a row has another number of fields, or `check_fixes` finds fault with it.
    """
    rows = [
        (number, line) for number, line in enumerate(read_text(path).splitlines(), start=1)
        if line.strip(" ,;\t") and not line.lstrip().startswith((COMMENT, f'"{COMMENT}'))
    ]
    if not rows:
        raise FormatError(f"{path}: holds no row, expected the columns {', '.join(FIX_COLUMNS)}.")
    number, header = rows[0]
    delimiter = next((d for d in DELIMITERS if _cells(header, d) == [*FIX_COLUMNS]), None)
    if delimiter is None:
        raise FormatError(
            f"{path}, row {number}: found {header.strip()!r}, expected the columns "
            f"{','.join(FIX_COLUMNS)} in this order."
        )
    fixes = []
    for number, line in rows[1:]:
        cells = _cells(line, delimiter)
        if len(cells) != len(FIX_COLUMNS):
            raise FormatError(
                f"{path}, row {number}: {len(cells)} fields, expected {len(FIX_COLUMNS)} "
                f"({', '.join(FIX_COLUMNS)}); leave the state empty for a whole country."
            )
        fixes.append(Fix(*cells, line=number))
    try:
        return check_fixes(fixes)
    except InputError as error:
        raise FormatError(f"{path}: {error}") from error


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
