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


def locate(asked: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """The place (N,) int64 of each asked id among the stored, -1 where it is not there; of one that
    is stored twice, the last."""
    if len(asked) == len(stored) and (asked == stored).all() and not _repeated(stored):
        return np.arange(len(asked))
    width = max(asked.dtype.itemsize, stored.dtype.itemsize, 1)
    keys, wanted = _hashes(stored, width), _hashes(asked, width)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    place = np.full(len(asked), -1, dtype=np.int64)
    at = np.searchsorted(keys, wanted, side="right") - 1
    open_ = np.flatnonzero(at >= 0)
    while len(open_):  # once, unless two ids have one hash
        open_ = open_[keys[at[open_]] == wanted[open_]]
        found = order[at[open_]]
        same = stored[found] == asked[open_]
        place[open_[same]] = found[same]
        open_ = open_[~same]
        at[open_] -= 1
        open_ = open_[at[open_] >= 0]
    return place


def _repeated(ids: np.ndarray) -> bool:
    keys = np.sort(_hashes(ids, max(ids.dtype.itemsize, 1)))
    return bool((keys[1:] == keys[:-1]).any())


def _hashes(ids: np.ndarray, width: int) -> np.ndarray:
    """(N,) uint64 of ids of at most `width` bytes, by eight bytes, mixed as in splitmix64."""
    words = -(-width // 8)
    rows = np.ascontiguousarray(ids.astype(f"S{8 * words}")).view(np.uint64).reshape(-1, words)
    out = np.full(len(ids), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in range(words):
        out ^= rows[:, column]
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            out ^= out >> np.uint64(shift)
            out *= np.uint64(factor)
        out ^= out >> np.uint64(31)
    return out
