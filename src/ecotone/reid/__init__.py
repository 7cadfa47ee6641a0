"""Individuals: who is it? Heads, matching, calibration, known or new, catalogues; arrays only."""

from ecotone.reid.arcface import SubCenterArcFace
from ecotone.reid.calibration import SimilarityCalibrator
from ecotone.reid.catalogue import Catalogue, best_threshold, make_catalogue
from ecotone.reid.choosing import HeadChoice, best_head
from ecotone.reid.constraints import Constraints, make_constraints
from ecotone.reid.evaluate import GroupFigures, ReidEvaluation, evaluate_reid
from ecotone.reid.fused_similarity import PairScore, SimilarityFusion
from ecotone.reid.identifier import ReIdentifier
from ecotone.reid.linear_heads import DiscriminantHead, LinearHead, WhiteningHead
from ecotone.reid.local_features import (
    LocalFeatures,
    LocalSettings,
    check_pair_scores,
    extract_local_features,
    local_score,
    local_scores,
)
from ecotone.reid.margins import dynamic_margins
from ecotone.reid.matching import Candidates, match, rank_individuals
from ecotone.reid.metrics import clusters, open_set, probability_ece, rank_figures, verification
from ecotone.reid.openset import OpenSetCurve
from ecotone.reid.pairs import Pairs, calibration_pairs
from ecotone.reid.reranking import expand_queries, rerank
from ecotone.reid.results import Identification
from ecotone.reid.search import Neighbors, top_k

__all__ = [
    "Candidates", "Catalogue", "Constraints", "DiscriminantHead", "GroupFigures", "HeadChoice",
    "Identification", "LinearHead", "LocalFeatures", "LocalSettings", "Neighbors", "OpenSetCurve",
    "PairScore", "Pairs", "ReIdentifier", "ReidEvaluation", "SimilarityCalibrator",
    "SimilarityFusion", "SubCenterArcFace", "WhiteningHead", "best_head", "best_threshold",
    "calibration_pairs", "check_pair_scores", "clusters", "dynamic_margins", "evaluate_reid",
    "expand_queries", "extract_local_features", "local_score", "local_scores", "make_catalogue",
    "make_constraints", "match", "open_set", "probability_ece", "rank_figures", "rank_individuals",
    "rerank", "top_k", "verification",
]
