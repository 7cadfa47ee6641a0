"""Re-identification on generated coats: many species or one, long tails, known or new.

    python benchmarks/coats.py                              # parts species, tail and open, 3 seeds
    python benchmarks/coats.py --part open --first 10 --seeds 5
    python benchmarks/coats.py --part network-species --seeds 1 --cache build/coats

Pictures of individuals with stripes, spots, patches and rosettes, on either flank, in many poses,
lights and places (`simulate/individuals.py`).

    species          one head for eight species against a head for each, top-1 of unseen individuals
                     of the four species with 6 individuals (`coats_heads.py`)
    tail             plain ArcFace, dynamic margins, sub-centres on long-tailed individuals
    open             known or new by `ReIdentifier`, with and without local features
                     (`coats_open.py`)
    network-species, network-tail: small networks trained on the pictures (`coats_networks.py`),
                     minutes a network

Settings were chosen on seeds from 900 on; reported are seeds from 0 on. Needs the extras `torch`,
`tflite` and `local`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from coats_heads import species_part, tail_part
from coats_open import open_part

PARTS = ("species", "tail", "open")
NETWORKS = ("network-species", "network-tail")
Figures = dict[str, float]


def network(part: str, seed: int, epochs: int, cache: Path) -> Figures:
    """One seed of a part that trains networks."""
    import coats_networks

    start = coats_networks.imagenet(cache)
    print("starts from ImageNet" if start else "starts from scratch")
    world = coats_networks.World(seed, epochs, start, cache)
    return getattr(coats_networks, part.replace("network-", "") + "_part")(world)


def of_seed(part: str, seed: int, epochs: int, cache: Path) -> dict[str, Figures]:
    """The tables of a part and their figures of one seed."""
    if part == "species":
        return {"species": species_part(seed)}
    if part == "tail":
        return {"tail": tail_part(seed)}
    if part == "open":
        return {"open": open_part(seed)}
    return {part: network(part, seed, epochs, cache)}


def show(title: str, found: list[Figures]) -> None:
    """Mean, standard deviation and every seed, in percent."""
    print(f"\n{title}, {len(found)} seeds")
    for key in found[0]:
        values = 100 * np.array([f[key] for f in found])
        spread = values.std(ddof=1) if len(values) > 1 else float("nan")
        each = " ".join(f"{v:.1f}" for v in values)
        print(f"  {key:54s} {values.mean():6.1f}  sd {spread:4.1f}  ({each})")


def main() -> None:
    """Measure the parts asked for and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=(*PARTS, *NETWORKS, "all"), default="all",
                        help="all: those without a network to train")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5, help="of networks")
    parser.add_argument("--cache", type=Path, help="folder to keep networks in")
    args = parser.parse_args()
    tables: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = args.cache or Path(folder)
        cache.mkdir(parents=True, exist_ok=True)
        for part in PARTS if args.part == "all" else (args.part,):
            for seed in range(args.first, args.first + args.seeds):
                begun = time.time()
                for title, figures in of_seed(part, seed, args.epochs, cache).items():
                    tables.setdefault(title, []).append(figures)
                print(f"seed {seed}, {part}: {time.time() - begun:.0f} s", flush=True)
    for title, found in tables.items():
        show(title, found)


if __name__ == "__main__":
    main()
