"""Several views of the same labels, pooled: their mean has less luck in it than the best of them.

n labelled pictures, N pictures, L pictures of the labelled units, K classes, F windows, E experts.

Each expert turns an image's posteriors, neighbours, time and place into posteriors of its own. The
pool is logarithmic, log p = sum_e w_e log p_e + const, with weights of least held-out log-loss held
near those of `RECIPES`. Sources: extremely randomised trees (Geurts et al. 2006) by scikit-learn;
logarithmic opinion pool (Genest and Zidek 1986); shrinking weights of a stack towards even ones is
usual, as even ones are hard to beat with few labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.ensemble import ExtraTreesClassifier

from ecotone.context.image import TINY, GivenImage, MappedImage, NamedImage
from ecotone.context.model import BOUND, Columns, ContextModel, fit_context
from ecotone.context.neighbours import neighbour_evidence
from ecotone.context.when import Situation
from ecotone.fusion.local_model import softmax

TREES, LEAF = 60, 3  # trees, and fewest labels in a leaf
SHARE = 0.3  # of the columns is tried at a split
CHUNK = 2_000_000  # values of features that are held at once
PRIOR_LABELS = 50.0  # so many labels' worth of holding on to the weights of the recipes


@dataclass(frozen=True)
class Recipe:
    """How an expert is made, and its weight before any label is looked at. ridge None: trees."""

    name: str
    time: bool
    place: bool
    ridge: float | None
    weight: float


RECIPES = (
    Recipe("neighbours and time", True, False, 4.0, 1.0),
    Recipe("neighbours, time and place", True, True, 1.0, 1.0),
    Recipe("trees", True, True, None, 2.0),
)
ANYWHERE = (  # what may hold at a place without labels
    Recipe("neighbours", False, False, 4.0, 1.0),
    Recipe("trees of neighbours", False, False, None, 1.0),
)


@dataclass(frozen=True, eq=False)
class Trees:
    """A forest over image, windows, time and place. order: (K,) classes by name, so that their
    order plays no part."""

    forest: ExtraTreesClassifier
    columns: Columns
    order: np.ndarray
    kind = "trees"

    def posterior(
        self, log_image: np.ndarray, windows: Sequence[np.ndarray], where: Situation
    ) -> np.ndarray:
        """(N, K) of log image posteriors (N, K); a class without a label keeps the image's."""
        out = np.exp(log_image)
        taught = self.order[self.forest.classes_]
        left = out[:, taught].sum(axis=1, keepdims=True)
        step = max(CHUNK // ((len(windows) + 1) * log_image.shape[1]), 1)
        for start in range(0, len(out), step):
            rows = np.arange(start, min(start + step, len(out)))
            x = features(log_image[rows], [w[rows] for w in windows], where.take(rows),
                         self.columns, self.order)
            out[np.ix_(rows, taught)] = left[rows] * self.forest.predict_proba(x)
        return out


def features(
    log_image: np.ndarray, windows: Sequence[np.ndarray], where: Situation, columns: Columns,
    order: np.ndarray,
) -> np.ndarray:
    """(n, (F + 1) K + M) float32, rounded so that the last digits of a sum split no leaf."""
    parts = [p[:, order] for p in (log_image, *windows)] + [columns.values(where)]
    return np.round(np.concatenate(parts, axis=1), 4).astype(np.float32)


def fit_trees(
    log_image: np.ndarray, target: np.ndarray, windows: Sequence[np.ndarray], where: Situation,
    columns: Columns, order: np.ndarray, seed: int,
) -> Trees:
    """A forest of n labelled pictures; target (n, K) as in `fit_context`."""
    x = features(log_image, windows, where, columns, order)
    target = target[:, order]
    rows = np.lexsort((*target.T, *x.T))  # in one order, whatever the order given
    x, target = x[rows], target[rows]
    at, label = np.nonzero(target)
    forest = ExtraTreesClassifier(
        TREES, min_samples_leaf=LEAF, max_features=SHARE, random_state=seed
    )
    return Trees(forest.fit(x[at], label, sample_weight=target[at, label]), columns, order)


def fit_expert(
    recipe: Recipe, log_image: np.ndarray, target: np.ndarray, windows: Sequence[np.ndarray],
    where: Situation, classes: Sequence[str], seed: int,
) -> ContextModel | Trees:
    """The expert of a recipe; rows of target (n, K) sum to how much a label counts."""
    columns = Columns.of(where, recipe.time, recipe.place)
    if recipe.ridge is None:
        order = np.argsort(np.asarray(classes, dtype=str), kind="stable")
        return fit_trees(log_image, target, windows, where, columns, order, seed)
    return fit_context(log_image, target, windows, where, columns, recipe.ridge)


@dataclass(frozen=True, eq=False)
class View:
    """One way to read the image, and its experts. prior: (K,) that its posteriors contain."""

    image: GivenImage | MappedImage | NamedImage
    prior: np.ndarray
    experts: tuple[ContextModel | Trees, ...]


@dataclass(frozen=True, eq=False)
class Stack:
    """Views, and the weights (E,) of all their experts."""

    views: tuple[View, ...]
    weights: np.ndarray

    def evidence(self, evidence: Any, where: Situation, image: np.ndarray) -> np.ndarray:
        """c (N, K) beside image posteriors (N, K), mean 0 over classes, within `BOUND`."""
        made = []
        for view in self.views:
            proba = view.image.proba(evidence)
            windows = list(neighbour_evidence(proba, where, view.prior))
            made += [e.posterior(np.log(proba), windows, where) for e in view.experts]
        return pooled_evidence(made, self.weights, image)

    def described(self) -> dict[str, float]:
        """Weight of each kind of expert."""
        out: dict[str, float] = {}
        names = [f"{'names, ' if isinstance(v.image, NamedImage) else ''}{e.kind}"
                 for v in self.views for e in v.experts]
        for name, weight in zip(names, self.weights, strict=True):
            out[name] = round(out.get(name, 0.0) + float(weight), 4)
        return out


def log_pool(made: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Weighted sum (N, K) of log posteriors."""
    total = np.zeros(made[0].shape)
    for weight, proba in zip(weights, made, strict=True):
        total += weight * np.log(proba + TINY)
    return total


def pooled_evidence(
    made: Sequence[np.ndarray], weights: np.ndarray, image: np.ndarray
) -> np.ndarray:
    """c (N, K): what the pool says beyond image posteriors (N, K)."""
    out = log_pool(made, weights) - np.log(image)
    return np.clip(out - out.mean(axis=1, keepdims=True), -BOUND, BOUND)


def pool_weights(
    made: Sequence[np.ndarray], target: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """(E,) weights of held-out posteriors (n, K), of least log-loss with a pull to `prior` (E,)."""
    logs = np.array([np.log(p + TINY) for p in made])
    prior = prior / prior.sum()

    def cost(v: np.ndarray) -> tuple[float, np.ndarray]:
        weights = softmax(v[None])[0]
        z = np.tensordot(weights, logs, 1)
        p = softmax(z)
        loss = -(target * np.log(np.maximum(p, 1e-12))).sum()
        total = target.sum(axis=1, keepdims=True)
        slope = (logs * (total * p - target)).sum(axis=(1, 2))
        slope = weights * (slope - weights @ slope) + PRIOR_LABELS * (weights - prior)
        return float(loss - PRIOR_LABELS * (prior * np.log(weights)).sum()), slope

    if len(prior) == 1:
        return np.ones(1)
    return softmax(minimize(cost, np.log(prior), jac=True, method="L-BFGS-B").x[None])[0]
