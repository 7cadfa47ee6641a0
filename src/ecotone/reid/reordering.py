"""Shortlists in a better order: query expansion and k-reciprocal re-ranking as `ReIdentifier` uses
them, and whether they are better on labelled pictures.

Q queries, L wide candidates each, k of the shortlist. Both look at the wide candidates alone, so
the cost does not grow with the gallery. First the queries are expanded, then the candidates are
re-ranked. Sources: see `reranking`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.reid.reranking import K1, expand_queries, rerank
from ecotone.reid.search import Neighbors

AUTO = "auto"
WIDE = 5 * K1  # candidates that re-ranking looks at
BLOCK = 256  # queries at once


@dataclass(frozen=True)
class Order:
    """How shortlists are ordered; neither: by the cosine."""

    rerank: bool = False
    expand: bool = False

    def __bool__(self) -> bool:
        return self.rerank or self.expand

    @property
    def name(self) -> str:
        """For people."""
        parts = [n for n, used in (("expansion", self.expand), ("re-ranking", self.rerank)) if used]
        return " and ".join(parts) or "cosine"

    def wide(self, shortlist: int) -> int:
        """Candidates that a shortlist is made from."""
        return max(shortlist, WIDE) if self else shortlist


def orders(rerank: object, expand: object) -> tuple[Order, ...]:
    """The orders that two options allow, the plain one first where it is among them."""
    for name, value in (("rerank", rerank), ("expand", expand)):
        if not isinstance(value, bool) and value != AUTO:
            raise InputError(f"{name} is {value!r}, expected True, False or {AUTO!r}.")
    ways = [(False, True) if value == AUTO else (bool(value),) for value in (rerank, expand)]
    return tuple(Order(r, e) for r in ways[0] for e in ways[1])


def reorder(
    queries: np.ndarray, gallery: np.ndarray, found: Neighbors, order: Order, k: int
) -> Neighbors:
    """The first k of the wide candidates in a new order. found: (Q, L), index -1 where a candidate
    is left out. The similarity is no cosine any more."""
    index, similarity = _left(found.index, found.similarity)
    out_index, out_value = index[:, :k].copy(), similarity[:, :k].copy()
    for start in range(0, len(index) if order else 0, BLOCK):
        rows = slice(start, start + BLOCK)
        used = np.unique(index[rows][index[rows] >= 0])
        if not len(used):
            continue
        known = np.asarray(gallery[used])
        near = Neighbors(np.where(index[rows] < 0, -1, np.searchsorted(used, index[rows])),
                         similarity[rows])
        asked = np.asarray(queries[rows])
        if order.expand:
            asked = expand_queries(asked, known, near)
            near = _again(asked, known, near)
        if order.rerank:
            near = rerank(asked, known, near)
        best = near.index[:, :k]
        out_index[rows] = np.where(best < 0, -1, used[np.maximum(best, 0)])
        out_value[rows] = np.where(best < 0, np.nan, near.similarity[:, :k])
    return Neighbors(out_index, out_value)


def _left(index: np.ndarray, similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The candidates that are there first, in their order."""
    order = np.argsort(index < 0, axis=1, kind="stable")
    return (np.take_along_axis(index, order, axis=1),
            np.take_along_axis(similarity, order, axis=1))


def _again(queries: np.ndarray, gallery: np.ndarray, near: Neighbors) -> Neighbors:
    """The same candidates by their cosine with the expanded queries."""
    unit = gallery / np.maximum(np.linalg.norm(gallery, axis=1, keepdims=True), 1e-12)
    value = np.stack([unit[row] @ q for q, row in zip(queries, near.index, strict=True)])
    value = np.where(near.index < 0, np.nan, value).astype(np.float32)
    order = np.argsort(np.where(near.index < 0, np.inf, -np.round(value, 6)), axis=1, kind="stable")
    return Neighbors(np.take_along_axis(near.index, order, axis=1),
                     np.take_along_axis(value, order, axis=1))


def first_right(index: np.ndarray, who: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(Q,) reciprocal rank, among individuals, of the right one; 0 where the shortlist lacks it."""
    out = np.zeros(len(index))
    for row, places in enumerate(index):
        people = who[places[places >= 0]]
        at = np.flatnonzero(people == truth[row])
        if len(at):
            out[row] = 1.0 / len(np.unique(people[: at[0] + 1]))
    return out


def choose_order(scores: dict[Order, np.ndarray], person: np.ndarray) -> Order:
    """The order with the best mean over Q queries, of those better than the first one by more than
    a standard error over individuals; else the first one. person: (Q,) codes."""
    first = next(iter(scores))
    best, most = first, 0.0
    people, place = np.unique(person, return_inverse=True)
    for order, score in scores.items():
        gain = score - scores[first]
        if len(people) < 2:
            continue
        each = np.bincount(place, gain) / np.bincount(place)
        error = float(each.std(ddof=1)) / np.sqrt(len(people))
        if each.mean() > max(error, most):
            best, most = order, float(each.mean())
    return best


__all__ = ["AUTO", "Order", "choose_order", "orders", "reorder"]
