"""Rows of scores on their way from a file to the store.

N detections, S global classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from ecotone.ingest.results import Scores


class ScoreRows:
    """Rows of scores on their way to the store: detection ids and sparse rows of S classes."""

    def __init__(self, classes: Sequence[str] = ()) -> None:
        self.column = {name: i for i, name in enumerate(classes)}
        self.ids: list[str] = []
        self.rows: list[tuple[list[int], list[float]]] = []

    def add(self, ids: Sequence[str], scores: Scores) -> None:
        """The same scores for some detections."""
        columns = [self.column.setdefault(name, len(self.column)) for name, _ in scores]
        for identity in ids:
            self.ids.append(identity)
            self.rows.append((columns, [value for _, value in scores]))

    def matrix(self) -> tuple[list[str], sparse.csr_matrix, int]:
        """Detection ids, their rows (N, S), and how many rows were scaled down to a sum of 1."""
        pointer = np.cumsum([0, *(len(c) for c, _ in self.rows)])
        columns = np.concatenate([c for c, _ in self.rows] or [[]]).astype(np.int64)
        data = np.concatenate([v for _, v in self.rows] or [[]]).astype(np.float64)
        shape = (len(self.rows), max(len(self.column), 1))
        values = sparse.csr_matrix((data, columns, pointer), shape=shape)
        values.sum_duplicates()
        return self.ids, *at_most_one(values)


def at_most_one(values: sparse.csr_matrix) -> tuple[sparse.csr_matrix, int]:
    """Rows that sum to at most 1, and how many were clearly above."""
    total = np.asarray(values.sum(axis=1)).ravel()
    scaled = sparse.diags(1.0 / np.maximum(total, 1.0)) @ values
    return sparse.csr_matrix(scaled, dtype=np.float32), int((total > 1.05).sum())
