"""Ids, short names and full lines of the classes in a MegaDetector file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ecotone.ingest.results import plain_label

TOKENS = 7  # uuid;class;order;family;genus;species;common name


class Categories:
    """Classes in the order in which they appear.

    descriptions: class -> its line of seven tokens, where known; a class that is such a line is its
    own. taken: names that no class may have, in any case. names: id -> short name, unique in any
    case. renamed: class -> the name it got because its own was taken.
    """

    def __init__(
        self, descriptions: Mapping[str, str] | None = None, taken: Iterable[str] = ()
    ) -> None:
        self.names: dict[str, str] = {}
        self.renamed: dict[str, str] = {}
        self._lines: dict[str, str] = {}
        self._given = dict(descriptions or {})
        self._ids: dict[str, str] = {}
        self._kept = {name.casefold() for name in taken}
        self._used = set(self._kept)

    def id_of(self, label: str) -> str:
        """The id of a class."""
        found = self._ids.get(label)
        if found is not None:
            return found
        line = self._given.get(label, label)
        new = self._ids[label] = str(len(self._ids))
        self._lines[new] = line if is_line(line) else ""
        name = short_name(label)
        if name.casefold() in self._used:
            name = self.renamed[label] = self._free(name, self._lines[new])
        self._used.add(name.casefold())
        self.names[new] = name
        return new

    def maps(self) -> dict[str, dict[str, str]]:
        """`classification_categories`, and the descriptions where any class has a taxon."""
        if not self.names:
            return {}
        out = {"classification_categories": self.names}
        if any(any(line.split(";")[1:6]) for line in self._lines.values()):
            labels = {new: label for label, new in self._ids.items()}
            out["classification_category_descriptions"] = {
                new: line or _line_of(labels[new]) for new, line in self._lines.items()
            }
        return out

    def _free(self, name: str, line: str) -> str:
        latin = _latin(line)
        if name.casefold() in self._kept:
            tries = [f"{name} (class)"]
        else:
            tries = [f"{name} ({latin})"] if latin else []
        tries += [f"{name} ({number})" for number in range(2, len(self._ids) + 3)]
        return next(text for text in tries if text.casefold() not in self._used)


def is_line(text: str) -> bool:
    """Whether a text has SpeciesNet's seven tokens."""
    return text.count(";") == TOKENS - 1


def short_name(label: str) -> str:
    """What people call a class: of a line its common name, else its finest taxon."""
    label = plain_label(label)
    if not is_line(label):
        return label.strip() or "unnamed"
    return label.split(";")[-1].strip() or _latin(label) or "unnamed"


def _latin(line: str) -> str:
    """The finest taxon of a line, "" where it has none."""
    if not is_line(line):
        return ""
    *_, genus, species = ranks = [token.strip() for token in line.split(";")[1:6]]
    if genus and species:
        return f"{genus} {species}"
    return next((rank for rank in reversed(ranks) if rank), "")


def _line_of(label: str) -> str:
    """A line for a class of which nothing but its name is known."""
    return f";;;;;;{label}" if ";" not in label else label


__all__ = ["Categories", "is_line", "short_name"]
