"""Which hardware is chosen, what happens without it, and that pieces change no number."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ecotone.backends.onnx import OnnxBackend
from ecotone.backends.providers import CPU, DEVICES, choose_providers, device_of
from ecotone.backends.session import Network
from ecotone.bundle import onnx_proto as o
from ecotone.errors import BackendError, InputError

CUDA, TENSORRT = DEVICES["cuda"], DEVICES["tensorrt"]


@pytest.fixture
def network(tmp_path):
    """A small convolutional network, open in its first axis."""
    rng = np.random.default_rng(0)
    weights = [o.tensor("w", rng.normal(size=(8, 3, 3, 3)).astype(np.float32)),
               o.tensor("dense", rng.normal(size=(8, 5)).astype(np.float32))]
    nodes = [o.node("Conv", ["image", "w"], ["c"], strides=[2, 2]), o.node("Relu", ["c"], ["r"]),
             o.node("GlobalAveragePool", ["r"], ["p"]), o.node("Flatten", ["p"], ["f"], axis=1),
             o.node("MatMul", ["f", "dense"], ["l"]), o.node("Softmax", ["l"], ["s"], axis=1)]
    model = o.make_model(
        nodes, [o.value_info("image", o.FLOAT, ["n", 3, 16, 16])],
        [o.value_info("s", o.FLOAT, ["n", 5])], weights, name="net", opset_version=17,
        metadata={"classes": "a\nb\nc\nd\ne", "preprocessing": '{"preset": "unit"}'},
    )
    o.save_model(model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.mark.parametrize(("device", "available", "expected"), [
    ("", [CPU], [CPU]),
    ("", [TENSORRT, CUDA, CPU], [CUDA, CPU]),
    ("", [DEVICES["directml"], CPU], [DEVICES["directml"], CPU]),
    ("", [DEVICES["openvino"], DEVICES["coreml"], CPU],
     [DEVICES["coreml"], DEVICES["openvino"], CPU]),
    ("cpu", [CUDA, CPU], [CPU]),
    ("tensorrt", [TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU]),
    ("CUDAExecutionProvider", [TENSORRT, CUDA, CPU], [CUDA, CPU]),
    ("CUDA", [CUDA, CPU], [CUDA, CPU]),
])
def test_providers_are_chosen_from_what_is_installed(device, available, expected):
    chosen, note = choose_providers(device, available)
    assert [name for name, _ in chosen] == expected
    assert note == ""


def test_what_is_asked_for_and_not_there_is_said():
    chosen, note = choose_providers("cuda", [CPU])
    assert chosen == [(CPU, {})]
    assert "has no cuda" in note and "it has: cpu" in note and "processor" in note


def test_a_number_is_the_card_and_a_wrong_name_is_told():
    assert choose_providers("cuda:1", [CUDA, CPU])[0][0] == (CUDA, {"device_id": 1})
    with pytest.raises(InputError, match="did you mean 'cuda'"):
        choose_providers("cudda", [CPU])
    with pytest.raises(InputError, match="number after the colon"):
        choose_providers("cuda:first", [CPU])


def test_devices_have_names_both_ways():
    assert all(device_of([provider]) == name for name, provider in DEVICES.items())


class FakeRuntime:
    """onnxruntime with other providers: `broken` ones raise, `silent` ones are left out."""

    def __init__(self, real, available, broken=(), silent=()):
        self.real, self.available = real, available
        self.broken, self.silent, self.tried = broken, silent, []

    def session(self, model, settings, providers):
        names = [p if isinstance(p, str) else p[0] for p in providers]
        self.tried.append(names)
        if set(names) & set(self.broken):
            raise RuntimeError("no kernel image\nmore of it")
        there = [n for n in names if n not in self.silent]
        inner = self.real.InferenceSession(model, settings, providers=[CPU])
        return SimpleNamespace(get_providers=lambda: there, run=inner.run,
                               get_inputs=inner.get_inputs, get_outputs=inner.get_outputs)

    def install(self, monkeypatch):
        import onnxruntime

        self.real = SimpleNamespace(InferenceSession=onnxruntime.InferenceSession)
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: self.available)
        monkeypatch.setattr(onnxruntime, "InferenceSession", self.session)
        return self


@pytest.mark.parametrize(("how", "reason"), [
    ({"broken": [CUDA]}, "no kernel image"), ({"silent": [CUDA]}, "driver or libraries"),
])
def test_a_card_that_cannot_be_used_costs_one_note(network, monkeypatch, how, reason):
    FakeRuntime(None, [CUDA, CPU], **how).install(monkeypatch)
    backend = OnnxBackend(network)
    assert backend.device == "cpu"
    assert len(backend.notes) == 1
    assert backend.notes[0].startswith("cuda cannot be used here") and reason in backend.notes[0]
    assert "the processor does the work" in backend.notes[0] and "more" not in backend.notes[0]


def test_a_card_gets_whole_batches_in_one_session(network, monkeypatch):
    runtime = FakeRuntime(None, [TENSORRT, CUDA, CPU]).install(monkeypatch)
    backend = OnnxBackend(network, threads=2)
    assert backend.device == "cuda" and not backend.notes
    batch = np.zeros((6, 3, 16, 16), np.float32)
    opened = len(runtime.tried)
    assert backend.classify(batch).shape == (6, 5)
    assert len(runtime.tried) == opened and all(CUDA in names for names in runtime.tried)


def test_a_broken_file_is_still_the_file_s_fault(network, monkeypatch):
    FakeRuntime(None, [CUDA, CPU], broken=[CUDA, CPU]).install(monkeypatch)
    with pytest.raises(BackendError, match="cannot load it"):
        Network(network, 1)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_pictures_do_not_depend_on_batch_or_threads(network, threads, count):
    batch = np.random.default_rng(1).random((count, 3, 16, 16), dtype=np.float32)
    reference = OnnxBackend(network, threads=1).run(batch)
    found = OnnxBackend(network, threads=threads).run(batch)
    alone = OnnxBackend(network, threads=threads).run(batch[-1:])
    np.testing.assert_array_equal(found.scores, reference.scores)
    np.testing.assert_array_equal(found.embeddings.shape, (count, 8))
    np.testing.assert_array_equal(found.embeddings, reference.embeddings)
    np.testing.assert_array_equal(alone.scores, reference.scores[-1:])


def test_a_network_s_note_is_there_without_a_backend(network, monkeypatch):
    FakeRuntime(None, [CUDA, CPU], silent=[CUDA]).install(monkeypatch)
    opened = Network(network, 2)
    assert (opened.device, opened.step) == ("cpu", 1) and "cuda cannot be used" in opened.note
    assert Network(network, 2, "cpu").note == ""
