"""The context term: a ridge-penalised multinomial logistic regression with the image as offset.

n labelled pictures, N pictures, K classes, F neighbour terms, M columns of time and place.

    log p_i(k) = log p_x,i(k) + g_i c_i(k) + const,   c_i(k) = sum_f beta_f phi_f,i(k) + x_i W_k

beta_f is one number a window, the same for all classes and places, so that it means the same at a
site never seen; W starts from 0 and is held there by its ridge, so that without labels, or with
g = 0, the image alone remains. c is bounded. Source: the form is that of FINCH (adaptive evidence
weighting that contains the image-only classifier); the fit is the usual penalised likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ecotone.context.when import DAY, YEAR, Situation, covers_the_year, waves
from ecotone.fusion.local_model import softmax

RIDGE = 4.0  # of W
RIDGE_WINDOW = 1.0  # of beta
BOUND = 6.0  # nats that context may speak for or against a class
HOURS, SEASONS = 3, 1  # waves a day and a year
CONSTANT, PLACE = 0.3, 0.7  # scale of the columns: small ones move less under one ridge


@dataclass(frozen=True, eq=False)
class Columns:
    """Which columns of time and place a model has. cameras, sites: names with a label."""

    hour: bool
    season: bool
    cameras: tuple[str, ...]
    sites: tuple[str, ...]

    @classmethod
    def of(cls, labelled: Situation, time: bool, place: bool) -> Columns:
        """The columns that these labelled pictures can teach."""
        known = bool((~np.isnan(labelled.seconds)).any())
        sites = tuple(sorted(set(labelled.site) - {""})) if place else ()
        cameras = tuple(sorted(set(labelled.camera) - {""})) if place else ()
        return cls(
            time and known, time and covers_the_year(labelled.seconds),
            cameras if cameras != sites else (), sites,
        )

    def values(self, where: Situation) -> np.ndarray:
        """(N, M): 0 where a time is unknown, and for places without a label."""
        parts = []
        if self.hour:
            parts += [waves(where.seconds, DAY, HOURS), np.full((len(where), 1), CONSTANT)]
        if self.season:
            parts.append(waves(where.seconds, YEAR, SEASONS))
        for names, given in ((self.cameras, where.camera), (self.sites, where.site)):
            if names:
                parts.append(PLACE * (given[:, None] == np.asarray(names, dtype=object)[None]))
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(where), 0))


@dataclass(frozen=True, eq=False)
class ContextModel:
    """beta: (F,). weights: (M, K) W of the columns."""

    beta: np.ndarray
    weights: np.ndarray
    columns: Columns
    kind = "regression"

    def evidence(self, windows: Sequence[np.ndarray], where: Situation) -> np.ndarray:
        """c (N, K), mean 0 over classes, within `BOUND`. windows: F arrays (N, K) or an iterator of
        them, taken one by one."""
        out = self.columns.values(where) @ self.weights
        for beta, phi in zip(self.beta, windows, strict=True):
            out += beta * phi
        return np.clip(out - out.mean(axis=1, keepdims=True), -BOUND, BOUND)

    def posterior(
        self, log_image: np.ndarray, windows: Sequence[np.ndarray], where: Situation
    ) -> np.ndarray:
        """(N, K) of log image posteriors (N, K)."""
        return softmax(log_image + self.evidence(windows, where))


def fit_context(
    log_image: np.ndarray, target: np.ndarray, windows: Sequence[np.ndarray], where: Situation,
    columns: Columns, ridge: float = RIDGE,
) -> ContextModel:
    """The context model of n labelled pictures.

    log_image: (n, K) log posteriors of the image that have not seen the labels. target: (n, K) soft
    labels, rows sum to how much a label counts. windows: F arrays (n, K), from neighbour posteriors
    alike. ridge: of W.
    """
    x, classes = columns.values(where), log_image.shape[1]
    phi = np.asarray(windows, dtype=np.float64).reshape(len(windows), *log_image.shape)
    split, total = len(phi), target.sum(axis=1, keepdims=True)

    def cost(v: np.ndarray) -> tuple[float, np.ndarray]:
        beta, w = v[:split], v[split:].reshape(x.shape[1], classes)
        z = log_image + np.tensordot(beta, phi, 1) + x @ w
        z -= z.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        slope = total * np.exp(log_p) - target
        loss = -(target * log_p).sum() + 0.5 * (RIDGE_WINDOW * beta @ beta + ridge * (w**2).sum())
        down = np.concatenate([
            (phi * slope).sum(axis=(1, 2)) + RIDGE_WINDOW * beta, (x.T @ slope + ridge * w).ravel()
        ])
        return float(loss), down

    start = np.zeros(split + x.shape[1] * classes)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return ContextModel(found[:split], found[split:].reshape(x.shape[1], classes), columns)
