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
    gathered: Gathered, views: KnownViews, scores: Any, *, n_clusters: int | None,
    over_cluster: float, seed: int,
) -> Found:
    """Clusters of all detections, and proposals among those without a label. scores: of the global
    model, None without one."""
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
    number = found.number_of_classes
    return Found(cluster, found.labels + 1, membership,
                 (number.estimate, number.low, number.high), model.settings_.as_dict(), about)
