"""Baselines that also use unlabelled rows, or that join scores with embeddings.

N training rows, M test rows, Q rows of a graph, K local classes. Each function takes a `Problem`
and returns test probabilities (M, K). Unlabelled rows beyond `MOST` are left out at random, since
the graphs need all pairs.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import sparse

from ecotone.evaluation.local_baselines import (
    PENALTIES,
    constant,
    local_only,
    logistic,
    softmax,
    with_unseen,
)
from ecotone.evaluation.map_baselines import by_names, name_map
from ecotone.evaluation.problem import Problem

MOST = 20_000  # unlabelled training rows used
BLOCK = 2048  # rows of a block of cosines


def self_training(problem: Problem, rounds: int = 4, confidence: float = 0.9) -> np.ndarray:
    """Logistic regression that takes its own confident predictions as labels, a few times.

    Source: Yarowsky 1995; Lee 2013.
    """
    rows = problem.labelled
    if len(np.unique(problem.labels[rows])) < 2:
        return local_only(problem)
    free = _unlabelled(problem)
    x, y = problem.features[rows], problem.labels[rows]
    model = logistic(x, y, PENALTIES[1])
    for _ in range(rounds if len(free) else 0):
        proba = model.predict_proba(problem.features[free])
        sure = proba.max(axis=1) >= confidence
        if not sure.any():
            break
        guess = model.classes_[proba[sure].argmax(axis=1)]
        model = logistic(
            np.vstack([x, problem.features[free[sure]]]), np.concatenate([y, guess]), PENALTIES[1]
        )
    proba = np.zeros((len(problem.test_features), problem.n_classes))
    proba[:, model.classes_] = model.predict_proba(problem.test_features)
    return with_unseen(problem, proba)


def label_propagation(
    problem: Problem, neighbours: int = 10, power: float = 3.0, alpha: float = 0.9
) -> np.ndarray:
    """Labels spread over the graph of nearest neighbours of training and test rows.

    Solves F = alpha S F + (1 - alpha) Y by iteration, S the normalised graph of cosines ** power.
    Source: Zhou et al. 2004; the cosine graph of ZLaP (Stojnic et al. 2024).
    """
    rows = problem.labelled
    if not len(rows):
        return constant(problem)
    free = _unlabelled(problem)
    x = np.vstack([problem.features[rows], problem.features[free], problem.test_features])
    graph = cosine_graph(x, neighbours, power)
    degree = np.asarray(graph.sum(axis=1)).ravel()
    scale = sparse.diags(1.0 / np.sqrt(np.maximum(degree, 1e-12)))
    graph = scale @ graph @ scale
    start = np.zeros((len(x), problem.n_classes))
    start[np.arange(len(rows)), problem.labels[rows]] = 1.0
    spread = start.copy()
    for _ in range(50):
        spread = alpha * (graph @ spread) + (1.0 - alpha) * start
    test = spread[len(rows) + len(free) :]
    total = test.sum(axis=1, keepdims=True)
    test = np.divide(test, total, out=np.zeros_like(test), where=total > 1e-12)
    prior = problem.prior
    # Rows that no label reaches get the prior.
    return np.where(total > 1e-12, with_unseen(problem, test), prior[None, :])


def cache_model(problem: Problem) -> np.ndarray:
    """Scores by names plus a cache of labelled rows: log p + alpha exp(-beta (1 - cos)) onehot.

    alpha and beta come from a grid by leave-one-out log-loss on the labelled rows.
    Source: Tip-Adapter (Zhang et al. 2022).
    """
    return softmax(cache_logits(problem)[1])


def cache_logits(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """The logits of `cache_model` for the training (N, K) and the test rows (M, K)."""
    rows = problem.labelled
    names = [np.log(np.maximum(p, 1e-4)) for p in (_train_names(problem), by_names(problem))]
    if not len(rows):
        return names[0], names[1]
    onehot = np.eye(problem.n_classes)[problem.labels[rows]]
    inner = problem.features[rows] @ problem.features[rows].T
    np.fill_diagonal(inner, -np.inf)
    best, chosen = np.inf, (1.17, 1.0)
    for alpha, beta in product((0.5, 1.17, 3.0, 6.0, 12.0), (1.0, 3.0, 5.5, 10.0)):
        proba = softmax(names[0][rows] + alpha * (np.exp(-beta * (1.0 - inner)) @ onehot))
        p = proba[np.arange(len(rows)), problem.labels[rows]]
        loss = -np.log(0.98 * p + 0.02 / problem.n_classes).mean()
        if loss < best:
            best, chosen = loss, (alpha, beta)
    cosines = [x @ problem.features[rows].T for x in (problem.features, problem.test_features)]
    train, test = (chosen[0] * (np.exp(-chosen[1] * (1.0 - c)) @ onehot) for c in cosines)
    return names[0] + train, names[1] + test


def transclip(problem: Problem, gamma: float = 0.2, neighbours: int = 3) -> np.ndarray:
    """Gaussians of shared diagonal covariance with a neighbour term, tied to the cache model.

    Written from the equations: rows z of training and test, labelled ones clamped; ten outer and
    five inner iterations; gamma weighs the labelled rows.
    Source: TransCLIP (Zanella et al. 2024).
    """
    rows, free = problem.labelled, _unlabelled(problem)
    x = np.vstack([problem.features[rows], problem.features[free], problem.test_features])
    train, test = cache_logits(problem)
    guess = softmax(np.vstack([train[rows], train[free], test])).clip(1e-4)
    guess /= guess.sum(axis=1, keepdims=True)
    pull = (0.5 if len(rows) else 1.0) * np.log(guess)
    n = len(rows)
    known = np.eye(problem.n_classes)[problem.labels[rows]]
    graph = cosine_graph(x, neighbours, 1.0)
    z = guess.copy()
    z[:n] = known
    weight = np.full(len(x), 1.0 / max(len(x) - n, 1))
    weight[:n] = gamma / max(n, 1)
    means, spread = _start_means(x, z, n), np.full(x.shape[1], 1.0 / x.shape[1])
    for _ in range(10):
        density = _log_density(x, means, spread)
        for _ in range(5):
            z = softmax(pull + (density + 50.0 / (2 * neighbours) * (graph @ z)) / 50.0)
            z[:n] = known
        mass = z * weight[:, None]
        means = (mass.T @ x) / np.maximum(mass.sum(axis=0), 1e-12)[:, None]
        square = mass.sum(axis=1) @ x**2 - 2 * np.sum((mass.T @ x) * means, axis=0)
        square += mass.sum(axis=0) @ means**2
        spread = np.maximum(square / mass.sum(), 1e-6)
    return z[len(z) - len(problem.test_features) :]


def cosine_graph(x: np.ndarray, neighbours: int, power: float) -> sparse.csr_matrix:
    """Symmetric graph (Q, Q) of each row's nearest rows by cosine; weights max(cos, 0) ** power."""
    n = len(x)
    k = min(neighbours, n - 1)
    if k < 1:
        return sparse.csr_matrix((n, n))
    columns, weights = [], []
    for start in range(0, n, BLOCK):
        cosine = x[start : start + BLOCK] @ x.T
        here = np.arange(len(cosine))
        cosine[here, start + here] = -np.inf
        near = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        columns.append(near)
        weights.append(np.maximum(np.take_along_axis(cosine, near, axis=1), 0.0) ** power)
    place = np.repeat(np.arange(n), k)
    values = (np.vstack(weights).ravel(), (place, np.vstack(columns).ravel()))
    graph = sparse.csr_matrix(values, shape=(n, n))
    return (graph + graph.T) * 0.5


def _unlabelled(problem: Problem) -> np.ndarray:
    free = np.flatnonzero(problem.labels < 0)
    if len(free) > MOST:
        free = np.sort(np.random.default_rng(problem.seed).permutation(free)[:MOST])
    return free


def _train_names(problem: Problem) -> np.ndarray:
    if not problem.scores:
        return np.tile(problem.prior, (len(problem.features), 1))
    return np.mean([name_map(problem, m, test=False) for m in problem.scores], axis=0)


def _start_means(x: np.ndarray, z: np.ndarray, n: int) -> np.ndarray:
    """Means of the eight surest rows of each class and its labelled rows."""
    order = np.argsort(-z[n:], axis=0)[:8] + n
    means = np.stack([x[order[:, k]].mean(axis=0) for k in range(z.shape[1])])
    for k in range(z.shape[1]):
        own = np.flatnonzero(z[:n, k] == 1.0)
        if len(own):
            means[k] = np.vstack([x[own], x[order[:, k]]]).mean(axis=0)
    return means


def _log_density(x: np.ndarray, means: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Log of Gaussians (Q, K) with a shared diagonal covariance, without the common constant."""
    cross = (x / spread) @ means.T
    return cross - 0.5 * np.sum(means**2 / spread, axis=1) - 0.5 * ((x**2) @ (1 / spread))[:, None]
