"""Changes to an ONNX graph in place: new names for its tensors, and leaving out what is not needed.

Inner graphs (branches, loops) may use the tensors of the graph around them, so names are followed
into them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any


def prefix_names(graph: Any, prefix: str, reserved: Collection[str] = ()) -> None:
    """Put `prefix` before the name of every node and tensor, except the inputs of the graph.

    An input whose name is `reserved` for something else gets the prefix too. Empty names, which
    stand for an input that is left out, stay empty.
    """
    stored = {t.name for t in graph.initializer}
    kept = {value.name for value in graph.input} - stored - set(reserved)
    _prefix(graph, prefix, kept)


def prune(graph: Any) -> None:
    """Leave out the nodes, constants and remarks that no output of the graph needs."""
    needed = {value.name for value in graph.output}
    nodes = []
    for item in reversed(graph.node):
        if needed.isdisjoint(item.output):
            continue
        nodes.append(item)
        needed.update(uses(item))
    _replace(graph.node, reversed(nodes))
    _replace(graph.initializer, [t for t in graph.initializer if t.name in needed])
    _replace(
        graph.sparse_initializer, [s for s in graph.sparse_initializer if s.values.name in needed]
    )
    _replace(graph.value_info, [v for v in graph.value_info if v.name in needed])
    del graph.quantization_annotation[:]


def uses(node: Any) -> set[str]:
    """Names of all tensors that a node or its inner graphs may read."""
    names = set(node.input)
    for inner in inner_graphs(node):
        names.update(value.name for value in inner.output)
        for item in inner.node:
            names |= uses(item)
    return names


def inner_graphs(node: Any) -> Iterator[Any]:
    """The graphs in the attributes of a node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _prefix(graph: Any, prefix: str, kept: set[str]) -> None:
    def new(name: str) -> str:
        return prefix + name if name and name not in kept else name

    for values in (graph.input, graph.output, graph.value_info, graph.initializer):
        for value in values:
            value.name = new(value.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = new(sparse.values.name)
    for item in graph.node:
        item.name = prefix + item.name if item.name else ""
        inputs, outputs = [new(n) for n in item.input], [new(n) for n in item.output]
        _replace(item.input, inputs)
        _replace(item.output, outputs)
        for inner in inner_graphs(item):
            _prefix(inner, prefix, kept)


def _replace(field: Any, values: Any) -> None:
    values = list(values)
    del field[:]
    field.extend(values)
