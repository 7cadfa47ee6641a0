"""Splits of rows into training and test parts that share no picture, burst or place.

N rows. A *unit* is a set of rows that must stay together: the same picture twice, a burst, a
location. `units` is (N,) int, the number of each row's unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from scipy import sparse

from ecotone.errors import InputError

MIN_LOCATIONS = 5
BLOCK = 8192  # rows looked at at once


def link_rows(n: int, *keys: Sequence[Any] | np.ndarray | None) -> np.ndarray:
    """Units (n,) int: rows that share a value of any key are in one unit, also through others.

    keys: each (n,) values, or None. Empty values ("" or None) link nothing.
    """
    first: list[int] = []
    second: list[int] = []
    for key in keys:
        if key is None:
            continue
        if len(key) != n:
            raise InputError(f"a key to link rows by has {len(key)} values, expected {n}.")
        seen: dict[Any, int] = {}
        for row, value in enumerate(key):
            if value is None or value == "" or value == b"":
                continue
            if value in seen:
                first.append(seen[value])
                second.append(row)
            else:
                seen[value] = row
    links = sparse.coo_matrix((np.ones(len(first)), (first, second)), shape=(n, n))
    return sparse.csgraph.connected_components(links, directed=False)[1].astype(np.int64)


def duplicate_keys(embeddings: np.ndarray) -> list[bytes]:
    """A key a row that is equal for rows of identical embeddings; empty for rows of zeros.

    Rows of zeros mean "no embedding", and do not make pictures duplicates of each other.
    """
    keys: list[bytes] = []
    for start in range(0, len(embeddings), BLOCK):
        block = np.asarray(embeddings[start : start + BLOCK], dtype=np.float32) + np.float32(0.0)
        keys += [blake2b(row, digest_size=16).digest() if keep else b""
                 for row, keep in zip(np.ascontiguousarray(block), block.any(axis=1), strict=True)]
    return keys


def make_units(
    n: int,
    *,
    locations: Sequence[Any] | None = None,
    events: Sequence[Any] | None = None,
    duplicates: Sequence[Sequence[Any] | None] = (),
    labelled: np.ndarray | None = None,
    min_locations: int = MIN_LOCATIONS,
) -> tuple[np.ndarray, str]:
    """The units to split by, and their name: "location", "event" or "random".

    Locations are kept together when the labelled rows lie in at least `min_locations` of them;
    events (bursts) and duplicates always are. labelled: (n,) bool, default all.
    """
    inside = np.ones(n, dtype=bool) if labelled is None else np.asarray(labelled, dtype=bool)
    places: set[Any] = set()
    if locations is not None:
        places = {v for v, keep in zip(locations, inside, strict=True) if keep} - {"", None}
    by_place = len(places) >= min_locations
    units = link_rows(n, locations if by_place else None, events, *duplicates)
    if by_place and len(set(units[inside])) < min_locations:
        # The same picture lies in many places: linked, they would be one unit, and no split.
        by_place = False
        units = link_rows(n, events, *duplicates)
    bursts = events is not None and len(set(link_rows(n, events))) < n
    return units, "location" if by_place else "event" if bursts else "random"


def split_units(
    units: np.ndarray, test_fraction: float = 0.25, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A random split into training and test rows, whole units only; (train, test) sorted indices.

    Units are taken in random order while the test part does not grow past its share of rows (to
    the nearest row); both parts get at least one unit.

    Raises InputError when all rows are one unit.
    """
    names, place, sizes = np.unique(units, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise InputError("all rows belong to one location or burst; they cannot be split.")
    target = max(1, round(test_fraction * len(units)))
    order = np.random.default_rng(seed).permutation(len(names))
    chosen = np.zeros(len(names), dtype=bool)
    total = 0
    for unit in order:
        if total + sizes[unit] <= target and chosen.sum() < len(names) - 1:
            chosen[unit] = True
            total += sizes[unit]
    if not chosen.any():
        chosen[order[np.argmin(sizes[order])]] = True  # every unit is too large: the smallest
    test = chosen[place]
    return np.flatnonzero(~test), np.flatnonzero(test)


def draw_labels(rows: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """`count` of `rows` at random, sorted. Draws of one seed are nested: fewer are among more."""
    rows = np.asarray(rows)
    if not 0 < count <= len(rows):
        raise InputError(f"cannot draw {count} labels of {len(rows)} rows.")
    return np.sort(np.random.default_rng(seed).permutation(rows)[:count])


def stratified_folds(
    labels: np.ndarray, units: np.ndarray, n_folds: int, seed: int = 0
) -> np.ndarray:
    """A fold number (M,) for labelled rows: whole units, classes spread as evenly as they allow.

    Units go, large ones first and else in random order, to the fold that then holds the fewest
    rows of their classes.
    """
    labels, units = np.asarray(labels), np.asarray(units)
    names, place = np.unique(units, return_inverse=True)
    n_folds = min(n_folds, len(names))
    if n_folds < 2:
        raise InputError("all labels belong to one location or burst; they cannot be split.")
    _, column = np.unique(labels, return_inverse=True)
    held = np.zeros((len(names), column.max() + 1))
    np.add.at(held, (place, column), 1.0)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-held[order].sum(axis=1), kind="stable")]
    rarity = 1.0 / held.sum(axis=0)
    load = np.zeros((n_folds, held.shape[1]))
    fold = np.zeros(len(names), dtype=np.int64)
    for unit in order:
        clash = (load * rarity) @ held[unit] + 1e-6 * load.sum(axis=1)
        fold[unit] = int(np.argmin(clash))
        load[fold[unit]] += held[unit]
    return fold[place]
