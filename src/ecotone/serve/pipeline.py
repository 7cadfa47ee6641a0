"""The bounded queue: threads decode, one thread runs the model on what came together.

A row is one picture, or one box of a picture; `queue` bounds all rows that are read, waiting or at
work. Batches form by themselves: the model takes what is ready when it is free, and waits a moment
only while a decoder is about to give more.

Source: adaptive batching as in Crankshaw et al. 2017, Clipper, section 4.3.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.errors import EcotoneError, MediaError
from ecotone.serve.limits import Limits
from ecotone.serve.metrics import Metrics
from ecotone.serve.model import Model
from ecotone.serve.problems import Refusal

log = logging.getLogger("ecotone.serve")
RETRY = 1.0  # seconds after which a full queue is worth another try
FAILED = "The model failed; the server's log says how."


@dataclass(eq=False)
class Ticket:
    """One picture on its way. boxes: (n, 4). answer: gives (n, K) or raises why not."""

    data: bytes
    boxes: np.ndarray
    deadline: float
    answer: Future = field(default_factory=Future)
    waited: float = 0.0  # seconds
    since: float = 0.0  # since when it waits
    inputs: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """Rows that it takes in the queue."""
        return max(1, len(self.boxes))

    def lost(self, now: float) -> bool:
        """Whether nobody waits for it any more."""
        return self.answer.done() or now > self.deadline


class Place:
    """Rows of the queue that a request holds while it is read; what is not handed over to tickets
    is given back at the end of the `with` block."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self._held = pipeline, 0

    def grow(self, rows: int) -> None:
        """Hold `rows` in all. Raises Refusal 429 when the queue is full."""
        if rows > self._held:
            self._pipeline._take(rows - self._held)
            self._held = rows

    def submit(self, data: bytes, boxes: np.ndarray, deadline: float) -> Ticket:
        """Put a picture into the queue; its rows are the ticket's from now on."""
        ticket = Ticket(data, boxes, deadline)
        self._held -= ticket.rows
        self._pipeline._put(ticket)
        return ticket

    def __enter__(self) -> Place:
        refusal = self._pipeline.refusal()
        if refusal is not None:
            raise refusal
        self.grow(1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._held > 0:
            self._pipeline._give_back(self._held)


class Pipeline:
    """Decoders, queue and model of one server. Safe from any thread.

    load the model with `use`; until then, after `stop` and while the model fails every request is
    refused with 503.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self.limits, self.metrics = limits, metrics
        self.model: Model | None = None
        self._change = threading.Condition()
        self._to_decode: deque[Ticket] = deque()
        self._to_run: deque[Ticket] = deque()
        self._decoding = self._rows = 0
        self._stopping = self._ended = False
        self._failed_until = 0.0
        self._threads: list[threading.Thread] = []
        metrics.queue.set_function(lambda: self._rows)
        metrics.queue_limit.set(limits.queue)
        metrics.ready.set_function(lambda: float(self.refusal() is None))

    def use(self, model: Model) -> None:
        """Start to serve a model."""
        works = [self._decode] * self.limits.decoders + [self._run]
        with self._change:
            self.model = model
            self._threads = [
                threading.Thread(target=work, name=f"ecotone-serve-{i}", daemon=True)
                for i, work in enumerate(works)
            ]
        for thread in self._threads:
            thread.start()

    def refusal(self) -> Refusal | None:
        """Why no picture is taken now, None when they are."""
        if self._stopping:
            return Refusal(503, "stopping", "The server is stopping.", 5)
        if self.model is None:
            return Refusal(503, "starting", "The model is being loaded; ask again in a moment.", 2)
        left = self._failed_until - time.monotonic()
        if left > 0:
            return Refusal(503, "model-failed", FAILED, left)
        return None

    @property
    def rows(self) -> int:
        """Rows that are read, waiting or at work now."""
        return self._rows

    def place(self) -> Place:
        """A place in the queue, see `Place`."""
        return Place(self)

    def drop(self, tickets: Sequence[Ticket]) -> None:
        """Forget pictures whose client has gone or whose time is up."""
        with self._change:
            for ticket in tickets:
                ticket.answer.cancel()
                if ticket in self._to_decode:
                    self._to_decode.remove(ticket)
                    self._rows -= ticket.rows
            self._change.notify_all()

    def refuse_more(self) -> None:
        """Take nothing more; what is in the queue is finished."""
        self._stopping = True

    def stop(self, seconds: float = 0.0) -> None:
        """End the threads, after the queue is empty or `seconds` are over."""
        end = time.monotonic() + seconds
        with self._change:
            self._stopping = True
            while self._rows and time.monotonic() < end:
                self._change.wait(max(0.0, end - time.monotonic()))
            self._ended = True
            left = [*self._to_decode, *self._to_run]
            self._change.notify_all()
        for ticket in left:
            _settle(ticket, error=_late())
        for thread in self._threads:
            thread.join(1.0)

    def _take(self, rows: int) -> None:
        with self._change:
            if self._rows + rows > self.limits.queue:
                raise Refusal(
                    429, "queue-full", f"The queue is full ({self._rows} of {self.limits.queue} "
                    f"places taken, {rows} asked for); ask again in a moment.", RETRY,
                )
            self._rows += rows

    def _give_back(self, rows: int) -> None:
        with self._change:
            self._rows -= rows
            self._change.notify_all()

    def _put(self, ticket: Ticket) -> None:
        ticket.since = time.monotonic()
        with self._change:
            self._to_decode.append(ticket)
            self._change.notify_all()

    def _decode(self) -> None:
        """The work of a decoding thread."""
        while True:
            with self._change:
                while not self._to_decode and not self._ended:
                    self._change.wait()
                if self._ended:
                    return
                ticket = self._to_decode.popleft()
                self._decoding += 1
            self._prepare(ticket)

    def _prepare(self, ticket: Ticket) -> None:
        start = time.monotonic()
        ticket.waited = start - ticket.since
        failure: Exception | None = None
        if not ticket.lost(start):
            try:
                ticket.inputs = self.model.prepare(
                    ticket.data, ticket.boxes, self.limits.max_pixels)
            except EcotoneError as error:
                failure = error
            # One picture must not end a thread; MemoryError comes here too.
            except Exception as error:
                log.error("picture could not be prepared: %s", _line(error))
                failure = MediaError(f"picture: damaged ({_line(error)})")
            self.metrics.decode_seconds.observe(time.monotonic() - start)
        ticket.data, ticket.since = b"", time.monotonic()
        with self._change:
            self._decoding -= 1
            if ticket.inputs is not None:
                self._to_run.append(ticket)
            else:
                self._rows -= ticket.rows
            self._change.notify_all()
        if ticket.inputs is None:
            _settle(ticket, error=failure or _late())

    def _run(self) -> None:
        """The work of the thread that runs the model."""
        while True:
            tickets = self._gather()
            if tickets is None:
                return
            now = time.monotonic()
            kept = [t for t in tickets if not t.lost(now)]
            try:
                if kept:
                    self._batch(kept, now)
            finally:
                for ticket in tickets:
                    if not ticket.answer.done():
                        _settle(ticket, error=_late())
                self._give_back(sum(t.rows for t in tickets))

    def _gather(self) -> list[Ticket] | None:
        """The pictures of the next batch, None at the end."""
        with self._change:
            while not self._to_run and not self._ended:
                self._change.wait()
            if self._ended:
                return None
            until = self._to_run[0].since + self.limits.coalesce
            while self._more_may_come() and not self._ended:
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._change.wait(left)
            taken, rows = [], 0
            while self._to_run and (not taken or rows + self._to_run[0].rows
                                    <= self.limits.batch_size):  # fmt: skip
                taken.append(self._to_run.popleft())
                rows += taken[-1].rows
            return taken

    def _more_may_come(self) -> bool:
        ready = sum(t.rows for t in self._to_run)
        return ready < self.limits.batch_size and bool(self._decoding or self._to_decode)

    def _batch(self, tickets: list[Ticket], start: float) -> None:
        for ticket in tickets:
            self.metrics.wait_seconds.observe(ticket.waited + start - ticket.since)
        rows = np.concatenate([t.inputs for t in tickets])
        size = self.limits.batch_size
        try:
            parts = [self.model.probabilities(rows[i : i + size])
                     for i in range(0, len(rows), size)]  # fmt: skip
            found = np.concatenate(parts)
            if len(found) != len(rows) or not np.isfinite(found).all():
                raise ValueError(f"{found.shape} answers that are no probabilities")
        # A model fails in any way there is; the server lives on.
        except Exception as error:
            self._fail(error, tickets)
            return
        self.metrics.model_seconds.observe(time.monotonic() - start)
        self.metrics.batch_rows.observe(len(rows))
        at = 0
        for ticket in tickets:
            _settle(ticket, found[at : at + len(ticket.inputs)])
            at += len(ticket.inputs)

    def _fail(self, error: Exception, tickets: list[Ticket]) -> None:
        self._failed_until = time.monotonic() + self.limits.pause
        self.metrics.model_failures.inc()
        log.error("the model failed: %s", _line(error))
        for ticket in tickets:
            _settle(ticket, error=Refusal(503, "model-failed", FAILED, self.limits.pause))


def _late() -> Refusal:
    return Refusal(503, "timeout", "No answer in time; the server is busy.", RETRY)


def _settle(ticket: Ticket, found: Any = None, error: Exception | None = None) -> None:
    """Give the answer, unless its client has gone meanwhile."""
    try:
        if error is not None:
            ticket.answer.set_exception(error)
        else:
            ticket.answer.set_result(found)
    except InvalidStateError:
        pass


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, EcotoneError) else f"{type(error).__name__}: {text}"
