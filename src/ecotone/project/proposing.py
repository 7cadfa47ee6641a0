"""Clusters of the detections, and the classes among them that nobody listed.

N detections. Proposals have numbers, the surest first; nobody but a person names one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.discovery import Clusterer, propose_classes
from ecotone.project.gathering import Gathered
from ecotone.project.known_views import KnownViews

LEAST = 10  # detections of a proposal
MOSTLY = 0.5  # share of a cluster that has to be flagged as new
MOST_LABELLED = 0.02  # and how much of it may have a label


@dataclass(frozen=True, eq=False)
class Found:
    """cluster: (N,) int, -1 where rejected. proposal: (N,) int from 1, 0 for none. membership:
    (N,) in 0..1, the most typical of a proposal highest. n_classes: estimate, low and high, known
    and new together. settings: of the clustering. about: by number, what is known of a proposal."""

    cluster: np.ndarray
    proposal: np.ndarray
    membership: np.ndarray
    n_classes: tuple[int, int, int]
    settings: dict[str, object] = field(default_factory=dict)
    about: dict[int, dict[str, Any]] = field(default_factory=dict)


def find_classes(
    gathered: Gathered, views: KnownViews, scores: Any, novel: np.ndarray | None, *,
    n_clusters: int | None, over_cluster: float, seed: int,
) -> Found:
    """Clusters of all detections, and proposals among those without a label: classes that stand
    apart, then clusters that mostly look new. scores: of the global model, None without one. novel:
    (N,) bool, None where nothing is known to compare with."""
    model = Clusterer(n_clusters=n_clusters, over_cluster=over_cluster, random_state=seed)
    cluster = np.asarray(model.fit(gathered.embeddings).labels_)
    found = propose_classes(
        gathered.embeddings, list(gathered.labels), classes=gathered.local_classes or None,
        posteriors=views.proba, scores=scores, random_state=seed,
    )
    membership, about = np.zeros(len(cluster)), {}
    for item in found:
        membership[item.rows] = np.linspace(1.0, 0.0, len(item.rows), endpoint=False)
        about[item.number] = {
            "cohesion": item.cohesion, "stability": item.stability, "confidence": item.confidence,
            "distance": item.distance if np.isfinite(item.distance) else None,
            "nearest_class": item.nearest_class or "", "explained": item.explained,
            "global_classes": [[name, value] for name, value in item.global_classes],
        }
    proposal = found.labels + 1
    if novel is not None:
        labelled = views.target >= 0
        for rows in clusters_that_look_new(cluster, proposal, labelled, novel):
            proposal[rows] = number = int(proposal.max()) + 1
            order = rows[np.argsort(-np.asarray(model.probabilities_)[rows], kind="stable")]
            membership[order] = np.linspace(1.0, 0.0, len(rows), endpoint=False)
            about[number] = {"flagged": float(novel[rows].mean())}
    number = found.number_of_classes
    known = len(set(views.target[views.target >= 0].tolist()))
    high = max(number.high, known + int(proposal.max(initial=0)))
    return Found(cluster, proposal, membership, (number.estimate, number.low, high),
                 model.settings_.as_dict(), about)


def clusters_that_look_new(
    cluster: np.ndarray, proposal: np.ndarray, labelled: np.ndarray, novel: np.ndarray
) -> list[np.ndarray]:
    """Rows of clusters that are no proposal yet, have next to no label, and are mostly flagged as
    new: a class may stand too near to a known one to be told apart by its place alone, and still be
    new to every score. The largest first."""
    found = []
    for c in range(int(cluster.max(initial=-1)) + 1):
        inside = cluster == c
        rows = np.flatnonzero(inside & (proposal == 0) & ~labelled)
        few = labelled[inside].mean() < MOST_LABELLED
        if len(rows) >= LEAST and few and novel[rows].mean() > MOSTLY:
            found.append(rows)
    return sorted(found, key=lambda rows: (-len(rows), rows[0]))
