"""What to label next, the hunt for one species, and what more labels bring: arrays only."""

from ecotone.labelling.gain import Gain, expected_gain
from ecotone.labelling.hunting import Ranking, hunt
from ecotone.labelling.representation import HeldOut, held_out, label_weights, reheat
from ecotone.labelling.suggesting import REASONS, Suggestions, suggest

__all__ = [
    "REASONS", "Gain", "HeldOut", "Ranking", "Suggestions", "expected_gain", "held_out", "hunt",
    "label_weights", "reheat", "suggest",
]
