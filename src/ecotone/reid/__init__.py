"""Individuals: who is it? Heads, matching, calibration, known or new, catalogues; arrays only."""

from ecotone.reid.arcface import SubCenterArcFace
from ecotone.reid.calibration import SimilarityCalibrator
from ecotone.reid.catalogue import Catalogue, best_threshold, make_catalogue
from ecotone.reid.constraints import Constraints, make_constraints
from ecotone.reid.evaluate import GroupFigures, ReidEvaluation, evaluate_reid
from ecotone.reid.fused_similarity import PairScore, SimilarityFusion
from ecotone.reid.identifier import ReIdentifier
from ecotone.reid.linear_heads import DiscriminantHead, LinearHead, WhiteningHead
from ecotone.reid.margins import dynamic_margins
from ecotone.reid.matching import Candidates, match, rank_individuals
from ecotone.reid.metrics import clusters, open_set, probability_ece, rank_figures, verification
from ecotone.reid.openset import OpenSetCurve
from ecotone.reid.pairs import Pairs, calibration_pairs
from ecotone.reid.results import Identification
from ecotone.reid.search import Neighbors, top_k

__all__ = [
    "Candidates", "Catalogue", "Constraints", "DiscriminantHead", "GroupFigures", "Identification",
    "LinearHead", "Neighbors", "OpenSetCurve", "PairScore", "Pairs", "ReIdentifier",
    "ReidEvaluation", "SimilarityCalibrator", "SimilarityFusion", "SubCenterArcFace",
    "WhiteningHead", "best_threshold", "calibration_pairs", "clusters", "dynamic_margins",
    "evaluate_reid", "make_catalogue", "make_constraints", "match", "open_set", "probability_ece",
    "rank_figures", "rank_individuals", "top_k", "verification",
]
