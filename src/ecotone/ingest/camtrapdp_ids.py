"""Identifiers of large tables: which stand twice, and which are referred to but do not exist.

An identifier takes 8 bytes while a table is read; only those that are wrong are kept as text.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable

import numpy as np

from ecotone.study import Row

_MASK = (1 << 64) - 1


class Ids:
    """A bag of identifiers, by hash: two that differ meet with a chance of 3e-8 a million, and are
    told apart by their texts afterwards."""

    def __init__(self) -> None:
        self._hashes = array("Q")
        self._sorted: array | None = None

    def add(self, text: str) -> None:
        """One more, whether or not it is known."""
        self._hashes.append(hash(text) & _MASK)

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, text: str) -> bool:
        if self._sorted is None or len(self._sorted) != len(self._hashes):
            self._sorted = array("Q", np.sort(np.frombuffer(self._hashes, np.uint64)).tobytes())
        wanted = hash(text) & _MASK
        at = bisect_left(self._sorted, wanted)
        return at < len(self._sorted) and self._sorted[at] == wanted

    def twice(self, texts: Callable[[], Iterable[str]]) -> frozenset[str]:
        """Those that were added more than once; `texts` gives all that were added, again."""
        values = np.sort(np.array(self._hashes, dtype=np.uint64))
        same = values[1:][values[1:] == values[:-1]]
        return _seen_twice(texts(), frozenset(same.tolist())) if len(same) else frozenset()

    def lacking(self, wanted: Ids, texts: Callable[[], Iterable[str]]) -> frozenset[str]:
        """Those of `wanted` that are not here; `texts` gives all of `wanted`, again."""
        theirs, ours = (np.array(ids._hashes, dtype=np.uint64) for ids in (wanted, self))
        lost = np.setdiff1d(theirs, ours)
        if not len(lost):
            return frozenset()
        hashes = frozenset(lost.tolist())
        return frozenset(t for t in texts() if t and hash(t) & _MASK in hashes)


def _seen_twice(texts: Iterable[str], hashes: frozenset[int]) -> frozenset[str]:
    once: set[str] = set()
    twice: set[str] = set()
    for text in texts:
        if hash(text) & _MASK in hashes:
            (twice if text in once else once).add(text)
    return frozenset(twice)


class Repeats:
    """Rows whose identifiers stand twice, within one loop over a table.

    The first keeps its identifier; one that is the same in all cells is left out; any other gets
    the next free `_2`, `_3`.
    """

    def __init__(self, column: str, twice: frozenset[str], taken: Ids) -> None:
        self._column, self._twice, self._taken = column, twice, taken
        self._seen: dict[str, set[int]] = {}
        self._given: dict[str, int] = {}

    def settle(self, row: Row) -> str:
        """"" for a row that may stay as it is, "same" for one to leave out, "renamed"."""
        name = row[self._column]
        if name not in self._twice:
            return ""
        content = hash(tuple(row.values()))
        seen = self._seen.setdefault(name, set())
        if content in seen:
            return "same"
        seen.add(content)
        if len(seen) == 1:
            return ""
        number = self._given.get(name, 1) + 1
        while f"{name}_{number}" in self._taken:
            number += 1
        self._given[name] = number
        row[self._column] = f"{name}_{number}"
        return "renamed"
