"""Measures of predictions against known labels.

M test rows, K local classes. `truth`: (M,) int, the column of the true class, 0..K-1.
`predicted`: (M,) int, the column of the predicted class; -1 stands for "no answer" and is wrong.
`proba`: (M, K) float, rows sum to 1.
`weight`: (M,) float or None, how many rows each stands for, where labels were chosen, not drawn.
"""

from __future__ import annotations

import numpy as np

from ecotone.errors import InputError

FLOOR = 1e-6  # a class that a method never considers costs -log(1e-6) = 13.8 nats, not infinity
BINS = 15  # of the calibration error
SCALARS = ("accuracy", "per_class_accuracy", "macro_f1", "log_loss", "ece")


def accuracy(
    truth: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Share of rows whose predicted class is the true one."""
    truth, predicted = _pair(truth, predicted)
    return float(np.average(truth == predicted, weights=weight))


def class_accuracy(
    truth: np.ndarray, predicted: np.ndarray, n_classes: int, weight: np.ndarray | None = None
) -> np.ndarray:
    """Accuracy (recall) of each class, (K,) float; NaN where the test rows hold none of it."""
    truth, predicted = _pair(truth, predicted)
    rows = np.bincount(truth, weight, n_classes).astype(np.float64)
    right = _count(truth, truth == predicted, weight, n_classes)
    return np.divide(right, rows, out=np.full(n_classes, np.nan), where=rows > 0)


def per_class_accuracy(
    truth: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Mean over the classes present in `truth` of their accuracy.

    A class without a single label counts like any other: with 0 when it is never predicted.
    """
    truth, predicted = _pair(truth, predicted)
    n_classes = int(max(truth.max(), predicted.max())) + 1
    return float(np.nanmean(class_accuracy(truth, predicted, n_classes, weight)))


def macro_f1(
    truth: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Mean over the classes present in `truth` of the F1 score (0 where nothing is right).

    Source: the macro F1 of iWildCam in WILDS (Koh et al. 2021): classes absent from the test rows
    do not count as classes of their own.
    """
    truth, predicted = _pair(truth, predicted)
    size = int(max(truth.max(), predicted.max())) + 1
    rows = np.bincount(truth, weight, size)
    said = _count(predicted, predicted >= 0, weight, size)
    right = _count(truth, truth == predicted, weight, size)
    present = rows > 0
    return float(np.mean(2.0 * right[present] / (rows[present] + said[present])))


def log_loss(
    truth: np.ndarray, proba: np.ndarray, floor: float = FLOOR, weight: np.ndarray | None = None
) -> float:
    """Mean of -log p(true class), in nats; probabilities below `floor` count as `floor`."""
    truth, proba = _probabilities(truth, proba)
    p = proba[np.arange(len(truth)), truth]
    return float(np.average(-np.log(np.maximum(p, floor)), weights=weight))


def ece(
    truth: np.ndarray, proba: np.ndarray, bins: int = BINS, binning: str = "width",
    weight: np.ndarray | None = None,
) -> float:
    """Expected calibration error of the top class: mean |accuracy - confidence| over bins.

    binning: "width" for `bins` intervals of equal width on 0..1, "mass" for as equal numbers of
    rows a bin as ties allow. Bins are weighted by their rows.

    Source: Naeini et al. 2015; Guo et al. 2017 (15 bins of equal width).
    """
    table = reliability(truth, proba, bins, binning, weight)
    share = table["rows"] / table["rows"].sum()
    return float(np.sum(share * np.abs(table["accuracy"] - table["confidence"])))


def reliability(
    truth: np.ndarray, proba: np.ndarray, bins: int = BINS, binning: str = "width",
    weight: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The non-empty bins of a calibration plot: rows (or their weight), mean confidence and
    accuracy of each."""
    truth, proba = _probabilities(truth, proba)
    confidence = proba.max(axis=1)
    right = proba.argmax(axis=1) == truth
    if binning == "width":
        inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    elif binning == "mass":
        inner = np.quantile(confidence, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    else:
        raise InputError(f"binning is {binning!r}, expected 'width' or 'mass'.")
    place = np.searchsorted(inner, confidence, side="left")  # intervals open below, closed above
    rows = np.bincount(place, weight, bins)
    some, each = rows > 0, np.ones(len(place)) if weight is None else weight
    return {
        "rows": rows[some],
        "confidence": np.bincount(place, each * confidence, bins)[some] / rows[some],
        "accuracy": np.bincount(place, each * right, bins)[some] / rows[some],
    }


def confusion(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts (K, K) int: rows are true classes, columns predicted ones; -1 is left out."""
    truth, predicted = _pair(truth, predicted)
    said = predicted >= 0
    cells = truth[said] * n_classes + predicted[said]
    return np.bincount(cells, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


def measure(
    truth: np.ndarray, proba: np.ndarray, weight: np.ndarray | None = None
) -> dict[str, float]:
    """The five figures of `SCALARS` of one set of predictions.

    Raises InputError when there are no rows, or shapes differ.
    """
    truth, proba = _probabilities(truth, proba)
    predicted = proba.argmax(axis=1)
    weight = None if weight is None else np.asarray(weight, dtype=np.float64)
    return {
        "accuracy": accuracy(truth, predicted, weight),
        "per_class_accuracy": per_class_accuracy(truth, predicted, weight),
        "macro_f1": macro_f1(truth, predicted, weight),
        "log_loss": log_loss(truth, proba, weight=weight),
        "ece": ece(truth, proba, weight=weight),
    }


def _count(
    values: np.ndarray, some: np.ndarray, weight: np.ndarray | None, size: int
) -> np.ndarray:
    """How often each value 0..size-1 is among the rows `some`, by weight where there is one."""
    return np.bincount(values[some], None if weight is None else weight[some], size)


def _pair(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth = np.asarray(truth, dtype=np.int64)
    predicted = np.asarray(predicted, dtype=np.int64)
    if truth.ndim != 1 or truth.shape != predicted.shape:
        raise InputError(
            f"truth has shape {truth.shape}, predictions {predicted.shape}; expected (M,) twice."
        )
    if not len(truth):
        raise InputError("no test rows: nothing to measure.")
    if truth.min() < 0:
        raise InputError("truth holds a negative class; give columns 0..K-1.")
    return truth, predicted


def _probabilities(truth: np.ndarray, proba: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth = np.asarray(truth, dtype=np.int64)
    proba = np.asarray(proba, dtype=np.float64)
    if truth.ndim != 1 or proba.ndim != 2 or len(proba) != len(truth):
        raise InputError(
            f"truth has shape {truth.shape}, probabilities {proba.shape}; expected (M,), (M, K)."
        )
    if not len(truth):
        raise InputError("no test rows: nothing to measure.")
    if truth.min() < 0 or truth.max() >= proba.shape[1]:
        raise InputError(f"truth holds a class outside 0..{proba.shape[1] - 1}.")
    if not np.isfinite(proba).all():
        raise InputError("probabilities hold NaN or infinity.")
    return truth, proba
