"""The audit of the five stages: one row a detection, and the way back.

N detections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.hierarchy.before import Before
from ecotone.hierarchy.results import UNCHANGED, Refinement
from ecotone.hierarchy.scoring import Scored

TRUSTED, BIRDS, CENTROID, HEAD = "trusted", "bird override", "centroid", "metric head"


@dataclass(frozen=True, eq=False)
class Change:
    """rows: (N,) bool that a stage decides. The others: (N,) or one value for all of them."""

    stage: str
    rows: np.ndarray
    node: np.ndarray | str
    rank: np.ndarray | str
    probability: np.ndarray | float
    threshold: np.ndarray | float


def audit(
    before: Before, scored: Scored | None, classes: np.ndarray, changes: list[Change],
    notes: tuple[str, ...],
) -> Refinement:
    """A Refinement of changes, of which a later one replaces an earlier one in its rows.

    scored: the distances of all rows, None without centroids. classes: (C,) names of its classes.
    """
    n = len(before.label)
    known = np.asarray([*before.rank, ""], dtype=object)
    empty = np.full(n, np.nan)
    values = {
        "node": before.label.copy(), "rank": known[before.code], "probability": empty.copy(),
        "stage": np.full(n, UNCHANGED, dtype=object),
        "threshold": empty.copy() if scored is None else scored.threshold.copy(),
    }
    for change in changes:
        rows = change.rows
        for name in ("node", "rank", "probability", "threshold"):
            value = getattr(change, name)
            values[name][rows] = value[rows] if isinstance(value, np.ndarray) else value
        values["stage"][rows] = change.stage
    first, second = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    if scored is not None:
        seen = np.isfinite(scored.first_distance)
        first[seen] = classes[scored.first[seen]]
        seen = np.isfinite(scored.second_distance)
        second[seen] = classes[scored.second[seen]]
    return Refinement(
        **values, was=before.label, first=first, second=second,
        first_distance=empty if scored is None else scored.first_distance,
        second_distance=empty if scored is None else scored.second_distance, notes=notes,
    )


def revert(refinement: Refinement, rows: np.ndarray | None = None) -> np.ndarray:
    """Labels (N,) with answers taken back: all of them, or those of `rows` (numbers or a mask)."""
    labels = np.array(refinement.node, dtype=object)
    use = slice(None) if rows is None else rows
    labels[use] = refinement.was[use]
    return labels
