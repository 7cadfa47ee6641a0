"""The methods that results are compared with, by name.

A baseline is a function of a `Problem` that returns test probabilities (M, K). `FUSION` names
what comes from the fusion itself, through the `fit_fusion` given to a study.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ecotone.evaluation import local_baselines as local
from ecotone.evaluation import map_baselines as maps
from ecotone.evaluation import transductive_baselines as transductive
from ecotone.evaluation.problem import Problem

Baseline = Callable[[Problem], np.ndarray]

LOCAL_ONLY = "local only"
BY_NAMES = "global by names"
MAP_ONLY = "map only"
FUSED = "fused"
STUDENT = "local model"
PREFERRED = "ecotone"

BASELINES: dict[str, Baseline] = {
    LOCAL_ONLY: local.local_only,
    BY_NAMES: maps.by_names,
    "LEEP map": maps.leep,
    "BLM map": maps.blm,
    "BLM+ map": maps.blm_plus,
    "default logistic regression": local.default_logistic,
    "nearest neighbours": local.nearest_neighbours,
    "Gaussian head": local.gaussian_head,
    "concatenation": local.concatenation,
    "self-training": transductive.self_training,
    "label propagation": transductive.label_propagation,
    "cache model": transductive.cache_model,
    "TransCLIP-like": transductive.transclip,
}

# The map alone, the fused predictor, the student, and whichever of the last two is preferred.
FUSION = (MAP_ONLY, FUSED, STUDENT, PREFERRED)

# What `ecotone evaluate` compares when nothing else is asked for.
USUAL = (LOCAL_ONLY, BY_NAMES, MAP_ONLY, "concatenation", STUDENT, FUSED, PREFERRED)


def without_scores(methods: tuple[str, ...]) -> tuple[str, ...]:
    """The methods that mean something when there is no global model."""
    needless = {BY_NAMES, MAP_ONLY, "LEEP map", "BLM map", "BLM+ map", "concatenation"}
    return tuple(m for m in methods if m not in needless)
