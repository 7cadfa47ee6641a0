"""Similarities of pictures, of any kind, become P(the same individual).

n pairs. A similarity may be a cosine, a number of matched points, or what another program scored:
only its order and the pairs of a calibration set decide what it means.
Source: Cermak et al. 2024, WildFusion, arXiv:2408.12934 (isotonic or logistic regression on pairs,
interpolated, strictly increasing); Zadrozny and Elkan 2002; Platt 2000; Fritsch and Carlson 1980.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import expit, logit

from ecotone.errors import InputError

METHODS = ("isotonic", "logistic")
FEW = 20  # pairs of a kind below which steps of an isotonic fit would be noise
SLOPE = 1e-6  # what keeps equal steps in the order of their similarities
FLOOR = 1e-6  # no finite number of pairs proves certainty
FLAT = 1e-3  # slope per standard deviation where the similarity does not tell pairs apart


class SimilarityCalibrator:
    """P(same individual) of a similarity, learned on pairs.

    method: "isotonic" (interpolated between the centres of its steps, strictly increasing) or
    "logistic"; with fewer than 20 pairs of either kind it is logistic anyway.
    With pairs of one kind alone there is nothing to learn: the order of the similarities is kept,
    around the share that the pairs suggest, `informative_` is False and `note_` says so.

        calibrator = SimilarityCalibrator().fit([0.1, 0.2, 0.9, 0.8], [0, 0, 1, 1])
        calibrator.probability([0.85])

    Raises InputError when the method is unknown.
    """

    def __init__(self, method: str = "isotonic") -> None:
        if method not in METHODS:
            raise InputError(f"calibration method {method!r} is none of {METHODS}.")
        self.method = method

    def fit(
        self, similarity: np.ndarray, same: np.ndarray, weight: np.ndarray | None = None
    ) -> SimilarityCalibrator:
        """Learn from n pairs: similarity (n,) float, same (n,) bool, weight (n,) >= 0.

        Pairs without a similarity (NaN) are left out. Raises InputError when shapes differ, when a
        value is infinite, or when no pair is left.
        """
        x, y, w = _pairs(similarity, same, weight)
        self.n_same_, self.n_different_ = int(y.sum()), int((~y).sum())
        self.base_rate_ = float((w @ y + 0.5) / (w.sum() + 1.0))
        self.mean_, spread = float(np.average(x, weights=w)), float(x.std())
        self.spread_ = spread if spread > 1e-12 else 1.0
        self.informative_ = bool(self.n_same_ and self.n_different_ and spread > 1e-12)
        self.note_ = ""
        self._curve = None
        self.slope_, self.intercept_ = 1.0, float(logit(self.base_rate_))
        if not self.informative_:
            self.note_ = _why(self.n_same_, self.n_different_)
            self.method_ = "order"
            return self
        few = min(self.n_same_, self.n_different_) < FEW
        self.method_ = "logistic" if few else self.method
        if few and self.method == "isotonic":
            self.note_ = (f"{self.n_same_:,} pairs of one individual and {self.n_different_:,} of "
                          "two: calibrated by logistic regression, too few for isotonic")
        z = (x - self.mean_) / self.spread_
        if self.method_ == "logistic":
            self.intercept_, self.slope_ = _logistic(z, y, w)
            if self.slope_ <= FLAT:
                self.slope_, self.intercept_ = FLAT, float(logit(self.base_rate_))
                self.note_ = "this similarity does not tell pairs of one individual from others"
        else:
            self._curve = _isotonic(z, y, w, self.base_rate_)
        return self

    def probability(self, similarity: np.ndarray) -> np.ndarray:
        """P(same individual), float64 of the shape of `similarity`; NaN stays NaN.

        Strictly increasing as far as floating point goes, and inside (0, 1).
        """
        if not hasattr(self, "base_rate_"):
            raise InputError("the calibrator is not fitted; call fit(similarity, same) first.")
        z = (np.asarray(similarity, dtype=np.float64) - self.mean_) / self.spread_
        if self._curve is None:
            p = expit(self.intercept_ + self.slope_ * z)
        else:
            low, high, curve = self._curve
            p = np.clip(curve(np.clip(z, low, high)), 0.0, 1.0)
        p = FLOOR + (1.0 - 2.0 * FLOOR) * p
        return (1.0 - SLOPE) * p + SLOPE * 0.5 * (1.0 + z / (1.0 + np.abs(z)))

    def log_ratio(self, similarity: np.ndarray) -> np.ndarray:
        """log P(similarity | same) / P(similarity | different): the log odds above the base's."""
        return logit(self.probability(similarity)) - logit(self.base_rate_)


def _pairs(
    similarity: np.ndarray, same: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.asarray(similarity, dtype=np.float64).ravel()
    y = np.asarray(same).astype(bool).ravel()
    w = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    if not len(x) == len(y) == len(w):
        raise InputError(f"pairs: {len(x)} similarities, {len(y)} decisions, {len(w)} weights; "
                         "give arrays of one length.")
    if np.isinf(x).any() or not (np.isfinite(w).all() and (w >= 0).all()):
        raise InputError("pairs hold infinite similarities or weights that are not >= 0.")
    used = ~np.isnan(x) & (w > 0)
    if not used.any():
        raise InputError("no pair with a similarity and a weight: nothing to calibrate on.")
    return x[used], y[used], w[used]


def _why(n_same: int, n_different: int) -> str:
    if not n_same:
        return ("no two pictures of one individual to calibrate on: probabilities only keep the "
                "order of the similarities; label a second picture of some individuals")
    if not n_different:
        return ("pictures of one individual alone: probabilities only keep the order of the "
                "similarities; label pictures of a second individual")
    return "all pairs have the same similarity: it cannot tell individuals apart"


def _isotonic(
    z: np.ndarray, y: np.ndarray, w: np.ndarray, base: float
) -> tuple[float, float, PchipInterpolator]:
    """First and last knot and the monotone curve between the centres of the isotonic steps."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression().fit_transform(z, y.astype(np.float64), sample_weight=w)
    _, step = np.unique(fitted, return_inverse=True)
    mass = np.bincount(step, w)
    centre = np.bincount(step, w * z) / mass
    # A step of few pairs is drawn towards the share of all: 12 of 12 is no certainty.
    effective = np.bincount(step, w) ** 2 / np.bincount(step, w**2)
    share = np.bincount(step, w * y) / mass
    share = (share * effective + base) / (effective + 1.0)
    share = IsotonicRegression().fit_transform(centre, share, sample_weight=mass)
    if len(centre) == 1:  # no order in the data: flat
        centre, share = np.array([centre[0] - 1.0, centre[0] + 1.0]), np.repeat(share, 2)
    return float(centre[0]), float(centre[-1]), PchipInterpolator(centre, share)


def _logistic(z: np.ndarray, y: np.ndarray, w: np.ndarray, ridge: float = 1e-2
              ) -> tuple[float, float]:
    """Intercept and slope by Newton's method, with Platt's targets and a small ridge."""
    n_same, n_other = float(w @ y), float(w @ ~y)
    target = np.where(y, (n_same + 1) / (n_same + 2), 1 / (n_other + 2))
    x = np.stack([np.ones_like(z), z], axis=1)
    beta = np.array([logit((n_same + 0.5) / (n_same + n_other + 1.0)), 0.0])
    penalty = np.diag([1e-9, ridge])

    def loss(b: np.ndarray) -> float:
        f = x @ b
        return float(w @ (np.logaddexp(0, f) - target * f) + 0.5 * b @ penalty @ b)

    now = loss(beta)
    for _ in range(100):
        p = expit(x @ beta)
        gradient = x.T @ (w * (p - target)) + penalty @ beta
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x + penalty
        step, scale = np.linalg.solve(hessian, gradient), 1.0
        while loss(beta - scale * step) > now and scale > 1e-8:
            scale /= 2
        beta = beta - scale * step
        before, now = now, loss(beta)
        if before - now < 1e-12 * (1 + abs(now)):
            break
    return float(beta[0]), float(beta[1])
