"""Held-out values of labelled pictures and their bursts: what the context term is learned on.

P pictures, n labelled ones, L pictures of their events, K classes, F windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecotone.context.experts import Recipe, Trees, fit_expert
from ecotone.context.image import GivenImage, MappedImage, NamedImage
from ecotone.context.model import ContextModel
from ecotone.context.neighbours import WINDOWS, neighbour_evidence
from ecotone.context.when import Situation
from ecotone.evaluation.splits import link_rows, stratified_folds

FOLDS = 5
MOST_LABELS = 6000  # labelled pictures that an expert is fitted on
ALIKE = 0.3  # correlation of labels within a burst


@dataclass(frozen=True, eq=False)
class Known:
    """What is known: evidence of P pictures, where they are, rows (n,) of the labelled ones, their
    target (n, K), and the image model before any label."""

    evidence: Any
    where: Situation
    rows: np.ndarray
    target: np.ndarray
    start: GivenImage | MappedImage | NamedImage
    seed: int

    @property
    def units(self) -> np.ndarray:
        """(n,) the burst of each labelled picture, its own where it is in none."""
        return np.array([e or f"#{r}" for r, e in
                         zip(self.rows, self.where.event[self.rows], strict=True)])

    @property
    def counted(self) -> np.ndarray:
        """(n, K) target, labels of one burst counting less: they are no independent witnesses."""
        _, unit, size = np.unique(self.units, return_inverse=True, return_counts=True)
        return self.target / (1.0 + ALIKE * (size[unit] - 1.0))[:, None]

    @property
    def prior(self) -> np.ndarray:
        """Class prior (K,) of the labels, one pseudo-label a class."""
        return prior_of(self.counted)


def prior_of(target: np.ndarray) -> np.ndarray:
    """Class prior (K,) of labels (n, K), one pseudo-label a class."""
    counts = target.sum(axis=0) + 1.0
    return counts / counts.sum()


@dataclass(frozen=True, eq=False)
class Folds:
    """Held-out values of L pictures. look: (L,) their numbers; at: (n,) the labelled among them;
    fold: (L,). image: (L, K) posteriors; windows: F arrays (L, K); where: of the L pictures."""

    look: np.ndarray
    at: np.ndarray
    fold: np.ndarray
    image: np.ndarray
    windows: list[np.ndarray]
    where: Situation

    def held(self, known: Known, recipe: Recipe) -> np.ndarray:
        """Posteriors (L, K) of a recipe, each fold's by an expert that has not seen its labels."""
        out = np.zeros_like(self.image)
        mine = self.fold[self.at]
        for fold in np.unique(self.fold):
            expert = fit_on(known, self, np.flatnonzero(mine != fold), recipe)
            rows = np.flatnonzero(self.fold == fold)
            out[rows] = expert.posterior(
                np.log(self.image[rows]), [w[rows] for w in self.windows], self.where.take(rows)
            )
        return out


def fit_on(known: Known, folds: Folds, train: np.ndarray, recipe: Recipe) -> ContextModel | Trees:
    """The expert of some labelled pictures (numbers into the n)."""
    if len(train) > MOST_LABELS:
        train = train[np.random.default_rng(known.seed).permutation(len(train))[:MOST_LABELS]]
        train.sort()
    rows = folds.at[train]
    return fit_expert(
        recipe, np.log(folds.image[rows]), known.counted[train], [w[rows] for w in folds.windows],
        folds.where.take(rows), known.start.classes, known.seed,
    )


def make_folds(known: Known, by: np.ndarray, start: Any, learn: bool) -> Folds | None:
    """Folds over the units `by` (P,) str; None when all labels lie in one unit.

    start: the image model; learn: whether each fold's is fitted to the labels outside of it.
    """
    units = link_rows(len(by), by)
    mine = units[known.rows]
    if len(np.unique(mine)) < 2:
        return None
    names = unit_names(units, known.where)[known.rows]
    fold_of_row = stratified_folds(known.target.argmax(axis=1), names, FOLDS, known.seed)
    # Only labelled pictures are learned from, and what they share an event with.
    mates = link_rows(len(by), known.where.event)
    look = np.flatnonzero(np.isin(units, mine) & np.isin(mates, mates[known.rows]))
    of_unit = dict(zip(mine.tolist(), fold_of_row.tolist(), strict=True))
    fold = np.array([of_unit[u] for u in units[look].tolist()])
    counted, k = known.counted, known.target.shape[1]
    image = np.empty((len(look), k))
    windows = [np.empty((len(look), k), dtype=np.float32) for _ in WINDOWS]
    proba, prior = (None, known.prior) if learn else (start.proba(known.evidence), known.prior)
    for number in np.unique(fold):
        here = np.flatnonzero(fold == number)
        if learn:
            rest = fold_of_row != number
            model = start.fitted(known.evidence, known.rows[rest], counted[rest])
            proba, prior = model.proba(known.evidence), prior_of(counted[rest])
        image[here] = proba[look[here]]
        made = neighbour_evidence(proba, known.where, prior, look[here])
        for window, values in zip(windows, made, strict=True):
            window[here] = values
    at = np.searchsorted(look, known.rows)
    return Folds(look, at, fold, image, windows, known.where.take(look))


def unit_names(units: np.ndarray, where: Situation) -> np.ndarray:
    """(P,) names of units by the first of what is in them, so that folds do not depend on the order
    of rows (but where pictures have neither time nor event)."""
    keys = np.array([
        f"{c}|{s:015.0f}|{e}" if e or s else f"{c}|{i:09d}" for i, (c, s, e) in
        enumerate(zip(where.camera, np.nan_to_num(where.seconds), where.event, strict=True))
    ])
    order = np.argsort(keys, kind="stable")[::-1]
    first = np.empty(units.max() + 1, dtype=int)
    first[units[order]] = order
    return keys[first[units]]
