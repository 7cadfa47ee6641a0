"""How good answers at any height of the tree are.

N detections, V nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.hierarchy.results import Refinement
from ecotone.hierarchy.tree import ClassTree


@dataclass(frozen=True)
class HierarchicalScores:
    """Shares of the n detections that were asked, all in 0..1, NaN where there is nothing to count.

    coverage: got another label. Of these, hierarchical_accuracy: the answer is the truth or an
    ancestor of it; species_share: it is a species or finer; exact_accuracy: it is the truth;
    wrong_species_rate: it is a species, and a wrong one. information_gain: mean bits, log2 of
    classes under the label before over classes under the answer, over all n (unchanged: 0).
    held: over all n, share whose label now holds the truth (what the guarantee speaks of).
    """

    n: int
    coverage: float
    hierarchical_accuracy: float
    species_share: float
    exact_accuracy: float
    wrong_species_rate: float
    information_gain: float
    held: float


def hierarchical_scores(
    refinement: Refinement, truth: Sequence[str], tree: ClassTree,
    rows: np.ndarray | None = None,
) -> HierarchicalScores:
    """Score answers against the true class of each row; rows: those to count (mask or numbers).

    Raises InputError when a truth is not in the tree.
    """
    use = np.arange(len(refinement)) if rows is None else np.arange(len(refinement))[rows]
    number = {name: node for node, name in enumerate(tree.nodes)}
    number.update({name: int(n) for name, n in zip(tree.classes, tree.class_node, strict=True)})
    true = np.array([number.get(str(truth[r]), -1) for r in use], dtype=int)
    if (true < 0).any():
        name = truth[use[int(np.argmin(true))]]
        raise InputError(f"truth: {name!r} is no class of this tree.")
    changed = refinement.changed[use]
    answers = [str(n) for n in refinement.node[use]]
    node = np.array([number[a] if a in number else tree.node_of(a) for a in answers], dtype=int)
    before = np.array([max(tree.node_of(str(w)), 0) for w in refinement.was[use]], dtype=int)
    right, species = tree.holds(node, true), refinement.at_species[use]
    leaves = np.maximum(tree.under.sum(axis=0), 1)
    bits = np.where(changed, np.log2(leaves[before] / leaves[np.maximum(node, 0)]), 0.0)

    def share(values: np.ndarray) -> float:
        return float(values.mean()) if len(values) else float("nan")

    return HierarchicalScores(
        n=len(use), coverage=share(changed), hierarchical_accuracy=share(right[changed]),
        species_share=share(species[changed]), exact_accuracy=share((node == true)[changed]),
        wrong_species_rate=share((species & ~right)[changed]), information_gain=share(bits),
        held=share(right | ~changed),
    )
