"""Where a classifier's network ends: its last dense layer, and what comes after it.

The input of the last dense layer is the pooled layer, the embedding of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

DENSE = "dense"
SOFTMAX = "softmax"
SIGMOID = "sigmoid"
PASS = "pass"  # changes shape, type or scale, but mixes no features
OTHER = "other"


@dataclass(frozen=True)
class Node:
    """One operation: its kind (one of the words above) and the names of its tensors."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """A network as far as it matters here. constants: tensors stored in the model."""

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    constants: frozenset[str]


@dataclass(frozen=True)
class Head:
    """The end of a network. pooled: the tensor before the last dense layer, "" if there is none.
    final: the softmax or sigmoid after it, "" if there is neither."""

    pooled: str
    final: str


def find_head(graph: Graph, output: str) -> Head:
    """Walk back from an output to the last dense layer.

    Only operations that mix no features may come in between, and the layer must multiply with
    weights stored in the model: then its other input is what the network knows of the picture.
    """
    producer = {name: node for node in graph.nodes for name in node.outputs}
    constants = _derived_constants(graph)
    final, name = "", output
    for _ in range(len(graph.nodes) + 1):
        node = producer.get(name)
        if node is None:
            return Head("", final)
        varying = [i for i in node.inputs if i and i not in constants]
        if len(varying) != 1:
            return Head("", final)
        if node.kind == DENSE:
            return Head(varying[0], final)
        if node.kind in (SOFTMAX, SIGMOID):
            final = final or node.kind
        elif node.kind != PASS:
            return Head("", final)
        name = varying[0]
    return Head("", final)


def _derived_constants(graph: Graph) -> set[str]:
    """Stored tensors and all that is computed from them alone (nodes come in order)."""
    constants = set(graph.constants)
    for node in graph.nodes:
        if all(not i or i in constants for i in node.inputs):
            constants.update(node.outputs)
    return constants
