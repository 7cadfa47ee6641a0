"""Daft as a runner: a class UDF in several processes, on this machine or on a Ray cluster.

Items go to the workers pickled, results come back pickled, in the order of the items. A worker that
dies costs its items in hand: Ray restarts it and tries them again, and what Daft gives up is asked
for anew, a few times. Neither Daft nor Ray reports home: that is switched off before their import.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from ecotone import errors
from ecotone.engine.runners import Engine, cores
from ecotone.errors import BackendError, EcotoneError, MissingExtraError

T = TypeVar("T")
R = TypeVar("R")
WINDOW = 1024  # items of one query; for each, workers start and open their model anew
ROUNDS = 3  # times that items are asked for, when workers die without Ray mending it
SILENT = {
    "DO_NOT_TRACK": "1", "DAFT_ANALYTICS_ENABLED": "0", "SCARF_NO_ANALYTICS": "1",
    "RAY_USAGE_STATS_ENABLED": "0", "DAFT_PROGRESS_BAR": "0",
}


def silence() -> None:
    """Nothing is reported to anybody: before Daft and Ray are imported."""
    os.environ.update(SILENT)


class Worker:
    """What runs in a worker: the function, unpickled once, applied to one item after the other."""

    def __init__(self, function: bytes) -> None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers share the cores
        self._packed, self._function = function, None

    def run(self, item: bytes) -> bytes:
        """The pickled result of a pickled item, or what went wrong."""
        try:
            if self._function is None:
                self._function = pickle.loads(self._packed)
            return pickle.dumps((True, self._function(pickle.loads(item))))
        except Exception as error:
            return pickle.dumps((False, (type(error).__name__, str(error))))


class DaftRunner:
    """Apply a picklable function to items with Daft; a context manager."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._started = False

    def __enter__(self) -> DaftRunner:
        silence()
        try:
            import daft
        except ImportError:
            raise MissingExtraError(f"the engine {self.engine.name}", "scale") from None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.engine.name == "ray":
                self._start_ray()
            _choose(daft, "ray" if self.engine.name == "ray" else "native")
        return self

    def __exit__(self, *_: object) -> None:
        if self._started:
            import ray

            ray.shutdown()
            self._started = False

    @property
    def workers(self) -> int:
        """Processes that work at once."""
        if self.engine.workers:
            return self.engine.workers
        if self.engine.name == "ray":
            import ray

            return max(1, int(ray.cluster_resources().get("CPU", 1)))
        return cores()

    def _start_ray(self) -> None:
        try:
            import ray
        except ImportError:
            raise MissingExtraError("the engine ray", "ray") from None
        if ray.is_initialized():
            return
        more: dict[str, Any] = {"address": self.engine.address}
        if not self.engine.address:
            more = {"num_cpus": max(self.engine.workers, cores()), "include_dashboard": False,
                    "address": "local"}
        try:
            ray.init(**more, log_to_driver=False, logging_level="error",
                     runtime_env={"env_vars": SILENT})
        except Exception as error:  # of many kinds, by what is wrong with the address
            where = self.engine.address or "this machine"
            raise BackendError(
                f"Ray at {where} cannot be used ({' '.join(str(error).split())}); give the head's "
                "address, as --address auto or ray://head:10001."
            ) from error
        self._started = True

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Results in the order of the items. The first exception of `function` ends it, as a
        member of the EcotoneError tree. Raises BackendError when workers die again and again."""
        from daft.pickle import dumps  # by value what lives in a script, which workers lack

        packed, items = dumps(function), iter(items)
        while window := [pickle.dumps(item) for item in islice(items, WINDOW)]:
            yield from self._window(packed, window)

    def _window(self, function: bytes, items: list[bytes]) -> Iterator[Any]:
        found: dict[int, bytes] = {}
        told, lost = 0, 0
        while told < len(items):
            missing = [n for n in range(told, len(items)) if n not in found]
            before = len(missing)
            try:
                for number, result in self._query(function, items, missing):
                    found[number] = result
                    before -= 1
                    while told in found:
                        yield _opened(found.pop(told))
                        told += 1
            except (EcotoneError, GeneratorExit):
                raise
            except Exception as error:  # the workers', not the function's
                lost = lost + 1 if before == len(missing) else 1
                if lost >= ROUNDS:
                    text = " ".join(str(error).split())[:500]
                    raise BackendError(
                        f"the engine {self.engine.name} lost its workers {lost} times without a "
                        f"result ({text}); what is finished is kept, run again to continue."
                    ) from error

    def _query(
        self, function: bytes, items: list[bytes], numbers: list[int]
    ) -> Iterator[tuple[int, bytes]]:
        import daft

        ray = self.engine.name == "ray"
        count = min(self.workers, len(numbers))
        options: dict[str, Any] = {"gpus": self.engine.gpus} if self.engine.gpus else {}
        if not ray:
            options["use_process"] = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = daft.cls(Worker, max_concurrency=count, **options)(function)
            table = daft.from_pydict({"number": numbers, "item": [items[n] for n in numbers]})
            table = table.into_partitions(len(numbers)) if ray else table.into_batches(1)
            rows = table.select(table["number"], made.run(table["item"]).alias("result"))
            for row in rows.iter_rows(results_buffer_size=2 * count):
                yield row["number"], row["result"]


def _choose(daft: Any, name: str) -> None:
    """Make Daft run on its runner of that name, which a process can choose once.

    Raises BackendError when this process has chosen the other one.
    """
    from daft.runners import get_or_infer_runner_type

    if get_or_infer_runner_type() != name or not _chosen:
        try:
            daft.set_runner_ray(noop_if_initialized=True) if name == "ray" else (
                daft.set_runner_native())
        except Exception as error:
            if get_or_infer_runner_type() != name:
                raise BackendError(
                    f"Daft runs on another runner in this process already; start a new one for "
                    f"the engine {name}."
                ) from error
    _chosen.add(name)
    if name == "ray":  # what it keeps of a Ray that was shut down is of no use
        vars(daft.runners.get_or_create_runner()).update(flotilla_plan_runner=None)


_chosen: set[str] = set()


def _opened(result: bytes) -> Any:
    fine, value = pickle.loads(result)
    if fine:
        return value
    name, text = value
    kind = getattr(errors, name, None)
    if not isinstance(kind, type) or not issubclass(kind, EcotoneError):
        raise BackendError(f"a worker failed: {name}: {text}")
    raise (BackendError if kind is MissingExtraError else kind)(text)


__all__ = ["SILENT", "DaftRunner", "Worker", "silence"]
