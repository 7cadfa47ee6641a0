"""The metric head trained with triplet loss, where torch is installed.

n crops, C classes, B crops of a batch, D embedding dimensions, d dimensions of the space.

    f(x) = l2(W2 max(0, W1 x + b1) + b2)                              D -> 256 -> 128
    loss = mean over pairs (a, p) of one class of max(0, d(a, p) - d(a, n) + margin),  d cosine

n is semi-hard: the nearest crop of another class that is farther from a than p, or, where none is,
the farthest. A batch holds P classes with K crops each. Training stops when the loss of held-out
crops against the class centroids no longer falls, and the best state is kept. First weights and
batches are drawn by NumPy, so that a seed gives the same head again; a fitted head is NumPy alone.
Sources: Schroff et al. 2015, arXiv:1503.03832 (triplets, semi-hard); Hermans et al. 2017,
arXiv:1703.07737 (P x K batches); Loshchilov and Hutter 2019, arXiv:1711.05101 (AdamW).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ecotone.errors import MissingExtraError
from ecotone.hierarchy.centroids import mean_directions
from ecotone.hierarchy.five_stage_settings import FiveStageSettings

Layers = tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]


def train_triplet(
    embeddings: np.ndarray, target: np.ndarray, keys: np.ndarray, settings: FiveStageSettings,
    seed: int = 0,
) -> Layers:
    """Weights and biases of the two layers, fitted to unit embeddings (n, D) of classes (n,).

    keys: (n,) of content; they say which crops are held out.
    Raises MissingExtraError without torch.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("a metric head trained with triplet loss", "torch") from error
    rng = np.random.default_rng(seed)
    mean = embeddings.mean(axis=0, dtype=np.float64)
    scale = max(float(np.sqrt(((embeddings - mean) ** 2).mean())), 1e-12)
    values = ((embeddings - mean) / scale).astype(np.float32)
    held = held_out(target, keys, settings.held_out)
    with _one_thread(torch):
        weights, bias = _train(torch, values, target, held, settings, rng)
    first = weights[0] / scale  # the scaling of the input goes into the first layer
    bias[0] = bias[0] - mean @ first
    return (tuple(w.astype(np.float32) for w in (first, weights[1])),
            tuple(b.astype(np.float32) for b in bias))


def held_out(target: np.ndarray, keys: np.ndarray, share: float) -> np.ndarray:
    """(n,) bool: the crops of each class that training does not see, copies of one together.

    Every class keeps at least two different crops for training.
    """
    out = np.zeros(len(target), dtype=bool)
    for c in np.unique(target):
        rows = np.flatnonzero(target == c)
        different, number = np.unique(keys[rows], return_inverse=True)
        count = min(int(np.ceil(share * len(different))), len(different) - 2)
        out[rows] = number < count
    return out


def triplet_loss(torch: Any, features: Any, target: Any, margin: float) -> Any:
    """The loss of unit rows (B, d) with semi-hard negatives; the mean over pairs that have any."""
    far = 1.0 - features @ features.T
    same = target[:, None] == target[None, :]
    pair = same & ~torch.eye(len(target), dtype=torch.bool)
    beyond = (far[:, None, :] > far[:, :, None]) & ~same[:, None, :]  # (a, p, n)
    wide = far[:, None, :].expand(beyond.shape)
    nearest = wide.masked_fill(~beyond, float("inf")).amin(dim=2)
    farthest = far.masked_fill(same, float("-inf")).amax(dim=1)[:, None].expand(nearest.shape)
    negative = torch.where(beyond.any(dim=2), nearest, farthest)
    losses = torch.clamp(far - negative + margin, min=0.0)[pair]
    return losses.sum() / torch.clamp((losses > 0).sum(), min=1)


def batches(
    target: np.ndarray, rows: np.ndarray, settings: FiveStageSettings, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Endless batches: row numbers of `batch_taxa` classes with `batch_crops` crops each."""
    members = [rows[target[rows] == c] for c in np.unique(target[rows])]
    taxa, crops = min(settings.batch_taxa, len(members)), settings.batch_crops
    while True:
        chosen = rng.permutation(len(members))[:taxa]
        yield np.concatenate([
            rng.choice(members[c], size=crops, replace=len(members[c]) < crops) for c in chosen
        ])


def _train(
    torch: Any, values: np.ndarray, target: np.ndarray, held: np.ndarray,
    settings: FiveStageSettings, rng: np.random.Generator,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    layers = _start(torch, values.shape[1], settings, rng)
    optimiser = torch.optim.AdamW(
        layers, lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    inputs, labels = torch.from_numpy(values), torch.from_numpy(target.astype(np.int64))
    draw = batches(target, np.flatnonzero(~held), settings, rng)
    best, kept, waited = float("inf"), _arrays(layers), 0
    for step in range(1, settings.steps + 1):
        batch = torch.from_numpy(next(draw))
        optimiser.zero_grad()
        triplet_loss(torch, _forward(torch, layers, inputs[batch]), labels[batch],
                     settings.margin).backward()
        optimiser.step()
        if step % settings.check_every and step < settings.steps:
            continue
        with torch.no_grad():
            features = _forward(torch, layers, inputs).numpy()
        loss = centroid_loss(features, target, held, settings.margin)
        if loss < best - 1e-6 or not held.any():
            best, kept, waited = loss, _arrays(layers), 0
        else:
            waited += 1
        if waited >= settings.patience:
            break
    return kept[::2], kept[1::2]


def centroid_loss(
    features: np.ndarray, target: np.ndarray, held: np.ndarray, margin: float
) -> float:
    """Mean over held-out rows of max(0, d(own centroid) - d(nearest other) + margin)."""
    if not held.any():
        return 0.0
    labels, number = np.unique(target, return_inverse=True)
    vectors = mean_directions(features[~held], number[~held], len(labels))
    far = 1.0 - np.asarray(features[held], dtype=np.float64) @ vectors.T
    rows, own = np.arange(len(far)), number[held]
    right = far[rows, own]
    far[rows, own] = np.inf
    return float(np.maximum(right - far.min(axis=1) + margin, 0.0).mean())


def _start(
    torch: Any, dims: int, settings: FiveStageSettings, rng: np.random.Generator
) -> list[Any]:
    """W1, b1, W2, b2 with He's variance, as tensors that learn."""
    sizes = (dims, settings.hidden, settings.output)
    out = []
    for below, above in zip(sizes[:-1], sizes[1:], strict=True):
        weights = rng.normal(0.0, np.sqrt(2.0 / below), (below, above)).astype(np.float32)
        for values in (weights, np.zeros(above, dtype=np.float32)):
            out.append(torch.from_numpy(values).requires_grad_(True))
    return out


def _forward(torch: Any, layers: list[Any], inputs: Any) -> Any:
    hidden = torch.relu(inputs @ layers[0] + layers[1])
    return torch.nn.functional.normalize(hidden @ layers[2] + layers[3], dim=1)


def _arrays(layers: list[Any]) -> list[np.ndarray]:
    return [layer.detach().numpy().copy() for layer in layers]


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Small products: one thread, which also makes sums repeat exactly; put back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
