"""Scores and embeddings of pictures without a project, into shards that a project can attach.

For a cluster: where the pictures lie, or from where they can be reached. Ids are those that a
project gives to the same pictures, so that attaching needs no matching in the usual case.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.engine.local import Job
from ecotone.engine.output import Output
from ecotone.engine.runners import Engine, open_runner
from ecotone.engine.shards import ROWS, ShardJobs, begin, committed, plan, remaining, run_shards
from ecotone.engine.work import Spec, manifest_of, salt_of, work_of
from ecotone.errors import BackendError, InputError

Progress = Callable[[int, "int | None", str], None]


@dataclass(frozen=True)
class LooseReport:
    """What a run did. done, skipped: detections, now and before. failed: "path: reason" lines.
    shards: written now. output: where."""

    model: str
    output: str
    done: int
    skipped: int
    shards: int
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run_loose(
    images: str | Path | Sequence[str | Path], model: str, output: str | Path, *,
    classes: str | Path | None = None, scores: bool = True,
    detections: str | Path | None = None, threshold: float | None = None,
    engine: Engine | None = None, batch_size: int | None = None, shard_rows: int = ROWS,
    progress: Progress | None = None, **options: Any,
) -> LooseReport:
    """Run a model over pictures that are in no project; what is committed is not done again.

    images: a folder, a URL, a list (see `bundle.pictures.find_pictures`). output: folder or URL of
    the shards. scores: False for embeddings only. detections: a MegaDetector file; its boxes are
    classified, else whole pictures. options: as `backends.open_backend` takes them.

    Raises BackendError (the model), InputError (pictures, detections, output).
    """
    from ecotone.backends.base import can_classify, can_encode, model_name, open_backend

    started, say = time.perf_counter(), progress or (lambda done, total, text: None)
    engine = engine or Engine()
    backend = open_backend(model, Path(classes) if classes else None, **options)
    if scores and not can_classify(backend):
        raise BackendError(f"{model}: the names of its outputs are not known; give them with "
                           "--classes labels.txt (or use it as an encoder: ecotone embed).")
    if not scores and not can_encode(backend):
        raise BackendError(f"{model}: it gives no embeddings; see ecotone embed --help.")
    spec = Spec(str(model), str(classes) if classes else None, options, backend)
    manifest = manifest_of(model_name(model), spec, scores, can_encode(backend))
    jobs, notes = _jobs(images, detections, threshold)
    notes = [*notes, *getattr(backend, "notes", ())]
    place, salt = Output(output), salt_of(manifest)
    begin(place, manifest)
    before = committed(place)
    shards = list(_waiting(jobs, salt, shard_rows, before))
    total = sum(shard.detections for shard in shards)
    every = sum(len(job.detection_ids) for _, job, _ in jobs)
    done = seen = 0
    failed: list[str] = []
    say(0, total, f"{model} by {engine.name}")
    work = work_of(spec, manifest, place.place, engine, batch_size, 0)
    work.hashes = True  # by them a project knows the pictures, wherever they lie there
    with open_runner(engine if shards else None) as runner:
        for shard, result in run_shards(shards, work, runner):
            done, seen = done + result.rows, seen + shard.detections
            where = {job.media_id: job.path for job in shard.jobs}
            failed += [f"{where[media]}: {reason}" for media, _, reason in result.failed]
            say(seen, total, f"{model} by {engine.name}")
    return LooseReport(manifest["model"], place.place, done, every - total, len(shards), failed,
                       notes, time.perf_counter() - started)


def _jobs(
    images: Any, detections: str | Path | None, threshold: float | None
) -> tuple[list[tuple[int, Job, str]], list[str]]:
    from ecotone.bundle.boxes import with_boxes
    from ecotone.bundle.pictures import find_pictures
    from ecotone.media.location import is_url

    pictures, notes = find_pictures(images)
    if detections is not None:
        pictures, told = with_boxes(pictures, Path(detections), threshold)
        notes = [*notes, *told]
    jobs, place = [], 0
    for picture in pictures:
        path = picture.path if is_url(picture.path) else str(Path(picture.path).resolve())
        if picture.detection_ids:
            jobs.append((place, Job(picture.media_id, path, tuple(picture.detection_ids),
                                    picture.boxes, picture.frame_numbers), picture.file_path))
        place += len(picture.detection_ids)
    if len({job.media_id for _, job, _ in jobs}) < len(jobs):
        raise InputError(f"{images}: two pictures have the same path below different roots; give "
                         "each root a run and an output of its own.")
    return jobs, notes


def _waiting(
    jobs: list[tuple[int, Job, str]], salt: str, rows: int, before: Any
) -> Iterator[ShardJobs]:
    for shard in plan(jobs, salt, rows):
        left = remaining(shard, before, salt)
        if left is not None:
            yield left


__all__ = ["LooseReport", "run_loose"]
