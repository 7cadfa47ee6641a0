"""Which frames of a video are looked at: so many a second, or those in which something moves.

M frames of a video, n frames that are chosen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecotone.errors import InputError
from ecotone.media.video import Video, probe, small_frames

SIDE = 64, 36  # pixels of the frames that are compared
EVEN = 4  # one frame of so many is chosen by time alone


@dataclass(frozen=True)
class Sampling:
    """How frames are chosen. kind: "rate" (`value` frames a second), "motion" (`value` frames in
    all) or "all"."""

    kind: str
    value: float = 0.0

    def __str__(self) -> str:
        return self.kind if self.kind == "all" else f"{self.kind}:{self.value:g}"


def parse_sampling(text: str, where: str = "frames") -> Sampling:
    """A Sampling from "rate:1", "motion:16" or "all".

    Raises InputError when it is none of these.
    """
    kind, _, number = text.strip().casefold().partition(":")
    wrong = InputError(
        f"{where} is {text!r}, expected 'rate:1' (frames a second), 'motion:16' (frames with the "
        "most motion) or 'all'."
    )
    if kind == "all" and not number:
        return Sampling("all")
    try:
        value = float(number)
    except ValueError:
        raise wrong from None
    good = 0.0 < value <= 1000.0 if kind == "rate" else value >= 1 and value.is_integer()
    if kind not in ("rate", "motion") or not good:
        raise wrong
    return Sampling(kind, value)


def choose_frames(path: str | Path, sampling: Sampling) -> tuple[Video, list[int]]:
    """What a video says of itself, and the numbers of its frames to look at, in order.

    "rate" needs no frame to be decoded; "motion" goes through all, one at a time.
    Raises MediaError when no frame can be read, MissingExtraError without PyAV.
    """
    video = probe(path)
    if sampling.kind == "all":
        return video, list(range(video.frames))
    if sampling.kind == "rate":
        return video, by_rate(video.times, sampling.value)
    motion = motion_of((number, grey) for number, grey in small_frames(path, *SIDE))
    return video, by_motion(motion, int(sampling.value))


def by_rate(times: np.ndarray, per_second: float) -> list[int]:
    """The first frame at or after each 1 / per_second of a second. times: (M,) seconds, sorted."""
    times = np.asarray(times, dtype=np.float64)
    if not len(times):
        return []
    ticks = np.arange(int(np.floor(times[-1] * per_second + 1e-6)) + 1) / per_second
    found = np.searchsorted(times, ticks - 1e-3 / max(per_second, 1.0))
    return sorted({int(n) for n in found if n < len(times)})


def motion_of(frames: Iterable[tuple[int, np.ndarray]]) -> dict[int, float]:
    """Number -> motion: the mean change of grey since the frame before, without what changed all
    over alike (a cloud, the camera's exposure). The first frame has as much as the second."""
    before: np.ndarray | None = None
    motion: dict[int, float] = {}
    for number, grey in frames:
        now = grey.astype(np.float32)
        if before is None:
            motion[number] = 0.0
        else:
            change = now - before
            motion[number] = float(np.abs(change - np.median(change)).mean())
        before = now
    first = list(motion)[:2]
    if len(first) == 2:
        motion[first[0]] = motion[first[1]]
    return motion


def by_motion(motion: dict[int, float], n: int) -> list[int]:
    """n frames: a quarter evenly over the video, the others where most moves, not side by side.

    Frames of one movement tell the same, so that a chosen one keeps its neighbours out as long as
    there are others. Equal motion: the earlier frame.
    """
    numbers = np.array(sorted(motion), dtype=np.int64)
    m = len(numbers)
    if m <= n:
        return numbers.tolist()
    even = max(1, n // EVEN)
    chosen = {int((i + 0.5) * m / even) for i in range(even)}
    strength = np.array([motion[int(k)] for k in numbers])
    order = np.argsort(-strength, kind="stable")
    gap = max(1, m // (4 * n))
    while len(chosen) < n:
        free = np.ones(m, dtype=bool)
        for place in chosen:
            free[max(0, place - gap + 1) : place + gap] = False
        for place in order:
            if len(chosen) == n:
                break
            if free[place]:
                chosen.add(int(place))
                free[max(0, place - gap + 1) : place + gap] = False
        gap = max(1, gap // 2)
    return [int(numbers[place]) for place in sorted(chosen)]


__all__ = ["Sampling", "by_motion", "by_rate", "choose_frames", "motion_of",
           "parse_sampling"]
