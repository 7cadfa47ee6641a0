"""Pictures through a detector: threads decode, batches go to the model, in order.

n pictures of a batch, M boxes of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ecotone.backends.detector import Prepared
from ecotone.detection.boxes import Boxes
from ecotone.engine.local import Runner, ThreadRunner
from ecotone.errors import InputError, MediaError, MissingExtraError

UNREADABLE, NOT_RUN = "image access failure", "inference failure"  # MegaDetector's words


@dataclass(frozen=True)
class Look:
    """One picture to look at. key: what it is called in the results. path: a file, a URL, or a
    frame of a video."""

    key: str
    path: Any


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector says of a picture. boxes: None where it failed: then `failure` is one of
    MegaDetector's words and `reason` one line for people. width, height: pixels, 0 = unknown."""

    key: str
    boxes: Boxes | None
    width: int = 0
    height: int = 0
    failure: str = ""
    reason: str = ""


def detect_pictures(
    looks: Iterable[Look], detector: Any, batch_size: int = 8, runner: Runner | None = None
) -> Iterator[list[Found]]:
    """What a detector says of many pictures, some at a time, in their order.

    A picture that cannot be read, or on which the model fails, never ends the run.
    Raises BackendError when the model cannot be run at all.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}, expected at least 1.")
    runner = runner or ThreadRunner(ahead=2 * batch_size)

    def prepare(look: Look) -> tuple[Look, Prepared | str]:
        try:
            return look, detector.prepare(look.path)
        except (MediaError, InputError, MissingExtraError) as error:
            return look, str(error)

    waiting: list[tuple[Look, Prepared | str]] = []
    for pair in runner.map(prepare, looks):
        waiting.append(pair)
        if len(waiting) >= batch_size:
            yield _batch(detector, waiting)
            waiting = []
    if waiting:
        yield _batch(detector, waiting)


def _batch(detector: Any, pairs: list[tuple[Look, Prepared | str]]) -> list[Found]:
    ready = [p for _, p in pairs if not isinstance(p, str)]
    results = iter(detector.detect(ready)) if ready else iter(())
    out = []
    for look, prepared in pairs:
        if isinstance(prepared, str):
            out.append(Found(look.key, None, 0, 0, UNREADABLE, prepared))
            continue
        size, result = (prepared.width, prepared.height), next(results)
        if isinstance(result, str):
            out.append(Found(look.key, None, *size, NOT_RUN, f"{look.path}: {result}"))
        else:
            out.append(Found(look.key, result, *size))
    return out


__all__ = ["Found", "Look", "detect_pictures"]
