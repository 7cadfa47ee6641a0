"""How well clusters agree with known classes, without the rejected rows and with them.

N rows. A rejected row has the cluster -1. Leaving such rows out flatters a method that rejects
what is hard; so every figure is there twice, the second time with each of them a cluster alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError

REJECTED = -1


@dataclass(frozen=True)
class Agreement:
    """Agreement of clusters with classes, each 1 at best. v_measure: harmonic mean of homogeneity
    (clusters hold one class) and completeness (classes lie in one cluster). ami, ari: adjusted
    mutual information and Rand index, 0 for chance."""

    v_measure: float
    homogeneity: float
    completeness: float
    ami: float
    ari: float


@dataclass(frozen=True)
class ClusterReport:
    """kept: over the rows that have a cluster; None where all were rejected. singletons: over all
    rows, each rejected one a cluster of its own. rejected: share of rows without a cluster.
    n: rows with a known class, n_clusters and n_classes among them."""

    kept: Agreement | None
    singletons: Agreement
    rejected: float
    n: int
    n_clusters: int
    n_classes: int


def evaluate_clusters(true: Sequence[object] | np.ndarray, labels: Sequence[int] | np.ndarray
                      ) -> ClusterReport:
    """Clusters against known classes.

    true: (N,) classes, numbers or names; None, NaN, "" and negative numbers stand for unknown and
    are left out. labels: (N,) cluster numbers, -1 where rejected.

    Source: Rosenberg and Hirschberg 2007 (V-measure); Vinh et al. 2010 (AMI); Hubert and Arabie
    1985 (ARI). Raises InputError when lengths differ or no class is known.
    """
    classes = class_numbers(true)
    labels = check_clusters(labels, len(classes))
    known = classes >= 0
    if not known.any():
        raise InputError("evaluate_clusters: no row has a known class; give at least one.")
    classes, labels = classes[known], labels[known]
    kept = labels >= 0
    alone = labels.copy()
    alone[~kept] = labels.max() + 1 + np.arange((~kept).sum())
    return ClusterReport(
        kept=_agreement(classes[kept], labels[kept]) if kept.any() else None,
        singletons=_agreement(classes, alone),
        rejected=float(1.0 - kept.mean()),
        n=len(classes),
        n_clusters=len(np.unique(labels[kept])),
        n_classes=len(np.unique(classes)),
    )


def class_numbers(values: Sequence[object] | np.ndarray) -> np.ndarray:
    """Numbers (N,) of classes given as numbers or names, -1 where unknown; in sorted order."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"classes: shape {array.shape}, expected one a row.")
    if array.dtype.kind in "iu":
        names, found = np.unique(array, return_inverse=True)
        shift = int((names < 0).sum())
        return np.maximum(found - shift, -1).astype(np.int64)
    out = np.full(len(array), -1, dtype=np.int64)
    told = [i for i, v in enumerate(array.tolist()) if _is_known(v)]
    if told:
        out[told] = np.unique([str(array[i]) for i in told], return_inverse=True)[1]
    return out


def check_clusters(labels: Sequence[int] | np.ndarray, n: int) -> np.ndarray:
    """Cluster numbers (N,) int. Raises InputError when they do not fit."""
    array = np.asarray(labels)
    if array.shape != (n,):
        raise InputError(f"labels: shape {array.shape}, expected ({n},), one cluster a row.")
    if n and array.dtype.kind not in "iu":
        raise InputError(f"labels: {array.dtype}, expected cluster numbers, -1 where rejected.")
    if n and array.min() < REJECTED:
        raise InputError(f"labels: {array.min()}; expected -1 (rejected), 0, 1, ...")
    return array.astype(np.int64)


def _is_known(value: object) -> bool:
    if value is None or value == "" or value != value:
        return False
    return not (isinstance(value, (int, float)) and value < 0)


def _agreement(classes: np.ndarray, labels: np.ndarray) -> Agreement:
    from sklearn import metrics

    labels = np.unique(labels, return_inverse=True)[1]
    homogeneity, completeness, v = metrics.homogeneity_completeness_v_measure(classes, labels)
    return Agreement(
        v_measure=float(v), homogeneity=float(homogeneity), completeness=float(completeness),
        ami=float(metrics.adjusted_mutual_info_score(classes, labels)),
        ari=float(metrics.adjusted_rand_score(classes, labels)),
    )
