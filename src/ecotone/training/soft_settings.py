"""How a network is trained on soft labels: one frozen value, and its learning rate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ecotone.errors import InputError
from ecotone.training.settings import PRECISIONS

PARTS = ("head", "last", "lora", "all")
POSITIVE = ("image_size", "epochs", "batch_size", "min_steps", "max_steps", "lr", "stages",
            "lora_rank", "lora_alpha", "class_bound", "explode")
SHARES = ("validation", "labelled_share", "curriculum_pace", "confidence",
          "teacher", "teacher_start", "ema", "mixup_probability", "infrared", "blur", "erase",
          "label_smoothing", "warmup", "lr_end")
NOT_NEGATIVE = ("head_epochs", "patience", "augment", "save_minutes", "workers", "seed", "memory",
                "weight_decay", "unlabelled_weight", "confidence_power", "mixup", "crop_jitter",
                "brightness", "min_labels")
AUTO = "auto"
MAY_BE_AUTO = ("backbone_lr", "logit_adjustment", "curriculum_start")


@dataclass(frozen=True)
class SoftLabelSettings:
    """Settings of a training on soft labels.

    Network. backbone: a timm name; backbone_options: what else timm makes it with. image_size:
    H = W in pixels. trainable: "head"; "last", the last `stages` stages; "lora", small additions
    of rank `lora_rank` scaled by lora_alpha / lora_rank; or "all".

    Schedule. epochs; head_epochs: before them, in which only the head learns. batch_size: of one
    process. min_steps, max_steps: bounds of the batches of an epoch. lr: highest learning rate
    (AdamW), reached after the part `warmup` of the training, from there a cosine to lr_end * lr.
    backbone_lr: the backbone's as a part of it; "auto" is 0.1 with starting weights, else 1.
    weight_decay. patience: epochs without a better validation before it stops, 0 for never.

    Soft labels. unlabelled_weight: of a picture without a label, times its highest probability to
    the power confidence_power. labelled_share: least part of labelled pictures in a batch.
    logit_adjustment: tau, "auto" is 1 where classes are long-tailed, else 0. label_smoothing.

    Curriculum. curriculum: whether there is one. curriculum_start: part of each class's
    pseudo-labels admitted in the first epoch, the surest first, "auto" is their mean confidence;
    all are after the part curriculum_pace of the training. confidence: also admitted at first are
    those surer than this. class_bound: how far the share of a class may go from that of the
    pseudo-labels, as a factor.
    explode: a validation loss that many times the best one takes the training back.

    Teacher. teacher: largest weight of the EMA network's prediction in a target, 0 for none;
    teacher_start: part of the training before it has any. ema: decay a step, 0 for no EMA.

    Pictures. mixup: alpha, 0 for none; mixup_probability: of a batch. augment: strength of all
    others, 0 for none. infrared, blur, erase: probability of each. crop_jitter: of scale and
    shift. brightness: and contrast. flip: left to right.

    validation: part of the labels held out, by location; with fewer labels than min_labels none
    are. strict_locations: whether pictures without a label at these locations are out of training
    too; "auto": where they cost little, see `soft_split`. precision: "auto" is mixed on a graphics
    card and float32 elsewhere. save_minutes: between checkpoints inside an epoch. memory: bytes of
    prepared pictures that may be kept.
    """

    backbone: str = "efficientnet_b0"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    image_size: int = 224
    trainable: str = "all"
    stages: int = 1
    lora_rank: int = 8
    lora_alpha: float = 16.0
    epochs: int = 30
    head_epochs: int = 0
    batch_size: int = 32
    min_steps: int = 10
    max_steps: int = 2000
    lr: float = 1e-3
    lr_end: float = 0.01
    backbone_lr: float | str = AUTO
    warmup: float = 0.1
    weight_decay: float = 0.05
    patience: int = 10
    unlabelled_weight: float = 1.0
    confidence_power: float = 1.0
    labelled_share: float = 0.25
    logit_adjustment: float | str = AUTO
    label_smoothing: float = 0.0
    curriculum: bool = True
    curriculum_start: float | str = AUTO
    curriculum_pace: float = 0.5
    confidence: float = 0.95
    class_bound: float = 2.0
    explode: float = 2.0
    teacher: float = 0.3
    teacher_start: float = 0.3
    ema: float = 0.99
    mixup: float = 0.2
    mixup_probability: float = 0.5
    augment: float = 1.0
    infrared: float = 0.2
    blur: float = 0.2
    erase: float = 0.1
    crop_jitter: float = 0.2
    brightness: float = 0.2
    flip: bool = True
    validation: float = 0.2
    min_labels: int = 50
    strict_locations: bool | str = AUTO
    seed: int = 42
    precision: str = AUTO
    save_minutes: float = 10.0
    workers: int = 0
    memory: int = 2 << 30

    def __post_init__(self) -> None:
        object.__setattr__(self, "backbone_options", dict(self.backbone_options))
        for field_ in dataclasses.fields(self):
            self._check_kind(field_.name, field_.default)
        for name in (*POSITIVE, *SHARES, *NOT_NEGATIVE):
            self._check_number(name)
        for name in MAY_BE_AUTO:
            if getattr(self, name) != AUTO:
                self._check_number(name)
        if self.strict_locations != AUTO and not isinstance(self.strict_locations, bool):
            raise InputError(f"training: strict_locations is {self.strict_locations!r}, expected "
                             "true, false or auto.")
        if self.trainable not in PARTS:
            raise InputError(
                f"training: trainable is {self.trainable!r}, expected one of {', '.join(PARTS)}.")
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise InputError(f"training: precision is {self.precision!r}, expected one of {known}.")
        if self.batch_size < 2:
            raise InputError("training: batch_size is 1; batch normalisation needs at least 2.")
        if self.class_bound < 1 or self.explode <= 1:
            raise InputError("training: class_bound and explode are factors of 1 or more.")
        if self.min_steps > self.max_steps:
            raise InputError("training: min_steps is more than max_steps.")

    def _check_kind(self, name: str, default: Any) -> None:
        """Whole numbers, yes or no and texts where the defaults are such."""
        value = getattr(self, name)
        if type(default) is int and isinstance(value, float) and value.is_integer():
            object.__setattr__(self, name, int(value))  # as JSON and TOML may write it
            return
        wanted = {int: "a whole number", bool: "true or false", str: "a text"}.get(type(default))
        if wanted and type(value) is not type(default) and default != AUTO:
            raise InputError(f"training: {name} is {value!r}, expected {wanted}.")

    def _check_number(self, name: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
            raise InputError(f"training: {name} is {value!r}, expected a number.")
        if name in POSITIVE and not value > 0:
            raise InputError(f"training: {name} is {value}, expected above 0.")
        if not value >= 0:
            raise InputError(f"training: {name} is {value}, expected 0 or more.")
        top_open = name in ("validation", "ema", "label_smoothing")
        if name in (*SHARES, "curriculum_start") and not (value < 1 if top_open else value <= 1):
            raise InputError(f"training: {name} is {value}, expected in 0..1.")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SoftLabelSettings:
        """Settings from plain values. Raises InputError on an unknown name, with the nearest."""
        names = [f.name for f in dataclasses.fields(cls)]
        for name in values:
            if name not in names:
                near = get_close_matches(str(name), names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}."
                raise InputError(f"training: unknown setting {name!r}; {hint}")
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return dataclasses.asdict(self)

    @property
    def all_epochs(self) -> int:
        """Epochs of both stages."""
        return self.head_epochs + self.epochs

    def rate(self, at: float) -> float:
        """The learning rate at epoch `at`, which counts from 0 over both stages, with fractions.

        Source: Loshchilov and Hutter 2017, SGDR (the cosine).
        """
        done = min(1.0, max(0.0, at / self.all_epochs))
        if done < self.warmup:
            return self.lr * max(done / self.warmup, 0.01)
        after = (done - self.warmup) / max(1e-9, 1 - self.warmup)
        return self.lr * (self.lr_end + (1 - self.lr_end) * (1 + math.cos(math.pi * after)) / 2)


__all__ = ["PARTS", "SoftLabelSettings"]
