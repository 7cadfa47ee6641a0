"""Networks trained on pictures: one embedding for individuals of many species.

What needs torch is imported when it is asked for; without the extra `torch` that is a
MissingExtraError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecotone.training.data import IndividualPictures
from ecotone.training.settings import TrainingSettings

if TYPE_CHECKING:
    from ecotone.training.reid import TrainedNetwork, finetune_reid, train_reid

LAZY = ("TrainedNetwork", "finetune_reid", "train_reid")


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module 'ecotone.training' has no attribute {name!r}")
    from ecotone.backends.torch_common import need

    for module in ("torch", "timm"):
        need(module, "torch", "training a network")
    from ecotone.training import reid

    return getattr(reid, name)


__all__ = ["IndividualPictures", "TrainedNetwork", "TrainingSettings", "finetune_reid",
           "train_reid"]
