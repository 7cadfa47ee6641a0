"""Acceptance that is kept: thresholds of one fusion, by which exports tell what needs no eye.

n detections, K local classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

NOTE = "latest_accept"  # in the catalogue


@dataclass(frozen=True, eq=False)
class Accepted:
    """The thresholds of a fusion. run: of the acceptance. threshold: (K,), infinite where there is
    none."""

    run: str
    fuse_run: str
    precision: float
    confidence: float
    threshold: np.ndarray

    @property
    def tag(self) -> str:
        """As a tag of an observation."""
        return f"accepted:precision {self.precision:g}"

    def of(self, values: np.ndarray) -> np.ndarray:
        """(n,) bool: the rows of probabilities (n, K) that need no eye; none with NaN."""
        known = np.isfinite(values).all(axis=1)
        out = np.zeros(len(values), dtype=bool)
        p = np.asarray(values[known], dtype=np.float64)
        p /= np.maximum(p.sum(axis=1, keepdims=True), 1e-12)
        top, called = p.max(axis=1), p.argmax(axis=1)
        alone = (p == top[:, None]).sum(axis=1) == 1
        out[known] = alone & (top >= self.threshold[called])
        return out


def store_rule(project: Any, run: str, settings: Mapping[str, Any], rule: Any) -> None:
    """Keep a fitted AcceptRule as the one that counts."""
    project.catalog.set_note(NOTE, {
        "run": run, **settings,
        "thresholds": {row.name: row.threshold for row in rule.table_},
    })


def accepted_of(project: Any, fuse_run: str, classes: Any) -> Accepted | None:
    """The acceptance that counts for a fusion, None when there is none of it."""
    kept = project.catalog.note(NOTE)
    if not kept or kept["fuse_run"] != fuse_run:
        return None
    found = [kept["thresholds"].get(str(name)) for name in classes]
    return Accepted(
        kept["run"], fuse_run, kept["precision"], kept["confidence"],
        np.array([np.inf if v is None else v for v in found], dtype=np.float64),
    )
