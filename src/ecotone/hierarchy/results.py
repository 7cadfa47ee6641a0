"""What a method of this room answers: one audit row a detection, as parallel arrays.

N detections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

UNCHANGED = "unchanged"
SPECIES_RANKS = ("species", "subspecies", "local")  # "local": a local class below its species


@dataclass(frozen=True, eq=False)
class Refinement:
    """N answers.

    node: (N,) str, the class or taxon answered; where nothing could be said, what it `was`. rank:
    (N,) str of the answer. probability: (N,) float64, NaN where a method gives none. stage: (N,)
    str, which step decided; "unchanged" where none did. was: (N,) str, the label before, "" when
    there was none. first, second: (N,) str, the two nearest classes; first_distance,
    second_distance: (N,) float64, how far they are in the method's own measure; threshold: (N,)
    float64 that the decision was compared with. changed: (N,) bool.
    """

    node: np.ndarray
    rank: np.ndarray
    probability: np.ndarray
    stage: np.ndarray
    was: np.ndarray
    first: np.ndarray
    first_distance: np.ndarray
    second: np.ndarray
    second_distance: np.ndarray
    threshold: np.ndarray
    notes: tuple[str, ...] = field(default=())

    @property
    def changed(self) -> np.ndarray:
        """(N,) bool: whether a detection has another label than before."""
        return self.node != self.was

    @property
    def at_species(self) -> np.ndarray:
        """(N,) bool: whether the answer is a species or finer."""
        return np.isin(self.rank.astype(str), SPECIES_RANKS)

    def __len__(self) -> int:
        return len(self.node)


def joined(parts: Sequence[Refinement], notes: tuple[str, ...] = ()) -> Refinement:
    """Answers of consecutive rows as one, with these notes."""
    columns = [f.name for f in fields(Refinement) if f.name != "notes"]
    return Refinement(
        **{name: np.concatenate([getattr(p, name) for p in parts]) for name in columns}, notes=notes
    )
