"""From a network's raw outputs to probabilities and embeddings, and which tensors to take.

n pictures, S classes, D embedding dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ecotone.backends.graph import SIGMOID, SOFTMAX, Graph, find_head
from ecotone.errors import BackendError
from ecotone.media.preprocess import Preprocessing

SLACK = 0.06  # scores quantised to 1/256 sum to a little more or less than 1


@dataclass(frozen=True)
class Tensors:
    """The names of the tensors to read, "" for none, and the operation that ends the network."""

    scores: str
    embedding: str
    final: str


def choose_tensors(graph: Graph, output: str, classes: bool, embedding: str = "") -> Tensors:
    """Where scores and embeddings stand in a network.

    output: the tensor of the scores, or of an encoder's embedding. A network is a classifier when
    `classes` are known or it ends in a softmax: then the embedding is the layer before its last
    dense layer. Otherwise its output is the embedding. A tensor that is named is taken as it is.
    """
    head = find_head(graph, output)
    classifier = classes or head.final == SOFTMAX
    if not embedding:
        embedding = head.pooled if classifier else output
    return Tensors(output if classes else "", embedding, head.final)


def output_kind(
    declared: str, final: str, probe: Callable[[], np.ndarray], where: str
) -> tuple[str, str]:
    """What the raw scores are, and how that is known: (kind, "declared" | "graph" | "measured").

    A network that ends in a softmax gives probabilities, in a sigmoid independent ones. Any other
    is tried on `probe()`, raw outputs (n, S) of made-up pictures: probabilities only if no value
    is negative and all rows sum to 1; else logits.

    Raises BackendError when declared probabilities are none.
    """
    if final in (SOFTMAX, SIGMOID) and not declared:
        return ("probabilities" if final == SOFTMAX else "independent"), "graph"
    raw = probe()
    sums = bool(raw.min() >= -1e-3 and np.abs(raw.sum(axis=1) - 1).max() <= SLACK)
    if declared == "probabilities" and not sums:
        raise BackendError(
            f'{where}: outputs are declared "probabilities", but a row sums to '
            f'{float(raw.sum(axis=1)[0]):.3g}; declare "output": "logits".'
        )
    if declared:
        return declared, "declared"
    return ("probabilities" if sums else "logits"), "measured"


def to_probabilities(raw: np.ndarray, kind: str) -> np.ndarray:
    """Raw scores (n, S) as probabilities float32 whose rows sum to at most 1.

    logits: softmax. independent: scaled down where a row sums to more than 1. probabilities: only
    rounding is mended; what a quantised row lacks to 1 stays lacking.
    """
    raw = np.asarray(raw, dtype=np.float32)
    if kind == "logits":
        e = np.exp(raw - raw.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    raw = np.maximum(raw, 0.0)
    return raw / np.maximum(raw.sum(axis=1, keepdims=True), 1.0)


def flatten_embedding(values: np.ndarray, channels_last: bool) -> np.ndarray:
    """A pooled tensor as (n, D) float32; where it has places left, their mean.

    Raises BackendError when it is neither (n, D) nor (n, D, height, width) or (n, h, w, D).
    """
    values = np.asarray(values, dtype=np.float32)
    if values.ndim == 4:
        return values.mean(axis=(1, 2) if channels_last else (2, 3))
    if values.ndim == 3 and values.shape[1] == 1:
        return values[:, 0]
    if values.ndim != 2:
        raise BackendError(
            f"the embedding has shape {values.shape}, expected (n, dimensions); name another "
            'tensor: {"embedding": "..."} beside the model.'
        )
    return values


def probe_batch(preprocessing: Preprocessing, count: int = 4, seed: int = 0) -> np.ndarray:
    """Made-up pictures (noise of several strengths) prepared for a network, (count, *shape)."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    size = (preprocessing.height, preprocessing.width, 3)
    batch = []
    for i in range(count):
        pixels = 128 + rng.normal(0, 1 + 30 * i, size)
        picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        batch.append(preprocessing.apply(picture))
    return np.stack(batch)
