from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn
from onnx import numpy_helper

from ecotone.bundle import onnx_proto as o
from ecotone.errors import BackendError, InputError
from tests.bundle.models import backbone

DTYPES = [np.float16, np.float32, np.float64, np.int8, np.int32, np.int64, np.uint8]


@given(st.sampled_from(DTYPES).flatmap(
    lambda d: hn.arrays(d, hn.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
))
def test_tensors_are_those_of_onnx(values):
    message = o.tensor("t", values)
    theirs = onnx.TensorProto.FromString(message.SerializeToString())
    np.testing.assert_array_equal(numpy_helper.to_array(theirs), values)
    np.testing.assert_array_equal(o.array(message), values)
    assert o.array(message).dtype == values.dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_kept_in_typed_fields_are_read(dtype):
    values = np.array([[0, 1, 2], [3, 4, 100]], dtype)
    code = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    theirs = onnx.helper.make_tensor("t", code, values.shape, values.ravel().tolist())
    assert not theirs.HasField("raw_data")
    ours = o.TensorProto.FromString(theirs.SerializeToString())
    np.testing.assert_array_equal(o.array(ours), values)


def test_every_field_survives_reading_and_writing(tmp_path):
    """Fields that are not described here too: functions, training information, denotations."""
    theirs = onnx.ModelProto.FromString(backbone().SerializeToString())
    theirs.functions.add(name="f", domain="d").node.add(op_type="Relu")
    theirs.training_info.add().algorithm.name = "sgd"
    theirs.graph.node[0].overload = "x"
    theirs.graph.sparse_initializer.add().dims.extend([3, 4])
    entry = theirs.graph.quantization_annotation.add(tensor_name="scores")
    entry.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="s")
    theirs.graph.value_info.add(name="m").type.map_type.key_type = 7
    path = tmp_path / "model.onnx"
    path.write_bytes(theirs.SerializeToString())
    o.save_model(o.load_model(path), path)
    assert onnx.ModelProto.FromString(path.read_bytes()) == theirs
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx"]


def test_attributes_are_those_of_onnx():
    ours = o.node("Op", ["a", ""], ["b"], name="n", i=3, f=0.5, s="text", ints=[1, 2],
                  floats=[1.0, 2.5], t=np.arange(3), yes=True)
    theirs = onnx.NodeProto.FromString(ours.SerializeToString())
    values = {a.name: onnx.helper.get_attribute_value(a) for a in theirs.attribute}
    np.testing.assert_array_equal(numpy_helper.to_array(values.pop("t")), np.arange(3))
    assert values == {"i": 3, "f": 0.5, "s": b"text", "ints": [1, 2], "floats": [1.0, 2.5],
                      "yes": 1}
    assert list(theirs.input) == ["a", ""] and theirs.name == "n"


def test_add_output_takes_the_known_type_over():
    model = backbone()
    model.graph.value_info.append(o.value_info("features", o.FLOAT, ["batch", 12]))
    o.add_output(model, "features")
    o.add_output(model, "features")
    assert [v.name for v in model.graph.output] == ["scores", "features"]
    assert model.graph.output[1].type.tensor_type.shape.dim[1].dim_value == 12


@pytest.mark.parametrize("name", ["nowhere", "", "kernel"])
def test_add_output_names_what_is_missing(name):
    with pytest.raises(BackendError, match="no tensor is named"):
        o.add_output(backbone(), name)


def test_opset_is_the_one_of_the_standard_operators():
    model = backbone(opset=15)
    model.opset_import.add(domain="com.microsoft", version=99)
    assert o.opset(model) == 15
    assert o.opset(o.ModelProto()) == 0


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x07", b"\xff" * 40])
def test_files_that_are_no_model_are_named(tmp_path, data):
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    with pytest.raises(BackendError, match="x.onnx: not an ONNX model"):
        o.load_model(path)


def test_a_cut_off_file_is_named(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(backbone().SerializeToString()[:-100])
    with pytest.raises(BackendError, match="cut off"):
        o.load_model(path)
    with pytest.raises(BackendError, match="cannot be read"):
        o.load_model(tmp_path / "missing.onnx")


def test_unknown_types_are_refused():
    with pytest.raises(InputError, match="complex64"):
        o.tensor("t", np.zeros(2, np.complex64))
    with pytest.raises(BackendError, match="another file"):
        o.array(o.TensorProto(name="t", data_type=o.FLOAT, data_location=o.EXTERNAL))


def test_external_files_are_listed():
    model = backbone()
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = o.EXTERNAL
    weights.external_data.add(key="location", value="weights.bin")
    assert o.external_files(model) == ["weights.bin"]
    assert o.external_files(backbone()) == []
