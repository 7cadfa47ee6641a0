"""Small ONNX detectors for tests: whatever the picture, they put out what they were made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

W, H = 320, 256
TRUE = np.array([[80.0, 64, 240, 192], [8, 8, 14, 14], [200, 20, 220, 60]])  # pixels of W x H
CONFIDENCE = np.array([0.9, 0.5, 0.1])
KIND = np.array([0, 1, 0])
NAMES = ["animal", "person", "vehicle"]


def middles(boxes: np.ndarray = TRUE) -> np.ndarray:
    """left top right bottom -> middle, width, height."""
    return np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])


def per_class(values: np.ndarray = CONFIDENCE, classes: int = 3) -> np.ndarray:
    """One column a class."""
    out = np.zeros((len(values), classes))
    out[np.arange(len(values)), KIND] = values
    return out


def yolov8(rows: int = 2000) -> np.ndarray:
    """(4 + C, A) of the boxes above, the rest zero."""
    out = np.zeros((rows, 7))
    out[:3] = np.hstack([middles(), per_class()])
    return out.T


def make_detector(
    path: Path, outputs: dict[str, np.ndarray], declared: dict[str, Any] | None = None, *,
    shape: tuple[Any, ...] = ("n", 3, H, W), metadata: dict[str, str] | None = None,
    kind: str = "FLOAT", flat: bool = False, other_inputs: tuple[str, ...] = (),
) -> Path:
    """Write a model with constant outputs, one row a picture (flat: no rows), and what is declared
    of it. The mean of the picture is added to every output times zero, so that a row stays one."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    element = getattr(TensorProto, kind)
    nodes = [
        helper.make_node("Cast", ["picture"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], axes=list(range(1, len(shape))),
                         keepdims=0),
        helper.make_node("Mul", ["mean", "nought"], ["nothing"]),
    ]
    constants = [numpy_helper.from_array(np.zeros(1, np.float32), "nought")]
    infos = []
    for name, value in outputs.items():
        array = np.asarray(value)
        array = array if array.dtype.kind == "i" else array.astype(np.float32)
        typed = TensorProto.INT64 if array.dtype.kind == "i" else TensorProto.FLOAT
        if flat:
            constants.append(numpy_helper.from_array(array, f"{name}_kept"))
            nodes.append(helper.make_node("Identity", [f"{name}_kept"], [name]))
            infos.append(helper.make_tensor_value_info(name, typed, list(array.shape)))
            continue
        constants.append(numpy_helper.from_array(array[None], f"{name}_kept"))
        constants.append(numpy_helper.from_array(
            np.array([-1, *[1] * array.ndim], dtype=np.int64), f"{name}_form"))
        nodes += [
            helper.make_node("Reshape", ["nothing", f"{name}_form"], [f"{name}_rows"]),
            helper.make_node("Cast", [f"{name}_rows"], [f"{name}_typed"], to=typed),
            helper.make_node("Add", [f"{name}_kept", f"{name}_typed"], [name]),
        ]
        infos.append(helper.make_tensor_value_info(name, typed, ["n", *array.shape]))
    inputs = [helper.make_tensor_value_info("picture", element, list(shape))]
    inputs += [helper.make_tensor_value_info(n, TensorProto.INT64, ["n", 2]) for n in other_inputs]
    graph = helper.make_graph(nodes, "constant", inputs, infos, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
    if declared is not None:
        path.with_suffix(".json").write_text(json.dumps({"detector": declared}), "utf-8")
    return path
