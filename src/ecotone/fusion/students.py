"""Students: linear heads on features, fitted to soft targets with row weights.

N rows, d feature dimensions, K local classes. A head is (weights (d, K), bias (K,)); its
predictions are softmax(z @ weights + bias).
"""

from __future__ import annotations

import numpy as np

Head = tuple[np.ndarray, np.ndarray]
PSEUDO_ROWS = 1.0  # every class mean starts with this many rows at the grand mean


def gaussian_head(
    features: np.ndarray,
    targets: np.ndarray,
    weight: np.ndarray,
    log_prior: np.ndarray,
    scale: float,
) -> Head:
    """A Gaussian class model with one shared, shrunken covariance, as a linear head.

    targets: (N, K) soft labels; weight: (N,) row weights; scale tempers the feature evidence.
    The shrinkage is the closed form used for Gaussian discriminant heads on frozen features.
    Source: Wang et al. 2024, arXiv:2402.04087 (GDA for CLIP); Kubokawa and Srivastava 2008.
    """
    dims = features.shape[1]
    total = float(weight.sum())
    weighted = (targets * weight[:, None]).astype(np.float32)
    counts = weighted.sum(axis=0, dtype=np.float64)
    grand = (features * weight[:, None]).sum(axis=0, dtype=np.float64) / total
    means = (weighted.T @ features + PSEUDO_ROWS * grand) / (counts + PSEUDO_ROWS)[:, None]
    second = (features * weight[:, None].astype(np.float32)).T @ features
    within = (second - (means.T * counts) @ means) / total
    within = (within + within.T) / 2
    spread = max(float(np.trace(within)), 1e-9)
    spare = max(total - 1.0, 0.0)
    covariance = (spare * within + spread * np.eye(dims)) / (spare + dims)
    # Rounding, or a single labelled row, may leave a direction without spread.
    covariance += np.eye(dims) * (1e-3 * spread / dims)
    solved = np.linalg.solve(covariance, means.T)
    bias = -0.5 * (means.T * solved).sum(axis=0)
    return (scale * solved).astype(np.float32), (scale * bias + log_prior).astype(np.float32)


def logistic_head(
    features: np.ndarray,
    targets: np.ndarray,
    weight: np.ndarray,
    ridge: float,
    start: Head | None = None,
    iterations: int = 40,
) -> Head:
    """Multinomial logistic regression on soft targets: mean cross-entropy + ridge/2 |W|^2.

    weight: (N,) row weights, used relative to their sum. start: a head to go on from.
    """
    from scipy.optimize import minimize

    features = np.asarray(features, dtype=np.float32)
    targets = np.asarray(targets, dtype=np.float32)
    share = (weight / weight.sum()).astype(np.float32)[:, None]
    dims, k = features.shape[1], targets.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = flat.reshape(dims + 1, k).astype(np.float32)
        logits = features @ table[:-1] + table[-1]
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits)
        total = p.sum(axis=1, keepdims=True)
        value = float((share * targets * (np.log(total) - logits)).sum(dtype=np.float64))
        value += 0.5 * ridge * float((table[:-1].astype(np.float64) ** 2).sum())
        p /= total
        p -= targets
        p *= share
        gradient = np.empty((dims + 1, k))
        gradient[:-1] = features.T @ p + ridge * table[:-1]
        gradient[-1] = p.sum(axis=0)
        return value, gradient.ravel()

    first = np.zeros((dims + 1, k)) if start is None else np.vstack([start[0], start[1]])
    found = minimize(
        loss,
        first.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "maxcor": 6},
    )
    table = found.x.reshape(dims + 1, k).astype(np.float32)
    return table[:-1], table[-1]


def log_predict(features: np.ndarray, head: Head, floor: float = 1e-6) -> np.ndarray:
    """Log probabilities (N, K) of a head; `floor` keeps one student from vetoing a class."""
    logits = features @ head[0] + head[1]
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    return np.log(p + np.float32(floor))
