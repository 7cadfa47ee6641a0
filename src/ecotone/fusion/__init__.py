"""Fusion: a global model's scores and a few local labels become local posteriors and a model."""

from ecotone.fusion.calibration import ScoreReport
from ecotone.fusion.classifier import FusionClassifier
from ecotone.fusion.local_model import LocalModel
from ecotone.fusion.mapping import Mapping
from ecotone.fusion.selection import Selection

__all__ = ["FusionClassifier", "LocalModel", "Mapping", "ScoreReport", "Selection"]
