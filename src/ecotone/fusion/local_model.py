"""The local model: a pool of linear heads on one embedding, small enough to keep as an ONNX graph.

D embedding dimensions, d projected dimensions, H heads, K local classes.

    z = project(x / |x|);  p = sum_h mix_h softmax(z W_h + b_h);  p <- softmax(log p / temperature)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError

FLOOR = 1e-7  # added to the pooled probability before its logarithm


@dataclass(frozen=True, eq=False)
class LocalModel:
    """A pool of linear heads over a normalised, projected embedding.

    classes: K names. mean: (D,). projection: (D, d). unit: whether the projected vector is scaled
    to length 1 again. weights: (H, d, K). bias: (H, K). mix: (H,) sums to 1. temperature: > 0.
    """

    classes: tuple[str, ...]
    mean: np.ndarray
    projection: np.ndarray
    unit: bool
    weights: np.ndarray
    bias: np.ndarray
    mix: np.ndarray
    temperature: float = 1.0

    def __post_init__(self) -> None:
        for name in ("mean", "projection", "weights", "bias", "mix"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float32))
        object.__setattr__(self, "classes", tuple(str(c) for c in self.classes))
        dims, small = self.projection.shape
        heads, k = self.bias.shape
        if self.mean.shape != (dims,) or self.weights.shape != (heads, small, k):
            raise InputError(
                f"LocalModel: weights {self.weights.shape}, expected {(heads, small, k)}."
            )
        if k != len(self.classes) or self.mix.shape != (heads,):
            raise InputError(f"LocalModel: {k} columns and {len(self.classes)} classes differ.")

    @property
    def classes_(self) -> np.ndarray:
        """The K local classes, in the order of the columns."""
        return np.asarray(self.classes, dtype=object)

    @property
    def n_features_in_(self) -> int:
        """D, the length of the embeddings it takes."""
        return len(self.mean)

    def features(self, embeddings: np.ndarray) -> np.ndarray:
        """The projected features (M, d) of embeddings (M, D)."""
        x = np.asarray(embeddings, dtype=np.float32)
        if x.ndim != 2 or x.shape[1] != len(self.mean):
            raise InputError(
                f"local model: embeddings have shape {x.shape}, expected (M, {len(self.mean)}); "
                "use the encoder that the model was trained with."
            )
        return project(x, self.mean, self.projection, self.unit)

    def predict_proba(self, embeddings: np.ndarray) -> np.ndarray:
        """Local probabilities (M, K) of embeddings (M, D); rows sum to 1.

        Raises InputError when D is not the D of training.
        """
        z = self.features(embeddings)
        pooled = np.zeros((len(z), len(self.classes)), dtype=np.float32)
        for weights, bias, mix in zip(self.weights, self.bias, self.mix, strict=True):
            pooled += mix * softmax(z @ weights + bias)
        return softmax(np.log(pooled + FLOOR) / np.float32(self.temperature))

    def predict(self, embeddings: np.ndarray) -> np.ndarray:
        """The most probable local class of each embedding, (M,) str."""
        return self.classes_[self.predict_proba(embeddings).argmax(axis=1)]


def project(x: np.ndarray, mean: np.ndarray, projection: np.ndarray, unit: bool) -> np.ndarray:
    """Scale rows to length 1, centre, project, and scale again when `unit`."""
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    z = (x - mean) @ projection
    if unit:
        z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    return z


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
