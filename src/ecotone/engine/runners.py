"""Where work runs: in this process, in processes of this machine, or on a Ray cluster.

All runners have one method, `map`. A function that is given to a runner of several processes must
be picklable: an instance of a class at the top of a module, say. Each worker unpickles it once, so
what it opens on its first call (a model) is opened once a worker.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from ecotone.engine.local import Runner
from ecotone.errors import InputError

T = TypeVar("T")
R = TypeVar("R")
ENGINES = ("threads", "daft", "ray")


@dataclass(frozen=True)
class Engine:
    """A choice of runner.

    name: "threads" (this process), "daft" (Daft's native runner, processes of this machine) or
    "ray" (Daft on Ray). workers: processes; 0 means one a core, of the cluster with "ray".
    address: of the cluster, such as "auto" or "ray://head:10001"; "" starts a local Ray. gpus: of
    each worker, may be a fraction.
    """

    name: str = "threads"
    workers: int = 0
    address: str = ""
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise InputError(f"engine {self.name!r}: expected one of {', '.join(ENGINES)}.")
        if self.address and self.name != "ray":
            raise InputError(f"an address ({self.address}) is for the engine ray, not {self.name}.")
        if self.workers < 0 or self.gpus < 0:
            raise InputError("workers and gpus of an engine are numbers from 0.")

    @property
    def here(self) -> bool:
        """Whether the work stays in this process."""
        return self.name == "threads"


class InOrderRunner:
    """One item after the other in this process, for functions that use all cores themselves."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Results in the order of the items. The first exception of `function` ends it."""
        return map(function, items)


@contextmanager
def open_runner(engine: Engine | None = None) -> Iterator[Runner]:
    """The runner of an engine, ready to use; what it started is stopped at the end.

    Raises MissingExtraError without Daft or Ray, BackendError when the cluster is not reached.
    """
    if engine is None or engine.here:
        yield InOrderRunner()
        return
    from ecotone.engine.daft import DaftRunner

    with DaftRunner(engine) as runner:
        yield runner


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


__all__ = ["ENGINES", "Engine", "InOrderRunner", "cores", "open_runner"]
