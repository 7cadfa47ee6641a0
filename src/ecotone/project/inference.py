"""`classify` and `embed`: run a model on the detections that it has not seen yet.

N detections, S global classes, D embedding dimensions. What is reported as stored survives a kill:
every some seconds the finished rows are written, and the next run goes on after them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.engine.runners import Engine
from ecotone.engine.sparse import keep_large
from ecotone.engine.work import Spec, manifest_of
from ecotone.errors import BackendError, ProjectError
from ecotone.project.attaching import begin_sets, drop_missing
from ecotone.project.engine_runs import EngineRun, EngineStream, chosen_engine, place_among
from ecotone.project.networks import find_network
from ecotone.types import Detections

Progress = Callable[[int, int | None, str], None]
ROWS, SECONDS = 1000, 10.0  # finished rows are written after so many, or after so long
ZERO_SHOT = "openclip"  # takes the project's classes where no file names others


@dataclass(frozen=True)
class InferenceReport:
    """What a run did. done, skipped: detections, now and before. failed: "path: reason" lines.

    classes: number of classes whose scores were stored, 0 for none. dimension: of the embeddings,
    0 for none. seconds: of the run, opening the model included. notes: what else to know.
    """

    model: str
    done: int
    skipped: int
    failed: list[str] = field(default_factory=list)
    classes: int = 0
    dimension: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def classify(
    project: Any,
    model: str,
    classes: str | Path | None = None,
    *,
    batch_size: int | None = None,
    progress: Progress | None = None,
    engine: str | Engine | None = None,
    address: str | None = None,
    workers: int | None = None,
    shards: str | Path | None = None,
    shard_rows: int | None = None,
    gpus: float | None = None,
    int8: bool = False,
    **options: Any,
) -> InferenceReport:
    """Scores of a global model for every detection without them, and its embeddings if it has any.

    model: a file (.onnx, .tflite) or a name, see `backends.open_backend`, which also takes
    `options`. classes: names of the outputs (or descriptions, for zero-shot models). engine,
    address, workers, shards, shard_rows, gpus: see `engine_runs.chosen_engine`; default: settings.
    An `output` that is no kind of output is the place of shards too. int8: an .onnx model in 8
    bits, whose results have a name of their own, see `quantising`.

    Raises BackendError when the model gives no scores or cannot be run, InputError on bad options.
    """
    started = time.perf_counter()
    model, name = find_network(project, model)
    from ecotone.backends.base import can_classify

    shards = shards or place_among(options)
    run = chosen_engine(project, engine, address, workers, shards, shard_rows, gpus)
    notes: list[str] = []
    if int8:
        model, name, options = _in_8_bits(project, model, name, classes, options, notes)
    spec = _open(project, model, classes, options)
    backend = spec.backend

    if not can_classify(backend):
        raise BackendError(
            f"{model}: the names of its outputs are not known; give them with --classes "
            "labels.txt (or use it as an encoder only: ecotone embed --model ...)."
        )
    return _run(project, "classify", name, spec, run, batch_size, progress, started, notes)


def embed(
    project: Any,
    model: str = "handcrafted",
    *,
    batch_size: int | None = None,
    progress: Progress | None = None,
    engine: str | Engine | None = None,
    address: str | None = None,
    workers: int | None = None,
    shards: str | Path | None = None,
    shard_rows: int | None = None,
    gpus: float | None = None,
    int8: bool = False,
    **options: Any,
) -> InferenceReport:
    """Embeddings of every detection without them; arguments as of `classify`.

    Raises BackendError when the model gives no embeddings or cannot be run.
    """
    started = time.perf_counter()
    from ecotone.backends.base import can_encode, open_backend

    model, name = find_network(project, model)
    shards = shards or place_among(options)
    run = chosen_engine(project, engine, address, workers, shards, shard_rows, gpus)
    notes: list[str] = []
    if int8:
        model, name, options = _in_8_bits(project, model, name, None, options, notes)
    backend = open_backend(model, None, **options)
    if not can_encode(backend):
        raise BackendError(
            f"{model}: no pooled layer was found in it; name a tensor with --embedding, or use "
            "another encoder (ecotone embed --model handcrafted)."
        )
    return _run(project, "embed", name, Spec(model, None, options, backend), run, batch_size,
                progress, started, notes)


def _in_8_bits(
    project: Any, model: str, name: str, classes: str | Path | None, options: dict[str, Any],
    notes: list[str],
) -> tuple[str, str, dict[str, Any]]:
    """The 8-bit network of a model, its results' name, its options; `notes` takes its cost."""
    from ecotone.project.networks import network_note, note_network
    from ecotone.project.quantising import ENDING, int8_model

    file, options, report = int8_model(project, model, classes, options)
    note = network_note(project.catalog, name)
    name += ENDING
    if note:  # of a network that has seen the labels: so has this one
        note_network(project.catalog, name, **{**note, "accepted": False})
    notes += report.lines()
    return file, name, options


def _open(project: Any, model: str, classes: str | Path | None, options: dict[str, Any]) -> Spec:
    from ecotone.backends.base import open_backend

    if classes is None and str(model).partition(":")[0] == ZERO_SHOT:
        from ecotone.project.gathering import local_classes

        catalog = project.catalog
        names = local_classes(project, catalog.detections(), catalog.current_labels(), None)
        known = catalog.label_names()
        options = {**options, "names": {name: _fuller(name, known) for name in names}}
    backend = open_backend(model, Path(classes) if classes else None, **options)
    return Spec(model, str(classes) if classes else None, options, backend)


def _fuller(name: str, known: dict[str, tuple[str, str]]) -> str:
    """A class with both its names, as "Vulpes vulpes (red fox)", where the labels give both."""
    scientific, vernacular = known.get(name, ("", ""))
    return f"{scientific} ({vernacular})" if scientific and vernacular else name


def _run(
    project: Any, command: str, name: str, spec: Spec, engine: EngineRun | None,
    batch_size: int | None, progress: Progress | None, started: float, notes: list[str],
) -> InferenceReport:
    from ecotone.backends.base import can_encode

    say = progress or (lambda done, total, text: None)
    catalog, backend = project.catalog, spec.backend
    scores, embeddings = command == "classify", can_encode(backend)
    manifest = manifest_of(name, spec, scores, embeddings)
    info = manifest["backend"]
    begin_sets(catalog, manifest)
    everything = catalog.detections()
    if not len(everything):
        raise ProjectError("no pictures in this project yet; add some: ecotone add images FOLDER")
    drop_missing(project, name)
    stream = None
    if engine is not None:
        stream = EngineStream(project, command, name, spec, manifest, engine)
        stream.resume()
    pending = _pending(project, name, everything, scores, embeddings)
    total = int(pending.sum())
    seed = project.config.random_state
    run = catalog.start_run(command, {"model": name, "backend": info}, seed)
    tally = _Tally()
    status = "interrupted"
    try:
        if total:
            say(0, total, f"{command} by {name}")
            size = batch_size or project.config.batch_size or None
            if stream is None:
                _stream(project, command, name, backend, everything, pending,
                        (scores, embeddings), size, tally, say)
            else:
                _shards(project, command, name, stream.results(everything, pending, size),
                        total, tally, say)
        status = "done"
    except Exception:
        status = "failed"
        raise
    finally:
        catalog.finish_run(run, status, {"done": tally.done, "failed": len(tally.failed)})
    return InferenceReport(
        name, tally.done, len(everything) - total, tally.failed,
        len(backend.classes) if scores else 0,
        int(getattr(backend, "dimension", 0) or 0) if embeddings else 0,
        time.perf_counter() - started,
        [*notes, *getattr(backend, "notes", ()), *tally.notes],
    )


@dataclass
class _Tally:
    """What a run has done so far."""

    done: int = 0
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _stream(
    project: Any, command: str, name: str, backend: Any, everything: Detections,
    pending: np.ndarray, wanted: tuple[bool, bool], size: int | None, tally: _Tally, say: Progress,
) -> None:
    from ecotone.engine.local import Failed, ThreadRunner, run_jobs

    runner = ThreadRunner(project.config.workers)
    media = project.catalog.media()
    path_of = dict(zip(media.id, media.path, strict=True))
    videos = set(media.id[media.is_video])
    jobs = jobs_of(path_of, everything, pending, videos)
    total, seen = int(pending.sum()), 0
    failing = {f.media_id for f in project.catalog.failures()}
    broken: set[str] = set()
    with _Keeper(project, name, backend, wanted) as keeper:
        for result in run_jobs(jobs, backend, size, *wanted, runner, tally.notes):
            if isinstance(result, Failed):
                path = f"{path_of[result.media_id]}: "
                reason = result.reason.removeprefix(path)  # the catalogue knows the path
                project.catalog.record_failure(result.media_id, command, reason)
                tally.failed.append(path + reason)
                broken.add(result.media_id)
                seen += result.detections
            else:
                keeper.add(result.detection_ids, result.outputs)
                for medium in (failing - broken) & set(result.media_ids):
                    # It can be read now; of a video that is cut off still not all.
                    project.catalog.clear_failure(medium, command if medium in videos else None)
                seen += len(result.detection_ids)
                tally.done += len(result.detection_ids)
            say(seen, total, f"{command} by {name}")


def _shards(
    project: Any, command: str, name: str, results: Iterator[Any], total: int, tally: _Tally,
    say: Progress,
) -> None:
    """Count what comes from an engine, and keep which pictures could not be read."""
    failing = {f.media_id for f in project.catalog.failures()}
    seen = 0
    for shard, done in results:
        broken = {media for media, _, _ in done.failed}
        place = {job.media_id: job.path for job in shard.jobs}
        for media, _, reason in done.failed:
            project.catalog.record_failure(media, command, reason)
            tally.failed.append(f"{place[media]}: {reason}")
        for medium in failing & (set(place) - broken):
            project.catalog.clear_failure(medium)
        tally.done += done.rows
        seen += shard.detections
        say(seen, total, f"{command} by {name}")


class _Keeper:
    """Finished rows on their way to the disk; leaving it writes what is there, come what may."""

    def __init__(self, project: Any, name: str, backend: Any, wanted: tuple[bool, bool]) -> None:
        self._place = project.catalog, project.path / "vectors", name
        self._backend, self._wanted = backend, wanted
        self._writers: dict[str, Any] = {}
        self._rows, self._since = 0, time.monotonic()

    def __enter__(self) -> _Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def add(self, ids: tuple[str, ...], outputs: Any) -> None:
        """Take the rows of one batch; write when there are many or some time has passed."""
        if not self._writers:
            self._open(outputs)
        if self._wanted[0]:
            self._writers["scores"].append(ids, keep_large(outputs.scores))
        if self._wanted[1]:
            self._writers["embeddings"].append(ids, outputs.embeddings)
        self._rows += len(ids)
        if self._rows >= ROWS or time.monotonic() - self._since >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits. A detection counts as done when both its parts are on the disk."""
        for writer in self._writers.values():
            writer.flush()
        self._rows, self._since = 0, time.monotonic()

    def _open(self, outputs: Any) -> None:
        from ecotone.store.vectors import EmbeddingWriter, ScoreWriter

        if self._wanted[1]:
            dimension = outputs.embeddings.shape[1]
            self._writers["embeddings"] = EmbeddingWriter(*self._place, dimension)
        if self._wanted[0]:
            complete = bool(getattr(self._backend, "complete", True))
            self._writers["scores"] = ScoreWriter(*self._place, self._backend.classes, complete)


def jobs_of(
    path_of: dict[str, str], everything: Detections, pending: np.ndarray, videos: Container[str]
) -> Iterator[Any]:
    """One job a picture with all its pending boxes, in the order of the catalogue; of a video, one
    some for its frames."""
    from ecotone.engine.local import Job, frame_jobs

    rows = np.flatnonzero(pending)
    ids = everything.media_id[rows]
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(rows) else rows
    for part in np.split(rows, starts[1:]):
        if not len(part):
            continue
        medium = everything.media_id[part[0]]
        if medium not in videos:
            names = tuple(everything.id[part])
            yield Job(medium, path_of[medium], names, everything.bbox[part])
            continue
        yield from frame_jobs(medium, path_of[medium], everything.id[part], everything.bbox[part],
                              everything.frame_number[part])


def _pending(
    project: Any, name: str, everything: Detections, scores: bool, embeddings: bool
) -> np.ndarray:
    """Which detections (N,) bool lack something that this run makes."""
    from ecotone.store.vectors import done_ids

    folder = project.path / "vectors"
    kinds = [k for k, want in (("scores", scores), ("embeddings", embeddings)) if want]
    done = [done_ids(project.catalog, folder, kind, name) for kind in kinds]
    complete = set.intersection(*done)
    return np.fromiter(
        (i not in complete for i in everything.id), dtype=bool, count=len(everything)
    )
