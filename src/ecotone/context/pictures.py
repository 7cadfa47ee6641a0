"""Rows become pictures: several rows of one file are several labels of one picture.

N rows, P pictures, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ecotone.errors import InputError

Label = str | Sequence[str] | Mapping[str, float] | None


def picture_numbers(file: Sequence[object] | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the picture of each row, and (P,) the first row of each picture. Rows without a file
    ("" or None) are pictures of their own."""
    if file is None:
        return np.arange(n), np.arange(n)
    if len(file) != n:
        raise InputError(f"file: {len(file)} entries, expected {n}.")
    number: dict[object, int] = {}
    picture, first = np.empty(n, dtype=int), []
    for row, name in enumerate(file):
        key = (row,) if name is None or name == "" else str(name)
        if key not in number:
            number[key] = len(first)
            first.append(row)
        picture[row] = number[key]
    return picture, np.asarray(first, dtype=int)


def names_of(label: object) -> dict[str, float]:
    """The labels of one row with their weights: a name, several names, or {name: weight}."""
    if label is None or label == "" or (isinstance(label, float) and np.isnan(label)):
        return {}
    if isinstance(label, Mapping):
        return {str(k): float(v) for k, v in label.items() if v > 0}
    if isinstance(label, (str, bytes)) or not isinstance(label, (Sequence, np.ndarray)):
        return {str(label): 1.0}
    return {str(name): 1.0 for name in label if name is not None and name != ""}


def soft_targets(
    labels: Sequence[object], classes: Sequence[str], picture: np.ndarray, n_pictures: int
) -> np.ndarray:
    """(P, K) float: the labels of each picture, evenly or by their weights; a row of 0 where there
    is none. The same label given twice counts once.

    Raises InputError for a label that is none of the classes, or when lengths differ.
    """
    if len(labels) != len(picture):
        raise InputError(f"labels: {len(labels)} entries, expected {len(picture)}.")
    at = {name: k for k, name in enumerate(classes)}
    out = np.zeros((n_pictures, len(at)))
    for row, label in enumerate(labels):
        for name, weight in names_of(label).items():
            if name not in at:
                raise InputError(f"labels: row {row} says {name!r}, which is none of the classes.")
            out[picture[row], at[name]] = max(out[picture[row], at[name]], weight)
    total = out.sum(axis=1, keepdims=True)
    return np.divide(out, total, out=out, where=total > 0)
