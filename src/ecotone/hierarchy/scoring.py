"""Stage 5: from distances to an answer, at species or higher, or none.

M detections, C classes with a centroid, V nodes, d dimensions of the space.

With d1, d2 the two smallest cosine distances, c the nearest class, sd_c and mean_c of its own
crops, and t_r = the largest distance of a rank times median / typical:

    c is the answer when (d1 - mean_c) / sd_c <= 2,  d2 - d1 >= 0.02  and  d1 <= t_rank(c)

Else the candidates are the classes within sd_c behind the first (and within the gap, when that was
too small), the answer their lowest common ancestor, and higher up where d1 > t_rank. A class that
was refused for its own distance is not answered by this way round. A taxon that does not occur here
competes like all others; instead of it the lowest taxon above it is answered that occurs. Nothing
above class rank is an answer, and nothing that is not below the label before.
Source: Markoff and Galaktionovs 2025, arXiv:2510.14594 (stage "adaptive cosine-distance scoring";
rules and numbers of our own).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.hierarchy.centroids import Centroids
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.hierarchy.tree import ANIMAL, ClassTree

ENTRIES = 1 << 22  # numbers of a block's largest table
COARSE = 5  # the level above class
SMALLEST_SD = 1e-6


@dataclass(frozen=True, eq=False)
class Scored:
    """node: (M,) int, -1 for no answer. first, second: (M,) int class numbers (second -1 where
    there is one class). first_distance, second_distance, threshold: (M,), NaN where there is
    none."""

    node: np.ndarray
    first: np.ndarray
    second: np.ndarray
    first_distance: np.ndarray
    second_distance: np.ndarray
    threshold: np.ndarray


def levels(tree: ClassTree) -> np.ndarray:
    """Level (V,) of each node: 0 species or finer, 1 genus, 2 family, 3 order, 4 class, 5 above.

    A node without a known rank is one level above the highest of its children, class at most.
    """
    out = np.zeros(len(tree.nodes), dtype=int)
    animal = tree.node_of(ANIMAL)
    for node in np.argsort(-tree.depth, kind="stable"):
        known = _level(tree.rank[node])
        below = out[tree.parent == node]
        out[node] = known if known >= 0 else min(int(below.max(initial=-1)) + 1, 4)
    out[[0, animal] if animal >= 0 else [0]] = COARSE
    return out


def _level(rank: str) -> int:
    if rank in ("species", "subspecies", "local"):
        return 0
    for level, word in ((1, "genus"), (2, "famil"), (2, "tribe"), (3, "order"), (4, "class"),
                        (COARSE, "phyl"), (COARSE, "kingdom"), (COARSE, "domain")):
        if word in rank:
            return level
    return -1


class Scorer:
    """Answers for one set of centroids.

    tree: the tree. node: (C,) the node of each class. occurs: (V,) bool, what may be answered.
    limit_: (V,) the largest first distance for an answer at a node.
    """

    def __init__(
        self, tree: ClassTree, node: np.ndarray, centroids: Centroids, occurs: np.ndarray,
        settings: FiveStageSettings,
    ) -> None:
        self.tree, self.node, self.centroids, self.settings = tree, node, centroids, settings
        level = levels(tree)
        usual = settings.typical_distance
        scale = centroids.median / usual if usual > 0 else 1.0
        self.limit_ = np.append(np.array(settings.rank_distances) * scale, np.inf)[level]
        animal = tree.node_of(ANIMAL)
        below = tree.holds(animal, np.arange(len(tree.nodes)))
        self.answerable_ = below & (level < COARSE)
        self.occurs_ = occurs | ~below
        self._apart = ~tree.holds(np.arange(len(tree.nodes))[:, None], node[None, :]).T  # (C, V)

    def score(self, features: np.ndarray, at: np.ndarray) -> Scored:
        """Answers for unit rows (M, d). at: (M,) node of the label before; -1: no answer."""
        step = max(ENTRIES // max(len(self.node), len(self.tree.nodes)), 1)
        parts = [self._block(features[i : i + step], at[i : i + step])
                 for i in range(0, max(len(features), 1), step)]
        return Scored(*(np.concatenate([getattr(p, name) for p in parts])
                        for name in Scored.__dataclass_fields__))

    def _block(self, features: np.ndarray, at: np.ndarray) -> Scored:
        far = 1.0 - np.asarray(features, dtype=np.float64) @ self.centroids.vectors.T
        rows = np.arange(len(far))
        first = far.argmin(axis=1)
        d1, d2 = far[rows, first], np.full(len(far), np.nan)
        second = np.full(len(far), -1)
        if far.shape[1] > 1:
            others = far.copy()
            others[rows, first] = np.inf
            second = others.argmin(axis=1)
            d2 = others[rows, second]
        node, limit = self._decide(far, first, d1, d2)
        good = (node >= 0) & (at >= 0) & (node != at) & self.tree.holds(at, node)
        good &= self.answerable_[node]
        limit = np.where(good & np.isfinite(limit), self.limit_[node], limit)
        return Scored(np.where(good, node, -1), first, second, d1, d2, limit)

    def _decide(
        self, far: np.ndarray, first: np.ndarray, d1: np.ndarray, d2: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The node that the distances speak for, and the limit that the first was held to."""
        own = self.node[first]
        if not self.settings.scoring:
            return self._occurring(own), np.full(len(own), np.nan)
        s, sd = self.settings, np.maximum(self.centroids.sd[first], SMALLEST_SD)
        outside = (d1 - self.centroids.mean[first]) / sd > s.deviations
        close = d2 - d1 < s.gap
        sure = ~outside & ~close & (d1 <= self.limit_[own])
        node = own.copy()
        rest = np.flatnonzero(~sure)
        if len(rest):
            reach = np.maximum(s.pool_deviations * self.centroids.sd[first], s.gap * close)[rest]
            pool = far[rest] <= (d1[rest] + reach)[:, None]
            shared = self._common(pool)
            refused = (shared == own[rest]) & (outside[rest] | (pool.sum(axis=1) == 1))
            shared[refused] = self.tree.parent[shared[refused]]
            node[rest] = self._climb(shared, d1[rest])
        return self._occurring(node), self.limit_[own]

    def _common(self, pool: np.ndarray) -> np.ndarray:
        """The lowest node that holds all candidates of a row; pool: (M, C) bool."""
        missed = pool.astype(np.float32) @ self._apart.astype(np.float32)
        return np.where(missed == 0, self.tree.depth, -1).argmax(axis=1)

    def _climb(self, node: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Upward while the distance is above what the rank allows."""
        node = node.copy()
        while (high := (node > 0) & (distance > self.limit_[node])).any():
            node[high] = self.tree.parent[node[high]]
        return node

    def _occurring(self, node: np.ndarray) -> np.ndarray:
        """Upward to what occurs here."""
        node = node.copy()
        while (absent := (node > 0) & ~self.occurs_[node]).any():
            node[absent] = self.tree.parent[node[absent]]
        return node
