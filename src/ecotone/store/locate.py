"""Where ids lie among stored ones, without a Python object an id.

N asked ids, M stored ones, as arrays of bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ENCODED = 65536  # ids that are Python objects at once


def as_bytes(ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """Ids (N,) as an array of bytes, UTF-8."""
    if isinstance(ids, np.ndarray) and ids.dtype.kind == "S":
        return ids
    parts = [
        np.array([str(i).encode() for i in ids[start : start + ENCODED]], dtype=bytes)
        for start in range(0, len(ids), ENCODED)
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype="S1")


class Index:
    """Stored ids (M,), to be asked for again and again."""

    def __init__(self, stored: np.ndarray) -> None:
        self.stored = stored
        keys = _hashes(stored)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    @property
    def repeated(self) -> bool:
        """Whether an id may be stored twice."""
        return bool((self._keys[1:] == self._keys[:-1]).any())

    def find(self, asked: np.ndarray) -> np.ndarray:
        """The place (N,) int64 of each asked id among the stored, -1 where it is not there; of one
        that is stored twice, the last."""
        keys, wanted = self._keys, _hashes(asked)
        place = np.full(len(asked), -1, dtype=np.int64)
        at = np.searchsorted(keys, wanted, side="right") - 1
        open_ = np.flatnonzero(at >= 0)
        while len(open_):  # once, unless two ids have one hash
            open_ = open_[keys[at[open_]] == wanted[open_]]
            found = self._order[at[open_]]
            same = self.stored[found] == asked[open_]
            place[open_[same]] = found[same]
            open_ = open_[~same]
            at[open_] -= 1
            open_ = open_[at[open_] >= 0]
        return place


def locate(asked: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """`Index.find`, asked once."""
    index = Index(stored)
    if len(asked) == len(stored) and (asked == stored).all() and not index.repeated:
        return np.arange(len(asked))
    return index.find(asked)


def _hashes(ids: np.ndarray) -> np.ndarray:
    """(N,) uint64 of ids, by eight bytes, mixed as in splitmix64; bytes of 0 at the end of an id
    change nothing."""
    words = max(-(-ids.dtype.itemsize // 8), 1)
    rows = np.ascontiguousarray(ids.astype(f"S{8 * words}")).view(np.uint64).reshape(-1, words)
    out = np.full(len(ids), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in range(words):
        here = rows[:, column]
        mixed = out ^ here
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed ^= mixed >> np.uint64(shift)
            mixed *= np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
        out = np.where(here == 0, out, mixed)  # the same in arrays of any width
    return out
