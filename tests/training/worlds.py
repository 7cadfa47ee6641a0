"""Small trainings that the tests share: coats of a few individuals, a tiny network."""

from __future__ import annotations

import numpy as np

from ecotone.simulate.individuals import make_coats
from ecotone.training.data import IndividualPictures
from ecotone.training.settings import TrainingSettings

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
