"""What a classifier's network says of pictures that are not augmented.

n pictures, D embedding dimensions, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import numpy as np
import torch

from ecotone.errors import InputError, MediaError
from ecotone.training.classifier_network import ClassifierNetwork
from ecotone.training.data import Crops
from ecotone.training.feed import normalised

TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(20.0), 30)).astype(np.float32)
Tick = Callable[[int], None]


def predict_logits(
    network: ClassifierNetwork, crops: Crops, rows: np.ndarray, device: str,
    normalisation: tuple[list[float], list[float]], batch: int = 64,
    pool: torch.Tensor | None = None, precision: str = "float32", tick: Tick | None = None,
    mirror: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, K) and embeddings (n, D) float32; rows of NaN for pictures that cannot be read.

    pool: all pictures where they are kept. mirror: (n,) bool, pictures to look at mirrored.
    """
    was = network.training
    network.eval()
    n, k = len(rows), network.head.out_features
    logits = np.full((n, k), np.nan, dtype=np.float32)
    embeddings = np.full((n, network.dimension), np.nan, dtype=np.float32)
    kind = device.split(":")[0]
    half = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
    with torch.inference_mode(), torch.autocast(kind, half) if half else nullcontext():
        for places, pictures in _batches(crops, rows, batch, pool):
            pictures = pictures.to(device, non_blocking=True)
            if mirror is not None:
                turned = torch.from_numpy(mirror[places]).to(device)[:, None, None, None]
                pictures = torch.where(turned, pictures.flip(2), pictures)
            pooled = network.embed(normalised(pictures, *normalisation)).float()
            with torch.autocast(kind, enabled=False):
                logits[places] = network.head(pooled).cpu().numpy()
            embeddings[places] = pooled.cpu().numpy()
            if tick:
                tick(int(places[-1]) + 1)
    network.train(was)
    return logits, embeddings


def _batches(crops: Crops, rows: np.ndarray, batch: int, pool: torch.Tensor | None
             ) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Places in `rows` and the pictures there; those that cannot be read are left out."""
    if pool is None and crops.kept is not None:
        pool = torch.from_numpy(crops.kept)
    if pool is not None:
        for i in range(0, len(rows), batch):
            index = torch.from_numpy(np.asarray(rows[i : i + batch], dtype=np.int64))
            yield np.arange(i, i + len(index)), pool[index.to(pool.device)]
        return

    def load(row: int) -> np.ndarray | None:
        try:
            return crops.load(row)
        except (MediaError, InputError):
            return None

    held: list[tuple[int, np.ndarray]] = []
    for place, picture in enumerate(crops.map(load, [int(r) for r in rows])):
        if picture is not None:
            held.append((place, picture))
        if held and (len(held) == batch or place == len(rows) - 1):
            places, pictures = zip(*held, strict=True)
            yield np.array(places), torch.from_numpy(np.stack(pictures))
            held = []
    if held:
        places, pictures = zip(*held, strict=True)
        yield np.array(places), torch.from_numpy(np.stack(pictures))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows of logits as probabilities, in double precision."""
    e = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(target: np.ndarray, logits: np.ndarray) -> float:
    """Mean of -sum_k t_k log p_k of soft targets (n, K)."""
    top = logits.max(axis=1, keepdims=True)
    log_p = logits - top - np.log(np.exp(logits.astype(np.float64) - top).sum(1, keepdims=True))
    return float(-(target * log_p).sum(axis=1).mean())


def tempered_cross_entropy(target: np.ndarray, logits: np.ndarray) -> float:
    """The cross-entropy at the best temperature: what the scores tell, however sure they are.

    Plain cross-entropy against pseudo-labels that are surer than right is least where a network
    has learned nothing.
    """
    return min(cross_entropy(target, logits / t) for t in TEMPERATURES)


__all__ = ["cross_entropy", "predict_logits", "softmax", "tempered_cross_entropy"]
