"""Progress on stderr: a bar with rate and time left on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[int, int | None, str], None]
EVERY = 10.0  # seconds between lines where stderr is no terminal


@contextmanager
def progress() -> Iterator[Progress]:
    """A function (done, total, text) that shows how far a long task is."""
    if sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield line_reporter()


def line_reporter(
    write: Callable[[str], Any] | None = None, clock: Callable[[], float] = time.monotonic
) -> Progress:
    """Progress as plain lines, at most one every ten seconds and none in the first ten."""
    write = write or (lambda text: print(text, file=sys.stderr, flush=True))
    state = {"text": "", "start": clock(), "first": 0, "last": clock()}

    def report(done: int, total: int | None, text: str) -> None:
        now = clock()
        if text != state["text"]:
            state.update(text=text, start=now, first=done)
        if now - state["last"] >= EVERY:
            state["last"] = now
            write(describe(done, total, text, done - state["first"], now - state["start"]))

    return report


def describe(done: int, total: int | None, text: str, fresh: int, seconds: float) -> str:
    """One line: what, how far, the rate, the time left. fresh: items done within `seconds`."""
    parts = [text, f"{done:,} of {total:,}" if total else (f"{done:,}" if done else "")]
    if fresh > 0 and seconds > 0:
        rate = fresh / seconds
        parts.append(f"{rate:.1f}/s")
        if total:
            parts.append(f"{_duration((total - done) / rate)} left")
    return "  ".join(part for part in parts if part)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        state: dict[str, Any] = {"text": None, "task": None, "start": 0.0, "first": 0}

        def report(done: int, total: int | None, text: str) -> None:
            now = time.monotonic()
            if text != state["text"]:
                if state["task"] is not None:
                    bar.remove_task(state["task"])
                task = bar.add_task(text, total=total, speed="")
                state.update(text=text, task=task, start=now, first=done)
            speed = describe(done, total, "", done - state["first"], now - state["start"])
            speed = "  ".join(speed.split("  ")[1:])
            bar.update(state["task"], completed=done, total=total, speed=speed)

        yield report
