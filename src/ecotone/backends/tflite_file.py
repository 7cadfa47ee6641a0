"""What a .tflite file says of itself: its graph, its metadata, its label file.

Source: TensorFlow Lite's schema (schema.fbs) and metadata schema (metadata_schema.fbs); the field
numbers below are theirs. A label file may be packed as a zip archive at the end of the file.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.backends.flatbuffer import Table
from ecotone.backends.graph import DENSE, OTHER, PASS, SIGMOID, SOFTMAX, Graph, Node
from ecotone.backends.labels import decode_text
from ecotone.errors import BackendError

OPCODES, SUBGRAPHS, BUFFERS, METADATA = 1, 2, 4, 6  # of the model
TENSORS, OUTPUTS, OPERATORS = 0, 2, 3  # of a subgraph
KINDS = {
    0: PASS,  # ADD (of a bias)
    1: PASS,  # AVERAGE_POOL_2D
    3: DENSE,  # CONV_2D
    6: PASS,  # DEQUANTIZE
    9: DENSE,  # FULLY_CONNECTED
    14: SIGMOID,  # LOGISTIC
    22: PASS,  # RESHAPE
    25: SOFTMAX,
    40: PASS,  # MEAN
    43: PASS,  # SQUEEZE
    53: PASS,  # CAST
    70: PASS,  # EXPAND_DIMS
    114: PASS,  # QUANTIZE
    126: DENSE,  # BATCH_MATMUL
}
NORMALIZATION = 1  # of the metadata's process unit options


def read_model(path: Path) -> bytes:
    """The bytes of a .tflite file. Raises BackendError when it is not one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BackendError(f"{path}: cannot be read ({error.strerror}).") from None
    if data[4:8] != b"TFL3":
        raise BackendError(f"{path}: not a TFLite model, although it is named .tflite.")
    return data


def read_graph(data: bytes) -> Graph:
    """The operations of the first subgraph; tensors are named by their index."""
    model = Table.root(data)
    # Newer files keep the code in field 3, older ones in the byte of field 0.
    codes = [max(c.number(0, "b"), c.number(3)) for c in model.tables(OPCODES)]
    stored = [len(b.array(0, "u1")) > 0 or b.number(1, "Q") > 1 for b in model.tables(BUFFERS)]
    graph = next(model.tables(SUBGRAPHS))
    constants = frozenset(
        str(i)
        for i, tensor in enumerate(graph.tables(TENSORS))
        if (buffer := tensor.number(2, "I")) < len(stored) and stored[buffer]
    )
    nodes = tuple(
        Node(
            KINDS.get(codes[op.number(0, "I")], OTHER),
            tuple(str(i) if i >= 0 else "" for i in op.array(1, "i4")),
            tuple(str(i) for i in op.array(2, "i4")),
        )
        for op in graph.tables(OPERATORS)
    )
    return Graph(nodes, tuple(str(i) for i in graph.array(OUTPUTS, "i4")), constants)


def with_output(data: bytes, tensor: int) -> bytes:
    """The model with one more output: a tensor of the first subgraph.

    An interpreter gives the memory of inner tensors away as it goes; an output it keeps, at full
    speed. The new list of outputs is put at the end and the subgraph pointed to it.
    """
    graph = next(Table.root(data).tables(SUBGRAPHS))
    outputs = graph.array(OUTPUTS, "i4").tolist()
    slot = graph.slot(OUTPUTS)
    if tensor in outputs or slot is None:
        return data
    padded = data + b"\0" * (-len(data) % 4)
    vector = struct.pack(f"<I{len(outputs) + 1}i", len(outputs) + 1, *outputs, tensor)
    pointer = struct.pack("<I", len(padded) - slot)
    return padded[:slot] + pointer + padded[slot + 4 :] + vector


def read_normalization(data: bytes) -> dict[str, Any] | None:
    """The declaration in the model's metadata, None where it has none.

    Values are (byte - mean) / std by the metadata's definition.
    """
    model = Table.root(data)
    buffers = list(model.tables(BUFFERS))
    for entry in model.tables(METADATA):
        if entry.text(0) == "TFLITE_METADATA":
            packed = bytes(buffers[entry.number(1, "I")].array(0, "u1"))
            return _normalization(Table.root(packed))
    return None


def read_packed_labels(data: bytes) -> str | None:
    """The text of the first label file packed in the model, None where there is none."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return None
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [n for n in archive.namelist() if n.lower().endswith(".txt")]
        names.sort(key=lambda n: "label" not in n.lower())
        return decode_text(archive.read(names[0])) if names else None


def _normalization(metadata: Table) -> dict[str, Any] | None:
    for graph in metadata.tables(3):
        for tensor in graph.tables(2):
            for unit in tensor.tables(4):
                options = unit.table(1)
                if unit.number(0, "B") == NORMALIZATION and options is not None:
                    mean, std = options.array(0, "f4"), options.array(1, "f4")
                    if len(mean) and len(std):
                        return {"preprocessing": {"mean": _plain(mean), "std": _plain(std)}}
    return None


def _plain(values: np.ndarray) -> list[float]:
    return [float(v) for v in values]
