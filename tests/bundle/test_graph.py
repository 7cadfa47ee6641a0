from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.bundle import onnx_proto as o
from ecotone.bundle.graph import head_graph, merged_graph
from ecotone.errors import BackendError
from tests.bundle.models import SIDE, backbone, embeddings, local_model

TOLERANCE = 1e-5


def session(model):
    data = model.SerializeToString()
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    return ort.InferenceSession(data, providers=["CPUExecutionProvider"])


def run_head(model, x):
    return session(head_graph(model)).run(["probability"], {"embedding": x})[0]


@pytest.mark.parametrize("shape", [
    {}, {"unit": False}, {"heads": 1}, {"k": 1}, {"k": 1, "heads": 1}, {"small": 1},
    {"dims": 1280, "small": 256, "k": 60}, {"dims": 768, "small": 64, "k": 3000, "scale": 1.0},
    {"temperature": 0.05}, {"temperature": 20.0}, {"scale": 80.0},
])  # fmt: skip
@pytest.mark.parametrize("n", [0, 1, 33])
def test_head_agrees_with_local_model(shape, n):
    model = local_model(**shape)
    x = embeddings(n, model.n_features_in_)
    found = run_head(model, x)
    assert found.shape == (n, len(model.classes))
    np.testing.assert_allclose(found, model.predict_proba(x), atol=TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(
    dims=st.integers(1, 20), k=st.integers(1, 8), heads=st.integers(1, 5), unit=st.booleans(),
    scale=st.sampled_from([1e-6, 1e-3, 1.0, 1e4]), seed=st.integers(0, 99),
)
def test_head_agrees_for_any_shape(dims, k, heads, unit, scale, seed):
    model = local_model(dims, max(1, dims // 2), k, heads, unit, seed)
    x = embeddings(4, dims, seed, scale)
    np.testing.assert_allclose(run_head(model, x), model.predict_proba(x), atol=TOLERANCE)


def test_zero_and_huge_embeddings_stay_finite():
    model = local_model()
    x = np.zeros((2, 12), np.float32)
    x[1] = 1e9
    found = run_head(model, x)
    kept = np.clip(x, -65504, 65504)  # what the catalogue keeps
    np.testing.assert_allclose(found, model.predict_proba(kept), atol=TOLERANCE)


def test_head_rounds_embeddings_as_the_catalogue_does():
    model = local_model(dims=64, small=32, scale=40.0)
    x = np.random.default_rng(3).normal(size=(200, 64)).astype(np.float32)
    stored = x.astype(np.float16).astype(np.float32)
    found = run_head(model, x)
    np.testing.assert_allclose(found, model.predict_proba(stored), atol=TOLERANCE)
    assert np.abs(found - model.predict_proba(x)).max() > 10 * TOLERANCE  # it does round


def test_head_says_its_classes_and_sizes():
    graph = head_graph(local_model(dims=12, k=5), {"made": "today"})
    metadata = {e.key: e.value for e in graph.metadata_props}
    assert json.loads(metadata["classes"]) == [f"class {i}" for i in range(5)]
    assert metadata["made"] == "today"
    (given,) = session(graph).get_inputs()
    assert (given.name, given.shape) == ("embedding", ["N", 12])


@pytest.mark.parametrize("rank", [2, 3, 4])
@pytest.mark.parametrize("opset", [9, 11, 13, 17, 18, 21])
def test_merged_graph_is_backbone_then_head(rank, opset, tmp_path):
    body, model = backbone(opset=opset, rank=rank), local_model()
    joined = o.parse_model(body.SerializeToString())
    merged = session(merged_graph(joined, model, "features", tmp_path))
    picture = np.random.default_rng(0).normal(size=(3, 3, SIDE, SIDE)).astype(np.float32)
    found = merged.run(["probability", "embedding"], {"image": picture})
    body = o.add_output(body, "features")
    # The checker wants a type on every output; ONNX Runtime infers that of "features".
    whole = ort.InferenceSession(body.SerializeToString(), providers=["CPUExecutionProvider"])
    pooled = whole.run(["features"], {"image": picture})[0].reshape(3, -1)
    np.testing.assert_allclose(found[1], pooled, atol=1e-6)
    half = pooled.astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(found[0], model.predict_proba(half), atol=TOLERANCE)


def test_merged_graph_leaves_out_the_global_classifier(tmp_path):
    graph = merged_graph(backbone(), local_model(), "features", tmp_path)
    names = {t.name for t in graph.graph.initializer}
    assert "backbone/kernel" in names
    assert not names & {"backbone/dense", "backbone/unused"}
    metadata = {e.key: e.value for e in graph.metadata_props}
    assert metadata["license"] == "CC0-1.0"
    assert json.loads(metadata["classes"])[0] == "class 0"
    assert [e.key for e in graph.metadata_props].count("classes") == 1


def test_merged_graph_of_a_backbone_in_float16(tmp_path):
    merged = session(merged_graph(backbone(half=True), local_model(), "features", tmp_path))
    picture = np.random.default_rng(0).normal(size=(2, 3, SIDE, SIDE)).astype(np.float32)
    found = merged.run(["probability"], {"image": picture})[0]
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_merged_graph_believes_the_shape_that_the_file_states(tmp_path):
    body = backbone(rank=4)
    body.graph.value_info.append(o.value_info("features", o.FLOAT, ["batch", 12, 1, 1]))
    picture = np.ones((2, 3, SIDE, SIDE), np.float32)
    first, second = (
        session(merged_graph(b, local_model(), "features", tmp_path)).run(None, {"image": picture})
        for b in (body, backbone(rank=4))
    )
    np.testing.assert_array_equal(first[0], second[0])


def test_merged_graph_keeps_a_fixed_batch_size(tmp_path):
    merged = session(merged_graph(backbone(rows=1), local_model(), "features", tmp_path))
    assert merged.get_outputs()[0].shape == [1, 5]
    picture = np.zeros((1, 3, SIDE, SIDE), np.float32)
    assert merged.run(["probability"], {"image": picture})[0].shape == (1, 5)


def test_merged_graph_when_the_input_has_a_name_that_is_needed(tmp_path):
    body = backbone()
    body.graph.input[0].name = "probability"
    next(n for n in body.graph.node if n.op_type == "Conv").input[0] = "probability"
    merged = session(merged_graph(body, local_model(), "features", tmp_path))
    (given,) = merged.get_inputs()
    picture = np.zeros((1, 3, SIDE, SIDE), np.float32)
    assert merged.run(["probability"], {given.name: picture})[0].shape == (1, 5)


def test_merged_graph_follows_names_into_inner_graphs(tmp_path):
    """The pooled tensor goes through an If whose branches use tensors of the outer graph."""
    body = backbone()
    pooled = next(n for n in body.graph.node if n.output[0] == "features")
    pooled.output[0] = pooled.name = "before"
    branch = o.node("If", ["yes"], ["features"])
    for name, op in (("then_branch", "Identity"), ("else_branch", "Neg")):
        attribute = branch.attribute.add(name=name, type=5)
        attribute.g.name = name
        attribute.g.node.append(o.node(op, ["before"], [f"{name}_out"]))
        attribute.g.output.append(o.value_info(f"{name}_out", o.FLOAT, [None, 12]))
    constant = o.tensor("yes_number", np.array(1, np.int64))
    body.graph.initializer.append(constant)
    rest = list(body.graph.node)
    at = rest.index(pooled) + 1
    rest[at:at] = [o.node("Cast", ["yes_number"], ["yes"], to=9), branch]
    del body.graph.node[:]
    body.graph.node.extend(rest)
    merged = session(merged_graph(body, local_model(), "features", tmp_path))
    picture = np.ones((2, 3, SIDE, SIDE), np.float32)
    plain = session(merged_graph(backbone(), local_model(), "features", tmp_path))
    expected = plain.run(["probability"], {"image": picture})[0]
    np.testing.assert_allclose(
        merged.run(["probability"], {"image": picture})[0], expected, atol=1e-6
    )


def test_backbones_that_cannot_be_joined_are_named(tmp_path):
    with pytest.raises(BackendError, match="opset 8; joining needs opset 9"):
        merged_graph(backbone(opset=8), local_model(), "features", tmp_path)
    body = backbone()
    with pytest.raises(BackendError, match="no tensor is named 'nowhere'"):
        merged_graph(body, local_model(), "nowhere", tmp_path)
    with pytest.raises(BackendError, match="expected"):
        merged_graph(body, local_model(), "nothing", tmp_path)
    assert body == backbone(), "the backbone was changed"
    broken = backbone()
    broken.graph.node[0].op_type = "NoSuchOperation"
    with pytest.raises(BackendError, match="cannot be loaded"):
        merged_graph(broken, local_model(), "features", tmp_path)
