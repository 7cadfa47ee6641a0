"""What nobody listed: clusters without labels, novelty, and proposals of new classes."""

from ecotone.discovery.cluster_metrics import Agreement, ClusterReport, evaluate_clusters
from ecotone.discovery.clusterer import Clusterer, ClusterSettings
from ecotone.discovery.exposure import Exposure, fit_exposure
from ecotone.discovery.grid import GridResult, cluster_grid
from ecotone.discovery.hold_out import (
    HoldOutFigures,
    evaluate_novelty,
    lineages_of,
    novelty_figures,
    relation,
    summarise_novelty,
)
from ecotone.discovery.known_effect import KnownClassEffect, known_class_effect
from ecotone.discovery.none_of_these import (
    NovelShare,
    estimate_novel_share,
    novelty_probability,
    with_none_of_these,
)
from ecotone.discovery.novelty import NoveltyDetector
from ecotone.discovery.novelty_scores import (
    ecod_novelty,
    energy_novelty,
    knn_novelty,
    mahalanobis_novelty,
    softmax_novelty,
)
from ecotone.discovery.number import NumberOfClasses
from ecotone.discovery.proposals import Proposal, Proposals, propose_classes

__all__ = [
    "Agreement", "ClusterReport", "ClusterSettings", "Clusterer", "Exposure", "GridResult",
    "HoldOutFigures", "KnownClassEffect", "NovelShare", "NoveltyDetector", "NumberOfClasses",
    "Proposal", "Proposals", "cluster_grid", "ecod_novelty", "energy_novelty",
    "estimate_novel_share", "evaluate_clusters", "evaluate_novelty", "fit_exposure",
    "known_class_effect", "knn_novelty", "lineages_of", "mahalanobis_novelty",
    "novelty_figures", "novelty_probability", "propose_classes", "relation", "softmax_novelty",
    "summarise_novelty", "with_none_of_these",
]
