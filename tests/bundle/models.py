"""Seeded local models and ONNX backbones for the tests of this folder."""

from __future__ import annotations

import numpy as np

from ecotone.bundle import onnx_proto as o
from ecotone.fusion.local_model import LocalModel

SIDE = 32


def local_model(
    dims: int = 12, small: int = 7, k: int = 5, heads: int = 3, unit: bool = True, seed: int = 0,
    temperature: float = 0.8, scale: float = 4.0,
) -> LocalModel:
    rng = np.random.default_rng(seed)
    projection = np.linalg.qr(rng.normal(size=(dims, dims)))[0][:, :small]
    return LocalModel(
        tuple(f"class {i}" for i in range(k)), rng.normal(0, 0.05, dims), projection, unit,
        rng.normal(0, scale, (heads, small, k)), rng.normal(size=(heads, k)),
        rng.dirichlet(np.ones(heads)), temperature,
    )


def embeddings(n: int, dims: int, seed: int = 1, scale: float = 3.0) -> np.ndarray:
    """Random embeddings (n, dims) that float16 holds exactly."""
    values = np.random.default_rng(seed).normal(0, scale, (n, dims))
    return values.astype(np.float16).astype(np.float32)


def backbone(
    dims: int = 12, classes: int = 4, opset: int = 17, rank: int = 2, seed: int = 0,
    rows: int | str = "batch", half: bool = False,
):
    """A picture classifier (rows, 3, 32, 32): "features" is its pooled tensor, "scores" its output.

    rank: axes of "features": (n, D), (n, 1, D) or (n, D, 1, 1).
    """
    rng = np.random.default_rng(seed)
    real = np.float16 if half else np.float32
    weights = [
        o.tensor("kernel", rng.normal(0, 0.3, (dims, 3, 5, 5)).astype(real)),
        o.tensor("dense", rng.normal(0, 0.5, (dims, classes)).astype(real)),
        o.tensor("unused", np.zeros(1000, np.float32)),
    ]
    source = "image"
    nodes = []
    if half:
        nodes.append(o.node("Cast", ["image"], ["image16"], to=o.FLOAT16))
        source = "image16"
    nodes += [
        o.node("Conv", [source, "kernel"], ["conv"], strides=[2, 2]),
        o.node("Relu", ["conv"], ["embedding"]),  # a name that the joined graph uses for another
        o.node("GlobalAveragePool", ["embedding"], ["features" if rank == 4 else "pool"]),
    ]
    flat = "features"
    if rank == 3:
        weights.append(o.tensor("shape3", np.array([0, 1, dims])))
        nodes.append(o.node("Reshape", ["pool", "shape3"], ["features"]))
    if rank == 2:
        nodes.append(o.node("Flatten", ["pool"], ["features"], axis=1))
    if rank != 2:
        weights.append(o.tensor("shape2", np.array([0, dims])))
        nodes.append(o.node("Reshape", ["features", "shape2"], ["flat"]))
        flat = "flat"
    nodes += [
        o.node("MatMul", [flat, "dense"], ["logits"]),
        o.node("Softmax", ["logits"], ["scores"], axis=1),
        o.node("Identity", ["unused"], ["nothing"]),
    ]
    return o.make_model(
        nodes, [o.value_info("image", o.FLOAT, [rows, 3, SIDE, SIDE])],
        [o.value_info("scores", o.FLOAT16 if half else o.FLOAT, [rows, classes])], weights,
        name="test", opset_version=opset,
        metadata={"classes": '["a", "b", "c", "d"]', "license": "CC0-1.0"},
    )
