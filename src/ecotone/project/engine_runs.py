"""`classify` and `embed` by an engine: jobs to shards in Parquet files, attached as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.engine.runners import Engine
from ecotone.engine.shards import ROWS
from ecotone.engine.work import Spec, salt_of, work_of
from ecotone.media.location import is_url
from ecotone.types import Detections

KINDS = ("probabilities", "logits", "independent")  # what a model may put out


@dataclass(frozen=True)
class EngineRun:
    """How and where an engine works.

    output: folder or URL of the shards; None is a folder in the project. rows: of a shard.
    """

    engine: Engine = Engine()
    output: str | Path | None = None
    rows: int = ROWS


def chosen_engine(
    project: Any, engine: str | Engine | None = None, address: str | None = None,
    workers: int | None = None, shards: str | Path | None = None, shard_rows: int | None = None,
    gpus: float | None = None,
) -> EngineRun | None:
    """What was asked for, else what the settings say; None for the threads of this process that
    write into the project.

    engine, address, workers, gpus: see `Engine`. shards: folder or URL where they are written.
    shard_rows: detections of a shard.
    Raises InputError for an unknown engine, or an address without Ray.
    """
    config = project.config
    if not isinstance(engine, Engine):
        name = engine or ("ray" if address else config.engine)
        engine = Engine(
            name, config.engine_workers if workers is None else workers,
            address or (config.engine_address if name == "ray" else ""), gpus or 0.0)
    output = shards or config.engine_output or None
    if not shards and output and not is_url(output):
        output = project.path / output
    if engine.here and output is None:
        return None
    return EngineRun(engine, output, shard_rows or ROWS)


def place_among(options: dict[str, Any]) -> Any:
    """The place of shards that stands as `output` among a model's options, taken out of them."""
    return options.pop("output") if options.get("output") not in (None, *KINDS) else None


class EngineStream:
    """The detections of a project that lack results, by an engine; what is done is attached."""

    def __init__(
        self, project: Any, command: str, name: str, spec: Spec, manifest: Mapping[str, Any],
        run: EngineRun,
    ) -> None:
        from ecotone.engine.output import Output
        from ecotone.store.shards import set_folder

        self.project, self.command, self.run, self.spec = project, command, run, spec
        self.manifest = manifest
        if run.output is None:
            place = set_folder(project.path, "shards", f"{name} {salt_of(manifest)}")
        else:
            place = run.output
        self.output = Output(place)

    def resume(self) -> None:
        """Begin the output, or attach what an interrupted run left finished in it."""
        from ecotone.engine.shards import begin
        from ecotone.project.attaching import attach_finished

        begin(self.output, self.manifest)
        attach_finished(self.project, self.output, self.manifest)

    def results(
        self, everything: Detections, pending: np.ndarray, batch_size: int | None
    ) -> Iterator[Any]:
        """(shard's jobs, what became of them), attached when they come.

        Raises BackendError (the model, the workers), InputError (the output).
        """
        from ecotone.engine.runners import open_runner
        from ecotone.engine.shards import plan, run_shards
        from ecotone.project.attaching import Links

        links = Links(self.project, self.output, self.manifest)
        media = self.project.catalog.media()
        jobs = list_jobs(media, everything, pending)
        shards = plan(jobs, salt_of(self.manifest), self.run.rows)
        work = work_of(self.spec, self.manifest, self.output.place, self.run.engine, batch_size,
                       self.project.config.workers)
        with open_runner(self.run.engine) as runner:
            for shard, done in run_shards(shards, work, runner):
                ids = [i for job in shard.jobs for i in job.detection_ids]
                good = links.good(done, len(ids))
                links.add(done, [ids[n] for n in good], good)
                yield shard, done


def list_jobs(
    media: Any, everything: Detections, pending: np.ndarray
) -> Iterator[tuple[int, Any, str]]:
    """(place of a picture's first detection, its job, its path in its root), ascending."""
    from ecotone.project.inference import jobs_of

    path_of = dict(zip(media.id, media.path, strict=True))
    told = dict(zip(media.id, media.file_path, strict=True))
    starts: dict[str, int] = {}
    for n, medium in enumerate(everything.media_id):
        starts.setdefault(medium, n)
    for job in jobs_of(path_of, everything, pending, set(media.id[media.is_video])):
        yield starts[job.media_id], job, told[job.media_id]


__all__ = ["EngineRun", "EngineStream", "chosen_engine", "list_jobs", "place_among"]
