"""Clusters where some rows have labels: known classes stay, and only what stands apart is new.

N rows, d dimensions, K known classes, C clusters.

Rows are first cut into more clusters than there are classes, without a look at labels. A cluster
with labelled rows belongs to their class (several classes share it out), one class may have many
(day and night, both flanks). Labelled rows are clamped; the rest join and rejoin. Then clusters
without a label merge into what they do not stand apart from: a known class, or each other.
Source: own design; the setting is generalised category discovery (Vaze et al. 2022,
arXiv:2201.02609), whose semi-supervised k-means clamps labelled rows likewise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.discovery.discriminant import CORE_ROWS, Discriminant, find_cores, outlying, refine
from ecotone.discovery.separation import TOGETHER, merge_close, over_split, to_number

MOST_LABELLED = 8000


@dataclass(frozen=True, eq=False)
class Clamped:
    """label: (N,) cluster, outside: (N,) bool, far from it; chance: (N,) probability of it.
    owner: (C,) known class of each cluster, -1 for a new one."""

    label: np.ndarray
    outside: np.ndarray
    chance: np.ndarray
    owner: np.ndarray
    model: Discriminant


def clamped_clusters(rows: np.ndarray, target: np.ndarray, *, posteriors: np.ndarray | None = None,
                     threshold: float = TOGETHER, least: int = 10) -> Clamped:
    """Clusters of rows (N, d) with target (N,), the known class or -1. Rows in an order that says
    nothing. posteriors: (N, K) of the known classes, or None. least: rows of a new cluster."""
    chosen = _sample(target)
    some, known = rows[chosen], target[chosen]
    labels, _ = find_cores(some)
    labels, _ = to_number(some, labels, over_split(int(labels.max()) + 1))
    labels, owner = _owned(labels, known)
    seat = np.where(known >= 0, labels, -1)
    labels, _ = refine(some, labels, clamped=seat)
    like = None if posteriors is None else _means(
        np.asarray(posteriors[chosen], dtype=np.float64), labels, len(owner))
    merged = merge_close(some, labels, owner=owner, threshold=threshold, least=least, likeness=like,
                         told=np.bincount(labels[known >= 0], minlength=len(owner)))
    seat = np.where(known >= 0, merged.labels, -1)
    labels, model = refine(some, merged.labels, clamped=seat)
    everywhere = np.full(len(rows), -1)
    everywhere[chosen] = seat
    label, chance, far = model.assign(rows)
    label = np.where(everywhere >= 0, everywhere, label)
    return Clamped(label, outlying(far), chance, merged.owner, model)


def _sample(target: np.ndarray) -> np.ndarray:
    """Rows that clusters are looked for among: labelled ones, and the first of the others."""
    labelled = np.flatnonzero(target >= 0)[:MOST_LABELLED]
    return np.sort(np.concatenate([labelled, np.flatnonzero(target < 0)[:CORE_ROWS]]))


def _owned(labels: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clusters that hold labels of one class at most, and the class of each."""
    out, owner, number = np.full(len(labels), -1), [], 0
    for c in range(int(labels.max()) + 1):
        inside = labels == c
        classes = np.unique(known[inside & (known >= 0)])
        if len(classes) <= 1:
            out[inside] = number
            owner.append(int(classes[0]) if len(classes) else -1)
            number += 1
            continue
        for k in classes:  # the unlabelled rows choose later
            out[inside & (known == k)] = number
            owner.append(int(k))
            number += 1
    return out, np.array(owner, dtype=np.int64)


def _means(posteriors: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Mean posteriors (C, K) of the clusters."""
    out = np.zeros((count, posteriors.shape[1]))
    for c in range(count):
        if (labels == c).any():
            out[c] = posteriors[labels == c].mean(axis=0)
    return out
