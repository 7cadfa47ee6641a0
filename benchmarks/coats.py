"""Re-identification networks on generated coats: what one model of many species is worth.

    python benchmarks/coats.py --part species --seeds 3     # many species against one, known or new
    python benchmarks/coats.py --part tail --seeds 3        # dynamic margins and sub-centres
    python benchmarks/coats.py --cache build/coats          # both; stopped, it goes on where it was

Pictures of individuals with stripes, spots, patches and rosettes, on either flank, in many poses,
lights and places (`simulate/individuals.py`). A MobileNetV2 learns for a few epochs; it starts from
the ImageNet weights of the shared TFLite file (`mobilenet_weights.py`), or from scratch where that
is missing, and says so. Figures are on individuals that no network has seen, or, in the tail, on
new pictures of the rarest ones; top-1 compares inside species and flank, never within an encounter.
Settings were looked at on seed 900; reported are seeds from 0 on. Needs the extras `torch`
and `tflite`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecotone.reid.evaluate import evaluate_reid
from ecotone.reid.identifier import ReIdentifier
from ecotone.reid.metrics import open_set
from ecotone.simulate.individuals import CoatPictures, make_coats
from ecotone.training import IndividualPictures, TrainingSettings, train_reid
from ecotone.training.data import Crops
from ecotone.training.reid import embed
from mobilenet_weights import MEAN, NETWORK, OPTIONS, STD, save_start

MODEL = Path(__file__).resolve().parents[2] / "shared/data/models/imagenet_mobilenet_v2.tflite"
SIZE = 96
VARIATION = 0.15
LARGE = ("Equus quagga", "Panthera pardus", "Giraffa camelopardalis", "Crocuta crocuta")
SMALL = ("Panthera tigris", "Tragelaphus scriptus", "Lynx lynx", "Bos taurus")
HELD = 1000  # individuals of a test are made with a seed this much higher
FIELDS = ("pictures", "individual", "species", "viewpoint", "encounter")
METHODS: Mapping[str, Mapping[str, float]] = {
    "plain ArcFace, margin 0.2": {"margin_low": 0.2, "margin_high": 0.2, "sub_centers": 1},
    "plain ArcFace, margin 0.5": {"margin_low": 0.5, "margin_high": 0.5, "sub_centers": 1},
    "dynamic margins, sub-centres": {},
}


def coats(counts: Mapping[str, Sequence[int]], seed: int) -> CoatPictures:
    """Generated pictures of this benchmark's world."""
    return make_coats(counts, SIZE, seed, per_encounter=1, variation=VARIATION)


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


def top_one(embeddings: np.ndarray, pictures: CoatPictures) -> float:
    """One picture against all others of its species and flank, those of its encounter left out."""
    return evaluate_reid(embeddings, pictures.individual, pictures.species, pictures.viewpoint,
                         encounter=pictures.encounter).top[1]


def species_part(world: World) -> dict[str, float]:
    """Four species with 16 individuals and four with 8: each rare one alone, and all together.

    The rare ones alone get twice the epochs, for they have so few pictures.
    """
    seed, longer = world.seed, 2 * world.epochs
    few = coats({s: [8] * 8 for s in SMALL}, seed)
    many = coats({s: [8] * 16 for s in LARGE}, seed)
    test = coats({s: [14] * 10 for s in SMALL}, seed + HELD)
    both = CoatPictures(*(np.concatenate([getattr(few, f), getattr(many, f)]) for f in FIELDS))
    together = learn(world, "all", both, [test])[0]
    alone = np.zeros_like(together)
    for s in SMALL:
        rows = test.species == s
        alone[rows] = learn(world, s, few.take(few.species == s), [test.take(rows)], longer)[0]
    out = {"all species": top_one(together, test), "each species alone": top_one(alone, test)}
    return {**out, "gain": out["all species"] - out["each species alone"],
            **known_or_new(together, test, seed)}


def known_or_new(embeddings: np.ndarray, test: CoatPictures, seed: int) -> dict[str, float]:
    """Half of the unseen individuals are known by the first half of their encounters, the others
    are new. Everything that decides is learned from the gallery alone."""
    number = np.array([int(name.rsplit(" ", 1)[1]) for name in test.individual])
    met = np.array([int(e.rsplit("/ ", 1)[1]) for e in test.encounter])
    last = {name: met[test.individual == name].max() for name in set(test.individual)}
    early = np.array([2 * m < last[n] for m, n in zip(met, test.individual, strict=True)])
    gallery = (number % 2 == 0) & early
    columns = (test.individual, test.species, test.viewpoint, test.encounter)
    names, *rest = (c[gallery] for c in columns)
    reid = ReIdentifier(precision=None, random_state=seed).fit(embeddings[gallery], names, *rest)
    known = set(names)
    names, *rest = (c[~gallery] for c in columns)
    found = open_set(names, reid.predict(embeddings[~gallery], *rest).answer, known)
    single = open_set(names, reid.predict(embeddings[~gallery], *rest[:2]).answer, known)
    return {"known or new, by encounter": found["geometric_mean"], "BAKS": found["baks"],
            "BAUS": found["baus"], "known or new, by picture": single["geometric_mean"]}


def long_tail(individuals: int, most: int, least: int = 3) -> list[int]:
    """Numbers of pictures that fall as 1 / rank, from `most` to `least`."""
    return [max(least, round(most / rank)) for rank in range(1, individuals + 1)]


def tail_part(world: World) -> dict[str, float]:
    """Two species whose individuals have 30 to 3 pictures; new pictures of those with 3 or 4."""
    seed = world.seed
    counts = {s: long_tail(16, 30) for s in LARGE[:2]}
    whole = coats({s: [n + 8 for n in c] for s, c in counts.items()}, seed)
    size = {f"{s} {i:03d}": n for s, c in counts.items() for i, n in enumerate(c)}
    seen: dict[str, int] = {}
    trains = np.zeros(len(whole), bool)
    for i, name in enumerate(whole.individual):
        seen[name] = seen.get(name, 0) + 1
        trains[i] = seen[name] <= size[name]
    rare = np.array([size[name] <= 4 for name in whole.individual])
    fresh = whole.take(~trains & rare)
    strangers = coats({s: [8] * 12 for s in counts}, seed + HELD)
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
        save_start(path, MODEL, coats({s: [2] * 8 for s in LARGE + SMALL}, 10_000).pictures)
    return str(path) if path.is_file() else ""


PARTS = {"species": species_part, "tail": tail_part}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="folder to keep networks in")
    args = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = args.cache or Path(folder)
        cache.mkdir(parents=True, exist_ok=True)
        start = imagenet(cache)
        print("starts from ImageNet" if start else f"from scratch: {MODEL} is missing")
        for seed in range(args.first, args.first + args.seeds):
            for part in PARTS if args.part == "all" else (args.part,):
                begun = time.time()
                found = PARTS[part](World(seed, args.epochs, start, cache))
                rows.setdefault(part, []).append(found)
                print(f"seed {seed}, {part} ({time.time() - begun:.0f} s): " + ", ".join(
                    f"{k} {v:.1%}" for k, v in found.items()), flush=True)
    for part, found in rows.items():
        print(f"\n{part}, {len(found)} seeds")
        for key in found[0]:
            values = np.array([f[key] for f in found])
            print(f"  {key:40s} {values.mean():6.1%}  (from {values.min():.1%} to "
                  f"{values.max():.1%})")


if __name__ == "__main__":
    main()
