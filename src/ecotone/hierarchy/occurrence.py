"""Which classes may be answered where only some species occur.

N detections, K classes, S global classes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ecotone.hierarchy.results import SPECIES_RANKS
from ecotone.hierarchy.tree import ClassTree, taxa_of
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.tree import Taxonomy
from ecotone.types import GlobalScores

SURE = 0.5  # a species that no score reaches so far is not asked about
MOST = 100


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
