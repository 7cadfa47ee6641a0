"""Networks trained on pictures: of soft labels of species, and of individuals of many species.

What needs torch is imported when it is asked for; without the extra `torch` that is a
MissingExtraError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecotone.training.data import IndividualPictures
from ecotone.training.pictures import LabelledPictures
from ecotone.training.settings import TrainingSettings
from ecotone.training.soft_settings import SoftLabelSettings

if TYPE_CHECKING:
    from ecotone.training.classifier import TrainedClassifier, train_classifier
    from ecotone.training.reid import TrainedNetwork, finetune_reid, train_reid

LAZY = {"TrainedNetwork": "reid", "finetune_reid": "reid", "train_reid": "reid",
        "TrainedClassifier": "classifier", "train_classifier": "classifier"}


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module 'ecotone.training' has no attribute {name!r}")
    from ecotone.backends.torch_common import need

    for module in ("torch", "timm"):
        need(module, "torch", "training a network")
    from importlib import import_module

    return getattr(import_module(f"ecotone.training.{LAZY[name]}"), name)


__all__ = ["IndividualPictures", "LabelledPictures", "SoftLabelSettings", "TrainedClassifier",
           "TrainedNetwork", "TrainingSettings", "finetune_reid", "train_classifier", "train_reid"]
