"""What `ReIdentifier.predict` answers. Q pictures, C candidates each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Identification:
    """Who the animals of Q pictures are; pictures of one encounter have one answer.

    decision: (Q,) "known", "new" or "cannot tell". individualID: (Q,) the known individual or the
    ID of a new one, "" where it cannot tell. probability: (Q,) of `individualID`: P(this
    individual), or P(new); where it cannot tell, the higher of both. known: (Q,) P(one of the
    gallery). two_way: (Q,) "known" or "new", however unsure. candidates: (Q, C) the likeliest
    individuals, "" where there are no more; candidate_probability: (Q, C), 0 there; candidate_row:
    (Q, C) the gallery row of their most similar picture, -1 there. decided: (Q,) bool, people
    said so. encounter: (Q,) int, equal for pictures that were decided together. notes: what to
    know.
    """

    decision: np.ndarray
    individualID: np.ndarray
    probability: np.ndarray
    known: np.ndarray
    two_way: np.ndarray
    candidates: np.ndarray
    candidate_probability: np.ndarray
    candidate_row: np.ndarray
    decided: np.ndarray
    encounter: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.decision)

    @property
    def answer(self) -> np.ndarray:
        """(Q,) the best candidate or "new", however unsure: what open-set measures compare."""
        return np.where(self.two_way == "known", self.candidates[:, 0], "new").astype(object)
