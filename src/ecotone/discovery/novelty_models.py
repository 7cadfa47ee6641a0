"""All scores of novelty at once: fitted on known rows, cross-fitted, and weighed by hiding classes.

n known rows, M new rows, K classes, D embedding dimensions.

A weight says how well a score, here, told known classes from known ones that were hidden:

    weight = 1 / (1 - AUROC + SLACK)^2,  0 where AUROC <= 1/2,  SLACK = 0.03

AUROC is the mean over hidden classes: their rows scored by models without the class, against the
other rows scored by models without the row. Hiding a column of given posteriors flatters them: a
classifier trained without the class would have drawn its rows to another one. So the softmax of
given posteriors weighs half of what all others weigh together, whatever hiding says. With fewer
than `LEAST_CLASSES` classes to hide, all weights are one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import rankdata

from ecotone.discovery.exposure import Exposure, fit_exposure
from ecotone.discovery.novelty_scores import (
    Ecod,
    Mahalanobis,
    nearest_distance,
    neighbours_for,
)
from ecotone.evaluation.splits import stratified_folds
from ecotone.fusion.local_model import softmax

SCORES = ("mahalanobis", "knn", "softmax", "energy", "ecod")
EXPOSURE = "exposure"
SLACK = 0.03
GIVEN = 0.5  # weight of the softmax of given posteriors, of that of all others
LEAST_CLASSES = 3
MOST_HIDDEN = 10
FOLDS, FEW_FOLDS, FEW = 10, 20, 200

Parts = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Known:
    """Known rows. rows: (n, D) unit. target: (n,) class numbers. units: (n,) rows to keep together.
    proba, logits: (n, K) out of fold, or None. outliers: (m, D) unit, or None."""

    rows: np.ndarray
    target: np.ndarray
    units: np.ndarray
    proba: np.ndarray | None = None
    logits: np.ndarray | None = None
    outliers: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Models:
    """Fitted scores: the names asked for, and what each needs."""

    names: tuple[str, ...]
    gaussian: Mahalanobis
    reference: np.ndarray
    k: int
    ecod: Ecod | None
    exposure: Exposure | None

    @classmethod
    def fit(cls, known: Known, keep: np.ndarray, names: tuple[str, ...], seed: int) -> Models:
        """From some of the known rows."""
        rows, target = known.rows[keep], known.target[keep]
        exposure = None
        if EXPOSURE in names and known.outliers is not None:
            place = np.unique(target, return_inverse=True)[1]
            exposure = fit_exposure(rows, place, known.outliers, random_state=seed)
        return cls(
            names, Mahalanobis.fit(rows, target, relative=True), rows, neighbours_for(target),
            Ecod.fit(rows) if "ecod" in names else None, exposure,
        )

    def score(self, rows: np.ndarray, proba: np.ndarray | None, logits: np.ndarray | None) -> Parts:
        """Every score (n,) of unit rows; without proba or logits those of the Gaussian classes."""
        distances = self.gaussian.distances(rows)
        own = self.gaussian.log_evidence(distances)
        out: Parts = {}
        for name in self.names:
            if name == "mahalanobis":
                out[name] = self.gaussian.score(rows, distances)
            elif name == "knn":
                out[name] = nearest_distance(rows, self.reference, self.k)
            elif name == "softmax":
                out[name] = 1.0 - (softmax(own) if proba is None else proba).max(axis=1)
            elif name == "energy":
                out[name] = -logsumexp(own if logits is None else logits, axis=1)
            elif name == "ecod" and self.ecod is not None:
                out[name] = self.ecod.score(rows)
            elif self.exposure is not None:
                out[name] = self.exposure.score(rows)
        return out


def cross_fitted(known: Known, names: tuple[str, ...], seed: int) -> tuple[Parts, np.ndarray]:
    """Scores of known rows by models without their unit, and whether their class was there (n,).

    Needs two units at least.
    """
    folds = stratified_folds(
        known.target, known.units, FEW_FOLDS if len(known) <= FEW else FOLDS, seed
    )
    parts: Parts = {name: np.empty(len(known)) for name in names}
    seen = np.zeros(len(known), dtype=bool)
    for fold in np.unique(folds):
        held = np.flatnonzero(folds == fold)
        keep = np.flatnonzero(folds != fold)
        models = Models.fit(known, keep, names, seed)
        for name, value in models.score(known.rows[held], *posteriors(known, held)).items():
            parts[name][held] = value
        seen[held] = np.isin(known.target[held], known.target[keep])
    return parts, seen


def posteriors(
    known: Known, rows: np.ndarray, without: np.ndarray | None = None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """proba and logits of some known rows, as if some classes were not known."""
    out: list[np.ndarray | None] = []
    for table, log in ((known.proba, False), (known.logits, True)):
        if table is None or without is None or len(without) == table.shape[1]:
            out.append(None if table is None else table[rows])
            continue
        left = np.delete(table[rows], without, axis=1)
        total = np.maximum(left.sum(axis=1, keepdims=True), 1e-12)
        out.append(left if log else left / total)
    return out[0], out[1]


def weigh(known: Known, names: tuple[str, ...], parts: Parts, seed: int) -> dict[str, float]:
    """The weight of each score, from classes hidden in turn. parts: cross-fitted scores."""
    classes, size = np.unique(known.target, return_counts=True)
    hidden = _hidden_sets(classes, size, seed)
    if not hidden:
        return dict.fromkeys(names, 1.0)
    area: dict[str, list[float]] = {name: [] for name in names}
    for group in hidden:
        away = np.isin(known.target, group)
        models = Models.fit(known, np.flatnonzero(~away), names, seed)
        rows = np.flatnonzero(away)
        new = models.score(known.rows[rows], *posteriors(known, rows, group))
        left = np.flatnonzero(~away)
        old_proba = posteriors(known, left, group)
        for name in names:
            old = parts[name][left]
            if name == "softmax" and old_proba[0] is not None:
                old = 1.0 - old_proba[0].max(axis=1)
            elif name == "energy" and old_proba[1] is not None:
                old = -logsumexp(old_proba[1], axis=1)
            area[name].append(auroc(old, new[name]))
    mean = {name: float(np.mean(values)) for name, values in area.items()}
    weights = {n: (1.0 - a + SLACK) ** -2 if a > 0.5 else 0.0 for n, a in mean.items()}
    others = sum(value for name, value in weights.items() if name != "softmax")
    if known.proba is not None and "softmax" in weights and others:
        weights["softmax"] = GIVEN * others
    return weights if any(weights.values()) else dict.fromkeys(names, 1.0)


def auroc(old: np.ndarray, new: np.ndarray) -> float:
    """The chance that a new row scores above an old one, ties half."""
    rank = rankdata(np.concatenate([old, new]))[len(old) :]
    return float((rank.sum() - len(new) * (len(new) + 1) / 2) / (len(old) * len(new)))


def _hidden_sets(classes: np.ndarray, size: np.ndarray, seed: int) -> list[np.ndarray]:
    """The classes to hide, at most `MOST_HIDDEN` times; many classes are hidden several at once."""
    if len(classes) < LEAST_CLASSES:
        return []
    if len(classes) <= MOST_HIDDEN:
        return [classes[k : k + 1] for k in range(len(classes))]
    order = np.random.default_rng(seed).permutation(classes)
    return [order[k::MOST_HIDDEN] for k in range(MOST_HIDDEN)]


