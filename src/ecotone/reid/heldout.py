"""Labelled pictures as if they were new: heads that have not seen an individual, others' galleries.

N labelled pictures, F folds over individuals. A picture of fold f is compared in the space of the
head that was trained without the individuals of fold f, so that similarities are those of pictures
that come later and not those of a training set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecotone.reid.matching import candidate_groups, match
from ecotone.reid.reordering import Order, reorder
from ecotone.reid.search import Neighbors

FOLDS = 3
LEAST = 6  # individuals with two pictures, to hold some of them out
BLOCK = 1024  # pairs at once: what a cache holds is soon multiplied
DENSE = 8  # times as many pairs of the pictures at hand as are asked for: then all are compared


@dataclass(frozen=True, eq=False)
class Labelled:
    """N labelled pictures. embeddings: (N, D). who: (N,) codes of individuals. species, viewpoint:
    (N,) str. unit: (N,) int, equal for pictures of one encounter and for identical ones, which are
    never compared."""

    embeddings: np.ndarray
    who: np.ndarray
    species: np.ndarray
    viewpoint: np.ndarray
    unit: np.ndarray

    def __len__(self) -> int:
        return len(self.who)


@dataclass(frozen=True, eq=False)
class Spaces:
    """embeddings: one (N, D') a fold. fold: (N,) int."""

    embeddings: tuple[np.ndarray, ...]
    fold: np.ndarray

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(n,) cosines of pairs, in the space that has not seen the left picture's individual."""
        out = np.empty(len(left))
        rows = np.unique(np.concatenate([left, right]))
        if len(rows) ** 2 <= DENSE * len(left):
            return self._dense(rows, left, right)
        for f, space in enumerate(self.embeddings):
            length = np.ones(len(space))
            length[rows] = [np.linalg.norm(space[r]) for r in rows]
            mine = np.flatnonzero(self.fold[left] == f)
            for start in range(0, len(mine), BLOCK):
                part = mine[start:start + BLOCK]
                a, b = left[part], right[part]
                dot = np.einsum("ij,ij->i", space[a], space[b], dtype=np.float64)
                out[part] = dot / np.maximum(length[a] * length[b], 1e-12)
        return out

    def _dense(self, rows: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """As `similarity`, by a product of the few rows that all pairs are of."""
        out = np.empty(len(left))
        for f, space in enumerate(self.embeddings):
            mine = np.flatnonzero(self.fold[left] == f)
            if len(mine):
                x = space[rows].astype(np.float64)
                x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
                cosine = np.round(x @ x.T, 12)  # the same wherever a row stands
                a, b = np.searchsorted(rows, left[mine]), np.searchsorted(rows, right[mine])
                out[mine] = cosine[a, b]
        return out

    def neighbours(self, data: Labelled, queries: np.ndarray, k: int) -> Neighbors:
        """The k nearest pictures of other units to each query, within species and viewpoint."""
        index = np.full((len(queries), k), -1, dtype=np.int64)
        similarity = np.full(index.shape, np.nan, dtype=np.float32)
        keys = data.unit.astype(str)
        for f, space in enumerate(self.embeddings):
            mine = np.flatnonzero(self.fold[queries] == f)
            rows = queries[mine]
            if not len(rows):
                continue
            found = match(
                space[rows], space, k,
                query_species=data.species[rows], gallery_species=data.species,
                query_viewpoints=data.viewpoint[rows], gallery_viewpoints=data.viewpoint,
                query_keys=keys[rows], gallery_keys=keys)
            width = found.index.shape[1]
            index[mine, :width], similarity[mine, :width] = found.index, found.similarity
        return Neighbors(index, similarity)

    def reordered(
        self, queries: np.ndarray, found: Neighbors, order: Order, k: int
    ) -> Neighbors:
        """The first k of the candidates of each query in an order, each query in its own space."""
        width = min(k, found.index.shape[1])
        index = np.full((len(queries), width), -1, dtype=np.int64)
        similarity = np.full(index.shape, np.nan, dtype=np.float32)
        for f, space in enumerate(self.embeddings):
            mine = np.flatnonzero(self.fold[queries] == f)
            if len(mine):
                part = Neighbors(found.index[mine], found.similarity[mine])
                near = reorder(space[queries[mine]], space, part, order, width)
                index[mine], similarity[mine] = near.index, near.similarity
        return Neighbors(index, similarity)


def held_out_spaces(
    data: Labelled, make_head: Callable[[], Any] | None, random_state: int = 0
) -> Spaces | None:
    """The spaces of F heads; one space without folds where there is no head. None with too few
    individuals to train a head without some of them."""
    if make_head is None:
        return Spaces((data.embeddings,), np.zeros(len(data), dtype=np.int64))
    people, count = np.unique(data.who, return_counts=True)
    if (count > 1).sum() < LEAST:
        return None
    rng = np.random.default_rng(random_state)
    part = np.empty(len(people), dtype=np.int64)
    for some in (count > 1, count == 1):  # every fold gets its share of individuals with pairs
        order = rng.permutation(int(some.sum()))
        part[some] = order % FOLDS
    fold = part[np.searchsorted(people, data.who)]
    spaces = []
    for f in range(FOLDS):
        rows = fold != f
        space = np.array(fit_head(make_head, data, rows).transform(data.embeddings))
        space[~space.any(axis=1), 0] = 1.0  # a row on the mean of all has no direction
        spaces.append(space)
    return Spaces(tuple(spaces), fold)


def fit_head(make_head: Callable[[], Any], data: Labelled, rows: np.ndarray) -> Any:
    """A head trained on some rows. A flank of an individual is a class of its own, as flanks differ
   ."""
    names = np.array([f"{w}|{v}" for w, v in zip(data.who[rows], data.viewpoint[rows],
                                                 strict=True)], dtype=object)
    return make_head().fit(data.embeddings[rows], names)


def gallery_sizes(
    codes: np.ndarray, query_species: np.ndarray, query_viewpoint: np.ndarray,
    species: np.ndarray, viewpoint: np.ndarray,
) -> np.ndarray:
    """(Q,) individuals in the gallery that each query meets."""
    out = np.zeros(len(query_species), dtype=np.int64)
    groups = candidate_groups(len(out), len(codes), (query_species, species),
                              (query_viewpoint, viewpoint))
    for mine, theirs in groups:
        out[mine] = len(np.unique(codes[theirs]))
    return out


def came_twice(data: Labelled) -> np.ndarray:
    """(N,) bool: whether another unit holds a picture of the individual that can be compared."""
    out = np.zeros(len(data), dtype=bool)
    order = np.argsort(data.who, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(data.who[order])) + 1):
        kinds = data.species[rows][:, None] == data.species[rows][None, :]
        sides = data.viewpoint[rows]
        fits = (sides[:, None] == sides[None, :]) | (sides == "")[:, None] | (sides == "")[None, :]
        apart = data.unit[rows][:, None] != data.unit[rows][None, :]
        out[rows] = (kinds & fits & apart).any(axis=1)
    return out
