"""People's word among queries and gallery, and which queries are decided together.

Q queries, M gallery pictures. Pairs of pictures are given by row: queries 0..Q-1, gallery rows
Q..Q+M-1. Pictures of one individual of the gallery are the same, of two are different.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.reid.constraints import make_constraints

Pairs = Iterable[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Word:
    """unit: (Q,) int, queries that are decided together. said: (V,) code of the individual that
    people named, -1 = none. not_one: (m, 2) unit and code of an individual it is not. apart: (m, 2)
    units that are different individuals. notes: what to know."""

    unit: np.ndarray
    said: np.ndarray
    not_one: np.ndarray
    apart: np.ndarray
    notes: tuple[str, ...] = ()


def peoples_word(
    n: int, codes: np.ndarray, together: np.ndarray, same: Pairs = (), different: Pairs = (),
    ids: Sequence[object] | None = None,
) -> Word:
    """Join what people said with the encounters of n queries.

    codes: (M,) individual of each gallery row. together: (n,) int, equal for pictures of one
    encounter. An encounter in which people told two individuals apart is decided picture by
    picture. ids: names of the n + M pictures for messages.
    Raises InputError when decisions contradict each other or the gallery.
    """
    m, same, different = len(codes), list(same), list(different)
    first = {int(c): n + row for row, c in reversed(list(enumerate(codes)))}
    known = [(first[int(c)], n + row) for row, c in enumerate(codes)]
    firsts = sorted(first.values())
    base = make_constraints(n + m, [*same, *known], different, ids)
    _no_two_names(base.unit, codes, n, ids)
    links, notes = _encounters(base.unit[:n], base.apart, together, base.unit[firsts])
    joined = make_constraints(n + m, [*same, *known, *links], different, ids)
    of_code = {int(joined.unit[first[int(c)]]): int(c) for c in np.unique(codes)}
    units, unit = np.unique(joined.unit[:n], return_inverse=True)
    place = {int(u): v for v, u in enumerate(units)}
    said = np.array([of_code.get(int(u), -1) for u in units], dtype=np.int64)
    not_one, apart = [], []
    for a, b in joined.apart.tolist():
        if a in place and b in place:
            apart.append((place[a], place[b]))
        for x, y in ((a, b), (b, a)):
            if x in place and y in of_code:
                not_one.append((place[x], of_code[y]))
    return Word(unit, said, _pairs(not_one), _pairs(apart), tuple(notes))


def _pairs(rows: list[tuple[int, int]]) -> np.ndarray:
    return np.array(sorted(set(rows)), dtype=np.int64).reshape(-1, 2)


def _no_two_names(
    unit: np.ndarray, codes: np.ndarray, n: int, ids: Sequence[object] | None
) -> None:
    """Refuses a chain of "same" between two individuals of the gallery."""
    held: dict[int, int] = {}
    for row, (u, c) in enumerate(zip(unit[n:].tolist(), codes.tolist(), strict=True)):
        other = held.setdefault(u, row)
        if codes[other] != c:
            a, b = (n + other, n + row) if ids is None else (ids[n + other], ids[n + row])
            raise InputError(
                f"decisions make {a} and {b} the same, but they carry two individualIDs; decide "
                "the pairs between them again, or give both one individualID.")


def _encounters(
    unit: np.ndarray, apart: np.ndarray, together: np.ndarray, gallery: np.ndarray
) -> tuple[list[tuple[int, int]], list[str]]:
    """Links between the queries of an encounter, and notes; none where people told them apart,
    be it over pictures of other encounters. unit: (n,) of the queries."""
    root: dict[int, int] = {}
    banned: dict[int, set[int]] = defaultdict(set)
    for a, b in apart.tolist():
        banned[a].add(b)
        banned[b].add(a)
    named = set(gallery.tolist())  # roots that are individuals of the gallery

    def find(u: int) -> int:
        while root.get(u, u) != u:
            u = root[u]
        return u

    order = np.argsort(together, kind="stable")
    links, divided = [], 0
    for rows in np.split(order, np.flatnonzero(np.diff(together[order])) + 1):
        if len(rows) < 2:
            continue
        units = sorted({find(int(unit[r])) for r in rows})
        clash = any(find(x) in units for u in units for x in banned[u])
        if clash or len(named & set(units)) > 1:
            divided += 1
            continue
        kept = next(iter(named & set(units)), units[0])
        for u in units:
            root[u] = kept
            banned[kept] |= banned[u]
            for x in banned[u]:
                banned[find(x)].add(kept)
        links += [(int(rows[0]), int(r)) for r in rows[1:]]
    if not divided:
        return links, []
    return links, [f"{divided:,} encounters hold several individuals by people's decisions: their "
                   "pictures are decided one by one"]
