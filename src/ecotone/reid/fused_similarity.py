"""Several similarities as one probability: each calibrated, averaged, calibrated once more.

n pairs. The expensive similarities are asked for a shortlist of pairs alone.
Source: Cermak et al. 2024, WildFusion, arXiv:2408.12934.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import logit

from ecotone.errors import InputError
from ecotone.reid.calibration import SimilarityCalibrator

PairScore = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(left rows, right rows) -> similarities (n,), NaN where there is none."""


class SimilarityFusion:
    """P(same individual) from one or more similarities.

    method: of `SimilarityCalibrator`. The mean of calibrated probabilities ranks well and is too
    timid; with two or more similarities its log odds are therefore calibrated once more.
    """

    def __init__(self, method: str = "isotonic") -> None:
        self.method = method

    def fit(
        self, similarities: Mapping[str, np.ndarray], same: np.ndarray,
        weight: np.ndarray | None = None,
    ) -> SimilarityFusion:
        """similarities: name -> (n,); same: (n,) bool; weight: (n,). Raises as the calibrator."""
        if not similarities:
            raise InputError("no similarity to calibrate.")
        self.calibrators_ = {
            name: SimilarityCalibrator(self.method).fit(values, same, weight)
            for name, values in similarities.items()
        }
        self.final_: SimilarityCalibrator | None = None
        useful = [c for c in self.calibrators_.values() if c.informative_]
        self.informative_ = bool(useful)
        if len(useful) > 1:
            mean = self._mean(similarities)
            self.final_ = SimilarityCalibrator("logistic").fit(logit(mean), same, weight)
        first = next(iter(self.calibrators_.values()))
        self.base_rate_ = (self.final_ or first).base_rate_
        self.n_same_, self.n_different_ = first.n_same_, first.n_different_
        return self

    @property
    def notes_(self) -> list[str]:
        """What the calibrators have to say."""
        several = len(self.calibrators_) > 1
        return [f"{name}: {c.note_}" if several else c.note_
                for name, c in self.calibrators_.items() if c.note_]

    def probability(self, similarities: Mapping[str, np.ndarray]) -> np.ndarray:
        """P(same individual), of the shape of the similarities; a missing one (NaN, or the whole
        array) leaves the others to decide, NaN where all are missing."""
        mean = self._mean(similarities)
        return mean if self.final_ is None else self.final_.probability(logit(mean))

    def log_ratio(self, similarities: Mapping[str, np.ndarray]) -> np.ndarray:
        """log P(similarities | same) / P(similarities | different)."""
        return logit(self.probability(similarities)) - logit(self.base_rate_)

    def _mean(self, similarities: Mapping[str, np.ndarray]) -> np.ndarray:
        unknown = sorted(set(similarities) - set(self.calibrators_))
        if unknown:
            raise InputError(f"similarity {unknown[0]!r} was not calibrated; fit with it first.")
        used = [n for n, c in self.calibrators_.items()
                if n in similarities and (c.informative_ or not self.informative_)]
        if not used:
            raise InputError("none of the calibrated similarities is given: "
                             f"{', '.join(self.calibrators_)}.")
        each = np.stack([self.calibrators_[n].probability(similarities[n]) for n in used])
        there = ~np.isnan(each)
        total = np.where(there, each, 0.0).sum(axis=0)
        count = there.sum(axis=0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def ask(score: PairScore, left: np.ndarray, right: np.ndarray, name: str) -> np.ndarray:
    """The similarities of n pairs. Raises InputError when the answer is not (n,) numbers."""
    found = np.asarray(score(left, right), dtype=np.float64)
    if found.shape != np.shape(left):
        raise InputError(f"similarity {name!r}: answered shape {found.shape} for "
                         f"{np.shape(left)} pairs.")
    if np.isinf(found).any():
        raise InputError(f"similarity {name!r}: holds infinity; give NaN where there is none.")
    return found
