"""The thread runner keeps order and bounds; a run collects failures and never stops for them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ecotone.backends.base import Outputs
from ecotone.engine.local import Done, Failed, Job, ThreadRunner, run_jobs
from ecotone.errors import InputError
from ecotone.media.preprocess import Preprocessing

WHOLE = np.array([[0, 0, 1, 1]])


class Means:
    """An encoder: the mean colour of a picture; counts its calls."""

    preprocessing = Preprocessing(4, 4, "uint8", "NHWC")

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def encode(self, batch: np.ndarray) -> np.ndarray:
        self.sizes.append(len(batch))
        return batch.mean(axis=(1, 2)).astype(np.float32)


class Both(Means):
    classes = ("dark", "light")

    def classify(self, batch: np.ndarray) -> np.ndarray:
        light = batch.mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - light, light], axis=1).astype(np.float32)


def make(folder: Path, count: int) -> list[Job]:
    from PIL import Image

    jobs = []
    for i in range(count):
        path = folder / f"{i}.png"
        Image.new("RGB", (9, 7), (i, 2 * i, 255 - i)).save(path)
        jobs.append(Job(f"m{i}", path, (f"m{i}:0",), WHOLE))
    return jobs


def test_order_is_kept_and_memory_bounded() -> None:
    started, most, running = 0, 0, 0
    lock = threading.Lock()

    def items():
        nonlocal started
        for i in range(50):
            started = i
            yield i

    def work(i: int) -> int:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.001 * (i % 3))
        with lock:
            running -= 1
        return i * i

    results = []
    for value in ThreadRunner(threads=3, ahead=6).map(work, items()):
        results.append(value)
        assert started - len(results) <= 6
    assert results == [i * i for i in range(50)]
    assert 1 < most <= 3


def test_an_error_of_the_function_ends_it() -> None:
    def work(i: int) -> int:
        return 1 // (3 - i)

    with pytest.raises(ZeroDivisionError):
        list(ThreadRunner(threads=2).map(work, range(10)))


def test_batches_in_order(tmp_path: Path) -> None:
    backend = Means()
    results = list(run_jobs(make(tmp_path, 10), backend, batch_size=4))
    assert backend.sizes == [4, 4, 2]
    ids = [d for r in results for d in r.detection_ids]
    assert ids == [f"m{i}:0" for i in range(10)]
    values = np.concatenate([r.outputs.embeddings for r in results])
    np.testing.assert_allclose(values[:, 0], np.arange(10))
    assert all(r.outputs.scores is None for r in results)


def test_several_boxes_of_one_picture_may_span_batches(tmp_path: Path) -> None:
    job = make(tmp_path, 1)[0]
    boxes = np.tile([0.1, 0.1, 0.5, 0.5], (7, 1))
    many = Job("m", job.path, tuple(f"m:{i}" for i in range(7)), boxes)
    results = list(run_jobs([many], Means(), batch_size=3))
    assert [len(r.detection_ids) for r in results] == [3, 3, 1]
    assert {m for r in results for m in r.media_ids} == {"m"}


def test_scores_and_embeddings_as_asked(tmp_path: Path) -> None:
    jobs = make(tmp_path, 3)
    both = next(iter(run_jobs(jobs, Both())))
    assert both.outputs.scores.shape == (3, 2) and both.outputs.embeddings.shape == (3, 3)
    only = next(iter(run_jobs(jobs, Both(), scores=False)))
    assert only.outputs.scores is None and only.outputs.embeddings is not None


def test_failures_never_stop_the_run(tmp_path: Path) -> None:
    jobs = make(tmp_path, 6)
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "4.png").unlink()
    jobs[2] = Job("m2", jobs[2].path, ("m2:0",), np.array([[0, 0, np.nan, 1]]))
    results = list(run_jobs(jobs, Means(), batch_size=2))
    failed = {r.media_id: r.reason for r in results if isinstance(r, Failed)}
    assert set(failed) == {"m1", "m2", "m4"}
    assert "empty" in failed["m1"] and "missing" in failed["m4"] and "finite" in failed["m2"]
    done = [d for r in results if isinstance(r, Done) for d in r.detection_ids]
    assert done == ["m0:0", "m3:0", "m5:0"]


def test_an_error_of_the_model_ends_it(tmp_path: Path) -> None:
    class Broken(Means):
        def encode(self, batch: np.ndarray) -> np.ndarray:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        list(run_jobs(make(tmp_path, 2), Broken()))
    with pytest.raises(InputError, match="batch_size"):
        list(run_jobs([], Means(), batch_size=0))


def test_backend_with_run_is_called_once_a_batch(tmp_path: Path) -> None:
    class OneRun(Both):
        def run(self, batch: np.ndarray, scores: bool, embeddings: bool) -> Outputs:
            return Outputs(self.classify(batch), self.encode(batch))

    backend = OneRun()
    list(run_jobs(make(tmp_path, 5), backend, batch_size=5))
    assert backend.sizes == [5]
