"""What nobody listed: clusters without labels, novelty, and proposals of new classes."""

from ecotone.discovery.cluster_metrics import Agreement, ClusterReport, evaluate_clusters
from ecotone.discovery.clusterer import Clusterer, ClusterSettings
from ecotone.discovery.none_of_these import (
    NovelShare,
    estimate_novel_share,
    novelty_probability,
    with_none_of_these,
)
from ecotone.discovery.novelty import NoveltyDetector

__all__ = [
    "Agreement", "ClusterReport", "ClusterSettings", "Clusterer", "NovelShare", "NoveltyDetector",
    "estimate_novel_share", "evaluate_clusters", "novelty_probability", "with_none_of_these",
]
