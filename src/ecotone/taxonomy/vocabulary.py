"""English animal nouns and where they stand: the built-in general knowledge of `vocabulary.txt`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from ecotone.errors import TaxonomyError
from ecotone.taxonomy.words import joined, key

INDENT = 2
# How fine a rank is. A group without a scientific name stands half a step below what holds it.
FINENESS = {
    "kingdom": 0.5, "phylum": 1.0, "class": 2.0, "order": 3.0, "family": 4.0, "subfamily": 4.3,
    "tribe": 4.6, "genus": 5.0, "species": 6.0, "subspecies": 7.0,
}

Index = dict[tuple[str, ...], list[str]]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The tree and its words.

    parent: node -> node ("" at a top). fineness: node -> see `FINENESS`. alias: another scientific
    name -> node. alone: key of a whole name -> nodes. last: key of a name's last words -> nodes.
    """

    parent: dict[str, str]
    fineness: dict[str, float]
    alias: dict[str, str]
    alone: dict[tuple[str, ...], tuple[str, ...]]
    last: dict[tuple[str, ...], tuple[str, ...]]
    compact: dict[str, tuple[str, ...]]

    def whole(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Nodes of a whole name; the gaps between its words do not count."""
        return self.alone.get(words) or self.compact.get(joined(words), ())

    def noun(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Nodes of the longest known noun that ends a name of several words."""
        for start in range(1, len(words)):
            if words[start:] in self.last:
                return self.last[words[start:]]
        return ()


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The built-in vocabulary, read once."""
    text = files("ecotone.taxonomy").joinpath("vocabulary.txt").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> Vocabulary:
    """Read the format that the head of `vocabulary.txt` tells.

    Raises TaxonomyError when a line is indented by more than one step.
    """
    parent: dict[str, str] = {}
    fineness: dict[str, float] = {}
    alias: dict[str, str] = {}
    alone: Index = {}
    first: Index = {}
    last: Index = {}
    stack: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        body = line.split("#")[0].rstrip()
        if not body:
            continue
        depth = (len(body) - len(body.lstrip())) // INDENT
        if depth > len(stack):
            raise TaxonomyError(f"vocabulary, line {number}: indented by more than one step.")
        stack = stack[:depth]
        above = stack[-1] if stack else ""
        heads, _, nouns = body.strip().partition(":")
        if heads.startswith("&"):
            for name in heads[1:].split():
                parent.setdefault(name, above)
                fineness.setdefault(name, _fineness(name, above, fineness))
            continue
        name, *others = [n.strip() for n in heads.split("|")]
        parent[name] = above
        fineness[name] = _fineness(name, above, fineness)
        alias.update(dict.fromkeys(others, name))
        stack.append(name)
        for node, noun in _nouns(name, nouns):
            if node != name:
                parent[node], fineness[node] = name, _fineness("~", name, fineness)
            _add(noun, node, alone, first, last)
    alone.update(first)
    compact = {joined(words): tuple(nodes) for words, nodes in alone.items()}
    return Vocabulary(parent, fineness, alias, _frozen(alone), _frozen(last), compact)


def _nouns(name: str, nouns: str) -> list[tuple[str, str]]:
    """(node, noun) of a line: its own nouns, then the kinds after ";", each a node of its own."""
    own, _, sorts = nouns.partition(";")
    found = [(name, noun) for noun in _listed(own)]
    for synonyms in _listed(sorts):
        node = f"~{synonyms.split('/')[0].strip('=* ')} of {name}"
        found += [(node, noun) for noun in synonyms.split("/")]
    return found


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _add(noun: str, name: str, alone: Index, first: Index, last: Index) -> None:
    words = key(noun.lstrip("=*"))
    if not noun.startswith("*"):
        _put(first if noun.startswith("=") else alone, words, name)
    if not noun.startswith("="):
        _put(last, words, name)


def _put(index: Index, words: tuple[str, ...], name: str) -> None:
    nodes = index.setdefault(words, [])
    if name not in nodes:
        nodes.append(name)


def _frozen(index: Index) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {words: tuple(nodes) for words, nodes in index.items()}


def _fineness(name: str, above: str, known: dict[str, float]) -> float:
    outer = known.get(above, 0.0)
    if not above:
        return 1.0
    if name.startswith("~"):
        ceiling = next(r for r in (2.0, 3.0, 4.0, 5.0, 6.0, 7.0) if r > outer)
        return outer + (ceiling - outer) / 2
    if " " in name:
        return 6.0
    if name.endswith("idae"):
        return 4.0
    if outer < 2.0:
        return 2.0
    return 3.0 if outer < 3.0 else 5.0
