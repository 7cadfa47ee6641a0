"""Pictures through a backend on this machine: threads decode, batches go to the model, in order.

n rows of a batch, S global classes, D embedding dimensions.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from ecotone.backends.base import Outputs, run_backend
from ecotone.engine.batches import Batches
from ecotone.errors import InputError, MediaError, MissingExtraError

FRAMES = 32  # boxes of a video that are read in one go
T = TypeVar("T")
R = TypeVar("R")


class Runner(Protocol):
    """Applies a function to items and yields the results in their order."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]: ...


@dataclass(frozen=True)
class ThreadRunner:
    """A pool of threads with at most `ahead` items under way, so that memory stays bounded.

    threads: 0 means one a core. ahead: 0 means as many as threads; `run_jobs` takes what memory
    has room for. Decoding and resizing release Python's lock, so threads help.
    """

    threads: int = 0
    ahead: int = 0

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Results in the order of the items. The first exception of `function` ends it."""
        threads = self.threads or os.cpu_count() or 1
        ahead = max(self.ahead, threads + 1)
        waiting: deque[Future[R]] = deque()
        with ThreadPoolExecutor(threads, thread_name_prefix="ecotone-media") as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(function, item))
                    if len(waiting) >= ahead:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


@dataclass(frozen=True, eq=False)
class Job:
    """One picture to read, or some frames of one video. media_id: what a failure is recorded with.
    path: or a URL. detection_ids: n strings. boxes: (n, 4), x y width height in 0..1.
    frame_numbers: (n,) of a video, None for a picture."""

    media_id: str
    path: str | Path
    detection_ids: tuple[str, ...]
    boxes: np.ndarray
    frame_numbers: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Done:
    """A batch that went through the model: detection ids and media ids of its rows, outputs."""

    detection_ids: tuple[str, ...]
    media_ids: tuple[str, ...]
    outputs: Outputs


@dataclass(frozen=True)
class Failed:
    """A picture that could not be read, and why."""

    media_id: str
    reason: str
    detections: int


def frame_jobs(
    media_id: str, path: str | Path, ids: Sequence[str], boxes: np.ndarray, frames: np.ndarray
) -> Iterator[Job]:
    """Jobs of the n boxes (n, 4) on frames (n,) of one video, `FRAMES` at a time in the order of
    the frames, so that memory stays bounded and each part is decoded in one go."""
    order = np.argsort(frames, kind="stable")
    for start in range(0, len(order), FRAMES):
        some = order[start : start + FRAMES]
        yield Job(media_id, path, tuple(ids[i] for i in some), boxes[some], frames[some])


@dataclass(frozen=True, eq=False)
class Prepared:
    """A job's inputs (m, *shape) with the m detection ids that could be read; of the `lost` others
    the reason, "" when there are none."""

    media_id: str
    inputs: Sequence[np.ndarray] | np.ndarray
    detection_ids: tuple[str, ...]
    lost: int = 0
    reason: str = ""


def prepare_job(job: Job, preprocessing: Any) -> Prepared:
    """Read the picture of a job, or its frames, in one pass; never raises for a broken file."""
    n = len(job.detection_ids)
    try:
        if job.frame_numbers is None:
            inputs = preprocessing.prepare(job.path, job.boxes)
            return Prepared(job.media_id, inputs, job.detection_ids)
        inputs, read = preprocessing.prepare_frames(job.path, job.frame_numbers, job.boxes)
    except (MediaError, InputError, MissingExtraError) as error:
        return Prepared(job.media_id, (), (), n, str(error))
    ids = tuple(d for d, ok in zip(job.detection_ids, read, strict=True) if ok)
    lost = n - len(ids)
    reason = f"{job.path}: {lost} frames cannot be decoded" if lost else ""
    return Prepared(job.media_id, inputs, ids, lost, reason)


def run_jobs(
    jobs: Iterable[Job],
    backend: Any,
    batch_size: int | None = None,
    scores: bool = True,
    embeddings: bool = True,
    runner: Runner | None = None,
    notes: list[str] | None = None,
) -> Iterator[Done | Failed]:
    """Scores and embeddings of the boxes of many pictures, batch by batch, in their order.

    A picture that cannot be read becomes a `Failed` and never ends the run; so do the frames of a
    video that cannot, while its others go on. batch_size: at most, None by memory (see `Batches`).
    notes: takes what there is to tell at the end.
    Raises BackendError when the model itself fails.
    """
    batches = Batches.of(backend, batch_size)
    runner = runner or ThreadRunner()
    if isinstance(runner, ThreadRunner) and not runner.ahead:
        runner = replace(runner, ahead=batches.ahead)

    def prepare(job: Job) -> Prepared:
        return prepare_job(job, backend.preprocessing)

    def work(pairs: Sequence[Pair]) -> Done:
        return _batch(backend, pairs, scores, embeddings)

    rows: list[np.ndarray] = []
    names: list[tuple[str, str]] = []
    for prepared in runner.map(prepare, jobs):
        if prepared.reason:
            yield Failed(prepared.media_id, prepared.reason, prepared.lost)
        rows.extend(prepared.inputs)
        names.extend((detection, prepared.media_id) for detection in prepared.detection_ids)
        while len(rows) >= batches.size:
            size = batches.size
            yield from batches.run(work, _pairs(rows[:size], names[:size]))
            del rows[:size], names[:size]
    yield from batches.run(work, _pairs(rows, names))
    if notes is not None and batches.note:
        notes.append(batches.note)


Pair = tuple[np.ndarray, tuple[str, str]]


def _pairs(rows: list[np.ndarray], names: list[tuple[str, str]]) -> list[Pair]:
    return list(zip(rows, names, strict=True))


def _batch(backend: Any, pairs: Sequence[Pair], scores: bool, embeddings: bool) -> Done:
    rows, names = zip(*pairs, strict=True)
    outputs = run_backend(backend, np.stack(rows), scores, embeddings)
    detections, media = zip(*names, strict=True)
    return Done(tuple(detections), tuple(media), outputs)
