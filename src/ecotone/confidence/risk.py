"""Risk against coverage: how wrong the answers are when only the surest share is answered.

n rows. confidence: (n,) float, higher is surer. right: (n,) bool. Rows of one confidence cannot be
told apart: they enter together, or in random order where a figure needs one (its expectation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.confidence.bounds import certify
from ecotone.confidence.checks import check_groups, check_held_out, check_share
from ecotone.errors import InputError


@dataclass(frozen=True, eq=False)
class RiskCurve:
    """One point a distinct confidence, from the strictest threshold to none.

    threshold, coverage, risk: (M,) float: rows with a confidence at or above the threshold, their
    share of all, and the share of mistakes among them. mistakes: (n,) mistakes expected among the
    surest 1, 2 ... n rows. aurc: mean risk over the coverages 1/n, 2/n ... 1. excess: aurc above
    that of the best order of the same answers.
    Source: El-Yaniv and Wiener 2010; Geifman, Uziel and El-Yaniv 2019, arXiv:1805.08206 (AURC,
    E-AURC).
    """

    threshold: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray
    mistakes: np.ndarray
    aurc: float
    excess: float

    def accuracy_at(self, coverage: float) -> float:
        """Accuracy of the surest rows that make up at least so much of all.

        Raises InputError unless coverage is above 0 and at most 1.
        """
        if not 0.0 < coverage <= 1.0:
            raise InputError(f"coverage: {coverage}, expected above 0 and at most 1, like 0.8.")
        count = int(np.ceil(round(coverage * len(self.mistakes), 9)))
        return float(1.0 - self.mistakes[count - 1] / count)


def top_class(proba: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence (n,) and rightness (n,) bool of the most probable class of each held-out row."""
    proba, target = check_held_out(proba, target)
    return proba.max(axis=1), proba.argmax(axis=1) == target


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> RiskCurve:
    """The risk-coverage curve of n answers. Raises InputError when there are none."""
    confidence, right = _checked(confidence, right)
    n = len(confidence)
    threshold, place, rows = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(place.reshape(-1), ~right, minlength=len(rows))
    seen = np.cumsum(rows)
    mistakes = np.cumsum(np.repeat(wrong / rows, rows))
    count = np.arange(1, n + 1)
    best = np.maximum(count - int(right.sum()), 0)
    aurc = float((mistakes / count).mean())
    return RiskCurve(
        threshold=-threshold, coverage=seen / n, risk=np.cumsum(wrong) / seen, mistakes=mistakes,
        aurc=aurc, excess=max(aurc - float((best / count).mean()), 0.0),
    )


def threshold_for_risk(
    confidence: np.ndarray, right: np.ndarray, risk: float, delta: float | None = None,
    groups: object = None,
) -> float:
    """The lowest threshold at which at most `risk` of the accepted rows are wrong.

    delta None: on these very rows, without a promise for others. delta 0.1: on rows to come, with
    confidence 0.9, by the search of `ecotone.confidence.bounds` (groups: as in `AcceptRule.fit`).
    Accepted is confidence >= threshold; infinite when no threshold will do.

    Raises InputError when an argument does not fit.
    """
    confidence, right = _checked(confidence, right)
    check_share(risk, "risk", 0.05)
    if delta is not None:
        check_share(delta, "delta", 0.1)
        units = check_groups(groups, len(right))
        return certify(confidence, right, 1.0 - risk, delta, units).threshold
    curve = risk_coverage(confidence, right)
    fine = np.flatnonzero(curve.risk <= risk)
    return float(curve.threshold[fine[-1]]) if len(fine) else np.inf


def _checked(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    confidence = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(right)
    if confidence.ndim != 1 or confidence.shape != right.shape:
        raise InputError(
            f"confidence has shape {confidence.shape}, right {right.shape}; expected (n,) twice."
        )
    if not len(right):
        raise InputError("no rows: nothing to measure.")
    if right.dtype.kind != "b":
        raise InputError(f"right: {right.dtype} values, expected bool.")
    if not np.isfinite(confidence).all():
        row = int(np.flatnonzero(~np.isfinite(confidence))[0])
        raise InputError(f"confidence: row {row} is {confidence[row]}, expected a finite number.")
    return confidence, right
