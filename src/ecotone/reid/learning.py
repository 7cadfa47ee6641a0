"""What `ReIdentifier.fit` learns from labelled pictures: calibration, P(known), thresholds.

N labelled pictures (`Labelled`), seen as if they were new (`Spaces`); see `heldout`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.reid.catalogue import best_threshold
from ecotone.reid.evidence import Evidence, individual_evidence, pool
from ecotone.reid.fused_similarity import PairScore, SimilarityFusion, ask
from ecotone.reid.heldout import Labelled, Spaces, came_twice, gallery_sizes
from ecotone.reid.openset import (
    TEMPERS,
    KnownModel,
    Thresholds,
    Trials,
    balanced,
    fit_known,
    fit_thresholds,
)
from ecotone.reid.pair_graph import EMBEDDING, pair_probability
from ecotone.reid.pairs import calibration_pairs
from ecotone.reid.reordering import Order, choose_order, first_right
from ecotone.reid.search import Neighbors

OWN_PAIRS, OWN_PEOPLE = 100, 10  # pairs and individuals from which a species is calibrated alone
EXPENSIVE_PAIRS = 2000  # of a kind, where a similarity is expensive
TRIALS, EXPENSIVE_TRIALS = 3000, 200  # pictures tried as queries
ORDER_TRIALS = 1000  # where shortlists are ordered anew, which takes milliseconds a query
CLUSTERED, EXPENSIVE_CLUSTERED = 1500, 200  # pictures on which the threshold of clusters is chosen
SPARE = 200  # candidates asked for beyond the shortlist, to leave an individual out


@dataclass(frozen=True, eq=False)
class Calibration:
    """Similarities to log ratios: pooled, and by species where it has pairs enough."""

    pooled: SimilarityFusion | None
    species: Mapping[str, SimilarityFusion]
    notes: tuple[str, ...] = ()

    def of(self, species: str) -> SimilarityFusion | None:
        """The calibration of a species: its own, else the pooled one."""
        return self.species.get(species, self.pooled)

    def by_species(
        self, what: str, similarities: Mapping[str, np.ndarray], species: np.ndarray
    ) -> np.ndarray:
        """`probability` or `log_ratio` of rows, species: (rows,) str."""
        first = next(iter(similarities.values()))
        out = np.full(np.shape(first), np.nan)
        for name in np.unique(species.astype(str)):
            rows = species == name
            fusion = self.of(name)
            if fusion is not None and rows.any():
                part = {k: v[rows] for k, v in similarities.items()}
                out[rows] = getattr(fusion, what)(part)
        return out


def calibrate(
    data: Labelled, spaces: Spaces, scores: Mapping[str, PairScore], rows: np.ndarray,
    method: str, seed: int,
) -> Calibration:
    """Calibrate the embedding and other scores on pairs of the labelled pictures. rows: (N,) what
    the scores call them."""
    pairs = calibration_pairs(
        data.who.astype(str), group_names(data), data.unit.astype(str),
        most=EXPENSIVE_PAIRS if scores else 200_000, random_state=seed)
    if not len(pairs):
        return Calibration(None, {}, ("no two pictures to compare: nothing is calibrated",))
    values = {EMBEDDING: spaces.similarity(pairs.left, pairs.right)}
    silent = []
    for name, score in scores.items():
        found = ask(score, rows[pairs.left], rows[pairs.right], name)
        if np.isnan(found).all():
            silent.append(f"{name}: no score of two labelled pictures, so it means nothing here")
        else:
            values[name] = found
    people = data.who[pairs.left]
    pooled, own = _by_species(values, pairs.same, pairs.weight, data.species[pairs.left], people,
                              method)
    return Calibration(pooled, own, tuple(n for n in (pairs.note, *silent, *pooled.notes_) if n))


def _by_species(
    values: Mapping[str, np.ndarray], same: np.ndarray, weight: np.ndarray, kinds: np.ndarray,
    people: np.ndarray, method: str,
) -> tuple[SimilarityFusion, dict[str, SimilarityFusion]]:
    """The calibration of n pairs of all species, and those of species with enough of them. kinds,
    people: (n,) species and individual of the left pictures."""
    own = {}
    for kind in np.unique(kinds.astype(str)):
        here = kinds == kind
        right = here & same
        if here.all() or right.sum() < OWN_PAIRS or len(np.unique(people[right])) < OWN_PEOPLE:
            continue
        part = {k: v[here] for k, v in values.items()}
        if any(np.isnan(v).all() for v in part.values()):
            continue
        own[kind] = SimilarityFusion(method).fit(part, same[here], weight[here])
    return SimilarityFusion(method).fit(values, same, weight), own


def calibrate_shortlists(
    data: Labelled, queries: np.ndarray, near: Neighbors, before: Calibration,
    scores: Mapping[str, PairScore], rows: np.ndarray, method: str,
) -> Calibration:
    """Calibrate what re-ordered shortlists call similarity, on these shortlists themselves.

    near: (Q, k) candidates of the labelled queries. before: of which scores are known to speak.
    """
    query, column = np.nonzero(near.index >= 0)
    left, right = queries[query], near.index[query, column]
    if not len(left):
        return before
    values = {EMBEDDING: near.similarity[query, column].astype(np.float64)}
    for name, score in scores.items():
        if before.pooled is not None and name in before.pooled.calibrators_:
            values[name] = ask(score, rows[left], rows[right], name)
    pooled, own = _by_species(values, data.who[left] == data.who[right], np.ones(len(left)),
                              data.species[left], data.who[left], method)
    return Calibration(pooled, own, tuple(pooled.notes_))


def group_names(data: Labelled) -> np.ndarray:
    """(N,) species and viewpoint as one name; a missing viewpoint is compared with its likes."""
    out = np.empty(len(data), dtype=object)
    out[:] = [f"{s}|{v}" for s, v in zip(data.species, data.viewpoint, strict=True)]
    return out


@dataclass(frozen=True, eq=False)
class Opened:
    """What was learned of known and new ones. order: of shortlists, and their calibration."""

    model: KnownModel
    thresholds: Thresholds
    order: Order
    calibration: Calibration
    trials: Trials | None = None


def learn_open_set(
    data: Labelled, spaces: Spaces, calibration: Calibration, scores: Mapping[str, PairScore],
    rows: np.ndarray, shortlist: int, precision: float | None, seed: int,
    ways: Sequence[Order] = (Order(),), method: str = "isotonic",
) -> Opened:
    """P(known) and the thresholds, each picture tried against a gallery with and without its own
    individual. ways: the orders of shortlists to choose from, see `choose_order`."""
    queries = _some(came_twice(data), EXPENSIVE_TRIALS if scores else
                    ORDER_TRIALS if any(ways) else TRIALS, seed)
    if calibration.pooled is None or not len(queries):
        return Opened(KnownModel(), fit_thresholds(_no_trials(), precision), Order(), calibration)
    extra = min(int(np.bincount(data.who).max()), SPARE)
    wide = max(way.wide(shortlist) for way in ways) + extra
    found = spaces.neighbours(data, queries, min(wide, len(data)))
    own = data.who[np.maximum(found.index, 0)] == data.who[queries][:, None]

    def nearest(way: Order, stranger: bool) -> Neighbors:
        left = (found.index >= 0) & ~(own & stranger)
        some = Neighbors(_first(found.index, left, way.wide(shortlist)), found.similarity)
        return spaces.reordered(queries, some, way, shortlist)

    order = ways[0]
    if len(ways) > 1:
        order = choose_order({way: first_right(nearest(way, False).index, data.who,
                                               data.who[queries]) for way in ways},
                             data.who[queries])
    sides, size = [], gallery_sizes(data.who, data.species[queries], data.viewpoint[queries],
                                    data.species, data.viewpoint)
    for stranger in (False, True):
        near = nearest(order, stranger)
        if order and not stranger:
            calibration = calibrate_shortlists(data, queries, near, calibration, scores, rows,
                                               method)
        ratio = log_ratios(calibration, near, data.species[queries], scores, rows[queries], rows)
        sides.append(individual_evidence(near.index, ratio, data.who, size))
    usable = size > 1  # without another individual there is nothing to be mistaken for
    return _learn(data, queries, sides, usable, precision, order, calibration)


def _learn(
    data: Labelled, queries: np.ndarray, sides: list[Evidence], usable: np.ndarray,
    precision: float | None, order: Order, calibration: Calibration,
) -> Opened:
    if not usable.any():
        return Opened(KnownModel(), fit_thresholds(_no_trials(), precision), order, calibration)
    truth = data.who[queries]
    temper = _temper(sides[0], truth, usable)
    summed = np.concatenate([s.summed(temper) for s in sides])
    count = np.concatenate([s.individuals for s in sides])
    known = np.arange(len(summed)) < len(queries)
    both, person = np.tile(usable, 2), np.tile(truth, 2)
    weight = balanced(person[both], known[both])
    model = fit_known(summed[both], count[both], known[both], weight, temper)
    unit = np.unique(np.stack([data.unit[queries], truth]), axis=1, return_inverse=True)[1].ravel()
    parts = []
    for side, is_known in zip(sides, (True, False), strict=True):
        share = side.share(temper)
        pooled = pool(side, model.probability(side.summed(temper), side.individuals), share, unit)
        one = np.unique(unit, return_index=True)[1]
        keep = usable[one]
        parts.append((truth[one][keep], np.full(int(keep.sum()), is_known),
                      (pooled.first == truth[one])[keep], pooled.best[keep], pooled.new[keep]))
    trials = Trials(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return Opened(model, fit_thresholds(trials, precision), order, calibration, trials)


def _no_trials() -> Trials:
    none = np.zeros(0)
    return Trials(none.astype(np.int64), none.astype(bool), none.astype(bool), none, none)


def _some(mask: np.ndarray, most: int, seed: int) -> np.ndarray:
    rows = np.flatnonzero(mask)
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def _first(index: np.ndarray, allowed: np.ndarray, k: int) -> np.ndarray:
    """The index with -1 in place of all but the first k that are allowed of each row."""
    return np.where(allowed & (np.cumsum(allowed, axis=1) <= k), index, -1)


def _temper(known: Evidence, truth: np.ndarray, usable: np.ndarray) -> float:
    """The power of the likelihood ratios that makes the shares of individuals honest."""
    right = known.individual == truth[known.query]
    losses = []
    for temper in TEMPERS:
        share = np.full(len(known), 1e-3)
        share[known.query[right]] = np.maximum(known.share(temper)[right], 1e-3)
        losses.append(float(-np.log(share[usable]).mean()))
    return TEMPERS[int(np.argmin(losses))]


def log_ratios(
    calibration: Calibration, near: Neighbors, species: np.ndarray,
    scores: Mapping[str, PairScore], left: np.ndarray, right: np.ndarray,
) -> np.ndarray:
    """(Q, k) log ratios of shortlists, NaN where their index is -1.

    left: (Q,) and right: (M,), what the scores call queries and gallery rows.
    """
    index = near.index
    query, column = np.nonzero(index >= 0)
    values = {EMBEDDING: near.similarity[query, column].astype(np.float64)}
    for name, score in scores.items():
        if calibration.pooled is not None and name in calibration.pooled.calibrators_:
            values[name] = ask(score, left[query], right[index[query, column]], name)
    out = np.full(index.shape, np.nan)
    if len(query):
        out[query, column] = calibration.by_species("log_ratio", values, species[query])
    return out


def cluster_threshold(
    data: Labelled, spaces: Spaces, calibration: Calibration, seed: int,
    scores: Mapping[str, PairScore] | None = None, names: np.ndarray | None = None, k: int = 25,
) -> float:
    """The probability from which unknown pictures are joined, chosen on the labelled ones.

    scores: asked for the k nearest of each picture, which they call by `names` (N,).
    """
    if calibration.pooled is None or not calibration.pooled.informative_:
        return 0.5
    rng, people = np.random.default_rng(seed), np.unique(data.who)
    left_over = EXPENSIVE_CLUSTERED if scores else CLUSTERED
    chosen = []
    for person in rng.permutation(people):  # whole individuals, as they will come
        rows = np.flatnonzero(data.who == person)
        if len(rows) <= left_over:
            chosen.append(rows)
            left_over -= len(rows)
    rows = np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)
    group = group_names(data)[rows]
    left, right = np.triu_indices(len(rows), 1)
    fits = group[left] == group[right]
    left, right = left[fits], right[fits]
    if not len(left):
        return 0.5
    p = pair_probability(
        calibration, len(rows), left, right, spaces.similarity(rows[left], rows[right]),
        data.species[rows[left]], scores or {}, rows if names is None else names[rows], k)
    whole = np.array([f"{w}|{g}" for w, g in zip(data.who[rows], group, strict=True)])
    return best_threshold(whole, left, right, p)
