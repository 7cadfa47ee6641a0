"""Predictions block by block of pictures, in this process or by workers. n rows, K classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.media.location import is_url

if TYPE_CHECKING:
    from ecotone.engine.local import Job, Runner
    from ecotone.engine.runners import Engine

BLOCK = 256  # pictures that a worker is given at once
Event = tuple[tuple[str, ...], "np.ndarray | str"]  # names of n jobs; (n, K), or why one failed


def events_of(
    bundle: Any, backend: Any, jobs: Iterable[Job], batch_size: int | None,
    runner: Runner | None = None, notes: list[str] | None = None,
) -> Iterator[Event]:
    """Probabilities (n, K) float32 of boxes, batch by batch, with the media ids of their jobs; the
    reason of a picture that cannot be read."""
    from ecotone.engine.local import Failed, run_jobs

    scores = bundle.needs_scores
    for event in run_jobs(jobs, backend, batch_size, scores, not scores, runner, notes):
        if isinstance(event, Failed):
            yield (event.media_id,), event.reason
        else:
            yield event.media_ids, bundle.probabilities(event.outputs)


@dataclass
class BlockWork:
    """What a worker does with a block of jobs; opens the model on its first call. model: as for
    `network.open_model`."""

    model: Path
    options: Mapping[str, Any]
    batch_size: int | None
    threads: int
    opened: tuple[Any, Any] | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "opened": None}

    def __call__(self, jobs: list[Job]) -> list[Event]:
        """Raises BackendError when the model fails."""
        from ecotone.bundle.network import open_model
        from ecotone.engine.local import ThreadRunner

        if self.opened is None:
            bundle = open_model(self.model)
            self.opened = bundle, bundle.backend(**self.options)
        runner = ThreadRunner(self.threads)
        return list(events_of(*self.opened, jobs, self.batch_size, runner))


def events_by(
    engine: Engine, model: Path, options: Mapping[str, Any], jobs: Iterable[Job],
    batch_size: int | None,
) -> Iterator[Event]:
    """As `events_of`, by the workers of an engine, in the same order."""
    from ecotone.engine.runners import cores, open_runner

    threads = max(1, cores() // max(1, engine.workers or cores()))
    work = BlockWork(model.absolute(), options, batch_size, threads)
    told: dict[str, tuple[str, str]] = {}  # a worker's working folder is another
    with open_runner(engine) as runner:
        for block in runner.map(work, _blocks(jobs, told)):
            for names, found in block:
                if isinstance(found, str):
                    there, given = told[names[0]]
                    found = found.replace(there, given, 1) if found.startswith(there) else found
                yield names, found


def _blocks(jobs: Iterable[Job], told: dict[str, tuple[str, str]]) -> Iterator[list[Job]]:
    jobs = iter(jobs)
    while block := list(islice(jobs, BLOCK)):
        for n, job in enumerate(block):
            if not is_url(job.path):
                block[n] = replace(job, path=str(Path(job.path).resolve()))
            told[job.media_id] = str(block[n].path), str(job.path)
        yield block


__all__ = ["BlockWork", "Event", "events_by", "events_of"]
