"""Small ONNX classifiers with seeded weights, made with the `onnx` package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

SIZE, CHANNELS, CLASSES = 16, 8, 5


def build(path: Path, final: str = "Softmax", layout: str = "NCHW", batch: object = "n",
          size: object = SIZE, seed: int = 3) -> Path:
    """conv, relu, global average pool, flatten, gemm and perhaps a last operation, as .onnx."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    weights = {
        "kernel": rng.normal(0, 0.5, (CHANNELS, 3, 3, 3)),
        "shift": rng.normal(0, 0.1, (CHANNELS,)),
        "dense": rng.normal(0, 2.0, (CHANNELS, CLASSES)),
        "bias": rng.normal(0, 0.1, (CLASSES,)),
    }
    nodes = []
    first = "picture"
    if layout == "NHWC":
        nodes.append(helper.make_node("Transpose", ["picture"], ["chw"], perm=[0, 3, 1, 2]))
        first = "chw"
    last = "logits" if final else "scores"
    nodes += [
        helper.make_node("Conv", [first, "kernel", "shift"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense", "bias"], [last]),
    ]
    if final:
        nodes.append(helper.make_node(final, ["logits"], ["scores"]))
    shape = [batch, 3, size, size] if layout == "NCHW" else [batch, size, size, 3]
    graph = helper.make_graph(
        nodes, "small",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, CLASSES])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def onnx_model(tmp_path: Path) -> Callable[..., Path]:
    """A function that builds a small ONNX model in the test's folder, see `build`."""
    return lambda name="net.onnx", **options: build(tmp_path / name, **options)


@pytest.fixture
def labels_file(tmp_path: Path) -> Path:
    """Names of the five outputs of the small model."""
    path = tmp_path / "labels.txt"
    path.write_text("red deer\ngrey fox\nwild boar\nbadger\nblank\n", encoding="utf-8")
    return path
