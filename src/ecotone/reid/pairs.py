"""The pairs of a labelled set on which a similarity is calibrated.

N pictures. A pair counts inside a group (species and viewpoint) alone. Pictures of one encounter
are near copies of each other: their pairs would flatter every similarity and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError

MOST = 200_000  # pairs of a kind
BURST = 0.1  # weight of pairs of one encounter where there are no others


@dataclass(frozen=True, eq=False)
class Pairs:
    """left, right: (n,) rows, left < right. same: (n,) bool. weight: (n,) float, of pairs drawn
    from many, how many they stand for. note: what to know, "" = nothing."""

    left: np.ndarray
    right: np.ndarray
    same: np.ndarray
    weight: np.ndarray
    note: str = ""

    def __len__(self) -> int:
        return len(self.left)


def names(values: Sequence[object] | np.ndarray | None, n: int, what: str) -> np.ndarray:
    """(N,) object array of str, "" for None and NaN. Raises InputError when the length differs."""
    if values is None:
        return np.full(n, "", dtype=object)
    if len(values) != n:
        raise InputError(f"{what}: {len(values)} entries, expected {n}.")
    out = np.empty(n, dtype=object)
    out[:] = ["" if v is None or v != v else str(v) for v in values]
    return out


def codes(*columns: np.ndarray) -> np.ndarray:
    """(N,) int: one number for each different combination of the columns, in sorted order."""
    rows = list(zip(*columns, strict=True))
    place = {key: number for number, key in enumerate(sorted(set(rows)))}
    return np.array([place[row] for row in rows], dtype=np.int64)


def calibration_pairs(
    individuals: Sequence[object], group: Sequence[object] | None = None,
    encounter: Sequence[object] | None = None, copies: np.ndarray | None = None,
    most: int = MOST, random_state: int = 0,
) -> Pairs:
    """Pairs of N pictures inside their groups; "" and None are pictures nobody has named.

    encounter: pairs of one encounter are left out; where every pair of one individual is of one
    encounter they stay, with a tenth of the weight, and the note says so. copies: (N,) int, equal
    for identical pictures, whose pairs are left out as well. most: pairs of a kind; of more, as
    many are drawn. Raises InputError when lengths differ.
    """
    n = len(individuals)
    who, where = names(individuals, n, "individuals"), names(group, n, "group")
    met = names(encounter, n, "encounter")
    rng = np.random.default_rng(random_state)
    copy = np.arange(n) if copies is None else np.asarray(copies)
    person, meeting = codes(where, who), codes(where, met)
    burst = met != ""
    same_left, same_right = _same_pairs(person, who != "", most, rng)
    apart = copy[same_left] != copy[same_right]
    same_left, same_right = same_left[apart], same_right[apart]
    near = (meeting[same_left] == meeting[same_right]) & burst[same_left]
    weight, note = np.where(near, 0.0, 1.0), ""
    if len(near) and near.all():
        weight[:] = BURST
        note = ("all pictures of an individual are of one encounter: probabilities flatter; "
                "label individuals that came twice")
    far_left, far_right, stands_for = _other_pairs(codes(where), person, who != "", most, rng)
    other = copy[far_left] != copy[far_right]
    left = np.concatenate([same_left, far_left[other]])
    right = np.concatenate([same_right, far_right[other]])
    same = np.arange(len(left)) < len(same_left)
    weight = np.concatenate([weight, np.full(int(other.sum()), stands_for)])
    used = weight > 0
    low, high = np.minimum(left, right)[used], np.maximum(left, right)[used]
    return Pairs(low, high, same[used], weight[used], note)


def _same_pairs(
    person: np.ndarray, known: np.ndarray, most: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of one individual; of individuals with many pictures, as many as fit."""
    lefts, rights = [], []
    order = np.argsort(person[known], kind="stable")
    rows = np.flatnonzero(known)[order]
    parts = np.split(rows, np.flatnonzero(np.diff(person[rows])) + 1)
    sizes = np.array([len(p) * (len(p) - 1) // 2 for p in parts])
    cap = _cap(sizes, most)
    for part in parts:
        if len(part) < 2:
            continue
        if len(part) * (len(part) - 1) // 2 <= cap:
            a, b = np.triu_indices(len(part), 1)
        else:
            a = rng.integers(0, len(part), cap)
            b = (a + rng.integers(1, len(part), cap)) % len(part)
        lefts.append(part[a])
        rights.append(part[b])
    empty = np.zeros(0, dtype=np.int64)
    return np.concatenate([empty, *lefts]), np.concatenate([empty, *rights])


def _cap(sizes: np.ndarray, most: int) -> int:
    """The largest number of pairs an individual may give, so that all give at most `most`."""
    low, high = 1, int(max(sizes.max(initial=1), 1))
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(sizes, middle).sum() <= most:
            low = middle
        else:
            high = middle - 1
    return low


def _other_pairs(
    group: np.ndarray, person: np.ndarray, known: np.ndarray, most: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Pairs of two individuals inside a group, and how many each stands for."""
    rows = np.flatnonzero(known)
    rows = rows[np.argsort(group[rows], kind="stable")]
    empty = np.zeros(0, dtype=np.int64)
    if len(rows) < 2:
        return empty, empty, 1.0
    parts = np.split(rows, np.flatnonzero(np.diff(group[rows])) + 1)
    sizes = np.array([len(p) for p in parts], dtype=np.float64)
    total = float((sizes * (sizes - 1) / 2).sum())
    if total <= 2 * most:
        both = [(p[a], p[b]) for p in parts for a, b in [np.triu_indices(len(p), 1)]]
        left = np.concatenate([empty, *(a for a, _ in both)])
        right = np.concatenate([empty, *(b for _, b in both)])
        other = person[left] != person[right]
        return left[other], right[other], 1.0
    lefts, rights = [], []
    for part, size in zip(parts, sizes, strict=True):
        take = round(most * size * (size - 1) / 2 / total)
        if len(part) > 1 and take:
            a = rng.integers(0, len(part), take)
            b = (a + rng.integers(1, len(part), take)) % len(part)
            lefts.append(part[a])
            rights.append(part[b])
    left, right = np.concatenate([empty, *lefts]), np.concatenate([empty, *rights])
    other = person[left] != person[right]
    return left[other], right[other], total / max(len(left), 1)
