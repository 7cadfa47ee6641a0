"""Video files: what one says of itself, and its frames by number, streamed (PyAV, extra `video`).

A frame's number counts the frames in the order in which they are shown, from 0. Memory holds one
frame at a time, and one whole number a frame for the times. M frames.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from os.path import basename, splitext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.errors import MediaError
from ecotone.media.location import is_url, location
from ecotone.media.patience import touch
from ecotone.media.video_file import decoded, opened, packets_of, pyav, why_not

if TYPE_CHECKING:
    from PIL import Image

ENDINGS = frozenset({".mp4", ".avi", ".mov", ".m4v", ".mkv", ".mts"})
LOST = 0.01  # share of the frames a header promises that may be missing without a word
NEAR = 4  # frames that are decoded rather than sought over
Size = tuple[int, int]  # width, height


@dataclass(frozen=True, eq=False)
class Video:
    """What a video file says of itself.

    frames: M, those that can be read. frame_rate: mean frames a second, 0 = unknown. duration:
    seconds from the first frame to the end of the last. width, height: upright. rotation: degrees
    by which frames are turned clockwise to be upright. created: ISO 8601 as the file says, "" for
    nothing. camera: its maker and model. times: (M,) float64 seconds after the first frame.
    problem: what is wrong with a file of which some frames can be read, "" for nothing.
    """

    frames: int
    frame_rate: float
    duration: float
    width: int
    height: int
    rotation: int
    created: str
    camera: str
    times: np.ndarray
    problem: str = ""
    _stamps: np.ndarray | None = field(default=None, repr=False)  # (M,) as in the file, sorted
    _keys: np.ndarray | None = field(default=None, repr=False)  # those of frames to start from


@dataclass(frozen=True)
class FrameOf:
    """A picture that is one frame of a video."""

    path: str | Path
    number: int

    @property
    def name(self) -> str:
        """The file's name and the frame."""
        return f"{basename(location(self.path))}, frame {self.number}"

    def __str__(self) -> str:
        return f"{self.path}, frame {self.number}"


def is_video(path: str | Path) -> bool:
    """Whether a file is a video by its ending.

    >>> is_video("cam1/CLIP.MOV"), is_video("cam1/a.jpg")
    (True, False)
    """
    return splitext(location(path).partition("?")[0])[1].casefold() in ENDINGS


def have_video() -> bool:
    """Whether videos can be read: PyAV is installed."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


def probe(path: str | Path) -> Video:
    """What a video says of itself; goes through the file once and decodes one frame.

    Raises MediaError when no frame can be read, MissingExtraError without PyAV.
    """
    pyav()
    where = location(path)
    if is_url(where):
        return _probe(where, 0, 0)
    try:
        touch(Path(where))
        status = os.stat(where)
    except OSError as error:
        raise MediaError(f"{where}: {why_not(where, error)}") from error
    return _probe(where, status.st_mtime_ns, status.st_size)


def frames_of(
    path: str | Path, numbers: Iterable[int],
    size: Size | Callable[[int, int], Size | None] | None = None,
) -> Iterator[tuple[int, Image.Image]]:
    """(number, Pillow RGB image, upright) of frames, in the order of the video, each once.

    Decodes what lies between frames that are near, and seeks where they are far. size: as in
    `media.decode.load_picture`. A frame that cannot be decoded is left out.
    Raises MediaError when no frame of the file can be read, MissingExtraError without PyAV.
    """
    video = probe(path)
    wanted = sorted({n for n in map(int, numbers) if 0 <= n < video.frames})
    if not wanted:
        return
    with ExitStack() as stack:
        source = _Reader(video, location(path), stack)
        for number in wanted:
            frame = source.read(number)
            if frame is not None:
                yield number, _image(frame, video, size)


def load_frame(
    path: str | Path, number: int, size: Size | Callable[[int, int], Size | None] | None = None,
) -> Image.Image:
    """One frame of a video as an upright Pillow RGB image; see `frames_of`.

    Raises MediaError when it cannot be read.
    """
    for _, image in frames_of(path, [number], size):
        return image
    frames = probe(path).frames
    why = f"there are {frames:,}, from 0" if not 0 <= number < frames else "it is damaged"
    raise MediaError(f"{path}: frame {number} cannot be read ({why})")


def small_frames(path: str | Path, width: int, height: int) -> Iterator[tuple[int, np.ndarray]]:
    """(number, grey (height, width) uint8) of every frame that can be decoded, in order."""
    video = probe(path)
    with ExitStack() as stack:
        for number, frame in _Reader(video, location(path), stack).every():
            yield number, frame.reformat(width, height, "gray").to_ndarray()


@lru_cache(maxsize=32)
def _probe(path: str, modified: int, size: int) -> Video:
    """`probe` of a file as it is now; kept, since every frame is found by it."""
    with opened(path) as (container, stream):
        stamps, keys, problem = packets_of(container, stream)
        declared = int(stream.frames or 0)
        base = float(stream.time_base or 0) or 1.0
        facts = {**dict(container.metadata), **dict(stream.metadata)}
        named = float(stream.average_rate or stream.guessed_rate or 0)
        length = float(container.duration or 0) / 1e6
        reorders = bool(stream.codec_context.has_b_frames)
        timed = _are_times(stamps) and not (container.format.name == "avi" and reorders)
    with opened(path) as (container, stream):
        first = next(iter(decoded(container, stream)), None)
        if first is None:
            raise MediaError(f"{path}: no frame of it can be decoded")
        turn = int(round(float(getattr(first, "rotation", 0) or 0) / 90.0)) * 90 % 360
        width, height = first.width, first.height
    order = np.sort(np.asarray(stamps, dtype=np.int64)) if timed else None
    times = (order - order[0]) * base if order is not None else (
        np.arange(len(stamps)) / (named or 25.0))
    rate = _rate(times, named) if timed else named
    problem = problem or _cut_off(len(stamps), declared, times, length, rate)
    upright = (height, width) if turn in (90, 270) else (width, height)
    return Video(
        len(stamps), rate, float(times[-1]) + (1.0 / rate if rate else 0.0), *upright,
        (360 - turn) % 360, _created(facts), _camera(facts), times, problem, order,
        np.sort(np.asarray(keys, dtype=np.int64)) if timed else None,
    )


def _are_times(stamps: list[int | None]) -> bool:
    return bool(stamps) and None not in stamps and len(set(stamps)) == len(stamps)


def _rate(times: np.ndarray, named: float) -> float:
    """Mean frames a second: what the file says where its frames agree, else theirs."""
    if len(times) < 2 or times[-1] <= 0:
        return named
    mean = (len(times) - 1) / float(times[-1])
    return named if named and abs(mean / named - 1.0) < 0.01 else mean


def _cut_off(count: int, declared: int, times: np.ndarray, length: float, rate: float) -> str:
    """What a header promised and the file does not hold, "" when all is there."""
    if declared - count > max(1.0, LOST * declared):
        return f"the file is cut off: {count:,} of {declared:,} frames can be read"
    end = float(times[-1]) + (1.0 / rate if rate else 0.0)
    if not declared and length - end > 1.0 + 0.1 * length:
        return f"the file is cut off: {end:.1f} of {length:.1f} seconds can be read"
    return ""


def _created(facts: dict[str, str]) -> str:
    """The time of the file as it says itself, in the camera's own clock."""
    from datetime import datetime

    for key in ("com.apple.quicktime.creationdate", "creation_time", "DATE", "date", "IDIT"):
        text = str(facts.get(key, "")).strip()
        for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y:%m:%d %H:%M:%S",
                     "%a %b %d %H:%M:%S %Y"):
            cut = text if form.startswith("%a") else text[:19]
            try:
                found = datetime.strptime(cut, form)
            except ValueError:
                continue
            if found.year > 1971:  # clocks that were never set
                return found.isoformat()
    return ""


def _camera(facts: dict[str, str]) -> str:
    keys = ("com.apple.quicktime.make", "make", "com.apple.quicktime.model", "model")
    words = [" ".join(str(facts.get(k, "")).split()) for k in keys]
    return " ".join(dict.fromkeys(w for w in words if w))


class _Reader:
    """Reads frames by number, forwards; seeks where a later start lies well before the next one."""

    def __init__(self, video: Video, path: str, stack: ExitStack) -> None:
        self._video, self._path, self._stack = video, path, stack
        self._seeks = video._keys is not None
        self._open()

    def _open(self) -> None:
        self._container, self._stream = self._stack.enter_context(opened(self._path))
        self._frames = decoded(self._container, self._stream)
        self._at = -1  # number of the frame read last
        self._last: Any = None

    def every(self) -> Iterator[tuple[int, Any]]:
        """(number, frame) of all that can be decoded."""
        for frame in self._frames:
            number = self._number(frame)
            if number is not None and number < self._video.frames:
                self._at, self._last = number, frame
                yield number, frame

    def read(self, number: int) -> Any:
        """The frame of a number not before the one read last; None when it cannot be decoded."""
        if self._at < number:
            self._skip_to(number)
        if self._at < number:
            next((at for at, _ in self.every() if at >= number), None)
        return self._last if self._at == number else None

    def _number(self, frame: Any) -> int | None:
        stamps = self._video._stamps
        if stamps is None:
            return self._at + 1
        if frame.pts is None:
            return None
        at = int(np.searchsorted(stamps, frame.pts))
        known = at < len(stamps) and stamps[at] == frame.pts
        return at if known and at > self._at else None

    def _skip_to(self, number: int) -> None:
        """Seek to the last start at or before a frame, where that saves decoding.

        Some files lead to a later place than was asked for; such a one is read from its beginning.
        """
        stamps, keys = self._video._stamps, self._video._keys
        if not self._seeks or stamps is None or keys is None or not len(keys):
            return
        place = int(np.searchsorted(keys, stamps[number], side="right")) - 1
        if place < 0 or np.searchsorted(stamps, keys[place]) - self._at <= NEAR:
            return
        before = self._at
        try:
            self._container.seek(int(keys[place]), backward=True, stream=self._stream)
            self._frames = decoded(self._container, self._stream)
            landed = next((at for at, _ in self.every()), None)
        except pyav().error.FFmpegError:
            landed = None
        if landed is None or not before < landed <= number:
            self._seeks = False
            self._open()


def _image(
    frame: Any, video: Video, size: Size | Callable[[int, int], Size | None] | None
) -> Image.Image:
    """A frame as an upright RGB image, not larger than need be."""
    from PIL.Image import Transpose

    turned = video.rotation in (90, 270)
    need = size(video.width, video.height) if callable(size) else size
    width, height = frame.width, frame.height
    if need is not None:
        wide, high = need[::-1] if turned else need
        while width > 1 and height > 1 and width // 2 >= 2 * wide and height // 2 >= 2 * high:
            width, height = width // 2, height // 2
    if (width, height) == (frame.width, frame.height):
        image = frame.to_image()
    else:
        image = frame.reformat(width, height, "rgb24", interpolation="AREA").to_image()
    steps = {90: Transpose.ROTATE_270, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_90}
    return image.transpose(steps[video.rotation]) if video.rotation in steps else image
