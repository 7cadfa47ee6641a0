"""Training a classifier on soft labels: pictures in, a network with its own classes out.

N pictures, K classes, D embedding dimensions.
Source: soft cross-entropy with people's labels clamped and the rest weighted by their confidence;
the parts and their sources are in `curriculum`, `classifier_network` and `trap_draws`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ecotone.errors import InputError
from ecotone.training.classifier_card import LEAST_LABELS, finish_classifier
from ecotone.training.classifier_network import (
    ClassifierNetwork,
    SoftLearner,
    adjustment,
    smoothed_shares,
)
from ecotone.training.classifier_start import make_network
from ecotone.training.data import Crops, Progress
from ecotone.training.distributed import World, join_world
from ecotone.training.inference import (
    cross_entropy,
    predict_logits,
    softmax,
    tempered_cross_entropy,
)
from ecotone.training.loop import Loop, pick_precision
from ecotone.training.lora import merge_lora
from ecotone.training.pictures import LabelledPictures
from ecotone.training.published import Start
from ecotone.training.soft_control import SoftControl
from ecotone.training.soft_feed import SoftFeed
from ecotone.training.soft_settings import AUTO, SoftLabelSettings
from ecotone.training.soft_split import LABELS, SoftSplit, split_soft
from ecotone.training.trap_pictures import prepare_batch

MODEL = "model.onnx"
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
FIGURES = ("score", "accuracy", "log_loss", "teacher")
WORST = 1e9  # a loss that is no number
FROM_WEIGHTS = 0.1  # of the learning rate, for a backbone that knows something


@dataclass(frozen=True, eq=False)
class TrainedClassifier:
    """What a training made. folder: with model.onnx, model.pt, best.pt, last.pt, card.json,
    CARD.md, curves.csv and curves.svg.

    network: with the weights that are exported, on the CPU. classes: K names. split: who trained
    and who was held out. history: one dict an epoch. card: as written. difference: of ONNX from
    torch. failed: pictures that could not be read, "path: why".
    """

    folder: Path
    network: ClassifierNetwork
    classes: tuple[str, ...]
    normalisation: tuple[list[float], list[float]]
    split: SoftSplit
    history: list[dict[str, float]]
    card: dict[str, Any]
    difference: float
    failed: tuple[str, ...]

    @property
    def onnx(self) -> Path:
        """The exported network, for `ecotone classify --model`."""
        return self.folder / MODEL


def train_classifier(
    data: LabelledPictures, folder: str | Path, settings: SoftLabelSettings | None = None, *,
    start: str = "", accept_license: bool = False, device: str = "",
    progress: Progress | None = None,
) -> TrainedClassifier:
    """Train a network on soft labels.

    A training that was stopped goes on when it is called again with the same arguments; one that is
    finished is returned. start: "" from scratch, "pretrained" for timm's weights, a file, the
    folder of a training, a published name, "speciesnet" or "speciesnet:FOLDER". device: "" is the
    graphics card where there is one. Started by torchrun, every process calls this; the first one
    writes.

    Raises InputError (settings, nothing to learn from, another training in `folder`), BackendError
    (weights, licence), MissingExtraError.
    """
    settings, folder = settings or SoftLabelSettings(), Path(folder)
    with join_world(device) as world:
        show = progress if world.first else None
        network, begun = make_network(settings, data.classes, start, accept_license)
        crops = Crops(data, network.image_size, settings.workers, settings.memory)
        failed = crops.check(show)
        usable = np.ones(len(data), dtype=bool)
        usable[list(failed)] = False
        split = split_soft(data, settings, usable)
        check_enough(data, split, failed)
        normalisation = (list(begun.mean or IMAGENET[0]), list(begun.std or IMAGENET[1]))
        job = Job(data, crops, split, settings, begun, world, normalisation, folder)
        learner = job.learner(network)
        loop = job.loop(learner, show)
        history = loop.run()
        lines = [{**failed, **loop.feed.failed}[row] for row in sorted({**failed,
                                                                       **loop.feed.failed})]
        return finish(job, loop, learner, history, lines)


@dataclass(frozen=True, eq=False)
class Job:
    """One training: what is learned from, how, where."""

    data: LabelledPictures
    crops: Crops
    split: SoftSplit
    settings: SoftLabelSettings
    begun: Start
    world: World
    normalisation: tuple[list[float], list[float]]
    folder: Path

    @property
    def rows(self) -> np.ndarray:
        """All rows that train by a label or pseudo-label."""
        return np.sort(np.concatenate([self.split.labelled, self.split.soft]))

    @property
    def shift(self) -> tuple[np.ndarray, float]:
        """tau log pi of the loss, and tau."""
        shares = smoothed_shares(self.data.target[self.rows])
        return adjustment(shares, self.settings.logit_adjustment)

    def learner(self, network: ClassifierNetwork) -> SoftLearner:
        """Network, loss and teacher."""
        settings = self.settings
        return SoftLearner(network, self.shift[0], settings.label_smoothing, settings.ema,
                           settings.trainable, settings.stages)

    def optimizer(self, learner: SoftLearner) -> torch.optim.Optimizer:
        """AdamW; no decay of biases and norms, a backbone that knows something learns slower."""
        settings = self.settings
        factor = settings.backbone_lr
        if factor == AUTO:
            scratch = self.begun.source.startswith("none")
            factor = 1.0 if scratch or settings.trainable == "lora" else FROM_WEIGHTS
        groups = []
        for rate, parameters in ((float(factor), learner.trained),
                                 (1.0, list(learner.network.head.parameters()))):
            for decay, some in ((settings.weight_decay, [p for p in parameters if p.ndim > 1]),
                                (0.0, [p for p in parameters if p.ndim <= 1])):
                if some:
                    groups.append({"params": some, "weight_decay": decay, "factor": rate})
        return torch.optim.AdamW(groups, lr=settings.lr)

    def loop(self, learner: SoftLearner, progress: Progress | None) -> Loop:
        """The loop that trains it."""
        settings, split, data = self.settings, self.split, self.data
        device = self.world.device
        precision = pick_precision(settings.precision, device)

        def say(network: ClassifierNetwork, rows: np.ndarray, mirror: np.ndarray) -> np.ndarray:
            tick = None if progress is None else (
                lambda done: progress(done, len(rows), "the teacher looks at pictures"))
            return predict_logits(network, self.crops, rows, device, self.normalisation,
                                  2 * settings.batch_size, feed.pool, precision, tick, mirror)[0]

        control = SoftControl(data, split, settings, self.world, say)
        feed = control.feed = SoftFeed(self.crops, settings, control.first(), device)
        about = {"task": "soft labels", "data": data.fingerprint(), "start": self.begun.source,
                 "licence": self.begun.licence, "classes": list(data.classes),
                 "mean": self.normalisation[0], "std": self.normalisation[1]}
        return Loop(learner, feed, settings, self.folder, self.world, self.normalisation,
                    self.validation(), about, progress, self.optimizer, self.prepare,
                    control)

    def prepare(self, batch: tuple[torch.Tensor, ...], epoch: int, step: int
                ) -> tuple[torch.Tensor, ...]:
        """What the learner takes of a batch on the device."""
        return prepare_batch(batch, epoch, step, self.world.rank, self.settings,
                             self.normalisation)

    def validation(self) -> Callable[[nn.Module], dict[str, float]] | None:
        """How a learner is measured: both of its networks on the held-out pictures."""
        held, target = self.split.held, self.data.target[self.split.held]
        if not len(held):
            return None
        precision = pick_precision(self.settings.precision, self.world.device)
        # As the probabilities are calibrated afterwards, or against labels surer than right.
        few = self.split.kind == LABELS and len(held) < LEAST_LABELS
        measure = cross_entropy if few else tempered_cross_entropy

        def validate(learner: SoftLearner) -> dict[str, float]:
            shift = learner.shift.cpu().numpy()
            found = {}
            for name, network in learner.networks().items():
                logits, _ = predict_logits(
                    network, self.crops, held, self.world.device, self.normalisation,
                    2 * self.settings.batch_size, precision=precision)
                read = np.isfinite(logits).all(axis=1)
                wanted, logits = target[read], logits[read]
                right = float((logits.argmax(1) == wanted.argmax(1)).mean())
                loss = measure(wanted, logits + shift)
                found[name] = (-loss if np.isfinite(loss) else -WORST, right)
            best = max(found, key=lambda n: found[n])
            score, right = found[best]
            values = (score, right, -score, float(best == "teacher"))
            return dict(zip(FIGURES, values, strict=True))

        return validate


def check_enough(data: LabelledPictures, split: SoftSplit, failed: dict[int, str]) -> None:
    """Raises InputError when nothing is left to learn from."""
    if len(split.labelled) + len(split.soft):
        return
    why = f"; {len(failed):,} pictures cannot be read, such as {next(iter(failed.values()))}" \
        if failed else ""
    raise InputError(f"training: of {len(data):,} pictures none has a label or pseudo-label to "
                     f"learn from{why}.")


def finish(job: Job, loop: Loop, learner: SoftLearner, history: list[dict[str, float]],
           failed: list[str]) -> TrainedClassifier:
    """Choose the network, write it and what is to be known of it."""
    # In the loop's own order, so that it is the epoch whose weights were kept.
    best = max((r for r in history if "score" in r), default={},
               key=lambda r: [r[name] for name in FIGURES])
    networks = learner.networks()
    use = "teacher" if best.get("teacher", 1.0) and "teacher" in networks else "network"
    network = networks[use].to("cpu").eval()
    merge_lora(network.backbone)
    card: dict[str, Any] = {}
    difference = 0.0
    if job.world.first:
        card, difference = finish_classifier(job, loop, network, use, best, history, failed)
    return TrainedClassifier(job.folder, network, job.data.classes, job.normalisation, job.split,
                             history, card, difference, tuple(failed))


def predict(
    made: TrainedClassifier, data: LabelledPictures, rows: np.ndarray | None = None, *,
    device: str = "", batch_size: int = 64, progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, K) and embeddings (n, D) of some rows of `data`, default all.

    Rows of NaN are pictures that cannot be read.
    """
    rows = np.arange(len(data)) if rows is None else np.asarray(rows)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    crops = Crops(data, made.network.image_size)
    network = made.network.to(device)
    tick = None if progress is None else lambda done: progress(done, len(rows), "predicting")
    logits, embeddings = predict_logits(network, crops, rows, device, made.normalisation,
                                        batch_size, tick=tick)
    network.to("cpu")
    return softmax(logits).astype(np.float32), embeddings


__all__ = ["TrainedClassifier", "predict", "train_classifier"]
