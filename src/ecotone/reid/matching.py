"""Queries against known pictures: within one species and viewpoint, then by individual.

N queries, M gallery pictures, D embedding dimensions, k candidates a query. A left flank says
nothing about a right flank, so a query with a viewpoint meets gallery pictures of its own viewpoint
only. A picture whose viewpoint is missing (None, NaN or blank), query or gallery, may show any
flank, and meets all viewpoints of its species. A species is never searched for another: pictures
without a species are a group of their own.
Source: the groups of MiewID's evaluation, Otarashvili et al. 2024, arXiv:2412.05602.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.reid.inputs import check_individuals, check_matrix, check_names, unit_matrix
from ecotone.reid.search import Neighbors, top_k
from ecotone.reid.search_parts import Mapper

Names = Sequence[object] | np.ndarray | None


def match(
    queries: np.ndarray, gallery: np.ndarray, k: int = 20, *,
    query_species: Names = None, gallery_species: Names = None,
    query_viewpoints: Names = None, gallery_viewpoints: Names = None,
    query_keys: Names = None, gallery_keys: Names = None, runner: Mapper | None = None,
) -> Neighbors:
    """The k gallery pictures most similar to each query, within species and viewpoint.

    queries: (N, D), gallery: (M, D) embeddings (a memory map of float16 or float32 is read in
    blocks). species and viewpoints: one a picture, or None on both sides for "all the same".
    keys: what a query must not be matched with, such as its own ID or its encounter: equal keys
    exclude each other, missing ones nothing. Queries without any candidate (an empty gallery, a
    species that is not in it) have index -1 and similarity NaN in all columns. runner: see `top_k`.
    Raises InputError for other shapes, NaN, rows of zeros, and names given for one side only.
    """
    gallery = check_matrix(gallery, "gallery")
    queries = check_matrix(queries, "queries", gallery.shape[1] if len(gallery) else None)
    species = _pair(query_species, gallery_species, len(queries), len(gallery), "species")
    sides = _pair(query_viewpoints, gallery_viewpoints, len(queries), len(gallery), "viewpoints")
    keys = _pair(query_keys, gallery_keys, len(queries), len(gallery), "keys")
    codes = (None, None) if keys is None else _codes(*keys)
    found = top_k(queries[:0], gallery[:0], k)
    index = np.full((len(queries), found.index.shape[1]), -1, dtype=np.int64)
    similarity = np.full(index.shape, np.nan, dtype=np.float32)
    for mine, theirs in candidate_groups(len(queries), len(gallery), species, sides):
        if len(theirs) == 0:
            unit_matrix(queries[mine], "queries")
            continue
        whole = len(theirs) == len(gallery)
        found = top_k(
            queries[mine], gallery, k, rows=None if whole else theirs,
            query_keys=None if codes[0] is None else codes[0][mine], gallery_keys=codes[1],
            runner=runner,
        )
        index[mine], similarity[mine] = found.index, found.similarity
    return Neighbors(index, similarity)


def candidate_groups(
    n: int, m: int, species: tuple[np.ndarray, np.ndarray] | None,
    viewpoints: tuple[np.ndarray, np.ndarray] | None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows of queries, rows of the gallery they meet), every query once; "" is a missing one."""
    none = (np.full(n, "", dtype=object), np.full(m, "", dtype=object))
    kinds, gallery_kinds = species or none
    sides, gallery_sides = viewpoints or none
    for kind in sorted(set(kinds)):
        mine, theirs = np.flatnonzero(kinds == kind), np.flatnonzero(gallery_kinds == kind)
        for side in sorted(set(sides[mine])):
            rows = mine[sides[mine] == side]
            there = gallery_sides[theirs]
            yield rows, theirs if side == "" else theirs[(there == side) | (there == "")]


@dataclass(frozen=True, eq=False)
class Candidates:
    """The individuals that a query may be, the most similar first.

    individual: (N, k) str, "" where there is no further one. similarity: (N, k) float32 of its
    most similar picture, NaN where there is none. index: (N, k) int64, that picture's gallery row.
    """

    individual: np.ndarray
    similarity: np.ndarray
    index: np.ndarray


def rank_individuals(
    matches: Neighbors, individuals: Sequence[object] | np.ndarray, k: int = 5
) -> Candidates:
    """The k best individuals of each query, each by its most similar picture.

    individuals: (M,) of the gallery. Only what `matches` holds is ranked: ask `match` for enough
    pictures when individuals have many.
    """
    if int(k) != k or k < 1:
        raise InputError(f"k: {k}, expected a whole number from 1.")
    m = len(individuals)
    if matches.index.size and matches.index.max() >= m:
        raise InputError(
            f"individuals: {m} names, but row {matches.index.max()} was matched; give one a "
            "gallery picture."
        )
    names, number = np.unique(check_individuals(individuals, m).astype(str), return_inverse=True)
    shape = (len(matches), int(k))
    out = Candidates(np.full(shape, "", dtype=object), np.full(shape, np.nan, dtype=np.float32),
                     np.full(shape, -1, dtype=np.int64))
    for row, (index, value) in enumerate(zip(matches.index, matches.similarity, strict=True)):
        real = index >= 0
        index, value = index[real], value[real]
        first = np.sort(np.unique(number[index], return_index=True)[1])[: int(k)]
        out.individual[row, : len(first)] = names[number[index[first]]]
        out.similarity[row, : len(first)] = value[first]
        out.index[row, : len(first)] = index[first]
    return out


def _pair(
    query: Names, gallery: Names, n: int, m: int, what: str
) -> tuple[np.ndarray, np.ndarray] | None:
    if (query is None) != (gallery is None) and n and m:
        side, other = ("gallery", "queries") if query is not None else ("queries", "gallery")
        raise InputError(f"{what} of the {other} without {what} of the {side}: give both or none.")
    query, gallery = check_names(query, n, f"query {what}"), check_names(gallery, m, what)
    if query is None and gallery is None:
        return None
    empty = np.full(max(n, m), "", dtype=object)
    return (empty[:n] if query is None else query, empty[:m] if gallery is None else gallery)


def _codes(query: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys as numbers; -1 for a missing one."""
    number = {name: i for i, name in enumerate(sorted({*query, *gallery} - {""}))}
    return tuple(
        np.array([number.get(name, -1) for name in keys], dtype=np.int64)
        for keys in (query, gallery)
    )


__all__ = ["Candidates", "Neighbors", "candidate_groups", "match", "rank_individuals"]
