"""Individuals: who is it? Heads, matching, re-ranking, calibration, known or new; arrays only."""

from ecotone.reid.margins import dynamic_margins
from ecotone.reid.matching import Candidates, match, rank_individuals
from ecotone.reid.search import Neighbors, top_k

__all__ = [
    "Candidates",
    "Neighbors",
    "dynamic_margins",
    "match",
    "rank_individuals",
    "top_k",
]
