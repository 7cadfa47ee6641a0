"""Labels that are probably wrong, for a second look; nothing is relabelled here.

n labelled rows with out-of-fold probabilities, K classes.

Confident learning: a row speaks for class j when its probability of j is at least what rows
labelled j have on average. Counted by the label given and the class spoken for, rows make the
*confident joint*; scaled to the labels given it estimates how often class j is labelled i.
Source: Northcutt, Jiang and Chuang 2021, arXiv:1911.00068.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.confidence.checks import check_held_out, check_names
from ecotone.errors import InputError

METHODS = ("confident", "noise rate")
SCORES = ("margin", "self-confidence")


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Suspect labels, the worst first. M found.

    row: (M,) int. given, suggested: (M,) int, the label and the class that it seems to be. score:
    (M,) float in 0..1, low where the label is doubtful. self_confidence: (M,) probability of the
    label given. threshold: (K,) average self-confidence of each class, infinite without labels.
    counts: (K, K) int, the confident joint, given by true. joint: (K, K) float, the estimated
    share of all rows. noise: estimated share of wrong labels, too high where classes look alike:
    rows that the model confuses count too. class_noise: (K,) of the labels given as k, the share
    that is wrong; 0 without labels. n: rows looked at.
    """

    row: np.ndarray
    given: np.ndarray
    suggested: np.ndarray
    score: np.ndarray
    self_confidence: np.ndarray
    threshold: np.ndarray
    counts: np.ndarray
    joint: np.ndarray
    noise: float
    class_noise: np.ndarray
    n: int

    def __len__(self) -> int:
        return len(self.row)

    def rows(self, classes: Sequence[str] | None = None) -> Iterator[dict]:
        """One plain dict a suspect label, the worst first, with the names of the classes."""
        names = check_names(classes, len(self.joint))
        for i in range(len(self)):
            yield {
                "row": int(self.row[i]), "given": names[self.given[i]],
                "suggested": names[self.suggested[i]], "score": float(self.score[i]),
                "self_confidence": float(self.self_confidence[i]),
            }


def find_label_errors(
    proba: np.ndarray, target: np.ndarray, *, method: str = "confident", score: str = "margin"
) -> LabelErrors:
    """Labels that the other labels contradict.

    proba: (n, K) probabilities from models that did not see the row's label (out of fold); target:
    (n,) labels given, as class numbers. method: "confident", the rows off the diagonal of the
    confident joint; "noise rate", of each pair of classes as many rows as the joint says are wrong,
    those of the largest margin first. score: "margin", of the given over the best other class,
    from 0 to 1; or "self-confidence". A label that is itself the most probable class is never
    suspect.

    Raises InputError when an argument does not fit.
    """
    for value, name, allowed in ((method, "method", METHODS), (score, "score", SCORES)):
        if value not in allowed:
            raise InputError(f"{name}: {value!r}, expected one of {', '.join(allowed)}.")
    proba, target = check_held_out(proba, target)
    own = proba[np.arange(len(target)), target]
    threshold = class_thresholds(own, target, proba.shape[1])
    spoken = _spoken_for(proba, target, threshold)
    counts = _confident_joint(target, spoken, proba.shape[1])
    joint = _calibrated(counts, np.bincount(target, minlength=proba.shape[1]))
    suggested = np.where(spoken >= 0, spoken, target)
    if method == "noise rate":
        suggested = _by_noise_rate(proba, target, joint)
    suspect = (suggested != target) & (own < proba.max(axis=1))
    quality = own if score == "self-confidence" else normalised_margin(proba, target)
    found = np.flatnonzero(suspect)
    # Ties in the score go by self-confidence: the order does not hang on that of the rows.
    found = found[np.lexsort((own[found], quality[found]))]
    labelled = joint.sum(axis=1)
    wrong = labelled - joint.diagonal()
    class_noise = np.divide(wrong, labelled, out=np.zeros(len(joint)), where=labelled > 0)
    return LabelErrors(
        row=found, given=target[found], suggested=suggested[found], score=quality[found],
        self_confidence=own[found], threshold=threshold, counts=counts, joint=joint,
        noise=float(wrong.sum()), class_noise=class_noise, n=len(target),
    )


def class_thresholds(own: np.ndarray, target: np.ndarray, n_classes: int) -> np.ndarray:
    """(K,) mean probability of class k among rows labelled k; infinite where there are none."""
    rows = np.bincount(target, minlength=n_classes)
    total = np.bincount(target, own, minlength=n_classes)
    return np.divide(total, rows, out=np.full(n_classes, np.inf), where=rows > 0)


def normalised_margin(proba: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(n,) probability of the label given, above that of the best other class, brought to 0..1."""
    rows = np.arange(len(target))
    others = proba.copy()
    others[rows, target] = -np.inf
    best = others.max(axis=1) if proba.shape[1] > 1 else np.zeros(len(target))
    return np.clip((proba[rows, target] - best + 1.0) / 2.0, 0.0, 1.0)


def _spoken_for(proba: np.ndarray, target: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """(n,) the class that a row speaks for, -1 for none; the label given, when it is as probable
    as the best of those that reach their threshold."""
    rows = np.arange(len(target))
    # A mean of equal numbers may exceed them by rounding.
    reached = np.where(proba >= threshold - 1e-9, proba, -np.inf)
    best = reached.max(axis=1)
    spoken = np.where(reached[rows, target] == best, target, reached.argmax(axis=1))
    return np.where(np.isneginf(best), -1, spoken)


def _confident_joint(target: np.ndarray, spoken: np.ndarray, n_classes: int) -> np.ndarray:
    some = spoken >= 0
    cells = np.bincount(target[some] * n_classes + spoken[some], minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes)


def _calibrated(counts: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """(K, K) shares: each row of the confident joint scaled to the labels given as that class."""
    joint = counts.astype(np.float64)
    silent = joint.diagonal() == 0
    joint[silent, silent] = labelled[silent] > 0  # a class that is never right would tell nothing
    total = joint.sum(axis=1, keepdims=True)
    joint = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    return joint * labelled[:, None] / labelled.sum()


def _by_noise_rate(proba: np.ndarray, target: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """(n,) suggested class: of each pair (given, true), the expected number of rows, by margin."""
    suggested, lead = target.copy(), np.full(len(target), -np.inf)
    expected = np.rint(joint * len(target)).astype(int)
    for given, true in np.argwhere(expected > 0):
        if given == true:
            continue
        rows = np.flatnonzero(target == given)
        margin = proba[rows, true] - proba[rows, given]
        best = np.argsort(-margin, kind="stable")[: expected[given, true]]
        better = best[margin[best] > lead[rows[best]]]
        suggested[rows[better]], lead[rows[better]] = true, margin[better]
    return suggested
