"""Training a re-identification network, and fine-tuning one to a new species.

N pictures, D embedding dimensions, C classes (individuals, or flanks of individuals).
Source: Otarashvili et al. 2024, arXiv:2412.05602 (MiewID).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecotone.errors import InputError
from ecotone.reid.evaluate import evaluate_reid
from ecotone.reid.margins import dynamic_margins
from ecotone.training.card import write_card
from ecotone.training.checkpoints import LAST, load_checkpoint
from ecotone.training.data import Crops, IndividualPictures, Progress
from ecotone.training.distributed import World, join_world
from ecotone.training.export import export_onnx
from ecotone.training.feed import Feed, normalised
from ecotone.training.loop import Loop
from ecotone.training.network import (
    Learner,
    OtherLoss,
    ReidNetwork,
    SubCenterHead,
    load_matching,
)
from ecotone.training.published import Start, load_start
from ecotone.training.settings import ARCFACE, TrainingSettings
from ecotone.training.splits import Split, split_individuals

MODEL = "model.onnx"
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
HEAD_EPOCHS = 3  # of fine-tuning


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """What a training made. folder: with model.onnx, best.pt, last.pt, card.json and CARD.md.

    network: with its best weights, on the CPU. split: who trained and who was held out. history:
    one dict an epoch. card: as written. difference: of ONNX from torch. failed: pictures that could
    not be read, "path: why".
    """

    folder: Path
    network: ReidNetwork
    split: Split
    history: list[dict[str, float]]
    card: dict[str, Any]
    difference: float
    failed: tuple[str, ...]

    @property
    def onnx(self) -> Path:
        """The exported network, for `ecotone embed --model`."""
        return self.folder / MODEL


def train_reid(
    data: IndividualPictures, folder: str | Path, settings: TrainingSettings | None = None, *,
    start: str = "", accept_license: bool = False, device: str = "",
    progress: Progress | None = None,
) -> TrainedNetwork:
    """Train one embedding for all individuals of `data`, of one or many species.

    A training that was stopped goes on when it is called again with the same arguments; one that is
    finished is returned. start: see `published.load_start`. device: "" is the graphics card where
    there is one. Started by torchrun, every process calls this; the first one writes.

    Raises InputError (settings, too few individuals, another training in `folder`), BackendError
    (weights, licence), MissingExtraError.
    """
    settings, folder = settings or TrainingSettings(), Path(folder)
    with join_world(device) as world:
        show = progress if world.first else None
        crops = Crops(data, settings.image_size, settings.workers, settings.memory)
        failed = crops.check(show)
        usable = np.ones(len(data), dtype=bool)
        usable[list(failed)] = False
        split = split_individuals(data, settings, usable)
        begun = load_start(start, settings.backbone, settings.image_size, accept_license)
        mean, std = begun.mean or IMAGENET[0], begun.std or IMAGENET[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            learner = make_learner(settings, split, begun)
        about = {"task": "re-identification", "data": data.fingerprint(), "start": begun.source,
                 "licence": begun.licence, "classes": list(split.classes), "mean": list(mean),
                 "std": list(std)}
        flip = np.isin(data.viewpoint.astype(str), settings.flip_viewpoints)
        feed = Feed(crops, split.train, split.target, settings, flip)
        validate, note = _validation(data, crops, split, settings, world, (mean, std))
        loop = Loop(learner, feed, settings, folder, world, (mean, std), validate, about, show)
        history = loop.run()
        lines = _failures(data, {**failed, **feed.failed})
        notes = [*split.notes, *begun.notes, *note]
        made = (learner.network.cpu().eval(), split, history)
        if not world.first:
            return TrainedNetwork(folder, *made, {}, 0.0, tuple(lines))
        return _finish(folder, data, settings, begun, made, loop, crops, (mean, std), lines, notes)


def finetune_reid(
    new: IndividualPictures, folder: str | Path, start: str,
    settings: TrainingSettings | None = None, *, old: IndividualPictures | None = None,
    **options: Any,
) -> TrainedNetwork:
    """Two-stage fine-tuning to new individuals or a new species: the head first, then all.

    start: a training of ecotone (its folder or checkpoint), or a published one. old: the pictures
    it was trained on, to be kept in mind; without them it learns the new ones alone. Individuals
    that the starting head knows keep their centres. options: of `train_reid`.
    """
    settings = settings or TrainingSettings()
    if not start:
        raise InputError("fine-tuning: start is empty; name the weights to start from.")
    if not settings.head_epochs:
        settings = dataclasses.replace(settings, head_epochs=HEAD_EPOCHS)
    data = new if old is None else old.joined(new)
    return train_reid(data, folder, settings, start=start, **options)


def make_learner(settings: TrainingSettings, split: Split, start: Start) -> Learner:
    """Network and head, with the starting weights in them."""
    network = ReidNetwork(settings.backbone, settings.image_size, settings.backbone_options)
    if start.state:
        load_matching(network, start.state, start.source)
    if settings.loss != ARCFACE:
        return Learner(network, OtherLoss(settings.loss, network.dimension, len(split.classes)))
    margins = dynamic_margins(split.counts, settings.margin_low, settings.margin_high)
    head = SubCenterHead(network.dimension, margins, settings.scale, settings.sub_centers)
    _carry_over(head, split.classes, start)
    return Learner(network, head)


def _carry_over(head: SubCenterHead, classes: tuple[str, ...], start: Start) -> None:
    """The centres of individuals that the starting head knows."""
    k = head.sub_centers
    if start.head is None or start.head.shape != (len(start.classes) * k, head.weight.shape[1]):
        return
    place = {name: i for i, name in enumerate(start.classes)}
    with torch.no_grad():
        for row, name in enumerate(classes):
            if name in place:
                old = place[name]
                head.weight[row * k : (row + 1) * k] = start.head[old * k : (old + 1) * k]


def embed(network: ReidNetwork, crops: Crops, rows: np.ndarray, device: str = "cpu",
          normalisation: tuple[list[float], list[float]] = IMAGENET, batch: int = 32
          ) -> np.ndarray:
    """Embeddings (n, D) float32 of some pictures, not augmented."""
    was = network.training
    network.eval()
    out = [np.zeros((0, network.dimension), np.float32)]
    with torch.inference_mode():
        held: list[np.ndarray] = []
        for picture in crops.map(crops.load, [int(r) for r in rows]):
            held.append(picture)
            if len(held) == batch:
                out.append(_embedded(network, held, device, normalisation))
                held = []
        if held:
            out.append(_embedded(network, held, device, normalisation))
    network.train(was)
    return np.concatenate(out)


def _embedded(network: ReidNetwork, held: list[np.ndarray], device: str,
              normalisation: tuple[list[float], list[float]]) -> np.ndarray:
    batch = torch.from_numpy(np.stack(held)).to(device)
    return network(normalised(batch, *normalisation)).float().cpu().numpy()


def _validation(
    data: IndividualPictures, crops: Crops, split: Split, settings: TrainingSettings, world: World,
    normalisation: tuple[list[float], list[float]],
) -> tuple[Callable[[Learner], dict[str, float]] | None, list[str]]:
    """How a learner is measured on the held-out pictures; None and a note where it cannot be."""
    rows = split.validation
    names, species, viewpoint = (
        column[rows] for column in (data.individual, data.species, data.viewpoint))
    keys = np.array([f"{s} {n}" for s, n in zip(species, names, strict=True)], dtype=object)

    def figures(embeddings: np.ndarray) -> dict[str, float]:
        found = evaluate_reid(embeddings, keys, species, viewpoint)
        return {"top1": found.top[1], "map": found.map}

    def validate(learner: Learner) -> dict[str, float]:
        return figures(embed(learner.network, crops, rows, world.device, normalisation,
                             2 * settings.batch_size))

    if not len(rows):
        return None, []
    try:
        figures(np.random.default_rng(0).normal(size=(len(rows), 4)))
    except InputError as error:
        return None, [f"No validation, nothing stops early: {error}"]
    return validate, []


def _failures(data: IndividualPictures, failed: dict[int, str]) -> list[str]:
    return [failed[row] for row in sorted(failed)]


def _finish(
    folder: Path, data: IndividualPictures, settings: TrainingSettings, start: Start,
    made: tuple[ReidNetwork, Split, list[dict[str, float]]], loop: Loop, crops: Crops,
    normalisation: tuple[list[float], list[float]], failed: list[str], notes: list[str],
) -> TrainedNetwork:
    """The ONNX file and the card."""
    network, split, history = made
    some = np.stack([crops.load(int(row)) for row in split.train[:4]])
    difference = export_onnx(network, folder / MODEL, *normalisation,
                             {"license": start.licence, "task": "re-identification"}, some)
    state = load_checkpoint(folder / LAST)
    best = max((row for row in history if "top1" in row), default={},
               key=lambda r: (r["top1"], r["map"]))
    card = {
        "name": folder.name, "backbone": settings.backbone, "dimension": network.dimension,
        "start": {"source": start.source, "licence": start.licence},
        "settings": settings.as_dict(), "precision": loop.precision, "seed": settings.seed,
        "counts": _counts(data, split, failed), "species": _species(data, split),
        "curve": history, "best": best, "stopped": state["finished"],
        "processes": loop.world.size, "device": loop.world.device,
        "onnx_difference": difference, "notes": notes, "failed": failed,
    }
    written = write_card(folder, card)
    return TrainedNetwork(folder, network, split, history, written, difference, tuple(failed))


def _counts(data: IndividualPictures, split: Split, failed: list[str]) -> dict[str, int]:
    animals = np.array([f"{s} {n}" for s, n in zip(data.species, data.individual, strict=True)])
    return {
        "pictures given": len(data), "pictures that could not be read": len(failed),
        "training pictures": len(split.train), "training individuals":
            len(set(animals[split.train])), "classes (individuals, or their flanks)":
            len(split.classes), "held-out pictures of training individuals": len(split.seen),
        "held-out pictures of other individuals": len(split.unseen),
        "other held-out individuals": len(set(animals[split.unseen])),
    }


def _species(data: IndividualPictures, split: Split) -> list[list[Any]]:
    rows = split.train
    return [
        [name or "not told", len(set(data.individual[rows][data.species[rows] == name])),
         int((data.species[rows] == name).sum())]
        for name in sorted(set(data.species[rows]))
    ]


__all__ = ["TrainedNetwork", "embed", "finetune_reid", "make_learner", "train_reid"]
