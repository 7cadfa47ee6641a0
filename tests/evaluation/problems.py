"""Small generated problems for the tests of this folder."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ecotone.evaluation.problem import Problem, make_problem
from ecotone.types import GlobalScores

GLOBAL = ("red fox", "wolf", "deer", "hog", "crow", "stone")
LOCAL = ("fox", "wolf", "deer", "bat")


def world(
    rows: int = 240, seed: int = 0, spread: float = 0.6
) -> tuple[np.ndarray, GlobalScores, np.ndarray, np.ndarray]:
    """Embeddings, scores, true columns and name weights: four classes, one unknown."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, rows)
    centres = rng.normal(size=(4, 16))
    x = (centres[truth] + spread * rng.normal(size=(rows, 16))).astype(np.float32)
    p = rng.dirichlet(np.full(6, 0.5), rows)
    heard = truth < 3
    p[heard, truth[heard]] += 2.0 * rng.random(heard.sum())
    p /= p.sum(axis=1, keepdims=True)
    weights = np.zeros((4, 6))
    weights[[0, 1, 2], [0, 1, 2]] = 0.7
    return x, GlobalScores.from_dense(p, GLOBAL), truth, weights


def problem(
    labels: int = 20, seed: int = 0, rows: int = 240, hide: tuple[int, ...] = (),
    scores: bool = True,
) -> tuple[Problem, np.ndarray]:
    """A Problem with some labels, none of the classes in `hide`, and the truth of its test rows."""
    x, s, truth, weights = world(rows, seed)
    order = np.random.default_rng(seed).permutation(rows)
    test, train = np.sort(order[: rows // 4]), np.sort(order[rows // 4 :])
    shown = [i for i in order[rows // 4 :] if truth[i] not in hide][:labels]
    columns = np.full(rows, -1)
    columns[shown] = truth[shown]
    made = make_problem(
        LOCAL, x, {"global": s} if scores else {}, columns, train, test,
        name_weights={"global": weights} if scores else {}, seed=seed,
    )
    return made, truth[test]


def with_missing(scores: GlobalScores, rows: np.ndarray) -> GlobalScores:
    """The scores with some rows empty."""
    keep = np.ones(len(scores))
    keep[rows] = 0.0
    return GlobalScores(sparse.diags(keep) @ scores.values, scores.classes)
