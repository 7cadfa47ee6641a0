"""Generated pictures of individuals for `coats.py`, and what the frozen ImageNet network sees.

The features are the output of the network's third stage (stride 8, 32 channels) averaged in 6 x 6
fields: 1,152 numbers that keep where on the picture a stripe is. The last layer keeps less of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ecotone.reid.evaluate import evaluate_reid
from ecotone.simulate.individuals import CoatPictures, make_coats

MODEL = Path(__file__).resolve().parents[2] / "shared/data/models/imagenet_mobilenet_v2.tflite"
SIZE = 96
LARGE = ("Equus quagga", "Panthera pardus", "Giraffa camelopardalis", "Crocuta crocuta")
SMALL = ("Panthera tigris", "Tragelaphus scriptus", "Lynx lynx", "Bos taurus")
HELD = 1000  # individuals of a test are made with a seed this much higher
FIELDS = ("pictures", "individual", "species", "viewpoint", "encounter")
STAGE, FIELD = 2, 6


def coats(counts: Mapping[str, Sequence[int]], seed: int, variation: float, size: int = SIZE,
          per_encounter: int = 1) -> CoatPictures:
    """Pictures by species and individual; one a visit unless more are asked for."""
    return make_coats(counts, size, seed, per_encounter=per_encounter, variation=variation)


def joined(*worlds: CoatPictures) -> CoatPictures:
    """Pictures of several worlds in one."""
    return CoatPictures(*(np.concatenate([getattr(w, f) for w in worlds]) for f in FIELDS))


def top_one(embeddings: np.ndarray, pictures: CoatPictures) -> float:
    """One picture against all others of its species and flank, those of its encounter left out."""
    return evaluate_reid(embeddings, pictures.individual, pictures.species, pictures.viewpoint,
                         encounter=pictures.encounter).top[1]


def split_long_tail(whole: CoatPictures, sizes: Mapping[str, int]) -> np.ndarray:
    """(N,) bool: the first pictures of each individual, as many as `sizes` says."""
    seen: dict[str, int] = {}
    first = np.zeros(len(whole), bool)
    for i, name in enumerate(whole.individual):
        seen[name] = seen.get(name, 0) + 1
        first[i] = seen[name] <= sizes[name]
    return first


class Frozen:
    """The ImageNet network of the shared TFLite file; needs the extras `torch` and `tflite`."""

    def __init__(self, size: int = SIZE) -> None:
        from ecotone.training.network import create_backbone
        from mobilenet_weights import NETWORK, OPTIONS, fill, read_folded

        if not MODEL.is_file():
            raise SystemExit(f"{MODEL} is missing; these parts need its weights.")
        self.size = size
        self.network = create_backbone(NETWORK, size, OPTIONS)
        fill(self.network, read_folded(MODEL))
        self.network.eval()

    def features(self, pictures: np.ndarray, batch: int = 32) -> np.ndarray:
        """Unit rows (n, 1152) float32 of pictures (n, H, W, 3) uint8."""
        import torch
        from torch.nn.functional import adaptive_avg_pool2d, interpolate

        from mobilenet_weights import scaled

        out, network = [], self.network
        with torch.inference_mode():
            for i in range(0, len(pictures), batch):
                x = scaled(pictures[i : i + batch])
                if x.shape[-1] != self.size:
                    x = interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)
                x = network.bn1(network.conv_stem(x))
                for stage in network.blocks[: STAGE + 1]:
                    x = stage(x)
                out.append(adaptive_avg_pool2d(x, FIELD).flatten(1).numpy())
        found = np.concatenate(out)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
