"""Which detections need no eye: a threshold per class for a wanted precision, with a bound.

N rows, n held-out labelled rows, K classes. A row is *called* the class of its highest probability;
a row whose highest probability is shared by two classes is never accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from sklearn.base import BaseEstimator

from ecotone.confidence.bounds import Certified, certify, fewest_units
from ecotone.confidence.checks import (
    check_groups,
    check_held_out,
    check_names,
    check_proba,
    check_share,
)
from ecotone.errors import InputError


@dataclass(frozen=True)
class AcceptRow:
    """One class. threshold: the lowest probability that needs no eye, None where there is none.
    n: held-out units (rows, or groups) called so. accepted: those above the threshold; right: of
    these, without a mistake; bound: at least this share is right, None where there is no
    threshold. note: why there is none, or what the threshold rests on. missing: how many more
    units, all called so and right, a threshold needs at least; 0 where there is one, None where
    more labels are no help: too many of the surest are wrong."""

    name: str
    threshold: float | None
    n: int
    accepted: int
    right: int
    bound: float | None
    note: str
    missing: int | None = 0

    def as_dict(self) -> dict:
        """The row as a plain dict."""
        return asdict(self)


class AcceptRule(BaseEstimator):
    """Accept what is called a class with a probability at or above the class's threshold.

    precision: the share of accepted rows that has to be right, of each class. delta: the chance,
    for each class, that its threshold does not keep that. pool_rare: classes with too few
    held-out rows share one threshold, which speaks for them together and not for each.

        rule = AcceptRule(precision=0.95).fit(held_out_proba, target, classes)
        rule.table_, rule.counts(proba), rule.accepted(proba)

    threshold_: (K,), infinite where there is none. table_: one AcceptRow a class. needed_: units
    that a class needs at least. As exact as held-out rows are like those to come: out of fold, of
    the same places and seasons, calibrated or not.
    Source: Clopper and Pearson 1934; the search over thresholds in `ecotone.confidence.bounds`.
    """

    def __init__(
        self, precision: float = 0.95, delta: float = 0.1, *, pool_rare: bool = False
    ) -> None:
        self.precision = precision
        self.delta = delta
        self.pool_rare = pool_rare

    def fit(
        self, proba: np.ndarray, target: np.ndarray, classes: Sequence[str] | None = None,
        groups: Sequence[object] | None = None,
    ) -> AcceptRule:
        """Learn the thresholds from held-out probabilities (n, K) and their true classes (n,).

        groups: (n,) bursts or events, whose rows are near copies: each then counts once for a
        class, as right when none of its accepted rows is wrong. Without them ten frames of one
        animal pass for ten pieces of evidence.

        Raises InputError when an argument does not fit.
        """
        check_share(self.precision, "precision", 0.95)
        check_share(self.delta, "delta", 0.1)
        proba, target = check_held_out(proba, target)
        self.classes_ = check_names(classes, proba.shape[1])
        self.needed_ = fewest_units(self.precision, self.delta)
        group_of = check_groups(groups, len(proba))
        score, called = _called(proba)
        right = target == called
        found = [
            self._certify(score, right, called == k, group_of) for k in range(len(self.classes_))
        ]
        rare = np.array([one.units < self.needed_ for one in found])
        pooled = None
        if self.pool_rare and rare.sum() > 1:
            rows = (called >= 0) & rare[called]
            pooled = self._certify(score, right, rows, group_of)
        self.table_ = tuple(
            self._row(name, one, pooled if rare[k] else None)
            for k, (name, one) in enumerate(zip(self.classes_, found, strict=True))
        )
        self.threshold_ = np.array(
            [np.inf if row.threshold is None else row.threshold for row in self.table_]
        )
        return self

    def accepted(self, proba: np.ndarray) -> np.ndarray:
        """(N,) bool: the rows of probabilities (N, K) that need no eye."""
        score, called = _called(self._checked(proba))
        return (called >= 0) & (score >= self.threshold_[called])

    def counts(self, proba: np.ndarray) -> dict[str, np.ndarray]:
        """How many rows called each class are "accepted" and how many are "left", (K,) int each.

        Rows whose highest probability is shared count as left, under the first of the classes.
        """
        proba = self._checked(proba)
        taken, first = self.accepted(proba), proba.argmax(axis=1)
        size = len(self.classes_)
        return {
            "accepted": np.bincount(first[taken], minlength=size),
            "left": np.bincount(first[~taken], minlength=size),
        }

    def __iter__(self) -> Iterator[AcceptRow]:
        return iter(self.table_)

    def _checked(self, proba: np.ndarray) -> np.ndarray:
        if not hasattr(self, "threshold_"):
            raise InputError("AcceptRule: not fitted yet; call fit with held-out rows first.")
        return check_proba(proba, len(self.classes_))

    def _certify(
        self, score: np.ndarray, right: np.ndarray, rows: np.ndarray, group_of: np.ndarray
    ) -> Certified:
        return certify(score[rows], right[rows], self.precision, self.delta, group_of[rows])

    def _row(self, name: str, one: Certified, pooled: Certified | None) -> AcceptRow:
        if pooled is not None and np.isfinite(pooled.threshold):
            note = (
                f"not enough labels of its own ({one.units} of {self.needed_}): "
                "threshold of the rare classes together"
            )
            return AcceptRow(
                name, pooled.threshold, one.units, pooled.n, pooled.right, pooled.bound, note
            )
        if np.isfinite(one.threshold):
            return AcceptRow(name, one.threshold, one.units, one.n, one.right, one.bound, "")
        if one.units < self.needed_:
            note = f"not enough labels: {one.units}, needs at least {self.needed_}"
            missing: int | None = self.needed_ - one.units
        else:
            missing = None
            if one.right > self.precision * one.n:
                enough = fewest_units(self.precision, self.delta, one.n - one.right)
                missing = max(enough - one.n, 1)
            note = (
                f"not precise enough: {one.right} of the surest {one.n} are right, "
                f"at least {one.bound:.3f}, wanted {self.precision:g}"
            )
        return AcceptRow(name, None, one.units, 0, 0, None, note, missing)


def _called(proba: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Highest probability (N,) and its class (N,), -1 where two classes share it."""
    if not len(proba):
        return np.zeros(0), np.zeros(0, dtype=np.int64)
    top = proba.max(axis=1)
    shared = (proba == top[:, None]).sum(axis=1) > 1
    return top, np.where(shared, -1, proba.argmax(axis=1))
