"""Baselines that only map the global model's output to local classes.

K local classes, S global classes, M test rows. Each function takes a `Problem` and returns test
probabilities (M, K). With several global models the probabilities of each are averaged; a row of
which a model says nothing gets the prior.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from ecotone.evaluation.local_baselines import constant, softmax
from ecotone.evaluation.problem import Problem
from ecotone.types import GlobalScores

TINY = 1 / 256  # scores are often kept as bytes: what is below one step is taken as one


def by_names(problem: Problem) -> np.ndarray:
    """The global model's scores, moved to local classes by their names alone; no labels.

    Every global class goes to the local class it is most related to by name (evenly between
    equals), and is dropped when related to none; what is dropped becomes the even prior.

    Source: the rule baseline of MegaDetector's `restrict_to_taxa_list`.
    """
    return _average(problem, name_map)


def name_map(problem: Problem, model: str, test: bool = True) -> np.ndarray:
    """The map of `by_names` for one model's test rows, or its training rows."""
    scores = (problem.test_scores if test else problem.scores)[model]
    even = np.full((1, problem.n_classes), 1.0 / problem.n_classes)
    weights = problem.name_weights.get(model)
    if weights is None:
        return np.repeat(even, len(scores), axis=0)
    best = weights.max(axis=0)
    share = (weights >= best - 1e-12) & (best > 0)
    share = share / np.maximum(share.sum(axis=0), 1)
    proba = np.asarray(scores.values @ share.T, dtype=np.float64)
    return proba + (1.0 - proba.sum(axis=1, keepdims=True)).clip(0.0) * even


def leep(problem: Problem) -> np.ndarray:
    """Expected empirical prediction: P(y | z) from the labels, averaged over the scores.

    Source: LEEP (Nguyen et al. 2020).
    """

    def one(problem: Problem, model: str) -> np.ndarray:
        joint = _label_sums(problem, problem.scores[model].values)
        return _conditional(problem, problem.test_scores[model], joint)

    return _average(problem, one)


def blm(problem: Problem) -> np.ndarray:
    """Bayesian label mapping: counts of the top global class by label, smoothed by 1.

    Source: Cai et al. 2024, BLM.
    """

    def one(problem: Problem, model: str) -> np.ndarray:
        hard = _top(problem.scores[model].values, 1)
        hard.data[:] = 1.0
        return _weighted_logits(problem, model, _label_sums(problem, hard), 1.0)

    return _average(problem, one)


def blm_plus(problem: Problem, k: int = 3) -> np.ndarray:
    """Bayesian label mapping with the probabilities of the top k global classes.

    Source: Cai et al. 2024, BLM+.
    """

    def one(problem: Problem, model: str) -> np.ndarray:
        soft = _top(problem.scores[model].values, k)
        return _weighted_logits(problem, model, _label_sums(problem, soft), 0.0)

    return _average(problem, one)


def _average(problem: Problem, one: Callable[[Problem, str], np.ndarray]) -> np.ndarray:
    if not problem.scores:
        return constant(problem)
    return np.mean([one(problem, model) for model in problem.scores], axis=0)


def _label_sums(problem: Problem, values: sparse.csr_matrix) -> np.ndarray:
    """Sums (K, S) of the scores of the labelled rows of each class."""
    rows = problem.labelled
    ones = np.ones(len(rows))
    onehot = sparse.csr_matrix(
        (ones, (problem.labels[rows], np.arange(len(rows)))), (problem.n_classes, len(rows))
    )
    return (onehot @ values[rows]).toarray().astype(np.float64)


def _conditional(problem: Problem, scores: GlobalScores, joint: np.ndarray) -> np.ndarray:
    total = joint.sum(axis=0)
    conditional = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    proba = np.asarray(scores.values @ conditional.T, dtype=np.float64)
    # Mass on global classes that no label was ever seen with, or that is missing: the prior.
    return proba + (1.0 - proba.sum(axis=1, keepdims=True)).clip(0.0) * problem.prior


def _top(values: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """The k largest entries of each row."""
    values = sparse.csr_matrix(values, copy=True)
    for start, end in zip(values.indptr[:-1], values.indptr[1:], strict=True):
        if end - start > k:
            row = values.data[start:end]
            row[np.argpartition(-row, k - 1)[k:]] = 0.0
    values.eliminate_zeros()
    return values


def _weighted_logits(
    problem: Problem, model: str, joint: np.ndarray, smoothing: float
) -> np.ndarray:
    total = joint.sum(axis=0) + smoothing
    omega = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    column = omega.sum(axis=1, keepdims=True)
    omega = np.divide(omega, column, out=np.zeros_like(omega), where=column > 0)
    values = sparse.csr_matrix(problem.test_scores[model].values, dtype=np.float64)
    logs = values.copy()
    logs.data = np.log1p(logs.data / TINY)  # log((p + tiny) / tiny): 0 where the score is 0
    return softmax(np.asarray(logs @ omega.T) + 0.0)
