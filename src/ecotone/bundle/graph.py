"""The local model as an ONNX graph: the head alone, and joined to an ONNX backbone.

N rows, D embedding dimensions, d projected dimensions, H heads, K local classes.

    clip to float16 -> float16 -> float32 -> / length -> - mean -> @ projection (-> / length)
    -> @ weights + bias (N, H * K) -> softmax of each head -> mix -> log -> / temperature -> softmax

The embedding is rounded to float16 first because the catalogue keeps it so: then a picture gets the
probabilities from the graph that it got in the project.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.bundle.onnx_proto import (
    FLOAT,
    FLOAT16,
    add_output,
    make_model,
    node,
    opset,
    tensor,
    value_info,
)
from ecotone.bundle.surgery import prefix_names, prune
from ecotone.errors import BackendError
from ecotone.fusion.local_model import FLOOR

if TYPE_CHECKING:
    from ecotone.fusion.local_model import LocalModel

OPSET = 17
EMBEDDING, PROBABILITY = "embedding", "probability"
HALF_MAX = 65504.0  # the largest float16
TINY = 1e-12  # the shortest length that is divided by
OLDEST = 9  # operators broadcast in the way used here since opset 8, Cast is whole since 9
BACKBONE = "backbone/"
STALE = ("classes", "names", "labels", "preprocessing", "embedding", "output")


@dataclass
class _Builder:
    """Collects nodes and constants under one prefix, in the words of one opset."""

    prefix: str
    version: int
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        self.constants.append(tensor(self.prefix + name, np.asarray(values, dtype=dtype)))
        return self.prefix + name

    def op(self, op: str, name: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(node(op, inputs, [self.prefix + name], **attributes))
        return self.prefix + name

    def over_axes(self, op: str, name: str, value: str, axes: list[int], **more: Any) -> str:
        """An operation over axes, which moved from an attribute to an input: opset 13, mean 18."""
        since = 18 if op == "ReduceMean" else 13
        if self.version < since:
            return self.op(op, name, value, axes=axes, **more)
        return self.op(op, name, value, self.constant(name + "_axes", axes, np.int64), **more)

    def unit(self, name: str, value: str) -> str:
        """Rows scaled to length 1."""
        square = self.op("Mul", name + "_square", value, value)
        total = self.over_axes("ReduceSum", name + "_total", square, [1], keepdims=1)
        root = self.op("Sqrt", name + "_root", total)
        length = self.op("Max", name + "_length", root, self.constant(name + "_tiny", TINY))
        return self.op("Div", name, value, length)


def head_graph(model: LocalModel, metadata: Mapping[str, str] | None = None) -> Any:
    """The ONNX model of a local model: "embedding" (N, D) float32 to "probability" (N, K).

    The names of the classes stand in its metadata under "classes", as a JSON list.
    """
    builder = _Builder("head/", OPSET)
    builder.op("Identity", "input", EMBEDDING)
    _head(builder, "head/input", model)
    return make_model(
        builder.nodes,
        [value_info(EMBEDDING, FLOAT, ["N", model.n_features_in_])],
        [value_info(PROBABILITY, FLOAT, ["N", len(model.classes)])],
        builder.constants,
        name="ecotone local model",
        opset_version=OPSET,
        metadata={"classes": json.dumps(list(model.classes)), **(metadata or {})},
    )


def _head(builder: _Builder, source: str, model: LocalModel) -> None:
    """Nodes from a float32 tensor (N, D) named `source` to "probability"."""
    b, (heads, k) = builder, model.bias.shape
    low = b.op("Min", "low", source, b.constant("half_max", HALF_MAX))
    inside = b.op("Max", "inside", low, b.constant("half_min", -HALF_MAX))
    half = b.op("Cast", "half", inside, to=FLOAT16)
    x = b.unit("unit", b.op("Cast", "float", half, to=FLOAT))
    centred = b.op("Sub", "centred", x, b.constant("mean", model.mean))
    z = b.op("MatMul", "projected", centred, b.constant("projection", model.projection))
    z = b.unit("unit_projected", z) if model.unit else z
    # All heads in one product: columns h * K + k.
    weights = model.weights.transpose(1, 0, 2).reshape(-1, heads * k)
    product = b.op("MatMul", "product", z, b.constant("weights", weights))
    logits = b.op("Add", "logits", product, b.constant("bias", model.bias.reshape(-1)))
    shape = b.constant("shape", [0, heads, k], np.int64)
    each = b.op("Softmax", "each", b.op("Reshape", "heads", logits, shape), axis=2)
    mixed = b.op("Mul", "mixed", each, b.constant("mix", model.mix.reshape(1, heads, 1)))
    pooled = b.over_axes("ReduceSum", "pooled", mixed, [1], keepdims=0)
    log = b.op("Log", "log", b.op("Add", "floored", pooled, b.constant("floor", FLOOR)))
    scaled = b.op("Div", "scaled", log, b.constant("temperature", model.temperature))
    b.nodes.append(node("Softmax", [scaled], [PROBABILITY], axis=1))


def merged_graph(
    backbone: Any,
    model: LocalModel,
    embedding: str,
    folder: Path,
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """Backbone and head in one ONNX model: picture to "embedding" (N, D) and "probability" (N, K).

    backbone: a ModelProto, which is changed in place (networks are large) and returned. embedding:
    name of its pooled tensor, of shape (N, D), (N, 1, D) or (N, D, h, w). folder: where weights in
    files of their own stand. What the two outputs do not need is left out. The preprocessing stays
    outside and is declared.

    Raises BackendError, with the backbone unchanged, when it cannot be joined: an opset before 9,
    or no such tensor.
    """
    version = opset(backbone)
    if version < OLDEST:
        raise BackendError(f"the backbone has opset {version}; joining needs opset {OLDEST}.")
    rank = _rank(backbone, embedding, folder)
    graph = backbone.graph
    prefix_names(graph, BACKBONE, reserved={EMBEDDING, PROBABILITY})
    _tidy(backbone)
    builder = _Builder("head/", version)
    _flatten(builder, BACKBONE + embedding, rank)
    _head(builder, EMBEDDING, model)
    graph.node.extend(builder.nodes)
    graph.initializer.extend(builder.constants)
    rows = _batch_size(graph)
    del graph.output[:]
    graph.output.extend([
        value_info(PROBABILITY, FLOAT, [rows, len(model.classes)]),
        value_info(EMBEDDING, FLOAT, [rows, model.n_features_in_]),
    ])
    prune(graph)
    for key, value in {"classes": json.dumps(list(model.classes)), **(metadata or {})}.items():
        backbone.metadata_props.add(key=key, value=value)
    return backbone


def _flatten(builder: _Builder, source: str, rank: int) -> None:
    """Nodes from the backbone's pooled tensor to "embedding" (N, D) float32."""
    value = builder.op("Cast", "pooled_float", source, to=FLOAT)
    if rank == 4:
        value = builder.over_axes("ReduceMean", "flat", value, [2, 3], keepdims=0)
    elif rank == 3:
        value = builder.over_axes("Squeeze", "flat", value, [1])
    builder.nodes.append(node("Identity", [value], [EMBEDDING]))


def _tidy(model: Any) -> None:
    """Stored tensors are constants, not inputs; what was said of the old outputs is gone."""
    stored = {t.name for t in model.graph.initializer}
    inputs = [v for v in model.graph.input if v.name not in stored]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)  # since then constants need not be inputs
    kept = [entry for entry in model.metadata_props if entry.key not in STALE]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)


def _batch_size(graph: Any) -> int | str:
    dims = graph.input[0].type.tensor_type.shape.dim
    if dims and dims[0].HasField("dim_value") and dims[0].dim_value > 0:
        return dims[0].dim_value
    return dims[0].dim_param or "N" if dims else "N"


def _rank(backbone: Any, embedding: str, folder: Path) -> int:
    """How many axes the pooled tensor has: as stated in the file, else inferred by ONNX Runtime."""
    graph = backbone.graph
    stated = [v for v in (*graph.output, *graph.value_info) if v.name == embedding]
    shape: list[Any] | None = None
    if stated and stated[0].type.tensor_type.HasField("shape"):
        shape = [d.dim_value or None for d in stated[0].type.tensor_type.shape.dim]
    if shape is None:
        outputs = len(graph.output)
        try:
            add_output(backbone, embedding)
            shape = _inferred(backbone, embedding, folder)
        finally:
            del graph.output[outputs:]
    if len(shape) not in (2, 3, 4) or (len(shape) == 3 and shape[1] != 1):
        raise BackendError(f"the tensor {embedding!r} has shape {shape}, expected (N, dimensions).")
    return len(shape)


def _inferred(model: Any, name: str, folder: Path) -> list[Any]:
    """The shape of an output as ONNX Runtime infers it."""
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    key = "session.model_external_initializers_file_folder_path"
    settings.add_session_config_entry(key, str(folder.resolve()))
    try:
        session = ort.InferenceSession(
            model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )
    # ONNX Runtime raises its own types and plain RuntimeError alike.
    except Exception as error:
        text = str(error).splitlines()[0]
        raise BackendError(f"the backbone cannot be loaded ({text}).") from error
    return list(next(o.shape for o in session.get_outputs() if o.name == name) or [])
