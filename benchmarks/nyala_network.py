"""A network trained on two thirds of the nyala, for the row of `benchmarks/nyala.py`.

    python benchmarks/nyala_network.py --seeds 3 --out trained.npz
    python benchmarks/nyala.py --embeddings trained=trained.npz
    python benchmarks/nyala_network.py --seeds 3 --save-start start.pt   # where TFLite is, then
    python benchmarks/nyala_network.py --seeds 3 --start start.pt --out trained.npz   # where not

Starts from the ImageNet weights of the shared TFLite MobileNetV2 (see `mobilenet_weights.py`), and
trains by the recorded recipe on the individuals that are not held out, a flank a class. The .npz
holds the embeddings (N, D) of all pictures in the order of labels.csv, an array a seed.
Figures printed are on held-out individuals, within the flank. Needs the extras `torch` and, but
for `--start`, `tflite`. `--save-start` looks at pictures that none of the seeds holds out, so name
the same seeds both times.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from ecotone.ingest.individuals import read_individuals
from ecotone.reid.evaluate import evaluate_reid
from ecotone.training import IndividualPictures, TrainingSettings, train_reid
from ecotone.training.data import Crops
from ecotone.training.network import ReidNetwork, load_matching
from ecotone.training.reid import embed
from ecotone.training.weights import read_weights
from mobilenet_weights import MEAN, NETWORK, OPTIONS, STD, save_start
from nyala import Nyala

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
MODEL = SHARED / "models" / "imagenet_mobilenet_v2.tflite"


def figures(embeddings: np.ndarray, data: IndividualPictures, rows: np.ndarray) -> str:
    """Top-1, top-5 and mAP of some pictures, within the flank."""
    found = evaluate_reid(embeddings[rows], data.individual[rows], viewpoint=data.viewpoint[rows])
    return f"top-1 {found.top[1]:.1%}, top-5 {found.top[5]:.1%}, mAP {found.map:.1%}"


def run(seed: int, args: argparse.Namespace, data: IndividualPictures) -> None:
    start = time.time()
    held = Nyala(SHARED / "nyala").held(seed)
    crops = Crops(data, args.size, args.workers)
    crops.check()
    every = np.arange(len(data))
    settings = TrainingSettings(
        backbone=NETWORK, backbone_options=OPTIONS, image_size=args.size, epochs=args.epochs,
        validation=0.0, seed=seed, workers=args.workers, min_pictures=2, **args.more)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "imagenet.pt"
        if args.start:
            weights = args.start
        else:
            some = np.flatnonzero(~held)[:: max(1, int((~held).sum()) // 128)]
            save_start(weights, MODEL, np.stack([crops.load(int(r)) for r in some]))
        if args.frozen:
            frozen = ReidNetwork(NETWORK, args.size, OPTIONS)
            load_matching(frozen, read_weights(weights, NETWORK).state, "start")
            frozen.pool.p.data.fill_(1.0)  # the average, as it was trained
            before = embed(frozen, crops, np.flatnonzero(held), normalisation=(MEAN, STD))
            print(f"seed {seed}, frozen at {args.size} px: " + figures(
                before, data.take(held), np.arange(int(held.sum()))), flush=True)
        made = train_reid(data.take(~held), Path(folder) / "network", settings,
                          start=str(weights), progress=None)
        after = embed(made.network, crops, every, normalisation=(MEAN, STD))
    losses = ", ".join(f"{row['loss']:.1f}" for row in made.history)
    print(f"seed {seed}, trained ({time.time() - start:.0f} s; loss {losses}): "
          + figures(after, data, np.flatnonzero(held)), flush=True)
    if args.out:
        kept = dict(np.load(args.out)) if args.out.is_file() else {}
        np.savez_compressed(args.out, **{**kept, str(seed): after.astype(np.float16)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--frozen", action="store_true", help="also the network before training")
    parser.add_argument("--workers", type=int, default=1, help="threads")
    parser.add_argument("--start", type=Path, help="weights that --save-start wrote, for a machine "
                        "without TensorFlow Lite")
    parser.add_argument("--save-start", type=Path, help="write the starting weights and end")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--set", nargs="*", default=[], help="settings, name=number")
    args = parser.parse_args()
    pairs = [text.split("=") for text in args.set]
    args.more = {k: int(v) if v.isdigit() else float(v) for k, v in pairs}
    data = IndividualPictures.from_rows(read_individuals(SHARED / "nyala" / "labels.csv").rows)
    if args.save_start:
        seeds = range(args.first, args.first + args.seeds)
        train = ~np.any([Nyala(SHARED / "nyala").held(s) for s in seeds], axis=0)
        crops = Crops(data, args.size, args.workers)
        some = np.flatnonzero(train)[:: max(1, int(train.sum()) // 128)]
        save_start(args.save_start, MODEL, np.stack([crops.load(int(r)) for r in some]))
        return
    for seed in range(args.first, args.first + args.seeds):
        run(seed, args, data)


if __name__ == "__main__":
    main()
