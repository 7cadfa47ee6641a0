"""The pooled layer is the input of the last layer that has weights of its own."""

from __future__ import annotations

from ecotone.backends.graph import (
    DENSE,
    OTHER,
    PASS,
    SIGMOID,
    SOFTMAX,
    Graph,
    Head,
    Node,
    find_head,
)


def graph(*nodes: tuple[str, str, str], constants: str = "w b") -> Graph:
    made = tuple(Node(k, tuple(i.split()), tuple(o.split())) for k, i, o in nodes)
    return Graph(made, (nodes[-1][2],), frozenset(constants.split()))


def test_dense_then_softmax() -> None:
    found = graph((OTHER, "x", "pool"), (DENSE, "pool w b", "l"), (SOFTMAX, "l", "y"))
    assert find_head(found, "y") == Head("pool", SOFTMAX)


def test_bias_reshape_and_types_in_between() -> None:
    found = graph(
        (OTHER, "x", "pool"), (DENSE, "pool w", "a"), (PASS, "a b", "c"), (PASS, "c", "d"),
        (SIGMOID, "d", "y"),
    )
    assert find_head(found, "y") == Head("pool", SIGMOID)


def test_weights_computed_from_stored_ones() -> None:
    found = graph((OTHER, "x", "pool"), (PASS, "w", "w2"), (DENSE, "pool w2", "y"))
    assert find_head(found, "y") == Head("pool", "")


def test_stops_where_features_mix() -> None:
    attention = graph((OTHER, "x", "q"), (OTHER, "x", "k"), (DENSE, "q k", "y"))
    assert find_head(attention, "y") == Head("", "")
    residual = graph((DENSE, "x w", "a"), (OTHER, "x", "c"), (PASS, "a c", "y"))
    assert find_head(residual, "y") == Head("", "")
    other = graph((DENSE, "x w", "a"), (OTHER, "a", "y"))
    assert find_head(other, "y") == Head("", "")
    assert find_head(other, "nothing") == Head("", "")
