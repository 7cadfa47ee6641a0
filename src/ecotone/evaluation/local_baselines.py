"""Baselines that learn from the labelled rows, and from the scores only where said.

N training rows, M test rows, d projected dimensions, K local classes. Each function takes a
`Problem` and returns test probabilities (M, K) whose rows sum to 1.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse

from ecotone.evaluation.problem import Problem
from ecotone.evaluation.splits import stratified_folds

PENALTIES = (10.0, 100.0, 1000.0)  # inverse ridge strengths tried by cross-validation
FEW = 30  # labels below which cross-validation of the penalty is noise: the weakest ridge is taken


def local_only(problem: Problem) -> np.ndarray:
    """The reference: ridge multinomial logistic regression on the labelled rows.

    Features are principal components of all training rows, of unit length; the ridge is chosen by
    3-fold log-loss on the labels where there are at least `FEW`. On unit features a weak ridge is
    the strong choice: scikit-learn's default (C = 1) is far below it with few labels.
    """
    rows = problem.labelled
    x, y = problem.features[rows], problem.labels[rows]
    units = np.arange(len(rows)) if problem.groups is None else problem.groups[rows]
    return fit_logistic(problem, x, y, problem.test_features, choose_penalty(x, y, units, problem))


def default_logistic(problem: Problem) -> np.ndarray:
    """Logistic regression as it comes: scikit-learn's default ridge (C = 1) on unit embeddings."""
    from ecotone.evaluation.problem import unit_rows

    rows = problem.labelled
    x = unit_rows(problem.embeddings[rows])
    test = unit_rows(problem.test_embeddings)
    return fit_logistic(problem, x, problem.labels[rows], test, 1.0)


def nearest_neighbours(problem: Problem, k: int = 5, temperature: float = 0.1) -> np.ndarray:
    """Votes of the k labelled rows of highest cosine, weighted exp(cosine / temperature).

    Source: Wu et al. 2018 (weighted kNN on unit embeddings).
    """
    rows = problem.labelled
    if not len(rows):
        return constant(problem)
    votes = np.zeros((len(problem.test_features), problem.n_classes))
    cosine = problem.test_features @ problem.features[rows].T
    k = min(k, len(rows))
    near = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
    for column in range(k):
        row = np.arange(len(votes))
        weight = np.exp((cosine[row, near[:, column]] - 1.0) / temperature)
        votes[row, problem.labels[rows[near[:, column]]]] += weight
    votes /= np.maximum(votes.sum(axis=1, keepdims=True), 1e-300)
    return with_unseen(problem, votes)


def gaussian_head(problem: Problem) -> np.ndarray:
    """One Gaussian a class with a shared, shrunken covariance, from the labelled rows.

    Source: shrinkage of Wang et al. 2024 (GDA for CLIP).
    """
    rows = problem.labelled
    if not len(rows):
        return constant(problem)
    x, y = problem.features[rows], problem.labels[rows]
    n, d = x.shape
    onehot = np.eye(problem.n_classes)[y]
    centre = x.mean(axis=0)
    means = (onehot.T @ x + centre) / (onehot.sum(axis=0)[:, None] + 1.0)
    rest = x - means[y]
    within = rest.T @ rest / n
    trace = np.trace(within)
    if trace < 1e-9:  # a label a class: no spread is seen, take that of all rows
        trace = float(problem.features.var(axis=0).sum()) or 1.0
    covariance = ((n - 1) * within + trace * np.eye(d)) / (n - 1 + d)
    solved = np.linalg.solve(covariance, means.T)
    logits = 0.5 * (problem.test_features @ solved - 0.5 * np.sum(means.T * solved, axis=0))
    return softmax(logits + np.log(problem.prior))


def concatenation(problem: Problem) -> np.ndarray:
    """Logistic regression on embeddings and square roots of the global scores, side by side."""
    rows = problem.labelled
    train: list[Any] = [problem.features[rows]]
    test: list[Any] = [problem.test_features]
    for name, scores in problem.scores.items():
        own = scores.values[rows]
        active = np.flatnonzero(own.getnnz(axis=0))  # columns of zeros cannot get a weight
        train.append(own[:, active].sqrt())
        test.append(problem.test_scores[name].values[:, active].sqrt())
    if not problem.scores:
        return local_only(problem)
    x = sparse.hstack(train, format="csr").astype(np.float64)
    y = problem.labels[rows]
    units = np.arange(len(rows)) if problem.groups is None else problem.groups[rows]
    test_x = sparse.hstack(test, format="csr").astype(np.float64)
    return fit_logistic(problem, x, y, test_x, choose_penalty(x, y, units, problem))


def fit_logistic(problem: Problem, x: Any, y: np.ndarray, test: Any, penalty: float) -> np.ndarray:
    """Test probabilities (M, K) of a logistic regression; classes without a label get the prior."""
    seen, target = np.unique(y, return_inverse=True)
    if len(seen) < 2:
        proba = np.zeros((test.shape[0], problem.n_classes))
        proba[:, seen] = 1.0
        return with_unseen(problem, proba) if len(seen) else constant(problem)
    proba = np.zeros((test.shape[0], problem.n_classes))
    proba[:, seen] = logistic(x, target, penalty).predict_proba(test)
    return with_unseen(problem, proba)


def logistic(x: Any, y: np.ndarray, penalty: float, weight: np.ndarray | None = None) -> Any:
    """A fitted scikit-learn LogisticRegression with C = `penalty`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=penalty, max_iter=300).fit(x, y, sample_weight=weight)


def choose_penalty(x: Any, y: np.ndarray, units: np.ndarray, problem: Problem) -> float:
    """The C of `PENALTIES` with the least 3-fold log-loss; the largest with fewer than FEW labels.

    A held-out row whose class is not in the fold's training part says nothing and is left out.
    """
    if len(y) < FEW or len(np.unique(y)) < 2 or len(np.unique(units)) < 3:
        return PENALTIES[-1]
    fold = stratified_folds(y, units, 3, problem.seed)
    loss = np.zeros(len(PENALTIES))
    for number in range(3):
        inside, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        seen = np.unique(y[inside])
        held = held[np.isin(y[held], seen)]
        if len(seen) < 2 or not len(held):
            continue
        for i, penalty in enumerate(PENALTIES):
            model = logistic(x[inside], y[inside], penalty)
            p = model.predict_proba(x[held])[np.arange(len(held)), np.searchsorted(seen, y[held])]
            loss[i] -= np.log(0.98 * p + 0.02 / problem.n_classes).sum()
    return PENALTIES[int(np.argmin(loss))]


def with_unseen(problem: Problem, proba: np.ndarray) -> np.ndarray:
    """Give classes without a label their prior mass; the others share the rest as they did."""
    unseen = problem.counts == 0
    prior = problem.prior
    result = proba * (1.0 - prior[unseen].sum())
    result[:, unseen] = prior[unseen]
    return result


def constant(problem: Problem) -> np.ndarray:
    """The prior for every test row."""
    return np.tile(problem.prior, (len(problem.test_features), 1))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax in float64."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
