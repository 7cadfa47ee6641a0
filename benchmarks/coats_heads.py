"""Heads on frozen features of generated coats; parts "species" and "tail" of `coats.py`.

The features are those of `coats_worlds.Frozen`; the heads are ecotone's own, in NumPy. Needs the
extras `torch` and `tflite` for the features alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from coats_worlds import (
    HELD,
    LARGE,
    SMALL,
    Frozen,
    coats,
    joined,
    split_long_tail,
    top_one,
)
from ecotone.reid.arcface import SubCenterArcFace
from ecotone.reid.linear_heads import LinearHead, WhiteningHead
from ecotone.simulate.individuals import CoatPictures

ARCFACE = {"dimensions": 128, "epochs": 20, "held_out": 0.0}
FEW, MANY, STRANGERS, PICTURES = 6, 20, 10, 10  # individuals of a species, pictures of each


def species_part(seed: int, variation: float = 1.0) -> dict[str, float]:
    """Four species with 6 individuals each, alone and together with four that have 20 each;
    top-1 of 10 other individuals of each of the four rare ones."""
    few = coats({s: [PICTURES] * FEW for s in SMALL}, seed, variation)
    many = coats({s: [PICTURES] * MANY for s in LARGE}, seed, variation)
    test = coats({s: [PICTURES] * STRANGERS for s in SMALL}, seed + HELD, variation)
    frozen = Frozen()
    every, asked = joined(few, many), frozen.features(test.pictures)
    features = frozen.features(every.pictures)
    makers: Mapping[str, Callable[[], LinearHead]] = {
        "whitening": WhiteningHead,
        "ArcFace": lambda: SubCenterArcFace(random_state=seed, **ARCFACE),
    }
    out = {"frozen": top_one(asked, test)}
    for name, make in makers.items():
        together = make().fit(features, every.individual, every.viewpoint).transform(asked)
        alone = np.zeros((len(test), features.shape[1]), np.float32)
        for s in SMALL:
            mine, rows = every.species == s, test.species == s
            head = make().fit(features[mine], every.individual[mine], every.viewpoint[mine])
            space = head.transform(asked[rows])
            alone[rows, : space.shape[1]] = space
        out[f"{name}: each species alone"] = top_one(alone, test)
        out[f"{name}: all species"] = top_one(together, test)
    gains = {f"{name}: gain": out[f"{name}: all species"] - out[f"{name}: each species alone"]
             for name in makers}
    return out | gains


TAIL = (*SMALL[:2], *LARGE[:2])
SIZES = [max(2, round(60 / rank**1.2)) for rank in range(1, 21)]  # 60, 26, 16 ... 2, 2, 2
NEW, RARE = 6, 5  # new pictures of each individual; pictures that a rare one has at most
# margin of the commonest, of the rarest, sub-centres; all chosen on seed 900
METHODS: Mapping[str, tuple[float, float, int]] = {
    "plain, margin 0.2": (0.2, 0.2, 1),
    "plain, margin 0.5": (0.5, 0.5, 1),
    "plain, margin 0.8": (0.8, 0.8, 1),
    "two sub-centres, margin 0.5": (0.5, 0.5, 2),
    "margins 0.2 to 0.8": (0.2, 0.8, 1),
    "margins 0.2 to 0.8, two sub-centres": (0.2, 0.8, 2),
}


def tail_part(seed: int, variation: float = 0.5) -> dict[str, float]:
    """Four species with 20 individuals of 60 to 2 pictures, both flanks and nights under one
    name; new pictures of them, within species.

    "centres": the individual whose nearest centre is nearest, as the loss has it. "nearest": the
    individual of the nearest training picture of the flank. Each individual counts alike; rare
    ones have 5 training pictures or fewer.
    """
    whole = coats({s: [n + NEW for n in SIZES] for s in TAIL}, seed, variation)
    sizes = {f"{s} {i:03d}": n for s in TAIL for i, n in enumerate(SIZES)}
    trains = split_long_tail(whole, sizes)
    features = Frozen().features(whole.pictures)
    train, new = whole.take(trains), whole.take(~trains)
    rare = np.array([sizes[name] <= RARE for name in new.individual])
    out: dict[str, float] = {}
    for name, (low, high, centres) in METHODS.items():
        head = SubCenterArcFace(low_margin=low, high_margin=high, sub_centres=centres,
                                random_state=seed, **ARCFACE)
        space = head.fit(features[trains], train.individual).transform(features)
        for way, answer in (("centres", by_centres(head, space[~trains], new)),
                            ("nearest", by_nearest(space[~trains], space[trains], new, train))):
            right = answer == new.individual.astype(str)
            for who, rows in (("rare", rare), ("all", np.ones(len(new), bool))):
                names = new.individual[rows]
                each = [right[rows][names == n].mean() for n in np.unique(names)]
                out[f"{way}, {who}: {name}"] = float(np.mean(each))
    return dict(sorted(out.items(), key=lambda item: item[0].split(":")[0]))


def by_centres(head: SubCenterArcFace, space: np.ndarray, new: CoatPictures) -> np.ndarray:
    """(n,) str: the individual with the nearest of its sub-centres, of the same species."""
    centres = head.centres_ / np.linalg.norm(head.centres_, axis=2, keepdims=True)
    cosine = np.einsum("nd,ckd->nck", space, centres).max(axis=2)
    kind = np.array([name.rsplit(" ", 1)[0] for name in head.classes_])
    cosine[new.species.astype(str)[:, None] != kind[None]] = -2.0
    return head.classes_[cosine.argmax(axis=1)].astype(str)


def by_nearest(space: np.ndarray, gallery: np.ndarray, new: CoatPictures, train: CoatPictures
               ) -> np.ndarray:
    """(n,) str: the individual of the nearest training picture of the species and flank."""
    cosine = space @ gallery.T
    for column in ("species", "viewpoint"):
        cosine[getattr(new, column)[:, None] != getattr(train, column)[None]] = -2.0
    return train.individual[cosine.argmax(axis=1)].astype(str)
