"""Trains the demo's global model on another generated region and writes it as an ONNX file.

n pictures, F features, D embedding dimensions, S global classes.

    bytes -> one picture's own mean 0 and deviation 1 -> 6 x 6 whitened filters, stride 2 -> ReLU
    -> means over 4 x 4 places (F) -> dense, ReLU (D, the embedding) -> dense -> softmax (S)

Filters are patches of the lessons themselves; the dense layers are trained by Adam.

Source: filters from data of Coates and Ng 2011; Adam of Kingma and Ba 2015.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.bundle.onnx_proto import FLOAT, UINT8, make_model, node, save_model, tensor, value_info
from ecotone.simulate.lessons import CONTEXT, SIDE

FILTERS = 128
PATCH, STRIDE, PLACES = 6, 2, 4
MAP = (SIDE - PATCH) // STRIDE + 1
HIDDEN = 160
EPOCHS = 14
BATCH = 128
RATE, DECAY, DROP = 2e-3, 2e-3, 0.4
FILE = "global_model.onnx"


@dataclass(frozen=True, eq=False)
class Dense:
    """The trained layers: features (F) to embedding (D) to logits (S)."""

    mean: np.ndarray
    scale: np.ndarray
    first: np.ndarray
    first_bias: np.ndarray
    second: np.ndarray
    second_bias: np.ndarray


def train_global_model(
    pictures: np.ndarray, labels: np.ndarray, classes: list[str], folder: Path, seed: int = 0,
    progress: Callable[[int, int | None, str], None] | None = None,
) -> tuple[Path, Path]:
    """Train on pictures (n, 96, 96, 3) uint8 with labels (n,) and write the model to `folder`.

    Returns the paths of the .onnx file and of the list of its classes; beside them stands a JSON
    file that declares the preprocessing.
    """
    rng = np.random.default_rng([seed, 6])
    weights, bias = learn_filters(pictures, rng)
    features = extract(pictures, weights, bias)
    mirrored = extract(pictures[:, :, ::-1], weights, bias)
    both = np.concatenate([features, mirrored])
    dense = train_dense(both, np.tile(labels, 2), len(classes), rng, progress)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    save_model(whole_graph(weights, bias, dense), path)
    declared = {"preprocessing": {"width": SIDE, "height": SIDE, "dtype": "uint8", "layout": "NHWC",
                                  "resize": "squash", "interpolation": "bicubic",
                                  "context": CONTEXT, "square": True},
                "output": "probabilities", "embedding": "embedding"}
    path.with_suffix(".json").write_text(json.dumps(declared, indent=1), encoding="utf-8")
    names = folder / "global_classes.txt"
    names.write_text("\n".join(classes) + "\n", encoding="utf-8")
    return path, names


def learn_filters(pictures: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Whitened filters (FILTERS, 3, 6, 6) and their biases: exemplars among random patches."""
    rows = rng.integers(len(pictures), size=20_000)
    y, x = rng.integers(SIDE - PATCH, size=(2, len(rows)))
    normal = _standardised(pictures[np.unique(rows)])
    which = np.searchsorted(np.unique(rows), rows)
    steps = np.arange(PATCH)
    patches = normal[which[:, None, None], y[:, None, None] + steps[:, None],
                     x[:, None, None] + steps]
    flat = patches.transpose(0, 3, 1, 2).reshape(len(rows), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((flat - mean).T))
    whitening = (vectors / np.sqrt(values + 0.02 * values[-1])) @ vectors.T
    white = (flat - mean) @ whitening
    length = np.linalg.norm(white, axis=1)
    busy = np.flatnonzero(length > np.quantile(length, 0.5))[:FILTERS]
    atoms = white[busy] / length[busy, None]
    kernel = whitening @ atoms.T
    answers = (flat - mean) @ kernel
    threshold = np.quantile(answers, 0.85, axis=0)
    weights = kernel.T.reshape(-1, 3, PATCH, PATCH).astype(np.float32)
    return weights, (-mean @ kernel - threshold).astype(np.float32)


def _standardised(pictures: np.ndarray) -> np.ndarray:
    values = pictures.astype(np.float32)
    mean = values.mean(axis=(1, 2, 3), keepdims=True)
    deviation = values.std(axis=(1, 2, 3), keepdims=True)
    return (values - mean) / (deviation + 8.0)


def _feature_nodes(weights: np.ndarray, bias: np.ndarray) -> tuple[list[Any], list[Any]]:
    """Nodes and constants from "picture" (bytes, NHWC) to "features" (N, F)."""
    window = MAP // PLACES
    nodes = [
        node("Cast", ["picture"], ["bytes"], to=FLOAT),
        node("Transpose", ["bytes"], ["planes"], perm=[0, 3, 1, 2]),
        node("ReduceMean", ["planes"], ["mean"], axes=[1, 2, 3], keepdims=1),
        node("Sub", ["planes", "mean"], ["centred"]),
        node("Mul", ["centred", "centred"], ["square"]),
        node("ReduceMean", ["square"], ["variance"], axes=[1, 2, 3], keepdims=1),
        node("Sqrt", ["variance"], ["deviation"]),
        node("Add", ["deviation", "softening"], ["divisor"]),
        node("Div", ["centred", "divisor"], ["normal"]),
        node("Conv", ["normal", "filters", "thresholds"], ["answers"], strides=[STRIDE, STRIDE]),
        node("Relu", ["answers"], ["codes"]),
        node("AveragePool", ["codes"], ["means"], kernel_shape=[window, window],
             strides=[window, window]),
        node("Sqrt", ["means"], ["roots"]),
        node("Flatten", ["roots"], ["features"]),
    ]
    constants = [tensor("softening", np.array([8.0], np.float32)), tensor("filters", weights),
                 tensor("thresholds", bias)]
    return nodes, constants


def extract(pictures: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Features (n, F) float32 by the very graph that goes into the model."""
    import onnxruntime as ort

    nodes, constants = _feature_nodes(weights, bias)
    model = make_model(nodes, [value_info("picture", UINT8, ["N", SIDE, SIDE, 3])],
                       [value_info("features", FLOAT, ["N", FILTERS * PLACES**2])], constants)
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), settings,
                                   providers=["CPUExecutionProvider"])
    blocks = [session.run(None, {"picture": np.ascontiguousarray(pictures[i : i + 64])})[0]
              for i in range(0, len(pictures), 64)]
    return np.concatenate(blocks)


def train_dense(features: np.ndarray, labels: np.ndarray, classes: int, rng: np.random.Generator,
                progress: Callable[[int, int | None, str], None] | None = None) -> Dense:
    """Two dense layers by Adam on the cross-entropy, with dropout and decay of the weights."""
    mean, scale = features.mean(axis=0), 1 / (features.std(axis=0) + 1e-4)
    x = (features - mean) * scale
    sizes = (x.shape[1], HIDDEN, classes)
    layers = [
        rng.normal(0, np.sqrt(2 / sizes[0]), (sizes[0], sizes[1])).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        rng.normal(0, np.sqrt(1 / HIDDEN), (HIDDEN, classes)).astype(np.float32),
        np.zeros(classes, np.float32),
    ]
    first, second = ([np.zeros_like(w) for w in layers] for _ in range(2))
    step, steps = 0, EPOCHS * (len(x) // BATCH)
    for epoch in range(EPOCHS):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            step += 1
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            gradients = _gradients(layers, x[rows], labels[rows], rng)
            for w, g, m, v in zip(layers, gradients, first, second, strict=True):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                corrected = np.sqrt(v / (1 - 0.999**step)) + 1e-7
                w -= np.float32(rate) * (m / (1 - 0.9**step) / corrected + DECAY * w)
        if progress is not None:
            progress(epoch + 1, EPOCHS, "training the global model")
    return Dense(mean, scale, *layers)


def _gradients(layers: list[np.ndarray], x: np.ndarray, labels: np.ndarray,
               rng: np.random.Generator) -> list[np.ndarray]:
    w1, b1, w2, b2 = layers
    keep = np.float32(1 - DROP)
    x = x * (rng.random(x.shape, dtype=np.float32) < keep) / keep
    hidden = np.maximum(x @ w1 + b1, 0)
    logits = hidden @ w2 + b2
    error = np.exp(logits - logits.max(axis=1, keepdims=True))
    error /= error.sum(axis=1, keepdims=True)
    error[np.arange(len(x)), labels] -= 1
    error /= len(x)
    back = (error @ w2.T) * (hidden > 0)
    return [x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]


def whole_graph(weights: np.ndarray, bias: np.ndarray, dense: Dense) -> Any:
    """The model: "picture" to "probability" (N, S), with "embedding" (N, D) on the way."""
    nodes, constants = _feature_nodes(weights, bias)
    # The features' standardisation is folded into the first dense layer.
    first = dense.first * dense.scale[:, None]
    constants += [
        tensor("first", first.astype(np.float32)),
        tensor("first_bias", (dense.first_bias - dense.mean @ first).astype(np.float32)),
        tensor("second", dense.second),
        tensor("second_bias", dense.second_bias),
    ]
    nodes += [
        node("Gemm", ["features", "first", "first_bias"], ["hidden"]),
        node("Relu", ["hidden"], ["embedding"]),
        node("Gemm", ["embedding", "second", "second_bias"], ["logits"]),
        node("Softmax", ["logits"], ["probability"], axis=1),
    ]
    return make_model(
        nodes,
        [value_info("picture", UINT8, ["N", SIDE, SIDE, 3])],
        [value_info("probability", FLOAT, ["N", dense.second.shape[1]])],
        constants,
        name="generated global model",
    )
