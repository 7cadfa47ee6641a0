"""Jobs in shards, each one Parquet file: planned, worked on anywhere, committed, resumed.

An output (a folder or a URL) holds `ecotone.json` (how the model was run, its classes), `shards/`
and `commits/`. A shard counts when its commit is there, which is written after it. Its name comes
from what is in it, so that a second worker on it writes the same file again. n rows of a shard, S
global classes, D embedding dimensions.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.engine.local import Failed, Job, Runner, ThreadRunner, run_jobs
from ecotone.engine.output import Output
from ecotone.engine.sparse import keep_large
from ecotone.errors import BackendError, FormatError, InputError, MissingExtraError

FORMAT = 1
MANIFEST = "ecotone.json"
ROWS = 1024  # detections of a shard


@dataclass(frozen=True, eq=False)
class ShardJobs:
    """The pictures of one shard, in order. name: see `plan`. file_paths: as they are told, one a
    job."""

    name: str
    jobs: tuple[Job, ...]
    file_paths: tuple[str, ...]

    @property
    def detections(self) -> int:
        """Rows that it has in the end."""
        return sum(len(job.detection_ids) for job in self.jobs)


@dataclass(frozen=True)
class ShardDone:
    """A committed shard. rows: with results. failed: (media id, path, reason) of pictures that
    could not be read. size: of the file in bytes. worker: "host:process id". dimension: D, 0
    without embeddings."""

    name: str
    rows: int
    failed: tuple[tuple[str, str, str], ...] = ()
    size: int = 0
    worker: str = ""
    dimension: int = 0


@dataclass
class ShardWork:
    """What a worker does with a shard: picklable, opens the model on its first call.

    model, classes, options: as `backends.open_backend` takes them. scores, embeddings: what to
    keep. prints: fingerprints of the model as the caller has it; another one is refused. threads:
    that decode, 0 is one a core. hashes: keep the content hash of each picture.
    """

    output: str
    model: str
    classes: str | None
    options: Mapping[str, Any]
    scores: bool
    embeddings: bool
    prints: Mapping[str, str]
    batch_size: int | None = None
    threads: int = 0
    hashes: bool = False
    backend: Any = field(default=None, repr=False)  # open already: in the caller's process

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "backend": None}

    def __call__(self, shard: ShardJobs) -> ShardDone:
        """Work on a shard and commit it. Raises BackendError when the model fails."""
        if self.backend is None:
            self.backend = self._open()
        columns = _Columns(shard)
        runner = ThreadRunner(self.threads)
        for result in run_jobs(shard.jobs, self.backend, self.batch_size, self.scores,
                               self.embeddings, runner):
            columns.add(result)
        if self.hashes:
            from ecotone.ingest.folder import content_hash_at

            paths = [str(job.path) for job in shard.jobs]
            columns.hashes = list(runner.map(content_hash_at, paths))
        output = Output(self.output)
        data = columns.parquet()
        output.write(shard_file(shard.name), data)
        done = ShardDone(shard.name, columns.rows, tuple(columns.failed), len(data),
                         f"{socket.gethostname()}:{os.getpid()}", columns.dimension)
        commit = {"file": shard_file(done.name), "rows": done.rows, "failed": done.failed,
                  "dimension": done.dimension, "size": done.size,
                  "checksum": hashlib.blake2b(data, digest_size=16).hexdigest()}
        output.write(commit_file(shard.name), json.dumps(commit).encode())
        return done

    def _open(self) -> Any:
        from pathlib import Path

        from ecotone.backends.base import open_backend
        from ecotone.backends.fingerprint import fingerprints

        classes = Path(self.classes) if self.classes else None
        backend = open_backend(self.model, classes, **self.options)
        found = fingerprints(backend)
        for kind, wanted in self.prints.items():
            if found[kind] != wanted:
                raise BackendError(
                    f"{self.model}: on the worker {socket.gethostname()} it is another model or "
                    "another version than here; give all machines the same file and packages."
                )
        return backend


def shard_file(name: str) -> str:
    """Where a shard lies in its output."""
    return f"shards/{name}.parquet"


def commit_file(name: str) -> str:
    """Where its commit lies."""
    return f"commits/{name}.json"


class _Columns:
    """The rows of a shard in the order of its jobs, whatever comes back in between."""

    def __init__(self, shard: ShardJobs) -> None:
        self.shard = shard
        self.hashes: list[str] = []
        self._reasons: dict[str, str] = {}
        self._ids = [i for job in shard.jobs for i in job.detection_ids]
        self._place = {i: n for n, i in enumerate(self._ids)}
        self._have = np.zeros(len(self._ids), dtype=bool)
        self._embeddings: np.ndarray | None = None
        self._scores: dict[int, tuple[np.ndarray, np.ndarray]] | None = None

    @property
    def rows(self) -> int:
        """Rows with results."""
        return int(self._have.sum())

    @property
    def dimension(self) -> int:
        """D, 0 without embeddings."""
        return 0 if self._embeddings is None else self._embeddings.shape[1]

    @property
    def failed(self) -> list[tuple[str, str, str]]:
        """(media id, path, reason) of pictures that could not be read, or not whole."""
        return [(media, path, reason) for media, (path, reason) in self._told().items()]

    def _told(self) -> dict[str, tuple[str, str]]:
        told = {}
        for job, path in zip(self.shard.jobs, self.shard.file_paths, strict=True):
            reason = self._reasons.get(job.media_id)
            if reason is not None:
                told[job.media_id] = path, reason.removeprefix(f"{job.path}: ")
        return told

    def add(self, result: Any) -> None:
        """What came of a batch or of a picture."""
        if isinstance(result, Failed):
            self._reasons.setdefault(result.media_id, result.reason)
            return
        rows = [self._place[i] for i in result.detection_ids]
        self._have[rows] = True
        if result.outputs.embeddings is not None:
            values = np.asarray(result.outputs.embeddings, dtype=np.float32)
            if not np.isfinite(values).all():
                raise InputError("embeddings: NaN or infinity.")
            if self._embeddings is None:
                self._embeddings = np.zeros((len(self._ids), values.shape[1]), dtype=np.float16)
            limit = float(np.finfo(np.float16).max)
            self._embeddings[rows] = np.clip(values, -limit, limit)
        if result.outputs.scores is not None:
            kept = keep_large(result.outputs.scores)
            self._scores = {} if self._scores is None else self._scores
            for n, row in enumerate(rows):
                part = slice(kept.indptr[n], kept.indptr[n + 1])
                self._scores[row] = kept.indices[part], kept.data[part]

    def parquet(self) -> bytes:
        """The table as a file."""
        pa, parquet = arrow()
        counts = [len(job.detection_ids) for job in self.shard.jobs]
        boxes = np.concatenate([np.reshape(job.boxes, (-1, 4)) for job in self.shard.jobs])
        media = np.repeat(np.array([j.media_id for j in self.shard.jobs], dtype=object), counts)
        told = self._told()
        errors = [None if have else told.get(medium, ("", "not read"))[1]
                  for have, medium in zip(self._have, media, strict=True)]
        columns = {
            "id": pa.array(self._ids, pa.string()),
            "mediaID": pa.array(media.tolist(), pa.string()),
            "filePath": pa.array(np.repeat(np.array(self.shard.file_paths, dtype=object),
                                           counts).tolist(), pa.string()),
            "location": pa.array(np.repeat(np.array([str(j.path) for j in self.shard.jobs],
                                                    dtype=object), counts).tolist(), pa.string()),
            "bbox": pa.FixedSizeListArray.from_arrays(boxes.astype(np.float32).ravel(), 4),
            "error": pa.array(errors, pa.string()),
        }
        if self.hashes:
            found = np.repeat(np.array(self.hashes, dtype=object), counts)
            columns["contentHash"] = pa.array(found.tolist(), pa.string())
        if self._embeddings is not None:
            flat = pa.array(self._embeddings.ravel(), pa.float16())
            width = self._embeddings.shape[1]
            columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, width)
        if self._scores is not None:
            none = np.empty(0, np.int32), np.empty(0, np.float32)
            parts = [self._scores.get(row, none) for row in range(len(self._ids))]
            offsets = np.cumsum([0, *(len(p[0]) for p in parts)]).astype(np.int32)
            for name, k, kind in (("classes", 0, np.int32), ("probabilities", 1, np.float32)):
                values = np.concatenate([p[k] for p in parts]).astype(kind)
                columns[name] = pa.ListArray.from_arrays(offsets, values)
        sink = pa.BufferOutputStream()
        parquet.write_table(pa.table(columns), sink, compression="zstd", use_dictionary=[
            "mediaID", "filePath", "location", "error"])
        return sink.getvalue().to_pybytes()


def arrow() -> tuple[Any, Any]:
    """pyarrow and pyarrow.parquet. Raises MissingExtraError."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("shards in Parquet files", "scale") from None
    return pyarrow, parquet


def plan(
    jobs: Iterable[tuple[int, Job, str]], salt: str, rows: int = ROWS
) -> Iterator[ShardJobs]:
    """Shards of about `rows` detections in the order of the jobs, whole jobs each.

    jobs: (place of its picture's first detection among all of the task, also those that are done;
    job; path as told), ascending. Where a shard ends depends on places alone, so that what is left
    after a stop falls into the same shards. salt: what else the results depend on; a shard's name
    is made from it and from its jobs.
    """
    if rows < 1:
        raise InputError(f"rows of a shard: {rows}, expected at least 1.")
    held: list[tuple[Job, str]] = []
    count, number = 0, 0
    for place, job, path in jobs:
        if held and (place // rows != number or count >= 2 * rows):
            yield _shard(held, salt, number)
            held, count = [], 0
        number = place // rows
        held.append((job, path))
        count += len(job.detection_ids)
    if held:
        yield _shard(held, salt, number)


def _shard(held: list[tuple[Job, str]], salt: str, number: int) -> ShardJobs:
    digest = hashlib.blake2b(salt.encode(), digest_size=8)
    for job, _ in held:
        digest.update(f"\n{job.path}\n{' '.join(job.detection_ids)}\n".encode("utf-8", "replace"))
        digest.update(np.asarray(job.boxes, dtype=np.float32).tobytes())
    jobs, paths = zip(*held, strict=True)
    return ShardJobs(f"{number:07d}-{digest.hexdigest()}", jobs, paths)


def remaining(
    shard: ShardJobs, done: Mapping[str, ShardDone], salt: str
) -> ShardJobs | None:
    """What is to be done of a shard: all of it, the pictures that failed before, or None."""
    while shard.name in done:
        failed = {media for media, _, _ in done[shard.name].failed}
        held = [(job, path) for job, path in zip(shard.jobs, shard.file_paths, strict=True)
                if job.media_id in failed]
        if not held:
            return None
        if len(held) == len(shard.jobs):
            return shard
        shard = _shard(held, salt, int(shard.name.partition("-")[0]))
    return shard


def begin(output: Output, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of an output, or check that the one there is of the same results.

    Raises InputError when results made in another way are there, or nothing can be written.
    """
    try:
        there = read_manifest(output)
    except FileNotFoundError:
        output.write(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
        return
    if there["fingerprints"] != manifest["fingerprints"]:
        raise InputError(
            f"{output.place}: holds results of {there.get('model')!r} run in another way; give "
            "another place with --output."
        )


def read_manifest(output: Output) -> dict[str, Any]:
    """What made the results of an output.

    Raises FileNotFoundError, FormatError when it is none of ours.
    """
    text = output.read(MANIFEST)
    try:
        found = json.loads(text)
        if int(found["format"]) > FORMAT:
            raise FormatError(
                f"{output.place}: written by a newer ecotone; update with: pip install -U ecotone"
            )
        return {"classes": [], **found, "fingerprints": dict(found["fingerprints"])}
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, FormatError):
            raise
        where = output.where(MANIFEST)
        raise FormatError(f"{where}: not a manifest of shards ({error}).") from None


def committed(output: Output) -> dict[str, ShardDone]:
    """The shards that count, by name.

    Raises FormatError when a commit cannot be read.
    """
    found = {}
    for file in output.names("commits"):
        if file.endswith(".json") and not file.startswith("."):
            try:
                commit = json.loads(output.read(f"commits/{file}"))
                name = file.removesuffix(".json")
                failed = tuple((m, p, r) for m, p, r in commit["failed"])
                found[name] = ShardDone(name, int(commit["rows"]), failed, int(commit["size"]),
                                        dimension=int(commit["dimension"]))
            except (ValueError, KeyError, TypeError) as error:
                raise FormatError(
                    f"{output.where(f'commits/{file}')}: damaged ({error}); delete it and run "
                    "again."
                ) from None
    return found


def run_shards(
    shards: Iterable[ShardJobs], work: ShardWork, runner: Runner
) -> Iterator[tuple[ShardJobs, ShardDone]]:
    """Each shard with what became of it, in order, committed when it comes.

    Raises BackendError when the model fails, InputError when workers write to another disk.
    """
    waiting: list[ShardJobs] = []

    def items() -> Iterator[ShardJobs]:
        for shard in shards:
            waiting.append(shard)
            yield shard

    output = Output(work.output)
    for done in runner.map(work, items()):
        shard = waiting.pop(0)
        if not output.remote and not os.path.exists(output.where(commit_file(done.name))):
            raise InputError(
                f"{output.place}: the worker {done.worker} wrote to a disk of its own; give a "
                "folder that all machines share, or an object storage, with --output."
            )
        yield shard, done


__all__ = [
    "ROWS", "ShardDone", "ShardJobs", "ShardWork", "arrow", "begin", "commit_file", "committed",
    "plan", "read_manifest", "remaining", "run_shards", "shard_file",
]
