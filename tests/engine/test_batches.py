"""Batches fit into memory, are halved when it runs out, and no picture is lost by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.engine import memory
from ecotone.engine.batches import FIRST, MOST, TYPICAL, Batches
from ecotone.engine.local import Done, ThreadRunner, run_jobs
from ecotone.engine.memory import free_memory, most_used, out_of_memory
from ecotone.errors import BackendError, InputError
from tests.engine.test_local import Means, make

GB = 1 << 30


class Tight(Means):
    """An encoder whose memory has room for `room` pictures."""

    def __init__(self, room: int, text: str = "Failed to allocate memory for requested buffer"):
        super().__init__()
        self.room, self.text = room, text

    def encode(self, batch: np.ndarray) -> np.ndarray:
        found = super().encode(batch)
        if len(batch) > self.room:
            raise BackendError("net.onnx: the model failed") from RuntimeError(self.text)
        return found


def test_batches_are_halved_until_they_fit(tmp_path: Path) -> None:
    backend, notes = Tight(3), []
    results = list(run_jobs(make(tmp_path, 21), backend, 16, notes=notes))
    assert backend.sizes == [16, 8, 4, *[2] * 10, 1]
    ids = [d for r in results for d in r.detection_ids]
    assert ids == [f"m{i}:0" for i in range(21)]
    values = np.concatenate([r.outputs.embeddings for r in results])
    np.testing.assert_allclose(values[:, 0], np.arange(21))
    assert notes == ["memory ran out: batches of 2 from then on"]


def test_a_single_picture_too_many_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="with a single picture"):
        list(run_jobs(make(tmp_path, 3), Tight(0), 2))


def test_other_errors_are_not_tried_again(tmp_path: Path) -> None:
    backend = Tight(1, "invalid graph")
    with pytest.raises(BackendError, match="the model failed"):
        list(run_jobs(make(tmp_path, 4), backend, 4))
    assert backend.sizes == [4]


@pytest.mark.parametrize("error", [
    MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("BFCArena: Failed to allocate memory for requested buffer of size 8"),
    RuntimeError("CUDA failure 2: out of memory"), RuntimeError("std::bad_alloc"),
    RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"), OSError(12, "Cannot allocate memory"),
])
def test_what_counts_as_memory_that_ran_out(error: Exception) -> None:
    wrapped = BackendError("net.onnx: the model failed")
    wrapped.__cause__ = error
    assert out_of_memory(error) and out_of_memory(wrapped)
    assert not out_of_memory(RuntimeError("a shape does not fit")) and not out_of_memory(None)


def free_of(**known: int):
    """Free bytes by device, which a test changes."""
    return lambda device: known.get(device.partition(":")[0])


@given(st.integers(1, 4096), st.integers(0, 40 * GB))
def test_a_limit_is_the_size_and_nothing_is_measured(limit: int, free: int) -> None:
    batches = Batches(limit, (3, 224, 224), "float32", "cuda", free_of(cuda=free, cpu=free))
    sizes = [len(part) for part in batches.run(list, list(range(5000)))]
    assert max(sizes) == limit and sum(sizes) == 5000


def test_a_card_is_filled_by_what_the_first_batch_took() -> None:
    free = {"cuda": 8 * GB, "cpu": 64 * GB}

    def work(part: list[int]) -> int:
        free["cuda"] = 8 * GB - len(part) * 40 * (1 << 20)  # 40 MiB a picture
        return len(part)

    batches = Batches(None, (3, 224, 224), "float32", "cuda", lambda device: free[device])
    sizes = list(batches.run(work, range(500)))
    # Half of what is left, 7.7 GiB, is 98 pictures of 40 MiB.
    assert sizes[:2] == [FIRST, 64]
    assert batches.ahead == 2 * MOST


def test_large_and_small_memory() -> None:
    assert Batches(None, (3, 224, 224), "float32", "cuda",
                   free_of(cuda=80 * GB, cpu=GB)).most == MOST
    tight = Batches(None, (3, 1280, 1280), "float32", "cpu", free_of(cpu=100 << 20))
    assert tight.size == 1 and tight.ahead == 2
    assert Batches(None, (9,), "uint8", "directml", free_of(cpu=GB)).most == TYPICAL
    unknown = Batches(None, (9,), "uint8", "cpu", lambda device: None)
    assert list(map(len, unknown.run(list, range(72)))) == [FIRST, TYPICAL, TYPICAL]


def test_without_a_size_a_run_measures_and_goes_on(tmp_path: Path) -> None:
    backend = Means()
    results = list(run_jobs(make(tmp_path, 50), backend, runner=ThreadRunner(2)))
    assert backend.sizes[0] == FIRST and sum(backend.sizes) == 50
    assert max(backend.sizes) <= TYPICAL
    assert all(isinstance(r, Done) for r in results)
    with pytest.raises(InputError, match="at least 1"):
        Batches(0, (9,), "uint8")


def test_memory_of_this_machine() -> None:
    assert free_memory("cpu") is None or free_memory("cpu") > 0
    assert free_memory("directml") is None
    assert most_used() >= 0


def test_a_container_s_limit_counts_its_file_cache_as_free(tmp_path: Path) -> None:
    assert memory._group(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 400\ninactive_file 300\n")
    assert memory._group(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory._group(tmp_path) == 600


def test_a_detector_s_batches_are_halved_too(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from ecotone.engine.detecting import Look, detect_pictures

    class Detector:
        sizes: list[int] = []

        def prepare(self, path):
            return SimpleNamespace(input=path, width=9, height=7)

        def detect(self, prepared):
            self.sizes.append(len(prepared))
            if len(prepared) > 2:
                raise RuntimeError("out of memory")
            return [str(one.input) for one in prepared]

    looks = [Look(str(i), tmp_path / str(i)) for i in range(7)]
    found = [f for batch in detect_pictures(looks, Detector(), 6) for f in batch]
    assert [f.look.key for f in found] == [str(i) for i in range(7)]
    assert Detector.sizes == [6, 3, 1, 1, 1, 1, 1, 1, 1] or max(Detector.sizes[2:]) <= 2
