"""Climbing from the best class upward until the answer is sure enough, with a guarantee.

N detections, n calibration items, K classes, V nodes.

The climbing rule starts from that of Goren et al. 2024 (hierarchical selective classification,
arXiv:2405.11533): start at the most probable class and climb until a node is sure enough. Here an
answer that holds m classes has to be m times surer, its doubt m (1 - p) below 1 - theta: it says
less, and what may go wrong is spent where it buys species. theta comes from split-conformal
calibration (Vovk et al. 2005; Angelopoulos and Bates 2021, arXiv:2107.07511) with, as the score of
an item, the surest wrong node on its way up: the answer is wrong if and only if that score is above
theta. So with theta the ceil((n + 1)(1 - alpha))-th smallest score, the answer is the truth or
holds it with probability at least 1 - alpha when detections are exchangeable with the calibration
items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.hierarchy.tree import ClassTree


@dataclass(frozen=True, eq=False)
class Evidence:
    """What climbing works on. node_proba: (N, V) float64. size: (V,) classes that a node holds.
    start: (N,) node where the way up starts. open: (V,) bool, nodes that may be answered; the root
    always is."""

    node_proba: np.ndarray
    size: np.ndarray
    start: np.ndarray
    open: np.ndarray

    @classmethod
    def of(
        cls, posteriors: np.ndarray, tree: ClassTree, allowed: np.ndarray | None = None,
        spoken: np.ndarray | None = None,
    ) -> Evidence:
        """From class posteriors (N, K). allowed: (K,) bool, classes that may be answered.

        The mass of a class that may not be answered stays with the nodes above it that hold others:
        it speaks for its genus, and for no other species of it. spoken: (N,) nodes that the answer
        has to hold, -1 for none; the way up then starts that high.
        """
        posteriors = np.asarray(posteriors, dtype=np.float64)
        free = np.ones(len(tree.nodes), dtype=bool)
        if allowed is not None:
            free = tree.under[np.asarray(allowed, dtype=bool)].any(axis=0)
        free[0] = True
        best = tree.class_node[posteriors.argmax(axis=1)]
        for _ in range(0 if spoken is None else int(tree.depth.max())):
            off = (spoken >= 0) & ~tree.holds(best, spoken)
            best = np.where(off, tree.parent[best], best)
        return cls(tree.proba(posteriors), tree.under.sum(axis=0), best, free)

    def surety(self, node: np.ndarray) -> np.ndarray:
        """(N,) 1 - m (1 - p) of one node a row, 0 at least; what is compared with theta."""
        doubt = 1.0 - self.node_proba[np.arange(len(node)), node]
        return np.maximum(1.0 - self.size[node] * doubt, 0.0)

    def needed(self, node: np.ndarray, theta: float) -> np.ndarray:
        """(N,) the probability that a node has to exceed: theta itself for a single class."""
        return 1.0 - (1.0 - theta) / np.maximum(self.size[node], 1)


def climb(evidence: Evidence, tree: ClassTree, theta: float) -> np.ndarray:
    """The answered node of each row, (N,) int: the first open one that is surer than theta.

    theta may be infinite: then every answer is the root, which says nothing.
    """
    node = evidence.start.copy()
    for _ in range(int(tree.depth.max()) + 1):
        low = ~evidence.open[node] | (evidence.surety(node) <= theta)
        low &= node > 0
        if not low.any():
            break
        node[low] = tree.parent[node[low]]
    return node


def surest_wrong(evidence: Evidence, tree: ClassTree, truth: np.ndarray) -> np.ndarray:
    """How sure the surest wrong node on the way up is, (n,); 0 where the start is right.

    truth: (n,) node numbers. Nodes that may not be answered are passed by, and cannot be wrong.
    """
    node, out = evidence.start.copy(), np.zeros(len(truth))
    for _ in range(int(tree.depth.max()) + 1):
        wrong = ~tree.holds(node, truth) & evidence.open[node] & (node > 0)
        out = np.where(wrong, np.maximum(out, evidence.surety(node)), out)
        node = np.where(node > 0, tree.parent[node], 0)
    return out


def conformal_threshold(scores: np.ndarray, alpha: float) -> float:
    """theta: the ceil((n + 1)(1 - alpha))-th smallest score; infinite when n is too small.

    Raises InputError when alpha is not between 0 and 1.
    """
    if not 0.0 < alpha < 1.0:
        raise InputError(f"alpha: {alpha}, expected a number between 0 and 1, like 0.05.")
    n = len(scores)
    # Rounded first: (99 + 1) * (1 - 0.01) is a little over 99 in floating point.
    place = math.ceil(round((n + 1) * (1.0 - alpha), 9))
    if place > n:
        return math.inf
    return float(np.sort(scores)[max(place, 1) - 1])


def least_items(alpha: float) -> int:
    """How many calibration items a finite threshold needs: 19 for alpha 0.05."""
    return max(math.ceil(round(1.0 / alpha, 9)) - 1, 1)
