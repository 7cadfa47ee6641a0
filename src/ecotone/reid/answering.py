"""What `ReIdentifier.predict` and `catalogue` do with a fitted identifier. Q queries, V units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ecotone.reid.catalogue import Catalogue, make_catalogue
from ecotone.reid.constraints import make_constraints
from ecotone.reid.deciding import Pairs, Word, peoples_word
from ecotone.reid.evidence import Pooled, individual_evidence, pool
from ecotone.reid.fused_similarity import PairScore
from ecotone.reid.gallery import Labels, copies, digest
from ecotone.reid.heldout import gallery_sizes
from ecotone.reid.learning import log_ratios
from ecotone.reid.matching import match
from ecotone.reid.naming import name_groups
from ecotone.reid.openset import KNOWN, NEW
from ecotone.reid.pair_graph import pair_probability
from ecotone.reid.pairs import codes
from ecotone.reid.reordering import reorder
from ecotone.reid.results import Identification
from ecotone.reid.unlabelled import NOTE, guess_calibrator

EVERY = 2500  # pictures up to which all pairs are compared
NEIGHBOURS = 50  # of each picture where there are more


def decisions(
    reid: Any, table: Labels, same: Pairs, different: Pairs, ids: Sequence[object] | None
) -> Word:
    """People's word on queries and gallery rows as given to `fit`; see `peoples_word`."""
    n = len(table)
    place = {int(row): n + at for at, row in enumerate(reid.rows_)}

    def moved(pairs: Pairs) -> list[tuple[int, int]]:
        rows = [(int(a), int(b)) for a, b in pairs]
        return [tuple(r if r < n else place.get(r - n, r) for r in p) for p in rows]

    names = None
    if ids is not None:
        gallery = [f"{reid.classes_[c]} (gallery row {row})"
                   for row, c in zip(reid.rows_, reid.gallery_.who, strict=True)]
        names = [*ids, *gallery]
    return peoples_word(n, reid.gallery_.who, _together(table), moved(same), moved(different),
                        names)


def _together(table: Labels) -> np.ndarray:
    """(Q,) int: pictures of one encounter and species, and identical pictures of it."""
    rows = np.arange(len(table))
    alone = np.array([f"picture {r}" for r in rows], dtype=object)
    met = np.where(table.encounter == "", alone, table.encounter)
    return codes(table.species, met)


def answer(
    reid: Any, table: Labels, word: Word, scores: Mapping[str, PairScore],
    ids: Sequence[object] | None, taken: Sequence[str], notes: list[str],
    between: Mapping[str, PairScore] | None = None,
) -> Identification:
    """Decide every query; see `ReIdentifier.predict`."""
    pooled = _pooled(reid, table, word, scores)
    p = _candidates(pooled, word, reid.candidates, len(reid.classes_))
    best = np.where(word.said >= 0, 1.0, pooled.best)
    new = np.where(word.said >= 0, 0.0, pooled.new)
    decision = reid.thresholds_.decide(best, new)
    two_way = reid.thresholds_.two_way(best, new)
    decision[word.said >= 0] = two_way[word.said >= 0] = KNOWN
    if not len(reid.classes_):
        decision[:] = NEW
    names = np.full(len(word.said), "", dtype=object)
    known = decision == KNOWN
    names[known] = reid.classes_[p.individual[known, 0]] if known.any() else []
    fresh = np.flatnonzero(decision == NEW)
    group = _new_groups(reid, table, word, fresh, between)
    keys = list(ids) if ids is not None else [digest(r) for r in table.embeddings]
    called = name_groups(np.where(np.isin(word.unit, fresh), group[word.unit], -1), keys,
                         [*reid.classes_, *taken])
    unit, individual = word.unit, names[word.unit]
    individual = np.where(called != "", called, individual).astype(object)
    probability = np.where(decision == NEW, new, np.where(known, best, np.maximum(best, new)))
    none = p.individual < 0
    candidates = np.full(none.shape, "", dtype=object)
    if len(reid.classes_):
        candidates[~none] = reid.classes_[p.individual[~none]]
    rows = np.where(p.row < 0, -1, reid.rows_[np.maximum(p.row, 0)] if len(reid.rows_) else -1)
    return Identification(
        decision[unit], individual, probability[unit], 1.0 - new[unit], two_way[unit],
        candidates[unit], p.probability[unit], rows[unit], (word.said >= 0)[unit], unit,
        tuple(dict.fromkeys([*notes, *word.notes, *_unmatched(reid, table)])))


def _unmatched(reid: Any, table: Labels) -> list[str]:
    kinds = set(reid.gallery_.species)
    strange = sorted({s for s in table.species if s not in kinds})
    notes = []
    if strange and len(reid.classes_):
        shown = ", ".join(s or "no species" for s in strange[:3])
        notes.append(f"no known individual of {shown}"
                     + (f" and {len(strange) - 3} more" if len(strange) > 3 else "")
                     + ": all of them are new")
    blank = int((table.viewpoint == "").sum())
    if blank and (reid.gallery_.viewpoint != "").any():
        notes.append(f"{blank:,} pictures have no viewpoint: they are compared with all viewpoints")
    return notes


def _pooled(
    reid: Any, table: Labels, word: Word, scores: Mapping[str, PairScore]
) -> Pooled:
    """What the gallery says of each unit, without individuals that people excluded."""
    gallery, n = reid.gallery_, len(table)
    if not len(gallery) or reid.calibration_.pooled is None:
        index = np.full((n, 1), -1, dtype=np.int64)
        ratio = np.full((n, 1), np.nan)
        size = np.zeros(n, dtype=np.int64)
        if len(gallery):  # one known picture alone: nothing tells what its similarity means
            index, ratio, size = _ranked_only(reid, table)
    else:
        found = match(
            table.embeddings, gallery.embeddings,
            min(reid.order_.wide(reid.shortlist), len(gallery)),
            query_species=table.species, gallery_species=gallery.species,
            query_viewpoints=table.viewpoint, gallery_viewpoints=gallery.viewpoint,
            runner=reid.runner)
        found = reorder(table.embeddings, gallery.embeddings, found, reid.order_, reid.shortlist)
        index = found.index
        ratio = log_ratios(reid.shortlist_calibration_, found, table.species, scores,
                           np.arange(n), reid.rows_)
        size = gallery_sizes(gallery.who, table.species, table.viewpoint, gallery.species,
                             gallery.viewpoint)
    evidence = individual_evidence(index, ratio, gallery.who, size)
    banned = {(int(v), int(c)) for v, c in word.not_one}
    if banned:
        keep = np.array([(int(word.unit[q]), int(c)) not in banned
                         for q, c in zip(evidence.query, evidence.individual, strict=True)])
        evidence = evidence.keep(keep.astype(bool))
    model = reid.known_model_
    known = model.probability(evidence.summed(model.temper), np.maximum(evidence.individuals, 1))
    return pool(evidence, known, evidence.share(model.temper), word.unit)


def _ranked_only(reid: Any, table: Labels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gallery = reid.gallery_
    found = match(
        table.embeddings, gallery.embeddings, 1,
        query_species=table.species, gallery_species=gallery.species,
        query_viewpoints=table.viewpoint, gallery_viewpoints=gallery.viewpoint)
    size = gallery_sizes(gallery.who, table.species, table.viewpoint, gallery.species,
                         gallery.viewpoint)
    return found.index, np.where(found.index < 0, np.nan, 0.0), size


class _Candidates:
    """individual (code, -1 = none), row: (V, C) int; probability: (V, C)."""

    def __init__(self, units: int, c: int) -> None:
        self.individual = np.full((units, c), -1, dtype=np.int64)
        self.row = np.full((units, c), -1, dtype=np.int64)
        self.probability = np.zeros((units, c))


def _candidates(pooled: Pooled, word: Word, c: int, individuals: int) -> _Candidates:
    out = _Candidates(len(word.said), c)
    for unit in range(len(word.said)):
        part = slice(pooled.start[unit], min(pooled.start[unit + 1], pooled.start[unit] + c))
        who, row, p = pooled.individual[part], pooled.row[part], pooled.probability[part]
        said = word.said[unit]
        if said >= 0:  # what people named stands first
            whole = slice(pooled.start[unit], pooled.start[unit + 1])
            at = np.flatnonzero(pooled.individual[whole] == said)
            first = pooled.row[whole][at[0]] if len(at) else -1
            others = who != said
            who = np.concatenate([[said], who[others]])[:c]
            row = np.concatenate([[first], row[others]])[:c]
            p = np.concatenate([[1.0], np.zeros(int(others.sum()))])[:c]
        out.individual[unit, :len(who)], out.row[unit, :len(row)] = who, row
        out.probability[unit, :len(p)] = p
    return out


# New individuals and catalogues


def _new_groups(
    reid: Any, table: Labels, word: Word, fresh: np.ndarray,
    scores: Mapping[str, PairScore] | None,
) -> np.ndarray:
    """(V,) int: the group of each new unit, -1 for others."""
    out = np.full(len(word.said), -1, dtype=np.int64)
    rows = np.flatnonzero(np.isin(word.unit, fresh))
    if not len(rows):
        return out
    local = {int(unit): at for at, unit in enumerate(fresh)}
    unit = np.array([local[int(u)] for u in word.unit[rows]])
    apart = [(local[a], local[b]) for a, b in word.apart.tolist() if a in local and b in local]
    left, right, p, _ = _pair_probabilities(reid, table, rows, scores=scores)
    first = np.unique(unit, return_index=True)[1]
    same = [(int(first[u]), at) for at, u in enumerate(unit)]
    different = [(int(first[a]), int(first[b])) for a, b in apart]
    limits = make_constraints(len(rows), same, different)
    found = make_catalogue(len(rows), left, right, p, limits, reid.joined_from(scores))
    out[fresh[unit]] = found.cluster
    return out


def cluster(
    reid: Any, table: Labels, same: list[tuple[int, int]], different: list[tuple[int, int]],
    method: str, threshold: float, individuals: np.ndarray | None = None,
    ids: Sequence[object] | None = None, scores: Mapping[str, PairScore] | None = None,
) -> Catalogue:
    """See `ReIdentifier.catalogue`."""
    n = len(table)
    who = np.full(n, "", dtype=object) if individuals is None else individuals
    people = np.unique(who[who != ""].astype(str))
    # Every name stands as one more picture, which those that carry it are the same as.
    named = [(row, n + int(np.searchsorted(people, w))) for row, w in enumerate(who) if w]
    names = None if ids is None else [*ids, *people]
    word = peoples_word(n, np.arange(len(people)), _together(table), [*same, *named], different,
                        names)
    first = np.unique(word.unit, return_index=True)[1] if n else np.zeros(0, dtype=np.int64)
    joined = [(int(first[u]), row) for row, u in enumerate(word.unit)]
    limits = make_constraints(n, joined, [(int(first[a]), int(first[b])) for a, b in word.apart])
    limits = replace(limits, owner=word.said)
    left, right, p, notes = _pair_probabilities(
        reid, table, np.arange(n), same, different, scores)
    found = make_catalogue(n, left, right, p, limits, threshold, method)
    return Catalogue(found.cluster, found.probability, found.threshold,
                     tuple(dict.fromkeys([*word.notes, *notes, *found.notes])))


def _pair_probabilities(
    reid: Any, table: Labels, rows: np.ndarray, same: Sequence[tuple[int, int]] = (),
    different: Sequence[tuple[int, int]] = (), scores: Mapping[str, PairScore] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Pairs (places in rows) and P(same individual): all pairs of few pictures, neighbours of
    many, inside species and viewpoint. scores: asked for the shortlist of each picture."""
    x, kind, side = table.embeddings[rows], table.species[rows], table.viewpoint[rows]
    n = len(rows)
    found = match(
        x, x, max(min(n - 1 if n <= EVERY else NEIGHBOURS, n), 1), query_species=kind,
        gallery_species=kind, query_viewpoints=side, gallery_viewpoints=side,
        query_keys=np.arange(n).astype(str), gallery_keys=np.arange(n).astype(str),
        runner=reid.runner if n > EVERY else None)
    left, column = np.nonzero(found.index >= 0)
    right, value = found.index[left, column], found.similarity[left, column].astype(np.float64)
    low, high = np.minimum(left, right), np.maximum(left, right)
    first = np.unique(low * n + high, return_index=True)[1]
    nearest = (column == 0) & (found.index[right, 0] == left)
    left, right, value, nearest = low[first], high[first], value[first], nearest[first]
    fusion = reid.calibration_.pooled
    if fusion is not None and fusion.informative_:
        p = pair_probability(reid.calibration_, n, left, right, value, kind[left], scores or {},
                             rows, reid.shortlist)
        return left, right, p, []
    if len(left) < 1:
        return left, right, value, []
    said = _said(rows, left, right, same, different)
    met = table.encounter[rows]
    nearest &= ~((met[left] == met[right]) & (met[left] != ""))
    copy = copies(x)
    nearest &= copy[left] != copy[right]
    p = guess_calibrator(value, nearest, said, reid.random_state).probability(value)
    mute = [f"{name}: without labelled pairs nobody can say what these scores mean; the embedding "
            "alone decides" for name in scores or ()]
    return left, right, np.clip(p, 0.0, 1.0), [NOTE, *mute]


def _said(
    rows: np.ndarray, left: np.ndarray, right: np.ndarray, same: Sequence[tuple[int, int]],
    different: Sequence[tuple[int, int]],
) -> np.ndarray:
    known = {tuple(sorted(p)): 1 for p in same} | {tuple(sorted(p)): 0 for p in different}
    if not known:
        return np.full(len(left), -1)
    return np.array([known.get((int(rows[a]), int(rows[b])), -1)
                     for a, b in zip(left, right, strict=True)])


__all__ = ["answer", "cluster", "decisions"]
