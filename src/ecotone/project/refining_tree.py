"""The tree of a refinement: the project's taxonomy, the lineages in SpeciesNet's labels, and the
places of people's labels, by their scientific names or by the language's general knowledge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ecotone.errors import ProjectError
from ecotone.taxonomy.names import LINEAGE, parse_label
from ecotone.taxonomy.rollup import UNKNOWN
from ecotone.taxonomy.tree import Taxon, Taxonomy
from ecotone.taxonomy.vocabulary import vocabulary
from ecotone.taxonomy.words import key, plain
from ecotone.types import GlobalScores

RANK_OF = {2.0: "class", 3.0: "order", 4.0: "family", 4.3: "subfamily", 4.6: "tribe", 5.0: "genus",
           6.0: "species", 7.0: "subspecies"}
Names = Mapping[str, tuple[str, str]]


def is_speciesnet(scores: GlobalScores) -> bool:
    """Whether a model's classes are SpeciesNet's labels of seven tokens."""
    return bool(scores.classes) and all(c.count(";") == 6 for c in scores.classes)


def tree_of(
    project: Any, scores: Mapping[str, GlobalScores], labels: Iterable[str], names: Names
) -> Taxonomy:
    """A taxonomy that holds every label, whatever convention it is written in.

    labels: classes in use. names: (scientific, vernacular) name of labels, as people gave them. A
    label that nothing can place stands directly below animal, which the notes of the tree tell.
    Raises ProjectError when neither a taxonomy nor any label says where anything stands.
    """
    rows = [*(project.catalog.note("taxonomy") or ())]
    rows += [row for s in scores.values() if is_speciesnet(s) for row in _lineages(s.classes)]
    growing = _Growing(Taxonomy.from_rows(rows))
    lost = [
        label for label in dict.fromkeys(labels)
        if not growing.place(label, *names.get(label, ("", "")))
    ]
    if not growing.nodes:
        raise ProjectError(
            "nothing says where the labels stand in the tree of life; add a taxonomy (a csv with "
            "scientificName, genus, family, ...): ecotone add taxonomy taxonomy.csv"
        )
    for label in lost:
        growing.nodes.setdefault(plain(label), Taxon(plain(label), "species", ""))
    growing.fill()
    notes = [*growing.notes[:1]]
    if len(growing.notes) > 1:
        notes = [f"{growing.notes[0]}; and {len(growing.notes) - 1:,} more such rows"]
    if lost:
        notes.append(
            f"no taxonomy knows where these labels stand, so they are put directly below animal: "
            f"{', '.join(lost)}; better: ecotone add taxonomy FILE"
        )
    return Taxonomy(growing.nodes, notes)


def _lineages(classes: Iterable[str]) -> list[dict[str, str]]:
    rows = []
    for label in classes:
        _, *ranks, common = (token.strip() for token in label.split(";"))
        if any(ranks) and label != UNKNOWN:
            rows.append({**dict(zip(LINEAGE, ranks, strict=True)), "vernacularName": common})
    return rows


class _Growing:
    """The nodes of a taxonomy to which labels are added."""

    def __init__(self, base: Taxonomy) -> None:
        self.base, self.known = base, vocabulary()
        self.nodes = dict(base.nodes)
        self.notes = list(base.notes)

    def place(self, label: str, scientific: str, vernacular: str) -> bool:
        """Find or make the taxon of a label, so that the label's own words find it; whether it
        could be placed."""
        parsed = parse_label(label)
        if parsed.special:
            return True
        given = plain(scientific or parsed.scientific)
        spoken = [label, *([vernacular] if vernacular else ()), *parsed.vernacular]
        taxon = given if given in self.nodes else self.known.alias.get(given, "")
        if taxon not in self.nodes:
            taxon = self._add(given) if given else self._by_name(spoken)
        if not taxon:
            return False
        if given and plain(label) != taxon:
            self._only(label, taxon)
        own = [name for name in (label, vernacular) if name and plain(name) != taxon]
        node = self.nodes[taxon]
        self.nodes[taxon] = replace(
            node, vernacular=tuple(dict.fromkeys([*node.vernacular, *own])))
        return True

    def fill(self) -> None:
        """Hang what stands at a top below what the vocabulary knows to hold it."""
        for name in [n for n, taxon in self.nodes.items() if not taxon.parent]:
            child, above = name, self.known.parent.get(name, "")
            while above and above != "animal":
                rank = RANK_OF.get(self.known.fineness[above], "")
                if above in self.nodes or (rank and not above.startswith("~")):
                    known = above in self.nodes
                    if known and name in self._path(above):
                        break
                    self.nodes.setdefault(above, Taxon(above, rank, ""))
                    self.nodes[child] = replace(self.nodes[child], parent=above)
                    if known:
                        break
                    child = above
                above = self.known.parent.get(above, "")

    def _path(self, name: str) -> list[str]:
        path = []
        while name and name not in path:
            path.append(name)
            name = self.nodes[name].parent
        return path

    def _add(self, name: str) -> str:
        """A taxon of which only the scientific name is known."""
        words = name.split()
        if len(words) == 1:
            rank = RANK_OF.get(self.known.fineness.get(name, 0.0), "")
            rank = rank or ("family" if name.endswith("idae") else "genus")
            self.nodes[name] = Taxon(name, rank, "")
            return name
        self.nodes.setdefault(words[0], Taxon(words[0], "genus", ""))
        species = " ".join(words[:2])
        self.nodes.setdefault(species, Taxon(species, "species", words[0]))
        if len(words) > 2:
            self.nodes[name] = Taxon(name, "subspecies", species)
        return name

    def _by_name(self, spoken: Iterable[str]) -> str:
        """The one taxon that a common name means, here or in the language at large.

        A kind that only the language knows ("marmoset") becomes a node below what holds it.
        """
        for name in spoken:
            found = self.base.find(name) or list(self.known.whole(key(name)))
            if len(found) != 1 or found[0] == "animal":
                continue
            if not found[0].startswith("~"):
                return found[0] if found[0] in self.nodes else self._add(found[0])
            above = self.known.parent[found[0]]
            while above.startswith("~"):
                above = self.known.parent[above]
            above = "" if above == "animal" else above
            if above and above not in self.nodes:
                self._add(above)
            self.nodes.setdefault(plain(name), Taxon(plain(name), "", above))
            return plain(name)
        return ""

    def _only(self, label: str, taxon: str) -> None:
        """A scientific name tells what a label means: no other taxon is called so here."""
        words = key(label)
        for name, node in self.nodes.items():
            if name != taxon and any(key(v) == words for v in node.vernacular):
                kept = tuple(v for v in node.vernacular if key(v) != words)
                self.nodes[name] = replace(node, vernacular=kept)
