"""Work for the tests of engines, importable by their workers, and a script that loses a worker.

    python -m tests.engine.runs PHOTOS OUTPUT MODEL CLASSES

runs a local Ray of three workers, kills one that is in the middle of a shard, and prints json.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecotone.backends.base import can_classify, can_encode, open_backend
from ecotone.engine.output import Output
from ecotone.engine.runners import Engine, open_runner
from ecotone.engine.shards import ShardDone, ShardJobs, ShardWork, begin, plan, run_shards
from ecotone.engine.work import Spec, manifest_of, salt_of, work_of
from ecotone.errors import InputError


class Square:
    """Squares with the worker's number and how often it was called; refuses 13."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.calls = seconds, 0

    def __call__(self, number: int) -> tuple[int, int, int]:
        time.sleep(self.seconds)
        if number == 13:
            raise InputError("13: expected another number.")
        if number == 14:
            raise ZeroDivisionError("fourteen")
        self.calls += 1
        return number**2, os.getpid(), self.calls


@dataclass
class Slow(ShardWork):
    """Says that it is in the middle of a shard, and stays there for a while."""

    def __call__(self, shard: ShardJobs) -> ShardDone:
        Path(self.output, f"begun-{os.getpid()}").write_text(shard.name, "utf-8")
        time.sleep(0.4)
        return super().__call__(shard)


def prepared(photos: Path, output: Path, model: str, classes: str | None, rows: int,
             engine: Engine) -> tuple[list[ShardJobs], ShardWork]:
    """The shards and the work of a run without a project."""
    from ecotone.engine.loose import _jobs

    options = {"threads": 1}
    backend = open_backend(model, Path(classes) if classes else None, **options)
    spec = Spec(model, classes, options, backend)
    manifest = manifest_of("m", spec, can_classify(backend), can_encode(backend))
    jobs, _ = _jobs(photos, None, None)
    begin(Output(output), manifest)
    work = work_of(spec, manifest, str(output), engine, 4, 1)
    return list(plan(jobs, salt_of(manifest), rows)), work


def lose_a_worker(photos: Path, output: Path, model: str, classes: str) -> dict[str, Any]:
    """Run on Ray, kill a worker at the first result, go on to the end."""
    engine = Engine("ray", workers=3)
    shards, work = prepared(photos, output, model, classes, 2, engine)
    slow, killed, told, workers = Slow(**vars(work)), 0, [], set()
    with open_runner(engine) as runner:
        for _, done in run_shards(shards, slow, runner):
            told.append(done.name)
            workers.add(int(done.worker.rpartition(":")[2]))
            others = [int(p.name[6:]) for p in output.glob("begun-*")]
            for pid in sorted(set(others) - {int(done.worker.rpartition(":")[2])}):
                if not killed:
                    killed = pid
                    os.kill(pid, signal.SIGKILL)
        import ray
        from ray._common.usage import usage_lib

        silent = usage_lib.usage_stats_enabled() is False
        assert ray.is_initialized()
    return {"killed": killed, "told": told, "planned": [s.name for s in shards],
            "workers": sorted(workers), "silent": silent, "alive": ray.is_initialized()}


if __name__ == "__main__":
    print(json.dumps(lose_a_worker(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])))
