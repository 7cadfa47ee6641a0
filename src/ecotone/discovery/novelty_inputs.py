"""What the novelty detector is given, checked once, and which known rows it works on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecotone.errors import InputError
from ecotone.fusion.features import content_keys

MOST_KNOWN = 3000


def check_known(labels: Sequence[object] | np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers (n,), -1 where unlabelled, and the classes (K,).

    labels: names with None or "" where unlabelled, numbers with -1, or soft labels (n, K); a row
    of NaN or zeros is unlabelled. Raises InputError when rows do not fit or no row has a label.
    """
    if len(labels) != n:
        raise InputError(f"labels: {len(labels)} entries, embeddings have {n} rows.")
    array = np.asarray(labels, dtype=None if isinstance(labels, np.ndarray) else object)
    if array.ndim == 2:
        target, classes = _soft(array)
    elif array.ndim != 1:
        raise InputError(f"labels: shape {array.shape}, expected (N,) or (N, K).")
    elif _numbers(array):
        target = array.astype(np.int64)
        classes = np.arange(int(target.max(initial=-1)) + 1)
        target = np.maximum(target, -1)
    else:
        names = ["" if v is None or v != v else str(v) for v in array]
        classes = np.array(sorted(set(names) - {""}), dtype=object)
        index = {name: k for k, name in enumerate(classes)}
        target = np.array([index.get(name, -1) for name in names], dtype=np.int64)
    if not (target >= 0).any():
        raise InputError("labels: no row has a label; give at least one of a known class.")
    return target, classes


def check_logits(logits: object, n: int, columns: int | None = None) -> np.ndarray | None:
    """Logits (n, K) without NaN, or None. Raises InputError otherwise."""
    if logits is None:
        return None
    table = np.asarray(logits)
    if table.ndim != 2 or len(table) != n or table.dtype.kind not in "fiu" or not table.shape[1]:
        raise InputError(f"logits: shape {table.shape}, expected ({n}, K) numbers.")
    if columns is not None and table.shape[1] != columns:
        raise InputError(f"logits: {table.shape[1]} columns, fitted with {columns}.")
    bad = ~np.isfinite(table.max(axis=1)) | np.isnan(table).any(axis=1)
    if bad.any():
        raise InputError(f"logits: row {int(np.flatnonzero(bad)[0])} holds NaN or infinity.")
    return table.astype(np.float64)


def choose_known(embeddings: np.ndarray, target: np.ndarray, seed: int) -> np.ndarray:
    """At most `MOST_KNOWN` labelled rows, in an order of content: rare classes whole, common ones
    by random samples of one size."""
    rows = np.flatnonzero(target >= 0)
    keys = content_keys(np.asarray(embeddings[rows], dtype=np.float32), seed)
    order = np.lexsort((target[rows], keys))
    rows = rows[order]
    if len(rows) <= MOST_KNOWN:
        return rows
    place = np.empty(len(rows), dtype=np.int64)  # of each row within its class
    for k in np.unique(target[rows]):
        own = np.flatnonzero(target[rows] == k)
        place[own] = np.arange(len(own))
    return rows[np.sort(np.argsort(place, kind="stable")[:MOST_KNOWN])]


def _numbers(array: np.ndarray) -> bool:
    if array.dtype.kind in "iu":
        return True
    return array.dtype == object and bool(len(array)) and all(
        isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in array
    )


def _soft(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    table = np.asarray(array, dtype=np.float64)
    if not table.shape[1]:
        raise InputError("labels: soft labels without a column; give one column a class.")
    table = np.where(np.isnan(table), 0.0, table)
    if (table < 0.0).any():
        row = int(np.flatnonzero((table < 0.0).any(axis=1))[0])
        raise InputError(f"labels: row {row} is negative; give soft labels from 0.")
    target = np.where(table.sum(axis=1) > 0.0, table.argmax(axis=1), -1)
    return target, np.arange(table.shape[1])
