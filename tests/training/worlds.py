"""Small trainings that the tests share: coats of individuals, coloured species, a tiny network."""

from __future__ import annotations

import numpy as np

from ecotone.simulate.individuals import make_coats
from ecotone.training.data import IndividualPictures
from ecotone.training.pictures import LabelledPictures
from ecotone.training.settings import TrainingSettings
from ecotone.training.soft_settings import SoftLabelSettings

TINY = "test_byobnet"
ZEBRA, LEOPARD = "Equus quagga", "Panthera pardus"


def coats(zebras: int = 4, leopards: int = 3, each: int = 6, seed: int = 0
          ) -> IndividualPictures:
    """Generated pictures, 32 px."""
    made = make_coats({ZEBRA: [each] * zebras, LEOPARD: [each] * leopards}, size=32, seed=seed)
    return IndividualPictures.from_arrays(made.pictures, made.individual, made.viewpoint,
                                          made.species, made.encounter)


def tiny(**settings: object) -> TrainingSettings:
    """Two epochs of a network with 0.2 million weights."""
    return TrainingSettings(**{
        "backbone": TINY, "image_size": 32, "epochs": 2, "batch_size": 8, "workers": 1,
        "patience": 0, "validation": 0.3, **settings})


def noise(n: int, size: int = 32) -> np.ndarray:
    """Pictures of nothing, (n, size, size, 3) uint8."""
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


COLOURS = ("red deer", "grey fox", "wild boar", "badger")


def colours(n: int = 96, k: int = 3, labels: int = 24, seed: int = 0, size: int = 32,
            sure: float = 0.7) -> tuple[LabelledPictures, np.ndarray]:
    """Pictures whose class is a colour, soft labels that are right on average; and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    pictures = rng.integers(0, 110, (n, size, size, 3), dtype=np.uint8)
    tint = np.concatenate([np.eye(3), [[1, 1, 0]]])[truth] * 100
    pictures = pictures + tint[:, None, None].astype(np.uint8)
    target = np.full((n, k), (1 - sure) / max(1, k - 1), np.float32)
    target[np.arange(n), truth] = sure if k > 1 else 1.0
    labelled = np.zeros(n, dtype=bool)
    labelled[rng.permutation(n)[:labels]] = True
    target[labelled] = np.eye(k)[truth[labelled]]
    places = [f"cam{i}" for i in rng.integers(0, 8, n)]
    return LabelledPictures.from_arrays(pictures, COLOURS[:k], target, labelled, places), truth


def soft(**settings: object) -> SoftLabelSettings:
    """Three epochs of the same network on soft labels."""
    return SoftLabelSettings(**{
        "backbone": TINY, "image_size": 32, "epochs": 3, "batch_size": 16, "workers": 1,
        "min_steps": 4, "min_labels": 20, **settings})
