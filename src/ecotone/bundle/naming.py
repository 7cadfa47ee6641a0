"""What the names of local classes stand for: scientific names, and which of them are no animals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

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


class Named:
    """What a model with `classes` and `taxonomy` says of their names."""

    classes: tuple[str, ...]
    taxonomy: tuple[dict[str, str], ...]

    @cached_property
    def scientific_names(self) -> tuple[str, ...]:
        """The scientific name of each class, "" where it has none or it is not known."""
        return scientific_names(self.classes, self.taxonomy)

    @cached_property
    def special_classes(self) -> frozenset[str]:
        """Which of the categories human, vehicle and blank have a class of their own."""
        return special_classes(self.classes)
