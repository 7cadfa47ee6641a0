"""ONNX models: scores, pooled layer, declared preprocessing, and errors that say what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecotone.backends import backend_info, open_backend
from ecotone.errors import BackendError, EcotoneError, FormatError, InputError

Build = Callable[..., Path]


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3, 16, 16), dtype=np.float32)


def reference(path: Path, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pooled layer and logits of the small model, computed the slow way."""
    import onnx
    from onnx import numpy_helper

    weights = {t.name: numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer}
    padded = np.pad(batch, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    features = np.einsum("nchwij,ocij->nohw", windows, weights["kernel"])
    features += weights["shift"][None, :, None, None]
    pooled = np.maximum(features, 0).mean(axis=(2, 3))
    return pooled, pooled @ weights["dense"] + weights["bias"]


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("final", "known"), [("Softmax", "graph"), ("", "measured")])
def test_scores_and_pooled_layer(
    onnx_model: Build, labels_file: Path, final: str, known: str
) -> None:
    path = onnx_model(final=final)
    backend = open_backend(path, labels_file, preprocessing="unit")
    batch = pictures(7)
    outputs = backend.run(batch)
    pooled, logits = reference(path, batch)
    np.testing.assert_allclose(outputs.embeddings, pooled, atol=1e-5)
    np.testing.assert_allclose(outputs.scores, softmax(logits), atol=1e-5)
    info = backend_info(backend)
    assert (info["output"], info["outputKnownBy"]) == (
        "probabilities" if final else "logits", known,
    )
    assert info["embedding"] == "flat" and info["dimension"] == 8
    assert json.loads(json.dumps(info)) == info


def test_log_softmax_and_sigmoid(onnx_model: Build, labels_file: Path) -> None:
    batch = pictures(4)
    path = onnx_model("log.onnx", final="LogSoftmax")
    log = open_backend(path, labels_file, preprocessing="unit")
    logits = reference(path, batch)[1]
    np.testing.assert_allclose(log.classify(batch), softmax(logits), atol=1e-5)
    path = onnx_model("sigmoid.onnx", final="Sigmoid")
    independent = open_backend(path, labels_file, preprocessing="unit")
    raw = 1 / (1 + np.exp(-reference(path, batch)[1]))
    expected = raw / np.maximum(raw.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(independent.classify(batch), expected, atol=1e-5)
    assert independent.output == "independent"


def test_declared_output_wins_and_is_checked(onnx_model: Build, labels_file: Path) -> None:
    path = onnx_model(final="")
    backend = open_backend(path, labels_file, preprocessing="unit", output="logits")
    assert backend.output_source == "declared"
    with pytest.raises(BackendError, match='declare "output": "logits"'):
        open_backend(path, labels_file, preprocessing="unit", output="probabilities")


@pytest.mark.parametrize("batch", [1, 4])
def test_fixed_batch_size(onnx_model: Build, labels_file: Path, batch: int) -> None:
    path = onnx_model(batch=batch)
    backend = open_backend(path, labels_file, preprocessing="unit")
    data = pictures(6)
    np.testing.assert_allclose(backend.encode(data), reference(path, data)[0], atol=1e-5)
    assert backend.classify(data[:0]).shape == (0, 5)


def test_channels_last(onnx_model: Build, labels_file: Path) -> None:
    path = onnx_model(layout="NHWC")
    backend = open_backend(path, labels_file, preprocessing="unit")
    assert backend.preprocessing.layout == "NHWC"
    data = pictures(3)
    pooled = backend.encode(np.ascontiguousarray(data.transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(pooled, reference(path, data)[0], atol=1e-5)


def test_encoder_gives_its_output_and_no_scores(onnx_model: Build) -> None:
    path = onnx_model(final="")
    backend = open_backend(path, preprocessing="unit")
    data = pictures(3)
    assert backend.classes == ()
    np.testing.assert_allclose(backend.encode(data), reference(path, data)[1], atol=1e-5)
    softmaxed = open_backend(onnx_model("s.onnx", final="Softmax"), preprocessing="unit")
    assert softmaxed.embedding == "flat"


def test_named_embedding_keeps_places_as_mean(onnx_model: Build, labels_file: Path) -> None:
    path = onnx_model()
    backend = open_backend(path, labels_file, preprocessing="unit", embedding="active")
    data = pictures(3)
    np.testing.assert_allclose(backend.encode(data), reference(path, data)[0], atol=1e-5)
    with pytest.raises(BackendError, match="no tensor is named 'nothing'"):
        open_backend(path, labels_file, preprocessing="unit", embedding="nothing")


def test_float_input_must_be_declared(onnx_model: Build, labels_file: Path) -> None:
    path = onnx_model()
    with pytest.raises(BackendError) as caught:
        open_backend(path, labels_file)
    assert "--preprocessing" in str(caught.value) and "net.json" in str(caught.value)
    with pytest.raises(BackendError, match="nothing says"):
        open_backend(path, labels_file, preprocessing={"resize": "pad"})


def test_sidecar_declares(onnx_model: Build, labels_file: Path) -> None:
    path = onnx_model()
    fields = {"preset": "imagenet", "resize": "crop"}
    declared = {"preprocessing": fields, "output": "probabilities"}
    path.with_suffix(".json").write_text(json.dumps(declared), encoding="utf-8")
    backend = open_backend(path, labels_file)
    assert backend.preprocessing.mean == (0.485, 0.456, 0.406)
    assert backend.preprocessing.resize == "crop" and backend.preprocessing.width == 16
    over = open_backend(path, labels_file, preprocessing={"resize": "pad"})
    assert over.preprocessing.resize == "pad"
    assert over.preprocessing.mean == (0.485, 0.456, 0.406)


def annotate(path: Path, **entries: str) -> Path:
    import onnx

    model = onnx.load(str(path))
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))
    return path


def test_metadata_declares_and_names(onnx_model: Build) -> None:
    names = json.dumps(["a", "b", "c", "d", "e"])
    path = annotate(onnx_model(), preprocessing='{"preset": "unit"}', classes=names)
    backend = open_backend(path)
    assert backend.classes == ("a", "b", "c", "d", "e")
    assert backend.preprocessing.scale == pytest.approx(1 / 255)


def test_metadata_of_other_software(onnx_model: Build) -> None:
    names = "{0: 'a', 1: \"b's\", 2: 'c', 3: 'd', 4: 'e'}"
    path = annotate(onnx_model(), author="Ultralytics", task="classify", names=names)
    backend = open_backend(path)
    assert backend.classes == ("a", "b's", "c", "d", "e")
    assert (backend.preprocessing.resize, backend.preprocessing.scale) == ("crop", 1 / 255)
    odd = annotate(onnx_model("odd.onnx"), preprocessing="{", names="{broken")
    assert open_backend(odd, preprocessing="unit").classes == ()


def test_open_size_must_be_declared(onnx_model: Build, labels_file: Path) -> None:
    path = onnx_model(size="side")
    with pytest.raises(BackendError, match="open width"):
        open_backend(path, labels_file, preprocessing="unit")
    given = {"preset": "unit", "width": 24, "height": 20}
    backend = open_backend(path, labels_file, preprocessing=given)
    assert backend.preprocessing.shape == (3, 20, 24)
    assert backend.dimension == 8


def test_contradicting_declaration(onnx_model: Build, labels_file: Path) -> None:
    with pytest.raises(BackendError, match="is 32, but the input"):
        open_backend(
            onnx_model(), labels_file, preprocessing={"preset": "unit", "width": 32, "height": 32}
        )


def test_external_weights(onnx_model: Build, labels_file: Path) -> None:
    import onnx

    path = onnx_model()
    expected = reference(path, pictures(2))[0]
    big = path.with_name("big.onnx")
    onnx.save(onnx.load(str(path)), str(big), save_as_external_data=True, size_threshold=0,
              location="big.bin")
    backend = open_backend(big, labels_file, preprocessing="unit")
    np.testing.assert_allclose(backend.encode(pictures(2)), expected, atol=1e-5)


def test_wrong_number_of_names(onnx_model: Build, tmp_path: Path) -> None:
    names = tmp_path / "four.txt"
    names.write_text("a\nb\nc\nd\n", encoding="utf-8")
    with pytest.raises(FormatError, match="'background'"):
        open_backend(onnx_model(), names, preprocessing="unit")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08" * 40])
def test_broken_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(EcotoneError) as caught:
        open_backend(path, preprocessing="unit")
    assert "broken.onnx" in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_specs() -> None:
    with pytest.raises(BackendError, match="no such model file"):
        open_backend("nowhere.onnx")
    with pytest.raises(InputError, match="did you mean 'speciesnet'"):
        open_backend("speciesnett")


def test_quantised_model(onnx_model: Build, labels_file: Path) -> None:
    """Weights and activations as 8-bit numbers between QuantizeLinear and DequantizeLinear."""
    import onnx
    from onnx import helper, numpy_helper

    path = onnx_model()
    model = onnx.load(str(path))
    scale = np.float32(0.02)
    for name, value in (("scale", scale), ("zero", np.uint8(0))):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    gemm = next(n for n in model.graph.node if n.op_type == "Gemm")
    gemm.input[0] = "flat_back"
    place = list(model.graph.node).index(gemm)
    pair = [
        helper.make_node("QuantizeLinear", ["flat", "scale", "zero"], ["flat_bytes"]),
        helper.make_node("DequantizeLinear", ["flat_bytes", "scale", "zero"], ["flat_back"]),
    ]
    for i, node in enumerate(pair):
        model.graph.node.insert(place + i, node)
    onnx.save(model, str(path))
    backend = open_backend(path, labels_file, preprocessing="unit")
    assert backend.embedding == "flat_back"
    data = pictures(3)
    np.testing.assert_allclose(backend.encode(data), reference(path, data)[0], atol=0.0101)
