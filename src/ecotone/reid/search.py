"""The k most similar gallery rows of every query, exactly, in blocks of one matrix product each.

N queries, M gallery rows, D embedding dimensions. Similarity is the cosine. The gallery may be a
memory map of float16 or float32; it is read block by block, each block once for all queries, and
only what beats a query's present k-th best is looked at further, so that the product is nearly the
whole cost. Memory: the queries as float32, one block of the gallery, one block of similarities.

Equal similarities stand in the order of the gallery. A product rounds the same two rows a little
differently from place to place; where candidates lie closer than that, they are compared again in
double precision, so that the order depends on the rows and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.reid.inputs import check_matrix, unit_block, unit_matrix
from ecotone.reid.search_parts import Mapper, search_parts

GALLERY_BLOCK = 4096
QUERY_BLOCK = 2048
QUERY_BYTES = 2**28  # queries held at once; more of them read the gallery again
SPARE = 8  # candidates kept beyond k, among which close calls are decided
CLOSE = 4e-6  # similarities in single precision differ by less for the same two rows


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The k best gallery rows of each query, best first.

    index: (N, k) int64, rows of the gallery, -1 where there is no further candidate.
    similarity: (N, k) float32 cosine, NaN where index is -1.
    """

    index: np.ndarray
    similarity: np.ndarray

    def __len__(self) -> int:
        return len(self.index)


def top_k(
    queries: np.ndarray, gallery: np.ndarray, k: int = 20, *,
    rows: np.ndarray | None = None, query_keys: np.ndarray | None = None,
    gallery_keys: np.ndarray | None = None, runner: Mapper | None = None,
) -> Neighbors:
    """The k gallery rows most similar to each query.

    queries: (N, D), gallery: (M, D), any float type. rows: the gallery rows to search (ascending
    numbers), all by default. query_keys (N,) and gallery_keys (M,): int; a query is never matched
    with a gallery row of its own key (itself, its burst); keys below 0 exclude nothing. runner:
    gives parts of the gallery to workers; the result is the same.
    Raises InputError for other shapes, NaN, and rows without a direction.
    """
    if int(k) != k or k < 1:
        raise InputError(f"k: {k}, expected a whole number from 1.")
    gallery = check_matrix(gallery, "gallery")
    queries = check_matrix(queries, "queries", gallery.shape[1] if len(gallery) else None)
    index = np.full((len(queries), int(k)), -1, dtype=np.int64)
    similarity = np.full(index.shape, np.nan, dtype=np.float32)
    count = len(gallery) if rows is None else len(rows)
    if runner is not None and count and len(queries):
        unit_matrix(queries, "queries")
        keys = (query_keys, gallery_keys) if query_keys is not None else (None, None)
        return Neighbors(*search_parts(runner, top_k, queries, gallery, int(k), rows, keys))
    at_once = max(QUERY_BLOCK, QUERY_BYTES // max(4 * queries.shape[1], 1))
    for start in range(0, len(queries) if count else 0, at_once):
        stop = start + at_once
        part = unit_block(queries[start:stop], "queries", start)
        masked = None
        if query_keys is not None and gallery_keys is not None:
            theirs = gallery_keys if rows is None else gallery_keys[rows]
            masked = _excluded(query_keys[start:stop], theirs)
        found = _Search(part, gallery, rows, min(int(k), count), masked).run()
        index[start:stop, : found[0].shape[1]] = found[0]
        similarity[start:stop, : found[1].shape[1]] = found[1]
    if not count:
        unit_matrix(queries, "queries")
    return Neighbors(index, similarity)


def _excluded(query_keys: np.ndarray, gallery_keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(query row, place in the gallery) of all pairs of equal keys, in the order of places."""
    order = np.argsort(gallery_keys, kind="stable")
    ordered = gallery_keys[order]
    first = np.searchsorted(ordered, query_keys, side="left")
    count = np.searchsorted(ordered, query_keys, side="right") - first
    count[query_keys < 0] = 0
    query = np.repeat(np.arange(len(query_keys)), count)
    offset = np.arange(len(query)) - np.repeat(np.cumsum(count) - count, count)
    place = order[np.repeat(first, count) + offset]
    by_place = np.argsort(place, kind="stable")
    return query[by_place], place[by_place]


class _Search:
    """One pass over the gallery for unit queries (n, D); see the top of the file."""

    def __init__(
        self, queries: np.ndarray, gallery: np.ndarray, rows: np.ndarray | None, k: int,
        masked: tuple[np.ndarray, np.ndarray] | None,
    ) -> None:
        self.queries, self.gallery, self.rows, self.k = queries, gallery, rows, k
        self.masked = masked
        self.count = len(gallery) if rows is None else len(rows)
        self.kept = min(k + SPARE, self.count)
        shape = (len(queries), self.kept)
        self.place = np.full(shape, self.count, dtype=np.int64)  # in the searched rows
        self.value = np.full(shape, -np.inf, dtype=np.float32)
        self.buffer = np.empty(
            min(len(queries), QUERY_BLOCK) * min(self.count, GALLERY_BLOCK), dtype=np.float32
        )

    def run(self) -> tuple[np.ndarray, np.ndarray]:
        every = np.arange(len(self.queries))
        for start, block in self._blocks():
            for first in range(0, len(every), QUERY_BLOCK):
                self._look(every[first : first + QUERY_BLOCK], start, block)
        self._settle_crowds()
        self._settle_close()
        place, value = self.place[:, : self.k], self.value[:, : self.k]
        none = ~np.isfinite(value)
        index = np.minimum(place, self.count - 1)
        index = index if self.rows is None else np.asarray(self.rows)[index]
        return np.where(none, -1, index), np.where(none, np.nan, value)

    def _blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """(first place, unit rows) of each block of the searched gallery rows."""
        for start in range(0, self.count, GALLERY_BLOCK):
            yield start, self._rows(np.arange(start, min(start + GALLERY_BLOCK, self.count)))

    def _rows(self, places: np.ndarray) -> np.ndarray:
        wanted = places if self.rows is None else self.rows[places]
        run = wanted[-1] - wanted[0] == len(wanted) - 1  # a slice of a memory map copies nothing
        values = self.gallery[wanted[0] : wanted[-1] + 1] if run else self.gallery[wanted]
        return unit_block(values, "gallery", wanted)

    def _product(self, queries: np.ndarray, start: int, block: np.ndarray) -> np.ndarray:
        """Similarities of consecutive queries and a block, -inf where excluded."""
        size = len(queries) * len(block)
        out = self.buffer[:size].reshape(len(queries), len(block))
        contiguous = queries[-1] - queries[0] == len(queries) - 1
        values = self.queries[queries[0] : queries[-1] + 1] if contiguous else self.queries[queries]
        np.matmul(values, block.T, out=out)
        if self.masked is not None:
            query, place = self.masked
            a, b = np.searchsorted(place, (start, start + len(block)))
            local = np.searchsorted(queries, query[a:b])
            local = np.minimum(local, len(queries) - 1)
            mine = queries[local] == query[a:b]
            out[local[mine], place[a:b][mine] - start] = -np.inf
        return out

    def _look(self, queries: np.ndarray, start: int, block: np.ndarray) -> None:
        """Merge what a block has for these (consecutive) queries with what is held."""
        values = self._product(queries, start, block)
        part = slice(queries[0], queries[-1] + 1)
        limit = self.value[part, -1]
        if start == 0 and values.shape[1] > 2 * self.kept:
            limit = _below_best(values, self.kept)
        query, column = np.divmod(np.flatnonzero(values > limit[:, None]), values.shape[1])
        if len(query) > 4 * self.kept * len(queries):
            limit = np.maximum(limit, _below_best(values, self.kept))
            query, column = np.divmod(np.flatnonzero(values > limit[:, None]), values.shape[1])
        if not len(query):
            return
        found = values[query, column]
        rows = np.unique(query)
        held = self.value[part][rows]
        self._merge(queries[rows], held, np.searchsorted(rows, query), start + column, found)

    def _merge(
        self, queries: np.ndarray, held: np.ndarray, row: np.ndarray, place: np.ndarray,
        value: np.ndarray,
    ) -> None:
        row = np.concatenate([np.repeat(np.arange(len(queries)), self.kept), row])
        place = np.concatenate([self.place[queries].ravel(), place])
        value = np.concatenate([held.ravel(), value])
        order = np.lexsort((place, -value, row))
        first = np.searchsorted(row[order], np.arange(len(queries)))
        chosen = order[first[:, None] + np.arange(self.kept)]
        self.place[queries], self.value[queries] = place[chosen], value[chosen]

    def _settle_crowds(self) -> None:
        """Queries with more equals at the k-th place than are kept: the first of the gallery."""
        if self.kept == self.count:
            return
        kth, last = self.value[:, self.k - 1], self.value[:, -1]
        crowded = np.flatnonzero(np.isfinite(last) & (last > kth - CLOSE))
        for first in range(0, len(crowded), QUERY_BLOCK):
            self._settle_crowd(crowded[first : first + QUERY_BLOCK])

    def _settle_crowd(self, queries: np.ndarray) -> None:
        kth = self.value[queries, self.k - 1][:, None]
        better = np.where(self.value[queries] > kth + CLOSE, self.place[queries], self.count)
        room = self.kept - (better < self.count).sum(axis=1)
        ties = np.full(better.shape, self.count, dtype=np.int64)
        filled = np.zeros(len(queries), dtype=np.int64)
        for start, block in self._blocks():
            values = self._product(queries, start, block)
            row, column = np.nonzero(np.abs(values - kth) <= CLOSE)
            rank = np.arange(len(row)) - np.searchsorted(row, row) + filled[row]
            fits = rank < room[row]
            ties[row[fits], rank[fits]] = start + column[fits]
            filled += np.bincount(row, minlength=len(queries))
            if (filled >= room).all():
                break
        both = np.sort(np.hstack([better, ties]), axis=1)[:, : self.kept]
        self.place[queries] = both
        self._exact(queries)

    def _settle_close(self) -> None:
        after = self.value[:, 1:]
        close = np.isfinite(after) & (after > self.value[:, :-1] - CLOSE)
        rows = np.flatnonzero(close.any(axis=1))
        for first in range(0, len(rows), 256):
            self._exact(rows[first : first + 256])

    def _exact(self, queries: np.ndarray) -> None:
        """The kept candidates of these queries, compared in double precision."""
        for query in queries:
            place = np.sort(self.place[query])
            real = place < self.count
            value = np.full(len(place), -np.inf)
            rows = self._rows(place[real])  # at least one is real where any was close
            value[real] = np.einsum("ij,j->i", rows, self.queries[query], dtype=np.float64)
            order = np.lexsort((place, -value))
            self.place[query], self.value[query] = place[order], value[order]


def _below_best(values: np.ndarray, count: int) -> np.ndarray:
    """A limit a row that at least `count` values of the row exceed or equal, just below it."""
    column = values.shape[1] - count
    kth = np.partition(values, column, axis=1)[:, column]
    return np.nextafter(kth, -np.inf, dtype=np.float32)


__all__ = ["Neighbors", "top_k"]
