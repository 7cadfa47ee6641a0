"""Step one: the taxonomic-Dirichlet mixture map from global classes to local classes.

N detections, S global classes, K local classes; p_is scores, r_s source prior,
theta_ks = P(global class s | local class k) here, m_ks the base measure of names and taxonomy.

    log evidence of row i for class k:  log sum_s (p_is / r_s) theta_ks
    theta_k ~ Dirichlet(kappa m_k), found by EM on the labelled rows

Sources: Saerens et al. 2002 (a known map reduces this to prior adjustment under label shift);
Nguyen et al. 2020, arXiv:2002.12462 (LEEP: the same map without prior and without the division by
the source prior).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from ecotone.errors import InputError
from ecotone.types import GlobalScores

FLOOR = 0.01  # share of every row that is taken to say nothing: exact zeros stay possible
RATIO_LIMIT = 1e3  # a global class that the model hardly ever gives must not decide alone
KAPPA = 10.0
EM_ITERATIONS = 15
BLOCK = 16384  # rows looked at at once


@dataclass(frozen=True, eq=False)
class Mapping:
    """The learned map of one global model.

    theta: (K, S) rows sum to 1. source_prior: (S,). prior: (K,) class prior of the local classes.
    kind: (K,) how names and taxonomy relate each local class to the model. notes: unresolved names.
    """

    theta: np.ndarray
    source_prior: np.ndarray
    prior: np.ndarray
    local_classes: tuple[str, ...]
    global_classes: tuple[str, ...]
    kind: np.ndarray
    notes: tuple[str, ...] = field(default=())

    def explain(self, name: str, top: int = 5) -> list[tuple[str, float]]:
        """What a class is made of: the strongest links of a local or of a global class.

        For a local class: (global class, P(global | local)); for a global class:
        (local class, P(local | global)). Raises InputError when the name is neither.
        """
        if name in self.local_classes:
            weights, names = self.theta[self.local_classes.index(name)], self.global_classes
        elif name in self.global_classes:
            column = self.theta[:, self.global_classes.index(name)] * self.prior
            weights, names = column / max(column.sum(), 1e-300), self.local_classes
        else:
            raise InputError(f"mapping: {name!r} is neither a local nor a global class.")
        order = np.argsort(-weights, kind="stable")[:top]
        return [(names[i], float(weights[i])) for i in order]

    def log_evidence(self, scores: GlobalScores) -> np.ndarray:
        """Log likelihood ratio of each row for each local class, (N, K) float32."""
        return log_evidence(scores, self.theta, self.source_prior)


def source_prior(scores: GlobalScores, mix: float = 0.5) -> np.ndarray:
    """The global model's own prior r (S,): its mean prediction here, mixed with the uniform one.

    The mean over the pool stands in for the training counts, which are seldom published; the
    uniform part keeps classes that are never predicted from dividing by nothing.
    """
    n_classes = len(scores.classes)
    mean = np.zeros(n_classes)
    for start in range(0, len(scores), BLOCK):
        part = scores.take(slice(start, start + BLOCK))
        mean += np.asarray(part.values.sum(axis=0), dtype=np.float64).ravel()
        mean += part.missing.sum() / n_classes
    total = mean.sum()
    mean = mean / total if total > 0 else np.full(n_classes, 1.0 / n_classes)
    return (1.0 - mix) * mean + mix / n_classes


def _ratios(scores: GlobalScores, prior: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
    """(p_is / r_s) of the scores that are there, and the ratio (N,) of all that are missing."""
    values = scores.values.astype(np.float64)
    ratio = values.copy()
    ratio.data = np.minimum(values.data / prior[values.indices], RATIO_LIMIT)
    present = sparse.csr_matrix(
        (np.ones_like(values.data), values.indices, values.indptr), shape=values.shape
    )
    outside = np.maximum(1.0 - present @ prior, 1e-6)
    missing = scores.missing
    # What a complete row leaves to 1 is rounding, and what is not listed there is a true zero.
    missing = np.where(missing < 1e-3, 0.0, missing) if scores.complete else missing
    return ratio, np.minimum(missing / outside, RATIO_LIMIT)


def log_evidence(scores: GlobalScores, theta: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """log sum_s (p_is / r_s) theta_ks, (N, K) float32; 0 for a row without scores.

    The missing mass of a truncated row is spread over the classes outside it by the source prior.
    """
    ratio, rest = _ratios(scores, prior)
    present = ratio.copy()
    present.data = np.ones_like(ratio.data)
    listed = ratio @ theta.T
    unlisted = np.clip(1.0 - present @ theta.T, 0.0, 1.0) * rest[:, None]
    evidence = (1.0 - FLOOR) * (listed + unlisted) + FLOOR
    evidence[np.diff(scores.values.indptr) == 0] = 1.0
    return np.log(evidence).astype(np.float32)


def fit_theta(
    scores: GlobalScores,
    rows: np.ndarray,
    targets: np.ndarray,
    base: np.ndarray,
    prior: np.ndarray,
    kappa: float = KAPPA,
) -> np.ndarray:
    """MAP estimate of theta (K, S) by EM on the labelled rows.

    rows: (n,) row numbers; targets: (n, K) label distributions; base: (K, S) base measure whose
    rows sum to 1. The part of a row's evidence that says nothing leaves theta as it is.
    """
    if not len(rows):
        return base.copy()
    subset = scores.take(rows)
    ratio, rest = _ratios(subset, prior)
    ratio = ratio.tocsr()
    targets = np.asarray(targets, dtype=np.float64)
    present = ratio.copy()
    present.data = np.ones_like(ratio.data)
    theta = base.copy()
    row_of = np.repeat(np.arange(len(rows)), np.diff(ratio.indptr))
    for _ in range(EM_ITERATIONS):
        counts = kappa * base
        listed = ratio @ theta.T * (1.0 - FLOOR)  # (n, K)
        vague = np.clip(1.0 - present @ theta.T, 0, 1) * rest[:, None] * (1.0 - FLOOR) + FLOOR
        share = targets / np.maximum(listed + vague, 1e-300)
        for k in np.flatnonzero(targets.any(axis=0)):
            weight = ratio.data * (1.0 - FLOOR) * theta[k, ratio.indices] * share[row_of, k]
            counts[k] += np.bincount(ratio.indices, weight, minlength=base.shape[1])
            counts[k] += (share[:, k] * vague[:, k]).sum() * theta[k]
        theta = counts / counts.sum(axis=1, keepdims=True)
    return theta


def complete_base(weight: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """The base measure (K, S): related weights, and the rest of each row by the source prior."""
    weight = np.asarray(weight, dtype=np.float64)
    rest = np.clip(1.0 - weight.sum(axis=1, keepdims=True), 0.02, 1.0)
    base = weight + rest * prior
    return base / base.sum(axis=1, keepdims=True)
