"""Networks trained on generated coats; parts "network-species" and "network-tail" of `coats.py`.

A MobileNetV2 learns for a few epochs; it starts from the ImageNet weights of the shared TFLite file
(`mobilenet_weights.py`), or from scratch where that is missing. The world has one picture an
encounter and VARIATION times the changes of the field: chosen on seed 900, because on harder
settings nothing could be learned in five epochs and the network of many species lost there (30.5
against 34.3 %). Needs the extras `torch` and `tflite`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coats_worlds import HELD, LARGE, MODEL, SIZE, SMALL, coats, joined, split_long_tail, top_one
from ecotone.simulate.individuals import CoatPictures
from ecotone.training import IndividualPictures, TrainingSettings, train_reid
from ecotone.training.data import Crops
from ecotone.training.reid import embed
from mobilenet_weights import MEAN, NETWORK, OPTIONS, STD, save_start

VARIATION = 0.15
METHODS: Mapping[str, Mapping[str, float]] = {
    "plain ArcFace, margin 0.2": {"margin_low": 0.2, "margin_high": 0.2, "sub_centers": 1},
    "plain ArcFace, margin 0.5": {"margin_low": 0.5, "margin_high": 0.5, "sub_centers": 1},
    "dynamic margins, sub-centres": {},
}


def as_data(pictures: CoatPictures) -> IndividualPictures:
    """Generated pictures as training takes them."""
    return IndividualPictures.from_arrays(pictures.pictures, pictures.individual,
                                          pictures.viewpoint, pictures.species,
                                          pictures.encounter)


@dataclass(frozen=True)
class World:
    """One seed's networks. start: weights, "" for none; cache: folder of what is done."""

    seed: int
    epochs: int
    start: str
    cache: Path


def learn(world: World, name: str, pictures: CoatPictures, tests: Sequence[CoatPictures],
          epochs: int = 0, **more: float) -> list[np.ndarray]:
    """Train a network; embeddings of the pictures of each test."""
    seed, epochs = world.seed, epochs or world.epochs
    kept = world.cache / f"{seed}-{name}-{epochs}.npz".replace(" ", "_").replace(",", "")
    if kept.is_file():
        return list(np.load(kept).values())
    settings = TrainingSettings(
        backbone=NETWORK, backbone_options=OPTIONS, image_size=SIZE, batch_size=16, epochs=epochs,
        patience=0, validation=0.0, augment=0.5, seed=seed, workers=1, **more)
    made = train_reid(as_data(pictures), kept.with_suffix(""), settings, start=world.start)
    norm = (MEAN, STD) if world.start else ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    found = [embed(made.network, Crops(as_data(t), SIZE, 1), np.arange(len(t)), "cpu", norm)
             for t in tests]
    np.savez(kept, *found)
    return found


def species_part(world: World) -> dict[str, float]:
    """Four species with 16 individuals and four with 8: each rare one alone, and all together.

    The rare ones alone get twice the epochs, for they have so few pictures.
    """
    seed, longer = world.seed, 2 * world.epochs
    few = coats({s: [8] * 8 for s in SMALL}, seed, VARIATION)
    many = coats({s: [8] * 16 for s in LARGE}, seed, VARIATION)
    test = coats({s: [14] * 10 for s in SMALL}, seed + HELD, VARIATION)
    together = learn(world, "all", joined(few, many), [test])[0]
    alone = np.zeros_like(together)
    for s in SMALL:
        rows = test.species == s
        alone[rows] = learn(world, s, few.take(few.species == s), [test.take(rows)], longer)[0]
    out = {"all species": top_one(together, test), "each species alone": top_one(alone, test)}
    return {**out, "gain": out["all species"] - out["each species alone"]}


def long_tail(individuals: int, most: int, least: int = 3) -> list[int]:
    """Numbers of pictures that fall as 1 / rank, from `most` to `least`."""
    return [max(least, round(most / rank)) for rank in range(1, individuals + 1)]


def tail_part(world: World) -> dict[str, float]:
    """Two species whose individuals have 30 to 3 pictures; new pictures of those with 3 or 4."""
    seed = world.seed
    counts = {s: long_tail(16, 30) for s in LARGE[:2]}
    whole = coats({s: [n + 8 for n in c] for s, c in counts.items()}, seed, VARIATION)
    size = {f"{s} {i:03d}": n for s, c in counts.items() for i, n in enumerate(c)}
    trains = split_long_tail(whole, size)
    rare = np.array([size[name] <= 4 for name in whole.individual])
    fresh = whole.take(~trains & rare)
    strangers = coats({s: [8] * 12 for s in counts}, seed + HELD, VARIATION)
    out = {}
    for name, how in METHODS.items():
        found = learn(world, name, whole.take(trains), [fresh, strangers], **how)
        out[f"{name}: rare"] = top_one(found[0], fresh)
        out[f"{name}: unseen"] = top_one(found[1], strangers)
    return out


def imagenet(folder: Path) -> str:
    """The file of weights to start from, "" where the shared model is missing."""
    path = folder / "imagenet.pt"
    if not path.is_file() and MODEL.is_file():
        some = coats({s: [2] * 8 for s in LARGE + SMALL}, 10_000, VARIATION)
        save_start(path, MODEL, some.pictures)
    return str(path) if path.is_file() else ""
