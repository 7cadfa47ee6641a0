"""The tree that classes stand in, as arrays.

K classes, V nodes. Node 0 is the root, which says nothing; "animal" holds all taxa, and blank,
human and vehicle stand beside it. A class stands at the node of its taxon, a genus or a family as
well as a species; classes that share a taxon (lion male, lion female) have a node each below it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import TaxonomyError
from ecotone.taxonomy.names import ParsedLabel, parse_label
from ecotone.taxonomy.special import SPECIAL
from ecotone.taxonomy.tree import Taxonomy
from ecotone.taxonomy.vocabulary import vocabulary
from ecotone.taxonomy.words import key, plain

ROOT, ANIMAL = "", "animal"
BESIDE = ("blank", "human", "vehicle")
KINGDOMS = ("animalia", "metazoa", ANIMAL)
TreeLike = Taxonomy | Mapping[str, str] | Iterable[Mapping[str, str]] | Iterable[str]


def as_taxonomy(tree: TreeLike) -> Taxonomy:
    """A Taxonomy from what people have: one, {child: parent}, rows with rank columns, or
    SpeciesNet's lines.

    Raises TaxonomyError on a cycle, an orphan (a parent that is missing), or another kind of value.
    """
    if isinstance(tree, Taxonomy):
        return tree
    if isinstance(tree, Mapping):
        return _from_parents(tree)
    rows = list(tree) if isinstance(tree, Iterable) and not isinstance(tree, str) else None
    if rows is not None and all(isinstance(row, Mapping) for row in rows):
        return Taxonomy.from_rows(rows)
    if rows is not None and all(isinstance(row, str) for row in rows):
        return Taxonomy.from_speciesnet(rows)
    raise TaxonomyError(
        f"tree: found {type(tree).__name__}, expected a Taxonomy, a dict child -> parent, rows "
        "with rank columns, or SpeciesNet's lines."
    )


def _from_parents(parents: Mapping[str, str]) -> Taxonomy:
    from ecotone.taxonomy.tree import Taxon

    tops = {plain(p) for p in parents.values() if p} - {plain(c) for c in parents}
    declared = [plain(c) for c, p in parents.items() if not p]
    others = [*declared, *sorted(tops)]
    if tops and len(others) > 1:
        orphan = next(c for c, p in parents.items() if plain(p or "") == others[-1])
        raise TaxonomyError(
            f"tree: {orphan!r} has the parent {parents[orphan]!r}, which has no row of its own, "
            f"and the tree has another top ({others[0]!r}); give every parent a row, tops "
            'with the parent "".'
        )
    above = {plain(c): plain(p or "") for c, p in parents.items()}
    above.update(dict.fromkeys(tops, ""))
    below = set(above.values())
    nodes = {}
    for name, parent in above.items():
        rank = _guess_rank(name, name in below)
        nodes[name] = Taxon(name, rank, parent)
    return Taxonomy(nodes)


def _guess_rank(name: str, inner: bool) -> str:
    words = name.split()
    if name in KINGDOMS:
        return "kingdom"
    if name.endswith("idae"):
        return "family"
    if len(words) > 1:
        return "species" if len(words) == 2 else "subspecies"
    return "" if inner else "species"


@dataclass(frozen=True, eq=False)
class ClassTree:
    """Classes in their tree.

    classes: K names as given. nodes: V names; rank: V ranks, "" where unknown. parent: (V,) int,
    -1 for the root. depth: (V,) int. class_node: (K,) int, the node of each class. under: (K, V)
    bool, whether a class stands at a node or below it. notes: what could not be placed well.
    """

    classes: tuple[str, ...]
    nodes: tuple[str, ...]
    rank: tuple[str, ...]
    parent: np.ndarray
    depth: np.ndarray
    class_node: np.ndarray
    under: np.ndarray
    taxonomy: Taxonomy
    notes: tuple[str, ...] = ()

    @classmethod
    def build(
        cls, classes: Sequence[str], tree: TreeLike, strict: bool = True,
        aliases: Mapping[str, str] | None = None,
    ) -> ClassTree:
        """Place classes in a tree.

        aliases: class -> a fuller name of it. strict: a class that the tree does not know is an
        error; otherwise it hangs below its genus where that is known, else below "animal", with a
        note. Raises TaxonomyError.
        """
        taxonomy = as_taxonomy(tree)
        return _Builder(taxonomy).build(tuple(map(str, classes)), strict, dict(aliases or {}))

    def node_of(self, label: str) -> int:
        """The node that a label of any convention means; -1 when it is not in this tree."""
        found = self._places.get(label)
        if found is None:
            found = self._places[label] = self._find(label)
        return found

    def above(self, node: int) -> list[int]:
        """The node and all that hold it, up to the root."""
        path = []
        while node >= 0:
            path.append(node)
            node = int(self.parent[node])
        return path

    def holds(self, upper: np.ndarray | int, lower: np.ndarray | int) -> np.ndarray:
        """Whether `upper` is `lower` or above it, elementwise; node numbers, -1 holds nothing."""
        upper, lower = np.broadcast_arrays(upper, lower)
        good = (upper >= 0) & (lower >= 0)
        return good & self._holds[np.where(good, upper, 0), np.where(good, lower, 0)]

    def common(self, nodes: Iterable[int]) -> int:
        """The lowest node that holds all of `nodes`."""
        shared = np.logical_and.reduce([self._holds[:, n] for n in nodes])
        return int(np.flatnonzero(shared)[np.argmax(self.depth[shared])])

    def proba(self, posteriors: np.ndarray) -> np.ndarray:
        """Node probabilities (N, V) of class posteriors (N, K): sums over the classes below."""
        return np.asarray(posteriors, dtype=np.float64) @ self.under

    def __post_init__(self) -> None:
        v = len(self.nodes)
        holds = np.zeros((v, v), dtype=bool)
        for node in range(v):
            holds[self.above(node), node] = True
        object.__setattr__(self, "_holds", holds)
        object.__setattr__(self, "_number", {name: n for n, name in enumerate(self.nodes)})
        object.__setattr__(self, "_places", {})

    def _find(self, label: str) -> int:
        if label in self.classes:
            return int(self.class_node[self.classes.index(label)])
        number: dict[str, int] = self._number  # type: ignore[attr-defined]
        names = taxa_of(parse_label(label), self.taxonomy)
        # A taxon without a class below it has no node here; nothing can be said below it.
        found = [number[n] for n in names if n in number]
        if len(found) != len(names) or not found:
            return -1
        return found[0] if len(found) == 1 else self.common(found)


def taxa_of(label: ParsedLabel, taxonomy: Taxonomy) -> list[str]:
    """The nodes that a label means: several when a name is ambiguous, none when it is unknown."""
    if label.special in (*BESIDE, ANIMAL):
        return [label.special]
    if label.special:
        return []
    common = _called(label, taxonomy)
    if common:
        return common
    if label.scientific:
        name = plain(label.scientific)
        if name in taxonomy:
            return [name]
        if name in KINGDOMS:
            return [ANIMAL]
    text = plain(label.text)
    if text in taxonomy:
        return [text]
    for name in (label.text, *label.vernacular):
        found = taxonomy.find(name)
        if found:
            return found
    # "mammal" where the taxonomy lists no common name for mammalia.
    known = [n for name in label.vernacular for n in vocabulary().whole(key(name))]
    return [n for n in dict.fromkeys(known) if n in taxonomy]


def _called(label: ParsedLabel, taxonomy: Taxonomy) -> list[str]:
    """The species that is called like its genus: "caracal" in small letters is Caracal caracal."""
    text = label.text.strip()
    if text != text.lower() or text not in taxonomy or label.generic or any(label.lineage):
        return []
    return [
        child for child in taxonomy.children(text)
        if key(text) in map(key, taxonomy.nodes[child].vernacular)
    ]


class _Builder:
    """Collects nodes from the classes upward."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self.number = {ROOT: 0}
        self.names, self.ranks, self.parents = [ROOT], [""], [-1]
        self.notes: list[str] = list(taxonomy.notes)

    def build(
        self, classes: tuple[str, ...], strict: bool, aliases: Mapping[str, str]
    ) -> ClassTree:
        if not classes:
            raise TaxonomyError("tree: no classes; give at least one.")
        if len(set(classes)) < len(classes):
            raise TaxonomyError("tree: a class is listed twice; give every class once.")
        at = [self._place(name, aliases.get(name, name), strict) for name in classes]
        shared = {node for node in at if at.count(node) > 1}
        own = [
            self._node(name, "local", node) if node in shared else node
            for name, node in zip(classes, at, strict=True)
        ]
        parent = np.array(self.parents)
        depth = np.zeros(len(parent), dtype=int)
        under = np.zeros((len(classes), len(parent)), dtype=bool)
        for node in range(len(parent)):
            depth[node] = len(self._path(node)) - 1
        for k, node in enumerate(own):
            under[k, self._path(node)] = True
        return ClassTree(
            classes, tuple(self.names), tuple(self.ranks), parent, depth, np.array(own), under,
            self.taxonomy, tuple(dict.fromkeys(self.notes)),
        )

    def _path(self, node: int) -> list[int]:
        path = []
        while node >= 0:
            path.append(node)
            node = self.parents[node]
        return path

    def _node(self, name: str, rank: str, parent: int) -> int:
        if name in self.number and rank == "local":
            name = f"{name} (class)"
        if name not in self.number:
            self.number[name] = len(self.names)
            self.names.append(name)
            self.ranks.append(rank)
            self.parents.append(parent)
        return self.number[name]

    def _place(self, name: str, known_as: str, strict: bool) -> int:
        label = parse_label(known_as)
        if SPECIAL.get(key(name)) == "unknown":
            return self._node(name, "", 0)  # a class of its own, beside all others
        taxa = taxa_of(label, self.taxonomy)
        if not taxa and strict:
            raise TaxonomyError(f"label {name!r} is not in the tree{self._near(name)}.")
        if len(taxa) > 1:
            self.notes.append(f"{name!r} may be {', '.join(taxa)}: placed at what holds them all")
            return self._common([self._taxon(t) for t in taxa])
        if taxa:
            return self._taxon(taxa[0])
        return self._guess(name, label)

    def _guess(self, name: str, label: ParsedLabel) -> int:
        words = plain(label.scientific).split()
        genus = words[0] if words else ""
        if len(words) > 1 and genus in self.taxonomy:
            return self._node(" ".join(words), "species", self._taxon(genus))
        self.notes.append(f"{name!r} is not in the taxonomy: placed directly below animal")
        if len(words) > 1:
            above = self._node(genus, "genus", self._taxon(ANIMAL))
            return self._node(" ".join(words), "species", above)
        return self._node(words[0] if words else name, "" if words else "species",
                          self._taxon(ANIMAL))

    def _taxon(self, name: str) -> int:
        """The node of a taxon, with all that hold it."""
        if name in BESIDE:
            return self._node(name, "", 0)
        above = self.taxonomy.ancestors(name)[::-1] if name in self.taxonomy else []
        node = self._node(ANIMAL, "kingdom", 0)
        for step in (*above, name):
            if step in KINGDOMS:
                self.number.setdefault(step, node)
                continue
            node = self._node(step, self.taxonomy.rank(step), node)
        return node

    def _common(self, nodes: list[int]) -> int:
        paths = [self._path(n)[::-1] for n in nodes]
        shared = 0
        for steps in zip(*paths, strict=False):
            if len(set(steps)) > 1:
                break
            shared = steps[0]
        return shared

    def _near(self, name: str) -> str:
        known = [*self.taxonomy.nodes, *BESIDE]
        near = difflib.get_close_matches(plain(name), known, n=1, cutoff=0.6)
        return f"; did you mean {near[0]!r}?" if near else "; add a row for it"
