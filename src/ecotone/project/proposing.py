"""Clusters of the detections, and which of them may be classes that nobody has listed.

N detections. Numbers of proposals start at 1, the largest first; nobody but a person names one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ecotone.discovery import Clusterer

Progress = Callable[[int, "int | None", str], None]
LEAST = 5  # bursts; a smaller cluster is no proposal
MOSTLY = 0.5  # share of a cluster that has to be flagged as new
KNOWN = 0.05  # share of a cluster with labels from which on it belongs to a known class


@dataclass(frozen=True, eq=False)
class Proposals:
    """cluster: (N,) -1 where rejected. proposal: (N,) from 1, 0 for none. membership: (N,) in 0..1.
    n_classes, low, high: the estimated number of classes among all detections, None where it was
    not estimated. settings: of the clustering."""

    cluster: np.ndarray
    proposal: np.ndarray
    membership: np.ndarray
    n_classes: int | None = None
    low: int | None = None
    high: int | None = None
    settings: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def propose(
    embeddings: np.ndarray, target: np.ndarray, novel: np.ndarray | None, burst: np.ndarray,
    *, n_clusters: int | None, over_cluster: float, seed: int,
) -> Proposals:
    """Clusters, and as proposals those without labels that mostly look new.

    target: (N,) class numbers, -1 where unlabelled. novel: (N,) bool, None where no class is known:
    every cluster is then a proposal. burst: (N,).
    """
    model = Clusterer(n_clusters=n_clusters, over_cluster=over_cluster, random_state=seed)
    label = np.asarray(model.fit(embeddings).labels_)
    labelled = target >= 0
    found = []
    for c in range(int(label.max()) + 1):
        rows = np.flatnonzero(label == c)
        if len(np.unique(burst[rows])) < min(LEAST, len(label)):
            continue
        new = novel is None or (
            labelled[rows].mean() < KNOWN and novel[rows[~labelled[rows]]].mean() > MOSTLY
        )
        if new:
            found.append(rows[~labelled[rows]])
    proposal = np.zeros(len(label), dtype=np.int64)
    for number, rows in enumerate(sorted(found, key=lambda r: -len(r)), start=1):
        proposal[rows] = number
    membership = np.where(proposal > 0, np.asarray(model.probabilities_), 0.0)
    return Proposals(label, proposal, membership, settings=model.settings_.as_dict())
