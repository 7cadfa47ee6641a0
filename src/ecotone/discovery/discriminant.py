"""Clusters as dense cores that a shared-covariance discriminant carries on to all rows.

N rows, d dimensions, C clusters. Density alone either rejects a third of the rows of an embedding
of many dimensions or, after t-SNE, joins species. Here HDBSCAN only has to find the cores: the
leaves of its tree. Their within-cluster covariance W says which differences are none between
species; rows join the core with the best

    x' P mu_c - mu_c' P mu_c / 2 + log share_c,      P = W^-1, shrunken

in turns, as in a tied Gaussian mixture that starts from cores. In the space whitened by W, on the
axes along which clusters differ, cores are looked for once more, then among the rows that no
cluster explains: so that rare species show. A row is rejected when its distance to its cluster
stands out among all rows' (a robust z of log distances).
Source: Campello et al. 2013 (HDBSCAN); Ding and Li 2007 (adaptive discriminant reduction and
clustering in turns); the shrinkage is that of `fusion.students`; the rest is our own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.discovery.clustering import hdbscan

CORE_ROWS = 8000  # that cores are looked for among
CORE_SIZE = (15, 5)
LEAST_AXES = 8
ROUNDS = 12
OUTLYING = 3.1  # robust standard deviations, one in a thousand of a normal distribution
BLOCK = 16384


@dataclass(frozen=True, eq=False)
class Discriminant:
    """Clusters with one covariance. means: (C, d); precision: (d, d); log_share: (C,)."""

    means: np.ndarray
    precision: np.ndarray
    log_share: np.ndarray

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Log posteriors (M, C) up to a constant a row."""
        weights = self.means @ self.precision  # (C, d)
        bias = self.log_share - 0.5 * (weights * self.means).sum(axis=1)
        return np.asarray(rows, dtype=np.float64) @ weights.T + bias

    def assign(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best cluster of each row, its probability, the squared distance to it, each (M,)."""
        label = np.empty(len(rows), dtype=np.int64)
        chance, far = np.empty(len(rows)), np.empty(len(rows))
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            logits = self.logits(rows[part])
            best = logits.argmax(axis=1)
            top = logits.max(axis=1, keepdims=True)
            label[part] = best
            chance[part] = 1.0 / np.exp(logits - top).sum(axis=1)
            away = rows[part] - self.means[best]
            far[part] = np.maximum(((away @ self.precision) * away).sum(axis=1), 0.0)
        return label, chance, far

    def whitened(self, rows: np.ndarray) -> np.ndarray:
        """Rows (M, a) on the axes along which clusters differ, within-cluster covariance 1."""
        values, vectors = np.linalg.eigh(self.precision)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        between = (self.means - self.means.mean(axis=0)) @ root
        axes = np.linalg.svd(between, full_matrices=True)[2]
        kept = min(max(len(self.means) - 1, LEAST_AXES), len(axes))
        return (np.asarray(rows, dtype=np.float64) @ (root @ axes[:kept].T)).astype(np.float32)


def fit_discriminant(rows: np.ndarray, labels: np.ndarray, n_clusters: int) -> Discriminant:
    """Means, shrunken shared precision and shares of clusters; rows with label -1 play no part."""
    dims = rows.shape[1]
    count = np.bincount(labels[labels >= 0], minlength=n_clusters).astype(np.float64)
    total, second = np.zeros((n_clusters, dims)), np.zeros((dims, dims))
    for start in range(0, len(rows), BLOCK):
        part = labels[start : start + BLOCK]
        some = rows[start : start + BLOCK][part >= 0].astype(np.float64)
        inside = np.eye(n_clusters)[part[part >= 0]]
        total += inside.T @ some
        second += some.T @ some
    means = total / np.maximum(count, 1.0)[:, None]
    scatter = second - (total * (count > 0)[:, None]).T @ means
    m = max(count.sum(), 1.0)
    within = scatter / max(m - n_clusters, 1.0)
    return Discriminant(means, shrunken_precision(within, m),
                        np.log((count + 1.0) / (m + n_clusters)))


def shrunken_precision(within: np.ndarray, m: float) -> np.ndarray:
    """The inverse (d, d) of a covariance from m rows, shrunken to its mean variance."""
    dims = len(within)
    trace = max(float(np.trace(within)), 1e-9)
    shrunken = (max(m - 1, 0.0) * within + trace * np.eye(dims)) / (max(m - 1, 0.0) + dims)
    return np.linalg.inv(shrunken + 1e-6 * trace / dims * np.eye(dims))


def refine(rows: np.ndarray, labels: np.ndarray, *, clamped: np.ndarray | None = None,
           rounds: int = ROUNDS) -> tuple[np.ndarray, Discriminant]:
    """Labels (N,) of all rows and the model, fitted and assigned in turns from first labels (-1
    where not yet in a cluster). clamped: (N,) labels that stay, -1 where free. It ends before a
    cluster would lose its last row."""
    n_clusters = int(labels.max()) + 1
    for _ in range(rounds):
        model = fit_discriminant(rows, labels, n_clusters)
        new = model.assign(rows)[0]
        if clamped is not None:
            new = np.where(clamped >= 0, clamped, new)
        if (new == labels).all() or (np.bincount(new, minlength=n_clusters) == 0).any():
            break
        labels = new
    return labels, fit_discriminant(rows, labels, n_clusters)


def outlying(far: np.ndarray, beyond: float = OUTLYING) -> np.ndarray:
    """(N,) bool: the squared distances that stand out, by `beyond` robust standard deviations."""
    value = np.log(np.maximum(far, 1e-12))
    middle = float(np.median(value))
    spread = 1.4826 * float(np.median(np.abs(value - middle)))
    return value > middle + beyond * max(spread, 1e-3)


def find_cores(rows: np.ndarray, size: tuple[int, int] = CORE_SIZE
               ) -> tuple[np.ndarray, Discriminant]:
    """Clusters (M,) of few rows, each grown from a leaf of HDBSCAN's tree, and the model; one
    cluster where there are no leaves. The leaves of the whitened rows count if they are as many."""
    labels = hdbscan(rows, size, "leaf")
    if labels.max() <= 0:
        labels = np.zeros(len(rows), dtype=np.int64)
    first, model = refine(rows, labels)
    again = hdbscan(model.whitened(rows), size, "leaf")
    if again.max() > 0 and again.max() >= labels.max():
        first, model = refine(rows, again)
    return first, model


def carry(rows: np.ndarray, labels: np.ndarray, model: Discriminant
          ) -> tuple[np.ndarray, Discriminant]:
    """What was found on the first rows, for all."""
    if len(labels) == len(rows):
        return labels, model
    return refine(rows, model.assign(rows)[0], rounds=3)


