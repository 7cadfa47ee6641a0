"""ONNX models, run by ONNX Runtime.

n pictures, S classes, D embedding dimensions.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.backends.base import Outputs, check_options
from ecotone.backends.declare import Declaration, ModelInput, find_declaration, resolve
from ecotone.backends.graph import DENSE, OTHER, PASS, SIGMOID, SOFTMAX, Graph, Node
from ecotone.backends.labels import check_count, parse_classes, read_classes
from ecotone.backends.outputs import (
    choose_tensors,
    flatten_embedding,
    output_kind,
    probe_batch,
    to_probabilities,
)
from ecotone.backends.session import DTYPES, Network, first_line
from ecotone.errors import BackendError, FormatError

KINDS = {
    DENSE: ("Gemm", "MatMul", "Conv", "FusedMatMul", "FusedGemm", "FusedConv"),
    SOFTMAX: ("Softmax",),
    SIGMOID: ("Sigmoid",),
    PASS: (
        "Add", "Sub", "Mul", "Div", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze",
        "Identity", "Dropout", "Relu", "Clip", "LogSoftmax", "QuantizeLinear", "DequantizeLinear",
        "GlobalAveragePool", "AveragePool", "ReduceMean", "Transpose",
    ),
}  # fmt: skip
SCORES = "scores"  # the name of the probabilities in models of ecotone's training
KIND_OF = {op: kind for kind, ops in KINDS.items() for op in ops}


def open_onnx(argument: str, classes: Path | None = None, **options: Any) -> OnnxBackend:
    """Open an .onnx file, see `OnnxBackend`."""
    return OnnxBackend(Path(argument), classes, **check_options(OnnxBackend, options, argument))


class OnnxBackend:
    """A classifier and encoder in an .onnx file.

    classes: label file; without one, names in the model's metadata (`classes`, `names` or
    `labels`) are used if there are any. The embedding is the layer before the last dense layer, or
    the tensor named `embedding`. device: what runs it, see `providers.choose_providers`; notes: why
    another does. threads: of the processor.

    Raises BackendError, FormatError (labels), InputError (declaration).
    """

    def __init__(
        self,
        path: Path,
        classes: Path | None = None,
        preprocessing: Any = None,
        output: str = "",
        embedding: str = "",
        threads: int | None = None,
        device: str = "",
    ) -> None:
        from ecotone.bundle.onnx_proto import load_model

        self.path = path
        self._device, self._threads = device, max(1, threads or os.cpu_count() or 1)
        model = load_model(path)
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        self.classes = _classes(path, metadata, classes)
        plain = self._network_of(None)
        declared = find_declaration(path, preprocessing, _declared_inside(metadata))
        tensor = _input(path, plain.session)
        self._input, self._half = tensor.name, tensor.dtype == "float16"
        self._fixed = tensor.shape[0]
        self.preprocessing = resolve(path, tensor, declared)
        self._choose(model, plain.session, declared, embedding or declared.embedding)
        self._network = self._with_embedding(model, plain)
        self.device = self._network.device
        self.notes = [self._network.note] if self._network.note else []
        self._finish(output or declared.output, classes)

    def classify(self, batch: np.ndarray) -> np.ndarray:
        """Probabilities (n, S) float32 of prepared pictures (n, *preprocessing.shape)."""
        return self.run(batch, scores=True, embeddings=False).scores

    def encode(self, batch: np.ndarray) -> np.ndarray:
        """Embeddings (n, D) float32 of prepared pictures (n, *preprocessing.shape)."""
        return self.run(batch, scores=False, embeddings=True).embeddings

    def run(self, batch: np.ndarray, scores: bool = True, embeddings: bool = True) -> Outputs:
        """Both in one pass. Safe to call from several threads."""
        names = [n for n, want in ((self._scores, scores), (self.embedding, embeddings)) if want]
        found = dict(zip(names, self._outputs(batch, names), strict=True))
        raw = _rows(found[self._scores]) if scores else None
        return Outputs(
            None if raw is None else to_probabilities(raw, self.output),
            flatten_embedding(found[self.embedding], False) if embeddings else None,
        )

    def info(self) -> dict[str, Any]:
        """What must be written down to run the same again."""
        return {
            "spec": str(self.path),
            "file": str(self.path),
            "output": self.output,
            "outputKnownBy": self.output_source,
            "embedding": self.embedding,
            "dimension": self.dimension,
        }

    def _choose(self, model: Any, plain: Any, declared: Declaration, embedding: str) -> None:
        graph = read_graph(model)
        widths = {o.name: o.shape[-1] if o.shape else None for o in plain.get_outputs()}
        fitting = [n for n in graph.outputs if widths.get(n) == len(self.classes)]
        fitting.sort(key=lambda n: n != SCORES)  # an embedding may be as wide
        chosen = choose_tensors(
            graph, declared.scores or (fitting or graph.outputs)[0], bool(self.classes), embedding
        )
        known = {name for node in graph.nodes for name in node.outputs} | set(graph.outputs)
        for name in (chosen.scores, chosen.embedding):
            if name and name not in known:
                raise BackendError(f"{self.path}: no tensor is named {name!r} in it.")
        self._scores, self.embedding, self._final = chosen.scores, chosen.embedding, chosen.final

    def _with_embedding(self, model: Any, plain: Network) -> Network:
        from ecotone.bundle.onnx_proto import add_output

        inner = [n for n in (self._scores, self.embedding) if n]
        inner = [n for n in inner if n not in {o.name for o in plain.session.get_outputs()}]
        for name in inner:
            model = add_output(model, name) or model
        return self._network_of(model.SerializeToString()) if inner else plain

    def _finish(self, output: str, classes: Path | None) -> None:
        """Run made-up pictures: sizes of the outputs, and what kind of scores they are."""
        batch = probe_batch(self.preprocessing)
        self.dimension: int | None = None
        if self.embedding:
            found = self._outputs(batch[:1], [self.embedding])[0]
            self.dimension = flatten_embedding(found, False).shape[1]
        self.output, self.output_source, self.complete = "", "", True
        if not self._scores:
            return
        raw = _rows(self._outputs(batch, [self._scores])[0])
        check_count(self.classes, raw.shape[1], self.path.name, str(classes or self.path))
        self.output, self.output_source = output_kind(
            output, self._final, lambda: raw, str(self.path)
        )
        self.complete = self.output != "independent"

    def _network_of(self, data: bytes | None) -> Network:
        return Network(self.path, self._threads, self._device, data)

    def _outputs(self, batch: np.ndarray, names: list[str]) -> list[np.ndarray]:
        """Raw outputs of a batch; a network of fixed batch size is fed in pieces of that size."""
        size = self._fixed or self._network.step or max(1, len(batch))
        feeds = [{self._input: self._piece(batch[i : i + size], size)}
                 for i in range(0, max(1, len(batch)), size)]  # fmt: skip
        try:
            found = self._network.run(names, feeds)
        except Exception as error:
            raise BackendError(f"{self.path}: the model failed ({first_line(error)}).") from error
        return [np.concatenate([np.asarray(v, dtype=np.float32) for v in parts])[: len(batch)]
                for parts in zip(*found, strict=True)]  # fmt: skip

    def _piece(self, batch: np.ndarray, size: int) -> np.ndarray:
        """Pictures as the network takes them, filled up to its fixed batch size."""
        if self._fixed and len(batch) < size:
            rest = np.zeros((size - len(batch), *self.preprocessing.shape), batch.dtype)
            batch = np.concatenate([batch, rest])
        return batch.astype(np.float16) if self._half else batch


def read_graph(model: Any) -> Graph:
    """The operations of an ONNX model message."""
    graph = model.graph
    nodes = tuple(
        Node(KIND_OF.get(n.op_type, OTHER), tuple(n.input), tuple(n.output)) for n in graph.node
    )
    constants = frozenset(t.name for t in graph.initializer)
    return Graph(nodes, tuple(o.name for o in graph.output), constants)


def _rows(raw: np.ndarray) -> np.ndarray:
    return raw.reshape(len(raw), int(np.prod(raw.shape[1:])))


def _input(path: Path, session: Any) -> ModelInput:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(i.name for i in inputs)
        raise BackendError(f"{path}: it takes {len(inputs)} inputs ({names}), expected a picture.")
    shape = tuple(s if isinstance(s, int) and s > 0 else None for s in inputs[0].shape)
    return ModelInput(inputs[0].name, shape, DTYPES.get(inputs[0].type, inputs[0].type))


def _classes(path: Path, metadata: dict[str, str], file: Path | None) -> tuple[str, ...]:
    if file is not None:
        return read_classes(file)
    for key in ("classes", "names", "labels"):
        names = _names(metadata.get(key, ""))
        if names:
            return names
    return ()


def _names(text: str) -> tuple[str, ...]:
    """Class names in a metadata text: lines, JSON, or a Python literal as Ultralytics writes."""
    with contextlib.suppress(ValueError, SyntaxError):
        if text.startswith("{"):
            text = json.dumps(ast.literal_eval(text))
    try:
        return parse_classes(text)
    except FormatError:
        return ()  # other software's entry of that name


def _declared_inside(metadata: dict[str, str]) -> dict[str, Any] | None:
    """The declaration in a model's metadata: ours, or what Ultralytics' classifiers imply."""
    text = metadata.get("preprocessing", "")
    with contextlib.suppress(json.JSONDecodeError):
        value = json.loads(text) if text else None
        if isinstance(value, (dict, str)):
            return {"preprocessing": value}
    if metadata.get("author") == "Ultralytics" and metadata.get("task") == "classify":
        return {"preprocessing": {"preset": "unit", "resize": "crop", "interpolation": "bilinear"}}
    return None
