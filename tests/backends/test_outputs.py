"""Raw outputs to probabilities and embeddings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ecotone.backends.outputs import flatten_embedding, output_kind, to_probabilities
from ecotone.errors import BackendError

RAW = arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 6)),
             elements=st.floats(-50, 50, width=32))


@given(RAW, st.sampled_from(["logits", "independent", "probabilities"]))
def test_always_probabilities(raw: np.ndarray, kind: str) -> None:
    found = to_probabilities(raw, kind)
    assert found.dtype == np.float32 and (found >= 0).all()
    assert (found.sum(axis=1) <= 1 + 1e-5).all()
    if kind == "logits":
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_missing_mass_stays_missing() -> None:
    raw = np.array([[0.5, 0.25, 0.0], [0.6, 0.404, 0.0]])
    found = to_probabilities(raw, "probabilities")
    np.testing.assert_allclose(found.sum(axis=1), [0.75, 1.0], rtol=1e-6)


def test_kinds() -> None:
    logits = np.array([[2.0, -1.0]])
    rows = np.array([[0.6, 0.38]])
    assert output_kind("", "softmax", lambda: logits, "m") == ("probabilities", "graph")
    assert output_kind("", "sigmoid", lambda: logits, "m") == ("independent", "graph")
    assert output_kind("", "", lambda: logits, "m") == ("logits", "measured")
    assert output_kind("", "", lambda: rows, "m") == ("probabilities", "measured")
    assert output_kind("independent", "softmax", lambda: rows, "m") == ("independent", "declared")
    with pytest.raises(BackendError, match="declared"):
        output_kind("probabilities", "", lambda: logits, "m")


def test_embedding_shapes() -> None:
    values = np.arange(24.0).reshape(2, 3, 2, 2)
    np.testing.assert_allclose(flatten_embedding(values, False), values.mean(axis=(2, 3)))
    np.testing.assert_allclose(flatten_embedding(values, True), values.mean(axis=(1, 2)))
    assert flatten_embedding(np.zeros((2, 1, 5)), False).shape == (2, 5)
    with pytest.raises(BackendError, match="expected .n, dimensions."):
        flatten_embedding(np.zeros((2, 7, 5)), False)
