"""ONNX files as protobuf messages, without the 36 MB `onnx` package.

The messages below are described at import with the field numbers of the public ONNX schema and
kept in a pool of their own, so that they live beside the `onnx` package in one process. Fields that
are not listed are carried through as they are when a model is read and written again.

Source: the ONNX specification, onnx.proto (IR version 8, fields up to IR version 11).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from ecotone.errors import BackendError, InputError

PACKAGE = "ecotone.onnx"
# message: field number name type; a trailing * means repeated. Capital types are messages.
SCHEMA = {
    "StringStringEntryProto": "1 key string, 2 value string",
    "OperatorSetIdProto": "1 domain string, 2 version int64",
    "Dimension": "1 dim_value int64, 2 dim_param string, 3 denotation string",
    "TensorShapeProto": "1 dim Dimension*",
    "TensorTypeProto": "1 elem_type int32, 2 shape TensorShapeProto",
    "TypeProto": "1 tensor_type TensorTypeProto, 6 denotation string",
    "ValueInfoProto": "1 name string, 2 type TypeProto, 3 doc_string string",
    "TensorProto": (
        "1 dims int64*, 2 data_type int32, 4 float_data float*, 5 int32_data int32*, "
        "7 int64_data int64*, 8 name string, 9 raw_data bytes, 10 double_data double*, "
        "12 doc_string string, 13 external_data StringStringEntryProto*, 14 data_location int32"
    ),
    "SparseTensorProto": "1 values TensorProto, 2 indices TensorProto, 3 dims int64*",
    "AttributeProto": (
        "1 name string, 2 f float, 3 i int64, 4 s bytes, 5 t TensorProto, 6 g GraphProto, "
        "7 floats float*, 8 ints int64*, 9 strings bytes*, 10 tensors TensorProto*, "
        "11 graphs GraphProto*, 13 doc_string string, 20 type int32, 21 ref_attr_name string"
    ),
    "NodeProto": (
        "1 input string*, 2 output string*, 3 name string, 4 op_type string, "
        "5 attribute AttributeProto*, 6 doc_string string, 7 domain string"
    ),
    "TensorAnnotation": "1 tensor_name string",
    "GraphProto": (
        "1 node NodeProto*, 2 name string, 5 initializer TensorProto*, 10 doc_string string, "
        "11 input ValueInfoProto*, 12 output ValueInfoProto*, 13 value_info ValueInfoProto*, "
        "14 quantization_annotation TensorAnnotation*, 15 sparse_initializer SparseTensorProto*"
    ),
    "ModelProto": (
        "1 ir_version int64, 2 producer_name string, 3 producer_version string, 4 domain string, "
        "5 model_version int64, 6 doc_string string, 7 graph GraphProto, "
        "8 opset_import OperatorSetIdProto*, 14 metadata_props StringStringEntryProto*"
    ),
}
# Written packed by the public schema (the rest of the repeated numbers are not).
PACKED = {"float_data", "int32_data", "int64_data", "double_data"}

FLOAT, UINT8, INT8, INT32, INT64, FLOAT16, DOUBLE = 1, 2, 3, 6, 7, 10, 11  # TensorProto.DataType
ELEMENT = {
    FLOAT: "float32", UINT8: "uint8", INT8: "int8", INT32: "int32", INT64: "int64",
    FLOAT16: "float16", DOUBLE: "float64",
}  # fmt: skip
EXTERNAL = 1  # TensorProto.DataLocation
DEFAULT_DOMAINS = ("", "ai.onnx")


def _build() -> dict[str, Any]:
    """The message classes by name."""
    file = descriptor_pb2.FileDescriptorProto(name="ecotone/onnx.proto", package=PACKAGE)
    kind = descriptor_pb2.FieldDescriptorProto
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        for text in fields.split(", "):
            number, label, type_ = text.split(" ")
            many = type_.endswith("*")
            type_ = type_.rstrip("*")
            field = message.field.add(name=label, number=int(number))
            field.label = kind.LABEL_REPEATED if many else kind.LABEL_OPTIONAL
            if type_[0].isupper():
                field.type, field.type_name = kind.TYPE_MESSAGE, f".{PACKAGE}.{type_}"
            else:
                field.type = getattr(kind, f"TYPE_{type_.upper()}")
            if label in PACKED:
                field.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in SCHEMA
    }


_MESSAGES = _build()
ModelProto = _MESSAGES["ModelProto"]
GraphProto = _MESSAGES["GraphProto"]
NodeProto = _MESSAGES["NodeProto"]
TensorProto = _MESSAGES["TensorProto"]
ValueInfoProto = _MESSAGES["ValueInfoProto"]


def load_model(path: str | Path) -> Any:
    """The ModelProto in an .onnx file; weights kept in files beside it are not read.

    Raises BackendError when the file is missing or is no ONNX model.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BackendError(f"{path}: cannot be read ({error.strerror}).") from None
    return parse_model(data, str(path))


def parse_model(data: bytes, where: str = "model") -> Any:
    """The ModelProto in the bytes of an .onnx file.

    Raises BackendError when they are no ONNX model.
    """
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        model = ModelProto()
    if not model.graph.node or not model.graph.output:
        raise BackendError(
            f"{where}: not an ONNX model, or cut off ({len(data):,} bytes); copy or export the "
            "file again."
        )
    return model


def save_model(model: Any, path: str | Path) -> None:
    """Write a ModelProto to an .onnx file: readers see the old file or the whole new one."""
    path = Path(path)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as handle:
        handle.write(model.SerializeToString())
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)


def add_output(model: Any, name: str) -> Any:
    """Make an inner tensor an output of the graph, in place; returns the same model.

    The declared type of the tensor is taken over where the model states it; ONNX Runtime infers it
    where not. Raises BackendError when no node makes such a tensor.
    """
    graph = model.graph
    if any(output.name == name for output in graph.output):
        return model
    made = {output for node in graph.node for output in node.output}
    made.update(value.name for value in graph.input)
    if not name or name not in made:
        raise BackendError(f"no tensor is named {name!r} in the graph {graph.name!r}.")
    known = [v for v in (*graph.value_info, *graph.input) if v.name == name]
    if known:
        graph.output.add().CopyFrom(known[0])
    else:
        graph.output.add(name=name)
    return model


def opset(model: Any) -> int:
    """The version of the standard operators that a model uses, 0 when it states none."""
    versions = [o.version for o in model.opset_import if o.domain in DEFAULT_DOMAINS]
    return max(versions, default=0)


def tensor(name: str, values: np.ndarray) -> Any:
    """A TensorProto of an array: float16, float32, float64, int8, int32, int64 or uint8."""
    values = np.ascontiguousarray(values)
    codes = {text: code for code, text in ELEMENT.items()}
    if values.dtype.name not in codes:
        raise InputError(f"ONNX tensor {name!r}: {values.dtype} has no place in it.")
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return TensorProto(
        name=name, dims=values.shape, data_type=codes[values.dtype.name], raw_data=little.tobytes()
    )


def array(message: Any) -> np.ndarray:
    """The array of a TensorProto of one of the types of `tensor`.

    Raises BackendError when its numbers are in another file or of another type.
    """
    if message.data_location == EXTERNAL or message.data_type not in ELEMENT:
        raise BackendError(
            f"ONNX tensor {message.name!r}: its numbers are in another file or of type "
            f"{message.data_type}, which is not read here."
        )
    dtype = np.dtype(ELEMENT[message.data_type])
    if message.HasField("raw_data"):
        values = np.frombuffer(message.raw_data, dtype.newbyteorder("<")).astype(dtype)
        return values.reshape(tuple(message.dims))
    if dtype == np.float16:  # kept as the bits of 16-bit numbers
        bits = np.asarray(message.int32_data, dtype=np.uint16)
        return bits.view(np.float16).reshape(tuple(message.dims))
    fields = {FLOAT: "float_data", DOUBLE: "double_data", INT64: "int64_data"}
    values = getattr(message, fields.get(message.data_type, "int32_data"))
    return np.asarray(values, dtype=dtype).reshape(tuple(message.dims))


def node(
    op: str, inputs: Sequence[str], outputs: Sequence[str], name: str = "", **attributes: Any
) -> Any:
    """A NodeProto; attributes are int, float, str, list of int or list of float."""
    message = NodeProto(op_type=op, input=inputs, output=outputs, name=name or outputs[0])
    for key, value in attributes.items():
        _set_attribute(message.attribute.add(name=key), value)
    return message


def _set_attribute(attribute: Any, value: Any) -> None:
    """By AttributeProto.AttributeType: FLOAT 1, INT 2, STRING 3, TENSOR 4, FLOATS 6, INTS 7."""
    if isinstance(value, (bool, int, np.integer)):
        attribute.i, attribute.type = int(value), 2
    elif isinstance(value, float):
        attribute.f, attribute.type = value, 1
    elif isinstance(value, str):
        attribute.s, attribute.type = value.encode(), 3
    elif isinstance(value, np.ndarray):
        attribute.t.CopyFrom(tensor(attribute.name, value))
        attribute.type = 4
    elif value and isinstance(value[0], float):
        attribute.floats.extend(value)
        attribute.type = 6
    else:
        attribute.ints.extend(int(v) for v in value)
        attribute.type = 7


def value_info(name: str, element: int, shape: Iterable[int | str | None]) -> Any:
    """A ValueInfoProto of a tensor. shape: an int is fixed, a str a named open size, None open."""
    message = ValueInfoProto(name=name)
    message.type.tensor_type.elem_type = element
    message.type.tensor_type.shape.SetInParent()
    for size in shape:
        dimension = message.type.tensor_type.shape.dim.add()
        if isinstance(size, str):
            dimension.dim_param = size
        elif size is not None:
            dimension.dim_value = size
    return message


def make_model(
    nodes: Iterable[Any],
    inputs: Iterable[Any],
    outputs: Iterable[Any],
    initializers: Iterable[Any],
    name: str = "graph",
    opset_version: int = 17,
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """A ModelProto of a graph. nodes in order of use; inputs and outputs by `value_info`."""
    from ecotone import __version__

    model = ModelProto(ir_version=8, producer_name="ecotone", producer_version=__version__)
    model.opset_import.add(domain="", version=opset_version)
    graph = model.graph
    graph.name = name
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    graph.output.extend(outputs)
    graph.initializer.extend(initializers)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    return model


def all_tensors(graph: Any) -> Iterator[Any]:
    """Every stored tensor of a graph, those of inner graphs and attributes included."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for item in graph.node:
        for attribute in item.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from all_tensors(inner)


def external_files(model: Any) -> list[str]:
    """Names of the files beside a model that hold its weights, relative to its folder."""
    found: dict[str, None] = {}
    for message in all_tensors(model.graph):
        if message.data_location == EXTERNAL:
            entries = {entry.key: entry.value for entry in message.external_data}
            found[entries.get("location", "")] = None
    return [name for name in found if name]
