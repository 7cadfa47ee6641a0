"""How a network is trained: one frozen value, the recorded recipes, and the learning rate.

Source: Otarashvili et al. 2024, arXiv:2412.05602 (MiewID), and the settings that its makers
recorded for their production models.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ecotone.errors import InputError

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
ARCFACE = "SubCenterArcFace"
# Values that were in production: v4 had 20,191 individuals, msv2 11,968.
RECIPES: dict[str, dict[str, Any]] = {
    "v4": {"scale": 49.3268, "margin_high": 0.32841, "sub_centers": 2, "lr_start": 3.4e-6,
           "lr_max": 1e-3, "lr_min": 2e-6},
    "msv2": {"scale": 51.9604, "margin_high": 0.32841, "sub_centers": 3, "lr_start": 4.735e-5,
             "lr_max": 8.969e-4, "lr_min": 1.414e-6},
}
FULL_EPOCHS, FULL_WARMUP = 30, 15
POSITIVE = ("image_size", "epochs", "batch_size", "sub_centers", "min_pictures", "scale", "lr_max")
SHARES = ("validation", "unseen_ratio")


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training; the defaults are the recipe v4.

    backbone: a timm name; backbone_options: what else its network is made with, such as
    {"drop_path_rate": 0.2}. image_size: H = W in pixels. epochs: of the schedule; head_epochs:
    before them, in which only the head learns (fine-tuning takes 3). batch_size: of one process.
    loss: "SubCenterArcFace", or a loss of pytorch-metric-learning that takes embeddings and labels.
    scale, sub_centers, margin_low, margin_high (radians): of the ArcFace head; equal margins are
    plain ArcFace's. lr_start, lr_max, lr_min: see `learning_rate`. precision: "auto" is mixed on a
    graphics card and float32 elsewhere. patience: epochs without a better validation top-1 before
    it stops, 0 for never. min_pictures: individuals with fewer do not train. validation: part of
    the pictures; unseen_ratio: part of those that is whole individuals. by_viewpoint: each flank of
    an individual is a class. flip_viewpoints: viewpoints whose pictures may be mirrored. augment:
    strength of the augmentations, 1 as recorded, 0 for none. save_minutes: between checkpoints
    inside an epoch. memory: bytes of prepared pictures that may be kept.
    """

    backbone: str = "efficientnetv2_rw_m"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    image_size: int = 440
    epochs: int = FULL_EPOCHS
    head_epochs: int = 0
    batch_size: int = 16
    loss: str = ARCFACE
    scale: float = 49.3268
    sub_centers: int = 2
    margin_low: float = 0.2
    margin_high: float = 0.32841
    lr_start: float = 3.4e-6
    lr_max: float = 1e-3
    lr_min: float = 2e-6
    seed: int = 42
    precision: str = "auto"
    patience: int = 10
    min_pictures: int = 3
    validation: float = 0.15
    unseen_ratio: float = 0.5
    by_viewpoint: bool = True
    flip_viewpoints: tuple[str, ...] = ()
    augment: float = 1.0
    save_minutes: float = 10.0
    workers: int = 0
    memory: int = 2 << 30

    def __post_init__(self) -> None:
        object.__setattr__(self, "flip_viewpoints", tuple(self.flip_viewpoints))
        object.__setattr__(self, "backbone_options", dict(self.backbone_options))
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                raise InputError(f"training: {name} is {getattr(self, name)}, expected above 0.")
        for name in ("head_epochs", "patience", "augment", "save_minutes", "workers", "seed"):
            if not getattr(self, name) >= 0:
                raise InputError(f"training: {name} is {getattr(self, name)}, expected 0 or more.")
        for name in SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"training: {name} is {getattr(self, name)}, expected in 0..1.")
        if self.batch_size < 2:
            raise InputError("training: batch_size is 1; batch normalisation needs at least 2.")
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise InputError(f"training: precision is {self.precision!r}, expected one of {known}.")
        if not 0 <= self.margin_low <= self.margin_high < 1.5:
            raise InputError(
                f"training: margins from {self.margin_low} to {self.margin_high}; expected "
                "0 <= margin_low <= margin_high < 1.5 radians."
            )
        if not 0 <= self.lr_start <= self.lr_max or not 0 <= self.lr_min <= self.lr_max:
            raise InputError("training: lr_start and lr_min must lie in 0..lr_max.")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], recipe: str = "v4") -> TrainingSettings:
        """Settings from plain values, laid over a recipe.

        Raises InputError on an unknown name, with the nearest one.
        """
        if recipe not in RECIPES:
            raise InputError(f"training: recipe {recipe!r} is none of {', '.join(RECIPES)}.")
        names = [f.name for f in dataclasses.fields(cls)]
        for name in values:
            if name not in names:
                near = get_close_matches(str(name), names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}."
                raise InputError(f"training: unknown setting {name!r}; {hint}")
        return cls(**{**RECIPES[recipe], **values})

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        values = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @property
    def all_epochs(self) -> int:
        """Epochs of both stages."""
        return self.head_epochs + self.epochs

    def rate(self, at: float) -> float:
        """The learning rate at epoch `at`; it changes with whole epochs alone."""
        return learning_rate(self, int(at))


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """The learning rate of an epoch, counted from 0 over both stages.

    While only the head learns, lr_max. Then linear from lr_start to lr_max over the first half of
    the epochs (15 of 30), then (lr_max - lr_min) 0.8^(epochs since) + lr_min. With fewer or more
    than 30 epochs the whole curve is squeezed or stretched.
    """
    if epoch < settings.head_epochs:
        return settings.lr_max
    at = (epoch - settings.head_epochs) * FULL_EPOCHS / settings.epochs
    low, high = settings.lr_start, settings.lr_max
    if at < FULL_WARMUP:
        return low + (high - low) * at / FULL_WARMUP
    return (high - settings.lr_min) * 0.8 ** (at - FULL_WARMUP) + settings.lr_min


__all__ = ["ARCFACE", "RECIPES", "TrainingSettings", "learning_rate"]
