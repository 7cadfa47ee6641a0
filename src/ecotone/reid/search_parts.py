"""Exact search of a gallery in parts, each by whoever a runner gives it to, and merged.

N queries, M gallery rows, D embedding dimensions, k candidates. A part gives its own k best with
similarities in double precision, and the k best of all parts are the k best of the gallery: by
similarity, then by the order of the gallery, as `search.top_k` has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ecotone.reid.inputs import unit_block

PARTS = 16  # of a gallery, within:
LEAST, MOST = 1024, 65536  # rows of a part
Part = tuple[int, np.ndarray, "np.ndarray | None"]  # first place, rows (m, D), keys (m,)
Search = Callable[..., Any]


class Mapper(Protocol):
    """What gives items to workers: applies a picklable function and yields results in order."""

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]: ...


@dataclass(frozen=True, eq=False)
class PartSearch:
    """The search of one part for queries (N, D); picklable."""

    search: Search
    queries: np.ndarray
    k: int
    query_keys: np.ndarray | None

    def __call__(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """(place in the searched rows (N, k) int64, -1 for none; similarity (N, k) float64)."""
        start, values, keys = part
        found = self.search(self.queries, values, self.k, query_keys=self.query_keys,
                            gallery_keys=keys)
        exact = np.full(found.index.shape, -np.inf)
        units = unit_block(values, "gallery", start)
        for row, index in enumerate(found.index):
            real = index >= 0
            query = unit_block(self.queries[row : row + 1], "queries", row)[0]
            exact[row, real] = np.einsum("ij,j->i", units[index[real]], query, dtype=np.float64)
        return np.where(found.index < 0, -1, found.index + start), exact


def search_parts(
    runner: Mapper, search: Search, queries: np.ndarray, gallery: np.ndarray, k: int,
    rows: np.ndarray | None, keys: tuple[np.ndarray | None, np.ndarray | None],
) -> tuple[np.ndarray, np.ndarray]:
    """(gallery rows (N, k) int64, -1 for none; similarity (N, k) float32, NaN for none).

    search: `search.top_k`. rows: the gallery rows to search, all by default. keys: of queries and
    gallery, see there. Raises InputError for NaN and rows without a direction.
    """
    n, count = len(queries), len(gallery) if rows is None else len(rows)
    place = np.full((n, k), count, dtype=np.int64)
    value = np.full((n, k), -np.inf)
    work = PartSearch(search, np.asarray(queries), k, keys[0])
    for index, exact in runner.map(work, _parts(gallery, rows, keys[1])):
        places = np.hstack([place, np.where(index < 0, count, index)])
        values = np.hstack([value, exact])
        row = np.repeat(np.arange(n), places.shape[1])
        order = np.lexsort((places.ravel(), -values.ravel(), row)).reshape(n, -1)[:, :k]
        place, value = places.ravel()[order], values.ravel()[order]
    none = ~np.isfinite(value)
    where = np.minimum(place, max(count - 1, 0))
    where = where if rows is None else np.asarray(rows)[where]
    return np.where(none, -1, where), np.where(none, np.nan, value).astype(np.float32)


def _parts(
    gallery: np.ndarray, rows: np.ndarray | None, keys: np.ndarray | None
) -> Iterator[Part]:
    count = len(gallery) if rows is None else len(rows)
    size = min(max(-(-count // PARTS), LEAST), MOST)
    for start in range(0, count, size):
        wanted = np.arange(start, min(start + size, count))
        wanted = wanted if rows is None else np.asarray(rows)[wanted]
        values = np.array(gallery[wanted])
        unit_block(values, "gallery", wanted)  # what is wrong with a row is said by its number
        yield start, values, None if keys is None else np.asarray(keys)[wanted]


__all__ = ["Mapper", "PartSearch", "search_parts"]
