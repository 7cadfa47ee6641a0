"""IDs of new individuals: new-0001, new-0002 ... after the highest that is taken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

PATTERN = re.compile(r"new-(\d+)")


def new_names(count: int, taken: Iterable[str] = ()) -> list[str]:
    """`count` names that follow the highest "new-NNNN" among those taken."""
    numbers = [int(m[1]) for m in map(PATTERN.fullmatch, map(str, taken)) if m]
    first = max(numbers, default=0) + 1
    return [f"new-{number:04d}" for number in range(first, first + count)]


def name_groups(
    group: np.ndarray, keys: Sequence[object], taken: Iterable[str] = ()
) -> np.ndarray:
    """(Q,) names of new individuals: the largest group first, then by the smallest key of its
    pictures, so that the order of the pictures does not matter. group: (Q,) int, -1 = none. keys:
    Q values that sort, such as media IDs or the bytes of an embedding."""
    size: dict[int, int] = {}
    least: dict[int, object] = {}
    for g, key in zip(np.asarray(group).tolist(), keys, strict=True):
        if g >= 0:
            size[g] = size.get(g, 0) + 1
            least[g] = min(least.get(g, key), key)
    ranked = sorted(size, key=lambda g: (-size[g], least[g]))
    names = dict(zip(ranked, new_names(len(ranked), taken), strict=True))
    out = np.empty(len(group), dtype=object)
    out[:] = [names.get(g, "") for g in np.asarray(group).tolist()]
    return out


def keep_names(
    names: np.ndarray, new: np.ndarray, before: Sequence[str]
) -> np.ndarray:
    """(Q,) names in which a new individual keeps the ID that most of its pictures had before.

    names: (Q,) as given now. new: (Q,) bool, whose names may change. before: Q names of an earlier
    run, "" where there was none. An old ID goes to one individual alone: the one that has most of
    its pictures; names that nobody had before stay, unless an old one needs theirs.
    """
    names = np.asarray(names, dtype=object)
    shared: dict[tuple[str, str], int] = {}
    for name, old, fresh in zip(names, before, new, strict=True):
        if fresh and PATTERN.fullmatch(old):
            shared[(name, old)] = shared.get((name, old), 0) + 1
    renamed: dict[str, str] = {}
    for (name, old), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if name not in renamed and old not in renamed.values():
            renamed[name] = old
    kept = set(renamed.values()) | {str(n) for n, fresh in zip(names, new, strict=True)
                                    if not fresh}
    rest = sorted({str(n) for n, fresh in zip(names, new, strict=True) if fresh} - renamed.keys())
    clash = [n for n in rest if n in kept]
    taken = [*kept, *rest, *(str(b) for b in before)]
    renamed |= dict(zip(clash, new_names(len(clash), taken), strict=True))
    out = names.copy()
    for row in np.flatnonzero(np.asarray(new, dtype=bool)):
        out[row] = renamed.get(names[row], names[row])
    return out
