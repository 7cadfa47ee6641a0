"""Decisions that wait at the same moment go to the disk together: one flush for all of them.

Group commit: DeWitt et al., "Implementation techniques for main memory database systems", 1984.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ecotone.review.view import View

T = TypeVar("T")


class _Job:
    """One decision on its way."""

    def __init__(self, store: Callable[[], Any]) -> None:
        self.store = store
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None


class Together:
    """Stores decisions of several threads. Who comes first writes for all who wait by then."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._waiting: list[_Job] = []
        self._lock = threading.Lock()

    def store(self, store: Callable[[], T]) -> T:
        """Run `store`, which writes to the view's catalogue, in a transaction; its value, once that
        is on the disk. What it raises is raised here, and nothing of it is kept; others that were
        written with it stay."""
        job = _Job(store)
        with self._lock:
            self._waiting.append(job)
        with self.view.lock:
            if not job.done:
                self._write()
        if job.error is not None:
            raise job.error
        return job.value

    def _write(self) -> None:
        with self._lock:
            jobs, self._waiting = self._waiting, []
        try:
            with self.view.catalog.transaction() as connection:
                for job in jobs:
                    _one(connection, job)
        except BaseException as error:  # the disk is full or broken: none of them is stored
            for job in jobs:
                job.error = job.error or error
        for job in jobs:
            job.done = True


def _one(connection: Any, job: _Job) -> None:
    connection.execute("SAVEPOINT one")
    try:
        job.value = job.store()
    except Exception as error:
        job.error = error
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")
