"""The taxa of a Camtrap DP: the entries that a study has, and one for every other name in use.

Source: `taxonomic` in https://camtrap-dp.tdwg.org/metadata/ (1.0.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies")
TEXTS = ("taxonID", "kingdom", "phylum", "class", "order", "family", "genus")
# The language of a vernacular name is not known here: ISO 639-3 "undetermined".
LANGUAGE = "und"
_SPECIES = re.compile(r"[A-Z][a-z-]+ (?!spp?\b|cf\b|aff\b|indet\b)[a-z-]{3,}")


def taxonomic(
    given: Any, names: Mapping[str, str], warn: Callable[[str], None]
) -> list[dict[str, Any]]:
    """The entries of the metadata as they are, mended where the profile would refuse them, and new
    ones for the other scientific names; `names`: scientific -> vernacular name, "" for none."""
    out, lost = [], 0
    for entry in given if isinstance(given, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("scientificName"), str):
            out.append(_valid(entry))
        else:
            lost += 1
    if lost:
        warn(f"taxonomic: {lost:,} entries without a scientificName are left out")
    known = {entry["scientificName"] for entry in out}
    out += [_entry(name, common) for name, common in sorted(names.items()) if name not in known]
    return out


def _entry(name: str, common: str) -> dict[str, Any]:
    out: dict[str, Any] = {"scientificName": name}
    if _SPECIES.fullmatch(name):
        out["taxonRank"] = "species"
    if common:
        out["vernacularNames"] = {LANGUAGE: common}
    return out


def _valid(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry without the properties that are of another kind than the profile says."""
    out = {}
    for name, value in entry.items():
        if name == "taxonRank":
            value = value.lower() if isinstance(value, str) else None
            value = value if value in RANKS else None
        elif name in TEXTS:
            value = value if isinstance(value, str) else None
        elif name == "vernacularNames":
            value = _vernacular(value)
        if value is not None:
            out[name] = value
    return out


def _vernacular(value: Any) -> dict[str, str] | None:
    if isinstance(value, str) and value:
        return {LANGUAGE: value}
    if not isinstance(value, dict):
        return None
    return {k: v for k, v in value.items() if re.fullmatch("[a-z]{3}", k) and isinstance(v, str)}
