"""What the names of local classes stand for: scientific names, and which of them are no animals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ecotone.types import CATEGORIES


def scientific_names(
    classes: Sequence[str], rows: Iterable[Mapping[str, str]]
) -> tuple[str, ...]:
    """The scientific name of each class by the rows of taxonomy.csv (column `label`), else ""."""
    known = {row.get("label", ""): row.get("scientificName", "") for row in rows}
    return tuple(known.get(name, "") for name in classes)


def special_classes(classes: Sequence[str]) -> frozenset[str]:
    """Which of the categories human, vehicle and blank have a class of their own."""
    from ecotone.taxonomy.names import parse_label

    found = {str(parse_label(name).special or "") for name in classes}
    return frozenset(found & set(CATEGORIES[1:]))
