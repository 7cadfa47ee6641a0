"""The fusion as a method of a study: fit FusionClassifier on a problem, predict its test rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.evaluation.baselines import FUSED, MAP_ONLY, PREFERRED, STUDENT
from ecotone.evaluation.problem import Problem

if TYPE_CHECKING:
    from ecotone.taxonomy.tree import Taxonomy


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
            mapped = classifier.map_proba(dict(problem.test_scores), len(problem.test_features))
            found[MAP_ONLY] = mapped[:, order]
        return found

    return fit_predict


def _columns(own: Any, wanted: tuple[str, ...]) -> np.ndarray:
    place = {str(c): k for k, c in enumerate(own)}
    return np.array([place[c] for c in wanted])
