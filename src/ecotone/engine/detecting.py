"""Pictures and frames of videos through a detector: threads decode, batches go to the model, in
order.

n pictures of a batch, M boxes of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ecotone.backends.detector import Prepared
from ecotone.detection.boxes import Boxes
from ecotone.engine.batches import Batches
from ecotone.engine.local import Runner, ThreadRunner
from ecotone.errors import InputError, MediaError, MissingExtraError
from ecotone.media.video import FrameOf

UNREADABLE, NOT_RUN = "image access failure", "inference failure"  # MegaDetector's words


@dataclass(frozen=True)
class Look:
    """One picture or video to look at. key: what it is called in the results. path: a file or URL.
    frames: the numbers of the frames of a video, () for a picture. frame_rate: of a video. problem:
    why it cannot be looked at, "" when it can."""

    key: str
    path: Any
    frames: tuple[int, ...] = ()
    frame_rate: float = 0.0
    problem: str = ""

    def shots(self) -> list[Any]:
        """Where each of its pictures is."""
        return [FrameOf(self.path, n) for n in self.frames] if self.frames else [self.path]


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector says of a picture or video.

    boxes: of the picture, or of each frame of a video that could be looked at, (frame number,
    boxes), the number None for a picture; none at all where it failed: then `failure` is one of
    MegaDetector's words. reason: what failed, one line for people, "" for nothing. width, height:
    pixels, 0 = unknown.
    """

    look: Look
    boxes: tuple[tuple[int | None, Boxes], ...]
    width: int = 0
    height: int = 0
    failure: str = ""
    reason: str = ""

    @property
    def key(self) -> str:
        """What the picture is called."""
        return self.look.key

    @property
    def capped(self) -> bool:
        """Whether there were more boxes than are kept."""
        return any(boxes.dropped for _, boxes in self.boxes)


Shot = tuple[Look, Any, "Prepared | str"]


def detect_pictures(
    looks: Iterable[Look], detector: Any, batch_size: int = 8, runner: Runner | None = None
) -> Iterator[list[Found]]:
    """What a detector says of many pictures and videos, some at a time, in their order.

    What cannot be read, or on which the model fails, never ends the run; of a video that can be
    read in part, the part counts.
    Raises BackendError when the model cannot be run at all.
    """
    batches = Batches.of(detector, batch_size)
    runner = runner or ThreadRunner(ahead=2 * batch_size)

    def prepare(pair: tuple[Look, Any]) -> Shot:
        look, path = pair
        if look.problem:
            return look, path, look.problem
        try:
            return look, path, detector.prepare(path)
        except (MediaError, InputError, MissingExtraError) as error:
            return look, path, str(error)

    waiting: list[Shot] = []
    parts: list[tuple[Shot, Boxes | str]] = []  # of the picture or video that is under way
    for shot in runner.map(prepare, ((look, path) for look in looks for path in look.shots())):
        waiting.append(shot)
        if len(waiting) >= batch_size:
            yield _batch(detector, batches, waiting, parts)
            waiting = []
    if waiting:
        yield _batch(detector, batches, waiting, parts)


def _batch(detector: Any, batches: Batches, shots: list[Shot],
           parts: list[tuple[Shot, Boxes | str]]) -> list[Found]:
    ready = [p for _, _, p in shots if not isinstance(p, str)]
    results = chain.from_iterable(batches.run(detector.detect, ready))
    out = []
    for shot in shots:
        parts.append((shot, shot[2] if isinstance(shot[2], str) else next(results)))
        if len(parts) == len(shot[0].shots()):
            out.append(_joined(parts))
            parts.clear()
    return out


def _joined(parts: list[tuple[Shot, Boxes | str]]) -> Found:
    look = parts[0][0][0]
    numbers = look.frames or (None,)
    boxes = tuple((n, result) for n, (_, result) in zip(numbers, parts, strict=True)
                  if not isinstance(result, str))
    lost = [(path, prepared, result) for (_, path, prepared), result in parts
            if isinstance(result, str)]
    size = next(((p.width, p.height) for (_, _, p), _ in parts if not isinstance(p, str)), (0, 0))
    if not lost:
        return Found(look, boxes, *size)
    path, prepared, result = lost[0]
    unread = isinstance(prepared, str)
    reason = result if unread else f"{path}: {result}"
    if len(lost) > 1:
        reason += f" (and {len(lost) - 1:,} more of its frames)"
    failure = "" if boxes else (UNREADABLE if unread else NOT_RUN)
    return Found(look, boxes, *size, failure, reason)


__all__ = ["Found", "Look", "detect_pictures"]
