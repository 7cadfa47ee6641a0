"""How many rows each label stands for: what makes chosen labels speak for all rows again.

N detections, L labelled rows, K local classes. Labels that were chosen are harder than the rest and
more even over classes: held-out figures on them are too low, and a temperature fitted on them too
high. A label that stands for the rows nearest to it counts by their number.
Source: importance weighting by nearest neighbours (Loog 2012; Kremer et al. 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.fusion.classifier import FusionClassifier
from ecotone.fusion.inputs import check_embeddings, check_labels
from ecotone.fusion.local_model import FLOOR, softmax
from ecotone.labelling.situation import DIMENSIONS, project, row_keys

BLOCK = 8192
LEAST_LABELS = 10
HELD = 4.0  # nats that a temperature of e or 1/e costs
GUARD = 0.02
TEMPERATURES = np.exp(np.linspace(np.log(0.4), np.log(2.5), 43))


@dataclass(frozen=True)
class HeldOut:
    """Figures of out-of-fold posteriors, weighted to stand for all rows. n: labels. effective: how
    many evenly weighted labels they are worth. temperature: divides log probabilities, see
    `reheat`."""

    accuracy: float
    log_loss: float
    temperature: float
    n: int
    effective: float


def label_weights(
    embeddings: np.ndarray, rows: Sequence[int] | np.ndarray, random_state: int = 0
) -> np.ndarray:
    """Weights (L,) of labelled rows, mean 1: how many of the N rows are nearest to each.

    Raises InputError without rows.
    """
    embeddings = check_embeddings(embeddings)
    rows = np.asarray(rows, dtype=np.int64)
    if not len(rows):
        raise InputError("label_weights: no labelled row; give at least one.")
    keys = row_keys(embeddings, random_state)
    z = project(embeddings, keys, DIMENSIONS)
    count = np.zeros(len(rows))
    for start in range(0, len(z), BLOCK):
        near = (z[start : start + BLOCK] @ z[rows].T).argmax(axis=1)
        count += np.bincount(near, minlength=len(rows))
    # Copies of one picture are equally near: they share what they stand for.
    _, place, size = np.unique(keys[rows], return_inverse=True, return_counts=True)
    shared = np.bincount(place, count)[place] / size[place]
    return shared * len(rows) / shared.sum()


def held_out(
    classifier: FusionClassifier,
    embeddings: np.ndarray,
    labels: Sequence[str | None],
    random_state: int = 0,
) -> HeldOut | None:
    """Out-of-fold figures of a fitted classifier that speak for all rows, also where labels were
    chosen; None with fewer than ten labels.

    embeddings, labels: those of `fit`.
    """
    target = check_labels(labels, tuple(classifier.classes_))
    proba = classifier.selection_.oof_proba
    if len(proba) != len(target):
        raise InputError(f"labels: {len(target)}, the classifier was fitted on {len(proba)} rows.")
    rows = np.flatnonzero((target >= 0) & np.isfinite(proba).all(axis=1))
    if len(rows) < LEAST_LABELS:
        return None
    weight = label_weights(embeddings, rows, random_state)
    p, y = proba[rows].astype(np.float64), target[rows]
    at = np.arange(len(rows))

    def loss(temperature: float) -> np.ndarray:
        q = softmax(np.log(p + FLOOR) / temperature)
        return -np.log((1.0 - GUARD) * q[at, y] + GUARD / p.shape[1])

    cost = [float(weight @ loss(t)) + HELD * np.log(t) ** 2 for t in TEMPERATURES]
    return HeldOut(
        accuracy=float(np.average(p.argmax(axis=1) == y, weights=weight)),
        log_loss=float(np.average(loss(1.0), weights=weight)),
        temperature=float(TEMPERATURES[int(np.argmin(cost))]),
        n=len(rows),
        effective=float(weight.sum() ** 2 / (weight**2).sum()),
    )


def reheat(proba: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (M, K) at a temperature: below 1 surer, above 1 less sure."""
    return softmax(np.log(np.asarray(proba) + np.float32(FLOOR)) / np.float32(temperature))
