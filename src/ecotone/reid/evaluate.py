"""`evaluate_reid`: how well pictures find their individual, by the protocol of MiewID.

N pictures, D dimensions. Inside each group (species, viewpoint) every picture is a query in turn
and all others are its gallery (one-vs-all), or, with a split, the pictures of one part are queries
in the gallery of the other. Figures are means over groups, each counting alike and every group in
all of them: a group that cannot be measured is left out of every mean, and named.
Source: Otarashvili et al. 2024, MiewID, arXiv:2412.05602; Cermak et al. 2024, WildlifeDatasets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from ecotone.errors import InputError
from ecotone.reid.metrics import FARS, RANKS, rank_figures, verification
from ecotone.reid.pairs import names

BLOCK = 512  # queries compared at once
GALLERY = ("train", "database", "gallery", "reference")
QUERY = ("test", "query", "queries", "val", "validation")
MOST = 2_000_000  # pairs of a group for verification; of more, as many are drawn


@dataclass(frozen=True)
class GroupFigures:
    """The figures of one group.

    top: rank -> share of queries with a right picture among the first; a rank beyond `gallery` is
    the one at `gallery`. map: mean average precision. tar: false acceptance rate -> true one.
    queries, gallery (the fewest pictures that a query was compared with), individuals: counts.
    """

    species: str
    viewpoint: str
    queries: int
    individuals: int
    gallery: int
    top: dict[int, float]
    map: float
    tar: dict[float, float]


@dataclass(frozen=True)
class ReidEvaluation:
    """groups: in order of name. top, map, tar: unweighted means over the groups. excluded: group ->
    why it is in no mean. notes: what to know."""

    groups: tuple[GroupFigures, ...]
    top: dict[int, float]
    map: float
    tar: dict[float, float]
    excluded: dict[tuple[str, str], str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def queries(self) -> int:
        """Queries in all groups."""
        return sum(g.queries for g in self.groups)

    def as_dict(self) -> dict[str, object]:
        """Plain values, for json."""
        out = asdict(self)
        out["excluded"] = [
            {"species": s, "viewpoint": v, "reason": why} for (s, v), why in self.excluded.items()]
        return {**out, "queries": self.queries}


def evaluate_reid(
    embeddings: np.ndarray | None, individuals: Sequence[object],
    species: Sequence[object] | None = None, viewpoint: Sequence[object] | None = None, *,
    encounter: Sequence[object] | None = None, split: Sequence[object] | None = None,
    similarity: np.ndarray | None = None, ranks: Sequence[int] = RANKS,
    min_pictures: int = 2, max_pictures: int | None = 10, database_pictures: int | None = None,
    far: Sequence[float] = FARS, random_state: int = 0,
) -> ReidEvaluation:
    """Top-k, mAP and verification of N pictures, inside species and viewpoint.

    embeddings: (N, D), compared by cosine; or None with `similarity`, (N, N), of any kind.
    individuals: N names, "" and None are left out. encounter: pictures of one encounter are then
    not compared. split: "train" (or database) and "test" (or query) a picture; without it
    one-vs-all. min_pictures, max_pictures: of an individual in a group, fewer are left out, of more
    as many are drawn (not with a split). database_pictures: at most as many of an individual in the
    gallery. random_state: of the draws, which do not depend on the order of the rows.
    Raises InputError when shapes differ, values are not finite, or no group can be measured.
    """
    n = len(individuals)
    who = names(individuals, n, "individuals")
    kind, view = names(species, n, "species"), names(viewpoint, n, "viewpoint")
    met, part = names(encounter, n, "encounter"), _parts(split, n)
    compare = _Comparison(embeddings, similarity, n)
    draw = _Draw(compare, random_state)
    groups, excluded, notes = [], {}, _notes(who, view, viewpoint is not None)
    for s, v in sorted({(a, b) for a, b, w in zip(kind, view, who, strict=True) if w}):
        rows = np.flatnonzero((kind == s) & (view == v) & (who != ""))
        if part is None:
            rows = draw.at_most(rows, who, min_pictures, max_pictures)
        plan = _plan(rows, who, part, database_pictures, draw)
        if isinstance(plan, str):
            excluded[(s, v)] = plan
            continue
        figures = _measure(compare, plan, who, met, tuple(ranks), tuple(far), random_state)
        if isinstance(figures, str):
            excluded[(s, v)] = figures
        else:
            groups.append(GroupFigures(s, v, **figures))
    if not groups:
        raise InputError(f"nothing to evaluate: {_first(excluded)}")
    if excluded:
        notes.append(f"left out of every mean: {_first(excluded)}")
    return ReidEvaluation(
        tuple(groups), {k: float(np.mean([g.top[k] for g in groups])) for k in groups[0].top},
        float(np.mean([g.map for g in groups])),
        {f: _mean([g.tar[f] for g in groups]) for f in groups[0].tar}, excluded, tuple(notes))


def _mean(values: list[float]) -> float:
    there = [v for v in values if not np.isnan(v)]
    return float(np.mean(there)) if there else float("nan")


def _first(excluded: dict[tuple[str, str], str]) -> str:
    if not excluded:
        return "no picture has an individual."
    parts = [f"{' '.join(p for p in key if p) or 'all pictures'} ({why})"
             for key, why in list(excluded.items())[:5]]
    more = len(excluded) - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more else "") + "."


def _notes(who: np.ndarray, view: np.ndarray, given: bool) -> list[str]:
    notes = []
    if (who == "").any():
        notes.append(f"{int((who == '').sum()):,} pictures without an individual are left out")
    if given and ((view == "") & (who != "")).any():
        lost = int(((view == "") & (who != "")).sum())
        notes.append(f"{lost:,} pictures have no viewpoint: they are compared among themselves")
    return notes


def _parts(split: Sequence[object] | None, n: int) -> np.ndarray | None:
    """(N,) bool: whether a picture is a query; None without a split."""
    if split is None:
        return None
    said = [v.strip().casefold() for v in names(split, n, "split")]
    unknown = sorted({v for v in said if v not in GALLERY and v not in QUERY})
    if unknown:
        raise InputError(f"split holds {unknown[0]!r}; expected train (or database) and test "
                         "(or query).")
    return np.array([v in QUERY for v in said], dtype=bool)


class _Comparison:
    """Similarities of rows, by cosine of embeddings or from a matrix."""

    def __init__(
        self, embeddings: np.ndarray | None, similarity: np.ndarray | None, n: int
    ) -> None:
        if (embeddings is None) == (similarity is None):
            raise InputError("give either embeddings (N, D) or similarity (N, N).")
        values = np.asarray(embeddings if similarity is None else similarity)
        square = similarity is not None
        if values.ndim != 2 or len(values) != n or (square and values.shape[1] != n):
            raise InputError(f"{'similarity' if square else 'embeddings'} have shape "
                             f"{values.shape}, expected ({n}, {n if square else 'D'}).")
        if not np.isfinite(values).all():
            raise InputError("embeddings or similarities hold NaN or infinity.")
        self.values, self.square = values, square
        if not square:
            values = values.astype(np.float64)
            length = np.linalg.norm(values, axis=1, keepdims=True)
            self.values = values / np.maximum(length, 1e-12)

    def __call__(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        if self.square:
            return self.values[np.ix_(left, right)].astype(np.float64)
        return self.values[left] @ self.values[right].T

    def key(self, row: int) -> bytes:
        """What stands for a row whatever its place, to order rows by."""
        values = np.sort(self.values[row]) if self.square else self.values[row]
        return np.ascontiguousarray(values).tobytes()


class _Draw:
    """Seeded choice among the pictures of an individual."""

    def __init__(self, compare: _Comparison, seed: int) -> None:
        self.compare, self.seed = compare, seed

    def pick(self, rows: np.ndarray, most: int) -> np.ndarray:
        if len(rows) <= most:
            return rows
        ordered = np.array(sorted(rows, key=self.compare.key))
        chosen = np.random.default_rng([self.seed, len(rows)]).permutation(len(rows))[:most]
        return np.sort(ordered[chosen])

    def at_most(
        self, rows: np.ndarray, who: np.ndarray, least: int, most: int | None
    ) -> np.ndarray:
        """The rows of individuals with at least `least`, at most `most` of each."""
        kept = []
        for person in sorted(set(who[rows])):
            own = rows[who[rows] == person]
            if len(own) >= least:
                kept.append(own if most is None else self.pick(own, most))
        return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *kept]))


def _plan(
    rows: np.ndarray, who: np.ndarray, part: np.ndarray | None, most: int | None, draw: _Draw
) -> tuple[np.ndarray, np.ndarray] | str:
    """Queries and gallery of a group, or why it cannot be measured."""
    if not len(rows):
        return "no individual with enough pictures"
    queries = rows if part is None else rows[part[rows]]
    gallery = rows if part is None else rows[~part[rows]]
    if most is not None:
        gallery = draw.at_most(gallery, who, 1, most)
    if not len(queries) or not len(gallery):
        return "no queries" if not len(queries) else "no gallery"
    if len(set(who[gallery])) < 2:
        return "one individual, nothing to tell apart"
    return queries, gallery


def _measure(
    compare: _Comparison, plan: tuple[np.ndarray, np.ndarray], who: np.ndarray, met: np.ndarray,
    ranks: tuple[int, ...], far: tuple[float, ...], seed: int,
) -> dict[str, object] | str:
    queries, gallery = plan
    first, precision, sizes, scores, same = [], [], [], [], []
    rng = np.random.default_rng(seed)
    share = min(1.0, MOST / (len(queries) * len(gallery)))
    for start in range(0, len(queries), BLOCK):
        rows = queries[start:start + BLOCK]
        block = compare(rows, gallery)
        apart = rows[:, None] != gallery[None, :]
        apart &= (met[rows][:, None] != met[gallery][None, :]) | (met[rows] == "")[:, None]
        right = who[rows][:, None] == who[gallery][None, :]
        block[~apart] = -np.inf
        ranked, ap = rank_figures(block, right)
        first.append(ranked)
        precision.append(ap)
        sizes.append(apart.sum(axis=1))
        chosen = apart if share == 1.0 else apart & (right | (rng.random(apart.shape) < share))
        scores.append(block[chosen])
        same.append(right[chosen])
    rank, ap, size = map(np.concatenate, (first, precision, sizes))
    found = rank > 0
    if not found.any():
        return "no query has another picture of its individual"
    limit = int(size[found].min())
    return {
        "queries": int(found.sum()), "individuals": len(set(who[queries[found]])),
        "gallery": limit,
        "top": {k: float(np.mean(rank[found] <= np.minimum(k, size[found]))) for k in ranks},
        "map": float(np.mean(ap[found])),
        "tar": verification(np.concatenate(scores), np.concatenate(same), far),
    }
