"""Which classes may be answered where only some species occur, and what to make of the others.

N detections, K classes, S global classes, A other species, which a list of what occurs lacks. A
picture of one of them must not become the nearest species of the list. So where the global models
speak of another species rather than of any that may be answered, by the map from names and labels
alone, the answer has to hold that species too: its genus or family, or "animal". Labels that show
how a global model misnames a species that does occur teach the map, and then nothing is lifted.
Source: own design; the roll-up of SpeciesNet's geofence does the same without learning.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ecotone.fusion.evidence import EvidenceModel
from ecotone.hierarchy.results import SPECIES_RANKS
from ecotone.hierarchy.tree import ClassTree, taxa_of
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy
from ecotone.types import GlobalScores

SURE = 0.5  # a species that no score reaches so far is not asked about
MOST = 100
ODDS = 3.0  # so much likelier another species must be than any that may be answered


def allowed_classes(tree: ClassTree, present: np.ndarray) -> np.ndarray:
    """Classes (K,) bool that may be answered when only the taxa `present` (node numbers) occur.

    A class occurs when its taxon, one above it or one below it is listed; blank, human, vehicle and
    whatever else stands beside the animals always may.
    """
    animal = tree.node_of("animal")
    here = np.zeros(len(tree.classes), dtype=bool)
    for k, node in enumerate(tree.class_node):
        beside = not bool(tree.holds(animal, node))
        listed = tree.holds(present, node) | tree.holds(node, present)
        here[k] = beside or bool(np.any(listed))
    return here


def is_species(taxon: str, taxonomy: Taxonomy) -> bool:
    """Whether a node of the taxonomy is a species or finer."""
    return taxon in taxonomy and taxonomy.rank(taxon) in SPECIES_RANKS


def sure_species(
    scores: Mapping[str, GlobalScores], taxonomy: Taxonomy, without: Collection[str]
) -> list[str]:
    """Species (nodes of the taxonomy) that a global model is sure of somewhere, not in `without`.

    The most said first, at most `MOST`.
    """
    mass: dict[str, float] = {}
    for given in scores.values():
        if not given.values.nnz:
            continue
        highest = np.asarray(given.values.max(axis=0).todense()).ravel()
        total = np.asarray(given.values.sum(axis=0)).ravel()
        for column in np.flatnonzero(highest >= SURE):
            found = taxa_of(parse_label(given.classes[column]), taxonomy)
            if len(found) == 1 and found[0] not in without and is_species(found[0], taxonomy):
                mass[found[0]] = mass.get(found[0], 0.0) + float(total[column])
    return sorted(mass, key=lambda taxon: (-mass[taxon], taxon))[:MOST]


@dataclass(frozen=True, eq=False)
class OtherSpecies:
    """Maps that know other species too.

    evidence: of the K classes and A other species. allowed: (K + A,) bool. anchor: (K + A,) the
    lowest node of the tree that holds each.
    """

    evidence: EvidenceModel
    allowed: np.ndarray
    anchor: np.ndarray

    @classmethod
    def learn(
        cls, scores: Mapping[str, GlobalScores], tree: ClassTree, allowed: np.ndarray,
        labels: np.ndarray,
    ) -> OtherSpecies | None:
        """From labels (N,) of class names or None; None where no other species is spoken of."""
        here = {taxon for c in tree.classes for taxon in taxa_of(parse_label(c), tree.taxonomy)}
        more = sure_species(scores, tree.taxonomy, here) if scores else []
        may = np.concatenate([allowed, np.zeros(len(more), dtype=bool)])
        if may.all() or not scores:
            return None
        # Written as scientific names are, so that the map knows them for such.
        names = (*tree.classes, *(taxon[:1].upper() + taxon[1:] for taxon in more))
        index = {name: k for k, name in enumerate(tree.classes)}
        rows = np.flatnonzero([name is not None for name in labels])
        targets = np.eye(len(names))[[index[labels[r]] for r in rows]]
        given = dict(scores)
        evidence = EvidenceModel.start(given, names, tree.taxonomy).fit(given, rows, targets)
        anchors = [_anchor(taxon, tree) for taxon in more]
        return cls(evidence, may, np.concatenate([tree.class_node, anchors]).astype(int))

    def spoken_of(self, scores: Mapping[str, GlobalScores]) -> np.ndarray:
        """The node (N,) that holds the other species a row's scores speak of, -1 for none."""
        n = len(next(iter(scores.values())))
        said, _ = self.evidence.log_evidence(dict(scores), n)
        other = np.where(self.allowed, -np.inf, said)
        best = other.argmax(axis=1)
        gap = other[np.arange(n), best] - np.where(self.allowed, said, -np.inf).max(axis=1)
        return np.where(gap > np.log(ODDS), self.anchor[best], -1)


def _anchor(taxon: str, tree: ClassTree) -> int:
    for name in (taxon, *tree.taxonomy.ancestors(taxon)):
        if name in tree.nodes:
            return tree.nodes.index(name)
    return max(tree.node_of("animal"), 0)

