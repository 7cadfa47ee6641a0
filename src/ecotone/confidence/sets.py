"""Prediction sets: the classes that a detection may be, with a promised coverage.

N rows, n held-out labelled rows, K classes. A class is in the set when its score is at most its
threshold; scores are small where a class fits.

A score may use the prevalence of classes, counted on the very labels that calibrate it. So that
the promise stays exact, each candidate class is counted in as if the row to come were one of it
(full conformal prediction in the counts): with the candidate the n + 1 rows are exchangeable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator

from ecotone.confidence.checks import check_held_out, check_proba, check_share
from ecotone.errors import InputError
from ecotone.hierarchy.climbing import conformal_threshold, least_items

SCORES = ("pas", "softmax", "aps")
PER_CLASS = ("auto", "marginal", "classwise", "interpolated")
WORST = {"softmax": 1.0, "aps": 1.0, "pas": 0.0}  # the highest value of each score


class ConformalSets(BaseEstimator):
    """Sets of classes that hold the truth with probability at least 1 - alpha.

    score: "softmax", 1 - p(y|x); "pas", -p(y|x) / p(y), which spends the set on rare classes too
    and so lifts the mean coverage over classes; "aps", the probability of all classes that are more
    probable than y, which makes sets larger where a row is unclear.

    per_class: whom the promise is made to.
      "marginal": all rows together; rare classes may be missed.
      "classwise": each class. One with fewer than ceil(1/alpha) - 1 held-out rows is in every set.
      "interpolated": between these two, `weight` toward classwise (Interp-Q); a classwise
        threshold that is missing counts as the highest score. Promised are 1 - 2 alpha over all.
      "auto": each class with enough rows; the others together, by a threshold of their own; where
        even these are too few, nobody in particular: they take the marginal threshold.
    allow_empty: False adds the most probable class to every set, which only adds coverage.

        sets = ConformalSets(alpha=0.1).fit(held_out_proba, target).predict_set(proba)   # (N, K)

    threshold_: (K,), infinite where the class is in every set. basis_: (K,) str, what a threshold
    rests on: "own", "pooled", "marginal", "interpolated", "always" (too few rows for any). n_: (K,)
    held-out rows. prevalence_: (K,) of score "pas", else None.
    Source: Vovk, Gammerman and Shafer 2005 (split and classwise, "Mondrian"); Romano, Sesia and
    Candes 2020, arXiv:2006.02544 (APS, here without its random part); Ding, Fermanian and Salmon
    2025, arXiv:2507.06867 (PAS, Interp-Q).
    """

    def __init__(
        self, alpha: float = 0.1, score: str = "pas", per_class: str = "auto", *,
        weight: float = 0.5, allow_empty: bool = False,
    ) -> None:
        self.alpha = alpha
        self.score = score
        self.per_class = per_class
        self.weight = weight
        self.allow_empty = allow_empty

    def fit(
        self, proba: np.ndarray, target: np.ndarray, prevalence: np.ndarray | None = None
    ) -> ConformalSets:
        """Learn the thresholds from held-out probabilities (n, K) and true classes (n,).

        prevalence: (K,) shares or counts of the classes, from elsewhere than these labels, for
        score "pas"; None counts these labels.

        Raises InputError when an argument does not fit.
        """
        self._check_settings()
        proba, target = check_held_out(proba, target)
        n, n_classes = proba.shape
        self.n_ = np.bincount(target, minlength=n_classes)
        self.prevalence_ = None
        counted = False
        if self.score == "pas":
            counted = prevalence is None
            self.prevalence_ = (
                (self.n_ + 1.0) / (n + 1.0) if counted else _shares(prevalence, n_classes)
            )
        raw = proba if self.score == "pas" else class_scores(proba, self.score)
        own = raw[np.arange(n), target]
        threshold, basis = np.empty(n_classes), []
        for k in range(n_classes):
            if self.score == "pas":
                share = self.n_ / (n + 1.0) if counted else self.prevalence_.copy()
                share[k] = self.prevalence_[k]
                scores = -own / share[target]
            else:
                scores = own
            threshold[k], name = self._threshold(scores, target, k)
            basis.append(name)
        self.threshold_, self.basis_ = threshold, np.array(basis)
        return self

    def predict_set(self, proba: np.ndarray) -> np.ndarray:
        """The sets of rows of probabilities (N, K), as (N, K) bool.

        Raises InputError before fit, and when proba does not fit.
        """
        if not hasattr(self, "threshold_"):
            raise InputError("ConformalSets: not fitted yet; call fit with held-out rows first.")
        proba = check_proba(proba, len(self.threshold_))
        out = class_scores(proba, self.score, self.prevalence_) <= self.threshold_
        if not self.allow_empty and len(proba):
            out |= proba >= proba.max(axis=1, keepdims=True)
        return out

    def _threshold(self, scores: np.ndarray, target: np.ndarray, k: int) -> tuple[float, str]:
        """The threshold of class k, and what it rests on. scores: (n,) of the true classes."""
        need, inside = least_items(self.alpha), target == k
        together = conformal_threshold(scores, self.alpha)
        if self.per_class == "marginal":
            return together, _or_always(together, "marginal")
        own = conformal_threshold(scores[inside], self.alpha)
        if self.per_class == "classwise":
            return own, _or_always(own, "own")
        if self.per_class == "interpolated":
            mixed = self._between(together, own)
            return mixed, _or_always(mixed, "interpolated")
        if self.n_[k] >= need:
            return own, "own"
        # With the candidate counted in, a class of exactly `need` other rows is still rare.
        rare = inside | (self.n_ <= need)[target]
        if rare.sum() >= need:
            return conformal_threshold(scores[rare], self.alpha), "pooled"
        return together, _or_always(together, "marginal")

    def _between(self, together: float, own: float) -> float:
        if self.weight == 0.0 or math.isinf(together):
            return together
        if self.weight == 1.0:
            return own
        own = min(own, WORST[self.score])
        return self.weight * own + (1.0 - self.weight) * together

    def _check_settings(self) -> None:
        check_share(self.alpha, "alpha", 0.1)
        for name, allowed in (("score", SCORES), ("per_class", PER_CLASS)):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"{name}: {getattr(self, name)!r}, expected one of {', '.join(allowed)}."
                )
        if not 0.0 <= self.weight <= 1.0:
            raise InputError(f"weight: {self.weight}, expected a number from 0 to 1, like 0.5.")


def class_scores(
    proba: np.ndarray, score: str, prevalence: np.ndarray | None = None
) -> np.ndarray:
    """How badly each class fits, (n, K). prevalence: (K,) of score "pas"."""
    if score == "pas":
        return -proba / prevalence
    if score == "softmax":
        return 1.0 - proba
    order = np.argsort(-proba, axis=1, kind="stable")
    falling = np.take_along_axis(proba, order, axis=1)
    before = np.zeros_like(falling)
    before[:, 1:] = np.cumsum(falling, axis=1)[:, :-1]
    # Equal probabilities share one score, that of the first of them: none goes before another.
    before[:, 1:][falling[:, 1:] == falling[:, :-1]] = 0.0
    before = np.maximum.accumulate(before, axis=1)
    out = np.empty_like(before)
    np.put_along_axis(out, order, before, axis=1)
    return out


@dataclass(frozen=True, eq=False)
class SetReport:
    """How good sets are on labelled rows. coverage: share of sets that hold the truth.
    class_coverage: (K,) the same by true class, NaN without rows; macro_coverage: its mean over
    the classes with rows. mean_size: classes a set; single, empty: shares of sets of 1 and 0."""

    n: int
    coverage: float
    class_coverage: np.ndarray
    macro_coverage: float
    mean_size: float
    single: float
    empty: float


def set_report(sets: np.ndarray, target: np.ndarray) -> SetReport:
    """Score sets (n, K) bool against the true classes (n,). Raises InputError for other shapes."""
    sets, target = np.asarray(sets), np.asarray(target)
    if sets.ndim != 2 or sets.dtype.kind != "b" or target.shape != sets.shape[:1]:
        raise InputError(
            f"sets: {sets.dtype} of shape {sets.shape}, target of shape {target.shape}; "
            "expected bool (n, K) and (n,)."
        )
    if not len(target):
        raise InputError("no rows: nothing to measure.")
    held, size = sets[np.arange(len(target)), target], sets.sum(axis=1)
    rows = np.bincount(target, minlength=sets.shape[1])
    by_class = np.full(sets.shape[1], np.nan)
    some = rows > 0
    by_class[some] = np.bincount(target, held, minlength=sets.shape[1])[some] / rows[some]
    return SetReport(
        n=len(target), coverage=float(held.mean()), class_coverage=by_class,
        macro_coverage=float(by_class[some].mean()), mean_size=float(size.mean()),
        single=float((size == 1).mean()), empty=float((size == 0).mean()),
    )


def _shares(prevalence: object, n_classes: int) -> np.ndarray:
    array = np.asarray(prevalence, dtype=np.float64)
    if array.shape != (n_classes,):
        raise InputError(f"prevalence: shape {array.shape}, expected ({n_classes},).")
    if not (np.isfinite(array).all() and (array > 0.0).all()):
        k = int(np.flatnonzero(~(np.isfinite(array) & (array > 0.0)))[0])
        raise InputError(
            f"prevalence: class {k} has {array[k]:g}, expected above 0; add 1 to each count."
        )
    return array / array.sum()


def _or_always(threshold: float, basis: str) -> str:
    return "always" if math.isinf(threshold) else basis
