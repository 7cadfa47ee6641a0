"""Where labels stand: one graph of the vocabulary, a given taxonomy and the labels' own lineages.

A node is a scientific name in lower case, a "~group" of the vocabulary, or, for names that nothing
knows, their last words in quotes (so that two unknown names can still share a noun).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ecotone.taxonomy.names import LINEAGE, ParsedLabel
from ecotone.taxonomy.tree import Taxonomy, lineage_path
from ecotone.taxonomy.vocabulary import FINENESS, vocabulary
from ecotone.taxonomy.words import joined, key, plain

Words = tuple[str, ...]
SPECIAL_NODE = {
    "blank": "~blank", "human": "homo sapiens", "vehicle": "~vehicle", "animal": "animal",
}
THING = "~thing"
NO_ANIMAL = ("~vehicle", THING)  # a listed name from here tells what the others mean
NOUN = 4.5  # fineness of a noun that nothing knows


@dataclass(frozen=True)
class Place:
    """at: nodes that the label means. above: those, and all that hold it."""

    at: frozenset[str] = frozenset()
    above: frozenset[str] = frozenset()


class Places:
    """The graph. Build it with all labels that will be placed, then call `place`."""

    def __init__(self, labels: Iterable[ParsedLabel], taxonomy: Taxonomy | None = None) -> None:
        self.known = vocabulary()
        self.parents: dict[str, list[str]] = {
            node: [parent] if parent else [] for node, parent in self.known.parent.items()
        }
        self.fineness: dict[str, float] = dict(self.known.fineness)
        self.names: dict[Words, list[str]] = {}
        self.compact: dict[str, list[str]] = {}
        self.short: dict[Words, list[str]] = {}
        self._closure: dict[str, frozenset[str]] = {}
        if taxonomy is not None:
            self._add_taxonomy(taxonomy)
        labels = list(labels)
        for label in labels:
            if any(label.lineage):
                self._add_path(lineage_path(dict(zip(LINEAGE, label.lineage, strict=True))),
                               label.vernacular)
        self._add_binomials(labels)

    def closure(self, node: str) -> frozenset[str]:
        """The node and all that hold it."""
        found = self._closure.get(node)
        if found is None:
            seen = {node}
            queue = [node]
            while queue:
                for parent in self.parents.get(queue.pop(), ()):
                    if parent not in seen:
                        seen.add(parent)
                        queue.append(parent)
            found = self._closure[node] = frozenset(seen)
        return found

    def place(self, label: ParsedLabel) -> Place:
        """Where a label stands; empty for one that says nothing."""
        if label.special in SPECIAL_NODE:
            return self._at([SPECIAL_NODE[label.special]])
        if label.special:
            return Place()
        if label.scientific:
            found = self._scientific(label)
            if found.at:
                return found
        return self._vernacular(label.vernacular)

    def whole(self, name: str) -> list[str]:
        """Nodes of a whole vernacular name, by the taxonomy, then by the vocabulary."""
        words = key(name)
        found = self.names.get(words) or self.compact.get(joined(words))
        found = found or list(self.known.whole(words))
        if found:
            return list(found)
        # "mantled howler" and "mantled howler monkey" are one where it is known to be a monkey.
        found = [n for n in self.short.get(words, ()) if n]
        if found:
            return found
        if len(words) > 1 and words[-1:] in self.known.last:
            nouns = set(self.known.last[words[-1:]])
            shorter = self.names.get(words[:-1]) or self.known.whole(words[:-1])
            return [n for n in shorter if nouns & self.closure(n)]
        return []

    def _at(self, nodes: Iterable[str]) -> Place:
        nodes = frozenset(nodes)
        return Place(nodes, frozenset().union(*(self.closure(n) for n in nodes)))

    def _scientific(self, label: ParsedLabel) -> Place:
        node = self.node_of(label.scientific)
        if node not in self.parents:
            return Place()
        place = self._at([node])
        at, above = set(place.at), set(place.above)
        for name in label.vernacular:
            for other in self.whole(name):
                if self._agrees(other, place.above) and other not in at:
                    above |= self.closure(other) if self.fineness[other] < 6.0 else set()
                    if self.fineness[other] <= self.fineness[node]:
                        at.add(other)
            nouns = self.known.noun(key(name)) if name == label.vernacular[0] else ()
            for noun in nouns:
                if self.fineness[noun] < 6.0 and self._agrees(noun, place.above):
                    above |= self.closure(noun)
        return Place(frozenset(at), frozenset(above))

    def node_of(self, scientific: str) -> str:
        """The node of a scientific name, other names for the same taxon included."""
        name = plain(scientific)
        return self.known.alias.get(name, name)

    def _agrees(self, node: str, above: frozenset[str]) -> bool:
        """Whether a noun's taxon holds the label: the fox of "flying fox" does not hold a bat."""
        while node.startswith("~") and self.known.parent.get(node):
            node = self.known.parent[node]
        return node in above or not any(n in self.known.parent for n in above)

    def _vernacular(self, names: tuple[str, ...]) -> Place:
        wholes = [self.whole(name) for name in names]
        nouns = [list(self.known.noun(key(name))) for name in names]
        for name, found in zip(names, [w or n for w, n in zip(wholes, nouns, strict=True)],
                               strict=True):
            if len(key(name)) > 1 and found and found[0] in NO_ANIMAL:
                return self._at(found) if found[0] == "~vehicle" else self._unknown(names)
        if [THING] in wholes:
            return self._unknown(names)
        # A first name that nothing knows beside one homonym ("breakwater, ..., mole") says nothing.
        if wholes and (wholes[0] or 2 * sum(map(bool, wholes)) >= len(wholes)):
            return self._at(next(found for found in wholes if found))
        for found in nouns:
            if found:
                return Place(frozenset(), self._at(found).above)
        return self._unknown(names)

    def _unknown(self, names: tuple[str, ...]) -> Place:
        at, above = set(), set()
        for name in names:
            words = key(name)
            for start in range(len(words)):
                node = '"' + " ".join(words[start:]) + '"'
                self.parents.setdefault(node, [])
                self.fineness[node] = NOUN + 0.1 * min(len(words) - start, 4)
                above.add(node)
            if words:
                at.add('"' + " ".join(words) + '"')
        return Place(frozenset(at), frozenset(above))

    def _add_taxonomy(self, taxonomy: Taxonomy) -> None:
        for name, taxon in taxonomy.nodes.items():
            self._add_node(name, taxon.parent, taxon.rank)
        for name, taxon in taxonomy.nodes.items():
            self._add_names(name, taxon.vernacular)

    def _add_path(self, path: list[tuple[str, str]], names: tuple[str, ...]) -> None:
        above = ""
        for rank, name in path:
            self._add_node(name, above, rank)
            above = name
        if above:
            self._add_names(above, names)

    def _add_node(self, name: str, parent: str, rank: str) -> None:
        name, parent = self.node_of(name), self.node_of(parent)
        parents = self.parents.setdefault(name, [])
        self.fineness.setdefault(name, FINENESS.get(rank, 5.0))
        if parent and parent != name and parent not in parents:
            parents.append(parent)
        if not parent and not parents and name != "animal":
            parents.append("animal")

    def _add_names(self, name: str, vernacular: Iterable[str]) -> None:
        node = self.node_of(name)
        for common in vernacular:
            words = key(common)
            if not words:
                continue
            for index, entry in ((self.names, words), (self.compact, joined(words))):
                nodes = index.setdefault(entry, [])
                if node not in nodes:
                    nodes.append(node)
            if len(words) > 2 and words[-1:] in self.known.last:
                self.short.setdefault(words[:-1], []).append(node)

    def _add_binomials(self, labels: list[ParsedLabel]) -> None:
        """Genera that nothing knows stand where the nouns of their species stand."""
        nouns: dict[str, list[str]] = {}
        for label in labels:
            words = self.node_of(label.scientific).split()
            if not words or any(label.lineage) or " ".join(words) in self.parents:
                continue
            genus = words[0]
            if genus not in self.parents or genus in nouns:
                self.parents.setdefault(genus, [])
                self.fineness.setdefault(genus, FINENESS["family" if genus.endswith("idae")
                                                         else "genus"])
                found = self._vernacular(label.vernacular).above
                nouns.setdefault(genus, []).extend(self._holders(found))
            for n in range(2, len(words) + 1):
                self._add_node(" ".join(words[:n]), " ".join(words[: n - 1]),
                               "species" if n == 2 else "subspecies")
        for genus, found in nouns.items():
            if found:
                shared = frozenset.intersection(*(self.closure(n) for n in found))
                finest = sorted(shared, key=lambda n: (-self.fineness[n], n))
                self.parents[genus] = finest[:1]
        self._closure.clear()

    def _holders(self, above: frozenset[str]) -> list[str]:
        """The finest node above species level that the vocabulary knows."""
        fine = [n for n in above if n in self.known.parent and self.fineness[n] < 5.0]
        return [max(fine, key=lambda n: self.fineness[n])] if fine else []
