"""The labels of a global model, to be looked up by name, by node and by likeness of spelling."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence

from ecotone.taxonomy.names import ParsedLabel
from ecotone.taxonomy.places import Place, Places
from ecotone.taxonomy.words import joined, key

FAMILY = 4.0
SPECIALISED = 0.7  # share of labels with a place in the tree, in a model of animals
SPECIES = 6.0
WIDESPREAD = ("common", "eurasian", "northern")  # said of one species by different lists
ALIKE = 0.85  # likeness from which a word that nothing knows is taken for a misspelt one
SHORTEST = 6  # letters of the shortest name that is mended so


class LabelIndex:
    """S parsed labels, where they stand, and three ways to find them (by number 0..S-1)."""

    def __init__(self, labels: Sequence[ParsedLabel], places: Places) -> None:
        self.labels = list(labels)
        self.graph = places
        self.places = [places.place(label) for label in self.labels]
        self.at: dict[str, list[int]] = {}
        self.under: dict[str, list[int]] = {}
        self.special: dict[str, list[int]] = {}
        self._names: dict[str, list[tuple[int, int]]] = {}
        self._trigrams: dict[str, set[int]] | None = None
        self._split: dict[str, dict[int, float]] = {}
        fineness = places.fineness
        self._below: list[dict[str, str]] = []  # of each label: node -> the next finer one
        for place in self.places:
            path = sorted(place.above, key=lambda n: (fineness[n], n))
            self._below.append(dict(zip(path, path[1:], strict=False)))
        for s, (label, place) in enumerate(zip(self.labels, self.places, strict=True)):
            for node in place.at:
                self.at.setdefault(node, []).append(s)
            for node in place.above - place.at:
                self.under.setdefault(node, []).append(s)
            if label.special:
                self.special.setdefault(label.special, []).append(s)
            for position, name in enumerate(label.vernacular):
                self._names.setdefault(joined(key(name)), []).append((s, position))
        standing = sum(1 for p in self.places if any(not n.startswith('"') for n in p.above))
        self.specialised = standing >= SPECIALISED * len(self.labels)
        self.humans = frozenset(
            s for s, place in enumerate(self.places) if "~people" in place.above
        )

    def parts(self, node: str, members: Sequence[int]) -> dict[int, float]:
        """How a group's weight is split among some of its labels: label -> share, summing to 1.

        The tree is followed downward, and a branch counts by the square root of its labels, so
        that a hundred breeds of dogs leave something to the wolves beside them.
        """
        if node not in self._split:
            whole = [*self.at.get(node, ()), *self.under.get(node, ())]
            self._split[node] = self._divide(node, whole)
        shares = self._split[node]
        total = sum(shares[s] for s in members)
        return {s: shares[s] / total for s in members}

    def _divide(self, node: str, members: Sequence[int]) -> dict[int, float]:
        branches: dict[str | int, list[int]] = {}
        for s in members:
            branches.setdefault(self._below[s].get(node, s), []).append(s)
        total = sum(len(branch) ** 0.5 for branch in branches.values())
        found: dict[int, float] = {}
        for below, branch in branches.items():
            share = len(branch) ** 0.5 / total
            inside = self._divide(below, branch) if isinstance(below, str) else {branch[0]: 1.0}
            found.update({s: share * part for s, part in inside.items()})
        return found

    def named(self, name: str, place: Place) -> list[int]:
        """Labels of exactly that name. A label's first name goes before its other names.

        Homonyms are left out: labels that stand in another family than the name itself does.
        The common, the Eurasian and the northern raven are one bird.
        """
        words = key(name)
        spelt = self._names.get(joined(words), ())
        if not spelt and words[:1] and words[0] in WIDESPREAD:
            others = (self._names.get(joined((first, *words[1:])), ()) for first in WIDESPREAD)
            spelt = [entry for entries in others for entry in entries]
        found = [
            (position > 0, s) for s, position in spelt
            if self._agree(name, place, self.places[s])
        ]
        best = min((second for second, _ in found), default=False)
        return sorted({s for second, s in found if second == best})

    def _agree(self, name: str, one: Place, other: Place) -> bool:
        fineness = self.graph.fineness
        if not any(not n.startswith('"') for n in one.above):
            return True
        if not any(not n.startswith('"') for n in other.above):
            return not self.graph.whole(name)  # "mouse, computer mouse" is known to be no mouse
        if one.at & other.above or other.at & one.above:
            return True
        return any(fineness[n] >= FAMILY for n in one.above & other.above)

    def mere_kind(self, s: int) -> bool:
        """Whether a label is a kind without a scientific name of its own, as a dog's breed is."""
        return not any(self.graph.fineness[n] >= SPECIES for n in self.places[s].at)

    def guesses(self, name: str, top: int = 3) -> list[str]:
        """Labels spelt most like a name, for a person to look at."""
        wanted = _trigrams(joined(key(name)))
        scores: Counter[int] = Counter()
        if self._trigrams is None:
            self._trigrams = {}
            for s, label in enumerate(self.labels):
                for common in (*label.vernacular, label.scientific):
                    for gram in _trigrams(joined(key(common))):
                        self._trigrams.setdefault(gram, set()).add(s)
        for gram in wanted:
            scores.update(self._trigrams.get(gram, ()))
        likely = [s for s, _ in scores.most_common(50)]
        likely.sort(key=lambda s: -self._likeness(name, self.labels[s]))
        return [shown(self.labels[s]) for s in likely[:top]]

    def misspelt(self, name: str) -> str:
        """The known name that a name nothing knows is most like, "" when none is very like it."""
        wanted = joined(key(name))
        if len(wanted) < SHORTEST:
            return ""
        candidates = {**dict.fromkeys(self.graph.known.compact), **dict.fromkeys(self._names)}
        near = [c for c in candidates if abs(len(c) - len(wanted)) <= 2 and c[:1] == wanted[:1]]
        found = difflib.get_close_matches(wanted, near, n=1, cutoff=ALIKE)
        return found[0] if found else ""

    def _likeness(self, name: str, label: ParsedLabel) -> float:
        wanted = joined(key(name))
        return max(
            (difflib.SequenceMatcher(None, wanted, joined(key(n))).ratio()
             for n in (*label.vernacular, label.scientific)), default=0.0,
        )


def shown(label: ParsedLabel) -> str:
    """A label as a person reads it: without identifier and lineage."""
    if ";" not in label.text:
        return label.text
    return (label.vernacular or (label.scientific or label.text,))[0]


def _trigrams(word: str) -> set[str]:
    padded = f" {word} "
    return {padded[i : i + 3] for i in range(len(padded) - 2)}
