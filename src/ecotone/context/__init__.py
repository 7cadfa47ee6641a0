"""What place, time and neighbouring pictures say: bounded log-evidence beside that of the image.

Arrays only: `ContextClassifier` (the estimator), and `find_repeats` (false alarms that come back).
"""

from __future__ import annotations

from ecotone.context.classifier import ContextClassifier
from ecotone.context.repeats import Repeats, find_repeats

__all__ = ["ContextClassifier", "Repeats", "find_repeats"]
