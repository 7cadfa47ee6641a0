"""The fusion as a method of a study: fit FusionClassifier on a problem, predict its test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.evaluation.baselines import FUSED, MAP_ONLY, PREFERRED, STUDENT
from ecotone.evaluation.local_baselines import softmax
from ecotone.evaluation.problem import Problem
from ecotone.types import GlobalScores

if TYPE_CHECKING:
    from ecotone.taxonomy.tree import Taxonomy

EXPONENT = 0.7  # of the map's evidence when it stands alone: scores of one picture are correlated


def fusion_method(
    taxonomy: Taxonomy | None = None, **options: Any
) -> Callable[[Problem], dict[str, np.ndarray]]:
    """A function of a Problem that fits the fusion and predicts the test rows in four ways.

    Returns test probabilities (M, K) by method: the map alone, the fused predictor, the local
    model alone, and the one of the last two that the fusion itself prefers by held-out labels.
    options: further arguments of FusionClassifier.
    """

    def fit_predict(problem: Problem) -> dict[str, np.ndarray]:
        from ecotone import FusionClassifier

        names = {name: list(s.classes) for name, s in problem.scores.items()}
        classifier = FusionClassifier(
            list(problem.classes), names or None, taxonomy=taxonomy,
            random_state=problem.seed, **options,
        )
        classifier.fit(
            problem.embeddings, dict(problem.scores) or None, problem.names, groups=problem.groups
        )
        order = _columns(classifier.classes_, problem.classes)
        fused = classifier.predict_proba(problem.test_embeddings, dict(problem.test_scores) or None)
        local = classifier.local_model_.predict_proba(problem.test_embeddings)
        found = {FUSED: fused[:, order], STUDENT: local[:, order]}
        found[PREFERRED] = found[STUDENT if classifier.preferred_ == "local" else FUSED]
        if problem.scores:
            prior = np.empty(len(order))
            prior[order] = problem.prior  # in the order of the classifier's columns
            proba = map_posterior(classifier.mapping_, problem.test_scores, prior)
            found[MAP_ONLY] = proba[:, order]
        return found

    return fit_predict


def map_posterior(
    mapping: Any, scores: Mapping[str, GlobalScores], prior: np.ndarray
) -> np.ndarray:
    """Posteriors (M, K) of the learned maps alone: prior times evidence ** EXPONENT of each model.

    mapping: one Mapping, or a dict of them by model name. prior: (K,).
    """
    maps = mapping if isinstance(mapping, Mapping) else {next(iter(scores)): mapping}
    logits = np.log(prior)[None, :]
    for name, one in maps.items():
        logits = logits + EXPONENT * one.log_evidence(scores[name])
    return softmax(logits)


def _columns(own: Any, wanted: tuple[str, ...]) -> np.ndarray:
    place = {str(c): k for k, c in enumerate(own)}
    return np.array([place[c] for c in wanted])
