"""What this room is given, checked once. n rows, K classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecotone.errors import InputError
from ecotone.evaluation.splits import link_rows

SUM_TOLERANCE = 1e-3  # posteriors are kept as float16 too


def check_proba(proba: object, n_classes: int | None = None) -> np.ndarray:
    """Probabilities (n, K) as float64. Raises InputError unless every row is a distribution."""
    array = np.asarray(proba)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or array.shape[1] == 0:
        raise InputError(
            f"proba: expected a number array (n, K), found shape {array.shape} of {array.dtype}."
        )
    if n_classes is not None and array.shape[1] != n_classes:
        raise InputError(f"proba: {array.shape[1]} columns, expected {n_classes}, one a class.")
    array = array.astype(np.float64)
    total = array.sum(axis=1)
    bad = ~(np.abs(total - 1.0) <= SUM_TOLERANCE) | (array < 0.0).any(axis=1)  # NaN is bad too
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"proba: row {row} is no distribution (sum {total[row]:g}, "
            f"least {array[row].min():g}); give numbers from 0 that sum to 1."
        )
    return array


def check_target(target: object, n: int, n_classes: int) -> np.ndarray:
    """Class numbers (n,) int. Raises InputError for anything outside 0..K-1, and for no rows."""
    array = np.asarray(target)
    if array.shape != (n,):
        raise InputError(f"target: shape {array.shape}, expected ({n},), one class number a row.")
    if n == 0:
        raise InputError("target: no labelled rows; give at least one.")
    if array.dtype.kind not in "iu":
        raise InputError(f"target: {array.dtype} values, expected class numbers (int).")
    bad = (array < 0) | (array >= n_classes)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"target: row {row} is {array[row]}, expected 0..{n_classes - 1}; "
            "leave unlabelled rows out."
        )
    return array.astype(np.int64)


def check_held_out(proba: object, target: object) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, K) and class numbers (n,) of the same labelled rows, n > 0."""
    array = check_proba(proba)
    return array, check_target(target, len(array), array.shape[1])


def check_names(classes: Sequence[object] | None, n_classes: int) -> tuple[str, ...]:
    """K class names; their numbers where None. Raises InputError for another number of them."""
    if classes is None:
        return tuple(str(k) for k in range(n_classes))
    if len(classes) != n_classes:
        raise InputError(f"classes: {len(classes)} names, proba has {n_classes} columns.")
    return tuple(str(name) for name in classes)


def check_groups(groups: Sequence[object] | None, n: int) -> np.ndarray:
    """The number of each row's group, (n,) int from 0. A row without one ("" or None) is its own,
    like every row where groups is None. Raises InputError for another length."""
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise InputError(f"groups: {len(groups)} entries, expected {n}, one a row.")
    return link_rows(n, groups)


def check_share(value: float, name: str, example: float) -> float:
    """A number strictly between 0 and 1. Raises InputError otherwise."""
    if not 0.0 < value < 1.0:
        raise InputError(f"{name}: {value}, expected a number between 0 and 1, like {example}.")
    return float(value)
