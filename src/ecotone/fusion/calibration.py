"""Figures of a set of posteriors: accuracy overall and per class, log-loss, calibration error.

N rows, K classes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True)
class ScoreReport:
    """Figures on labelled rows: shares in 0..1, log-loss in nats, n rows. local: the student's."""

    n: int
    accuracy: float
    per_class_accuracy: float
    log_loss: float
    ece: float
    local: ScoreReport | None = None

    def as_dict(self) -> dict:
        """The figures as a plain dict."""
        return asdict(self)

    def __getitem__(self, name: str) -> float:
        return getattr(self, name)

    def __str__(self) -> str:
        line = (
            f"accuracy {100 * self.accuracy:.1f} %, "
            f"per class {100 * self.per_class_accuracy:.1f} %, "
            f"log-loss {self.log_loss:.3f}, ECE {self.ece:.3f} (n={self.n})"
        )
        return line if self.local is None else f"fused: {line}\nlocal: {self.local}"


def expected_calibration_error(proba: np.ndarray, target: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error of the top class over equal-width bins.

    Source: Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599.
    """
    top = proba.max(axis=1)
    right = proba.argmax(axis=1) == target
    bin_of = np.minimum((top * bins).astype(int), bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    gap = np.abs(
        np.bincount(bin_of, top, minlength=bins) - np.bincount(bin_of, right, minlength=bins)
    )
    return float(gap[count > 0].sum() / len(target))


def score(proba: np.ndarray, target: np.ndarray, local: ScoreReport | None = None) -> ScoreReport:
    """Figures of probabilities (N, K) against class numbers (N,)."""
    predicted = proba.argmax(axis=1)
    per_class = [float((predicted[target == k] == k).mean()) for k in np.unique(target)]
    chosen = proba[np.arange(len(target)), target]
    return ScoreReport(
        n=len(target),
        accuracy=float((predicted == target).mean()),
        per_class_accuracy=float(np.mean(per_class)),
        log_loss=float(-np.log(np.maximum(chosen, 1e-12)).mean()),
        ece=expected_calibration_error(proba, target),
        local=local,
    )
