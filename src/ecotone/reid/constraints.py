"""What people decided of pairs of pictures: same individual, or different ones.

N pictures. "Same" is transitive: a = b and b = c make a = c. "Different" holds between everything
that is the same as either. Decisions that contradict each other are an error that names them; none
of them is preferred.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError

SHOWN = 5


@dataclass(frozen=True, eq=False)
class Constraints:
    """unit: (N,) int, equal for pictures that are the same individual, 0..U-1 by first picture.
    apart: (m, 2) int, units that are different individuals, smaller first, sorted. owner: (U,) int,
    the individual that people named, -1 = nobody; units of different owners stay apart; None =
    nobody is named."""

    unit: np.ndarray
    apart: np.ndarray
    owner: np.ndarray | None = None

    @property
    def units(self) -> int:
        """How many units there are."""
        return int(self.unit.max(initial=-1)) + 1


def make_constraints(
    n: int, same: Iterable[tuple[int, int]] = (), different: Iterable[tuple[int, int]] = (),
    ids: Sequence[object] | None = None,
) -> Constraints:
    """The closure of decisions on pairs of N pictures, given by row.

    ids: N names of the pictures for messages; default: their rows. Raises InputError when a row is
    none of 0..N-1, or when decisions contradict each other, with the pictures and the chain.
    """
    equal, other = _rows(same, n, "same"), _rows(different, n, "different")
    root = list(range(n))

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = root[row]
        return row

    for a, b in equal:
        low, high = sorted((find(a), find(b)))
        root[high] = low
    roots = np.array([find(r) for r in range(n)], dtype=np.int64)
    clash = [(a, b) for a, b in other if roots[a] == roots[b]]
    if clash:
        raise InputError(_conflicts(clash, equal, ids))
    unit = np.unique(roots, return_inverse=True)[1] if n else roots
    pairs = {tuple(sorted((int(unit[a]), int(unit[b])))) for a, b in other}
    return Constraints(unit, np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2))


def _rows(pairs: Iterable[tuple[int, int]], n: int, what: str) -> list[tuple[int, int]]:
    out = [(int(a), int(b)) for a, b in pairs]
    wrong = [p for p in out if not (0 <= p[0] < n and 0 <= p[1] < n)]
    if wrong:
        raise InputError(f"decision {what} names row {max(wrong[0])}, there are {n} pictures.")
    return out


def _conflicts(
    clash: list[tuple[int, int]], equal: list[tuple[int, int]], ids: Sequence[object] | None
) -> str:
    def name(row: int) -> str:
        return str(row if ids is None else ids[row])

    beside: dict[int, list[int]] = defaultdict(list)
    for a, b in equal:
        beside[a].append(b)
        beside[b].append(a)
    parts = []
    for a, b in sorted(set(clash))[:SHOWN]:
        chain = " = ".join(name(row) for row in _path(beside, a, b))
        parts.append(f"{name(a)} and {name(b)} are said to be different, but also the same "
                     f"({chain})")
    more = len(set(clash)) - len(parts)
    return ("decisions contradict each other: " + "; ".join(parts)
            + (f"; and {more} more" if more else "") + ". Decide these pairs again.")


def _path(beside: dict[int, list[int]], start: int, end: int) -> list[int]:
    """The shortest chain of "same" decisions from one picture to another."""
    before, queue = {start: start}, deque([start])
    while queue:
        row = queue.popleft()
        for other in beside[row]:
            if other not in before:
                before[other] = row
                queue.append(other)
    out = [end]
    while out[-1] != start or (len(out) == 1 and start == end):
        if out[-1] == start:
            return [start, end]
        out.append(before[out[-1]])
    return out[::-1]
