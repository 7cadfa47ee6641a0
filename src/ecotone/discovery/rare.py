"""Small clusters among the rows that the large ones do not explain.

N rows, D embedding dimensions, d reduced dimensions.

The principal axes of 200,000 rows know nothing of a species with 30. But its rows stand out, and
among the rows that stand out, on principal axes of their own, they lie together.
Source: own design.
"""

from __future__ import annotations

import numpy as np

from ecotone.discovery.discriminant import CORE_ROWS, CORE_SIZE, Discriminant, find_cores, outlying
from ecotone.discovery.reduction import unit_pca
from ecotone.discovery.separation import merge_close, over_split, to_number

AXES = 64
COMPACT = 2.0  # times the spread of the other clusters, that a rare one may have


def rare_clusters(embeddings: np.ndarray, reduced: np.ndarray, labels: np.ndarray,
                  model: Discriminant) -> np.ndarray:
    """Labels (N,) with the rare clusters after the others, and -1 for rows that stand out and are
    in none. A rare cluster is as compact as the others are: what stands out of one of these on all
    sides is none."""
    far = model.assign(reduced)[2]
    out = np.where(outlying(far), -1, labels)
    left = np.flatnonzero(outlying(far))
    if len(left) > CORE_ROWS:
        left = np.sort(left[np.argsort(-far[left], kind="stable")[:CORE_ROWS]])
    if len(left) < CORE_SIZE[0]:
        return out
    near = unit_pca(np.asarray(embeddings[left], dtype=np.float32), AXES)
    found, _ = find_cores(near)
    found, _ = to_number(near, found, over_split(int(found.max()) + 1))
    found = merge_close(near, found, least=CORE_SIZE[0]).labels
    number, usual = int(labels.max()) + 1, float(np.median(far))
    for c in range(int(found.max()) + 1):
        inside = left[found == c]
        away = reduced[inside] - reduced[inside].mean(axis=0)
        spread = float(np.median(((away @ model.precision) * away).sum(axis=1)))
        if spread <= COMPACT * usual:
            out[inside] = number
            number += 1
    return out
