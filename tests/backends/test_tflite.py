"""The two real TFLite models: scores and pooled layer equal to the interpreter's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecotone.backends import backend_info, open_backend
from ecotone.backends.graph import find_head
from ecotone.backends.tflite_file import (
    read_graph,
    read_model,
    read_normalization,
    read_packed_labels,
    with_output,
)
from ecotone.errors import BackendError, FormatError

MODELS = {"imagenet_mobilenet_v2": 1001, "inat_bird_mobilenet_v2": 965}


def model(shared_data: Path, name: str) -> Path:
    return shared_data / "models" / f"{name}.tflite"


def labels(shared_data: Path, name: str) -> Path:
    return shared_data / "models" / f"{name.replace('_mobilenet_v2', '')}_labels.txt"


def straight(path: Path, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and pool of a plain interpreter that keeps all tensors."""
    from ai_edge_litert.interpreter import Interpreter

    with pytest.warns(UserWarning, match="experimental_preserve_all_tensors"):
        plain = Interpreter(str(path), experimental_preserve_all_tensors=True, num_threads=1)
    plain.allocate_tensors()
    source, target = plain.get_input_details()[0], plain.get_output_details()[0]
    pool = next(t for t in plain.get_tensor_details() if list(t["shape"]) == [1, 1, 1, 1280])
    scores, pooled = [], []
    for picture in batch:
        plain.set_tensor(source["index"], picture[None])
        plain.invoke()
        for detail, rows in ((target, scores), (pool, pooled)):
            scale, zero = detail["quantization"]
            raw = plain.get_tensor(detail["index"]).ravel().astype(np.float32)
            rows.append((raw - zero) * np.float32(scale))
    return np.stack(scores), np.stack(pooled)


@pytest.fixture(scope="module")
def batch(shared_data: Path) -> np.ndarray:
    from ecotone.media.preprocess import Preprocessing

    declared = Preprocessing(224, 224, "uint8", "NHWC")
    files = sorted((shared_data / "monkeys" / "images").iterdir())[::180]
    return np.concatenate([declared.prepare(f, [(0, 0, 1, 1)]) for f in files])


@pytest.mark.parametrize("name", MODELS)
def test_equal_to_the_interpreter(shared_data: Path, batch: np.ndarray, name: str) -> None:
    path = model(shared_data, name)
    backend = open_backend(path, labels(shared_data, name), threads=2)
    outputs = backend.run(batch)
    scores, pooled = straight(path, batch)
    np.testing.assert_array_equal(outputs.embeddings, pooled)
    np.testing.assert_allclose(
        outputs.scores, scores / np.maximum(scores.sum(axis=1, keepdims=True), 1), atol=1e-6
    )
    assert outputs.scores.shape == (len(batch), MODELS[name])
    np.testing.assert_array_equal(backend.classify(batch), outputs.scores)
    np.testing.assert_array_equal(backend.encode(batch), outputs.embeddings)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_declared(shared_data: Path, name: str) -> None:
    backend = open_backend(model(shared_data, name), labels(shared_data, name), threads=1)
    info = backend_info(backend)
    assert info["preprocessing"]["dtype"] == "uint8" and info["preprocessing"]["width"] == 224
    assert info["dimension"] == 1280 and info["output"] == "probabilities"
    assert "AvgPool" in info["embedding"]
    again = open_backend(model(shared_data, name), labels(shared_data, name), threads=1,
                         preprocessing=info["preprocessing"], embedding=info["embedding"])
    assert again.embedding == info["embedding"]
    assert backend.encode(np.zeros((0, 224, 224, 3), np.uint8)).shape == (0, 1280)


def test_thread_count_changes_nothing(shared_data: Path, batch: np.ndarray) -> None:
    path = model(shared_data, "imagenet_mobilenet_v2")
    one, three = (open_backend(path, threads=n).run(batch) for n in (1, 3))
    np.testing.assert_array_equal(one.scores, three.scores)
    np.testing.assert_array_equal(one.embeddings, three.embeddings)


def test_packed_labels_are_the_label_file(shared_data: Path) -> None:
    name = "inat_bird_mobilenet_v2"
    backend = open_backend(model(shared_data, name), threads=1)
    text = labels(shared_data, name).read_text(encoding="utf-8")
    assert list(backend.classes) == text.splitlines()


def test_missing_background_is_told(shared_data: Path, tmp_path: Path) -> None:
    text = labels(shared_data, "imagenet_mobilenet_v2").read_text(encoding="utf-8")
    short = tmp_path / "short.txt"
    short.write_text("\n".join(text.splitlines()[1:]), encoding="utf-8")
    with pytest.raises(FormatError, match="1,000 class names.*1,001 outputs.*'background'"):
        open_backend(model(shared_data, "imagenet_mobilenet_v2"), short, threads=1)


def test_file_reading(shared_data: Path) -> None:
    data = read_model(model(shared_data, "imagenet_mobilenet_v2"))
    graph = read_graph(data)
    head = find_head(graph, graph.outputs[0])
    assert (head.pooled, head.final) == ("169", "softmax")
    assert read_normalization(data)["preprocessing"] == {"mean": [127.5], "std": [127.5]}
    assert read_packed_labels(data).splitlines()[0] == "background"
    assert read_packed_labels(data[:1000]) is None
    more = with_output(data, 169)
    assert read_graph(more).outputs == ("173", "169")
    assert with_output(more, 169) == more


def test_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(b"hello, hello, hello")
    with pytest.raises(BackendError, match="not a TFLite model"):
        open_backend(path)
    path.write_bytes(b"")
    with pytest.raises(BackendError, match="not a TFLite model"):
        open_backend(path)


def test_cut_off_model(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(read_model(model(shared_data, "imagenet_mobilenet_v2"))[:100_000])
    with pytest.raises(BackendError, match="cut.tflite"):
        open_backend(path)
