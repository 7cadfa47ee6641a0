"""Find a class by a few letters, in every language that the project or its taxonomy has.

K local classes; the taxonomy's taxa come after them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy
from ecotone.taxonomy.words import plain

SPECIALS = ("blank", "human", "vehicle", "unknown")
BETWEEN = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Name:
    """A class that a label may have. local: whether the project uses it already. also: its other
    names."""

    label: str
    scientific: str = ""
    vernacular: str = ""
    local: bool = False
    special: str = ""
    also: tuple[str, ...] = ()


class NameIndex:
    """All names, searched by the beginnings of their words; accents and case play no part."""

    def __init__(self, names: Iterable[Name]) -> None:
        self.names = list(names)
        self._texts = [
            [_words(t) for t in dict.fromkeys((n.label, n.scientific, n.vernacular, *n.also)) if t]
            for n in self.names
        ]

    def find(self, text: str, most: int = 12) -> list[tuple[Name, str]]:
        """The names that fit best, with the spelling that fitted where it is not shown anyway."""
        wanted = _words(text)
        if not wanted:
            return [(n, "") for n in self.names if n.local][:most]
        found = []
        for at, (name, texts) in enumerate(zip(self.names, self._texts, strict=True)):
            fits = [(_fit(wanted, words), len(words), i) for i, words in enumerate(texts)]
            best = min(((f, n, i) for f, n, i in fits if f is not None), default=None)
            if best is not None:
                found.append((not name.local, best[0], best[1], at, best[2]))
        found.sort()
        return [(self.names[at], self._spelling(at, i)) for *_, at, i in found[:most]]

    def _spelling(self, at: int, text: int) -> str:
        name = self.names[at]
        every = [t for t in dict.fromkeys(
            (name.label, name.scientific, name.vernacular, *name.also)) if t]
        shown = (name.label, name.scientific)
        return "" if every[text] in shown else every[text]

    def special(self, kind: str) -> str:
        """The project's own class for blank, human, vehicle or unknown, else that word."""
        return next((n.label for n in self.names if n.special == kind and n.local), kind)


def _words(text: str) -> list[str]:
    return [w for w in BETWEEN.split(plain(text)) if w]


def _fit(wanted: list[str], words: list[str]) -> int | None:
    """How well words begin as wanted: 0 the whole name, 1 from its first word, 2 anywhere; None
    where they do not."""
    if wanted == words:
        return 0
    at = 0
    first = None
    for word in wanted:
        while at < len(words) and not words[at].startswith(word):
            at += 1
        if at == len(words):
            return 3 if "".join(words).startswith("".join(wanted)) else None
        first = at if first is None else first
        at += 1
    return 1 if first == 0 else 2


def project_names(
    classes: Iterable[str], given: Mapping[str, tuple[str, str]], taxonomy: Taxonomy | None,
) -> Iterator[Name]:
    """The names of a project: its classes first, then blank and the like, then the taxonomy.

    given: class -> (scientific, vernacular) name as people gave them.
    """
    known: set[str] = set()
    specials: set[str] = set()
    for label in classes:
        parsed = parse_label(label)
        special = parsed.special if parsed.special in SPECIALS else ""
        specials.add(special)
        scientific, vernacular = given.get(label, ("", ""))
        scientific = scientific or parsed.scientific
        taxa = _taxa(taxonomy, scientific or label)
        also = [v for t in taxa for v in (t, *_vernaculars(taxonomy, t))]
        known.update(taxa)
        if len(taxa) == 1 and not scientific:
            scientific = taxa[0][:1].upper() + taxa[0][1:]
        yield Name(label, scientific, vernacular, True, special,
                   tuple(dict.fromkeys((*parsed.vernacular, *also))))
    for special in SPECIALS:
        if special not in specials:
            yield Name(special, special=special)
    for name in taxonomy.nodes if taxonomy else ():
        if name in known or parse_label(name).special:
            continue
        common = _vernaculars(taxonomy, name)
        scientific = name[:1].upper() + name[1:]
        yield Name(common[0] if common else scientific, scientific,
                   common[0] if common else "", also=tuple(common[1:]))


def _taxa(taxonomy: Taxonomy | None, name: str) -> list[str]:
    return taxonomy.find(name) if taxonomy is not None and name else []


def _vernaculars(taxonomy: Taxonomy | None, name: str) -> list[str]:
    if taxonomy is None:
        return []
    return [part.strip() for text in taxonomy.nodes[name].vernacular
            for part in text.split("|") if part.strip()]


def as_json(found: Iterable[tuple[Name, str]]) -> list[dict[str, Any]]:
    """Names as the page reads them; `matched` is the spelling that fitted."""
    return [{"label": n.label, "scientific": n.scientific, "vernacular": n.vernacular,
             "local": n.local, "special": n.special, "matched": matched} for n, matched in found]
