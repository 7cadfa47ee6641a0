"""A video file, open (PyAV, extra `video`): its packets, its frames as they come, what is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ecotone.errors import MediaError, MissingExtraError
from ecotone.media.location import is_url, open_seekable

LARGEST = 100_000_000  # pixels of a frame; larger ones are refused before they are decoded
THREADS = 4  # of one decoder, at most


def pyav() -> Any:
    try:
        import av
    except ImportError:
        raise MissingExtraError("reading videos", "video") from None
    return av


@contextmanager
def opened(path: str) -> Iterator[tuple[Any, Any]]:
    """Container and video stream. Raises MediaError when it is no video that can be read."""
    av = pyav()
    try:
        file = open_seekable(path) if is_url(path) else path
        container = av.open(file, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{path}: {why_not(path, error)}") from error
    with container:
        if not container.streams.video:
            what = "sound alone" if container.streams.audio else "no pictures"
            raise MediaError(f"{path}: not a video ({what} in it)")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise MediaError(f"{path}: its coding is not known to this FFmpeg")
        if context.width * context.height > LARGEST:
            raise MediaError(
                f"{path}: too large to decode safely ({context.width} x {context.height} pixels)"
            )
        stream.thread_type, context.thread_count = "AUTO", THREADS
        yield container, stream


def why_not(path: str, error: Exception) -> str:
    """Why a file cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    if isinstance(error, PermissionError):
        return "no permission to read the file"
    if os.path.isdir(path):
        return "a folder, not a video"
    if not is_url(path) and os.path.isfile(path) and not os.path.getsize(path):
        return "the file is empty (0 bytes)"
    return "not a video that can be read, damaged or cut off"


def packets_of(container: Any, stream: Any) -> tuple[list[int | None], list[int], str]:
    """Times of the frames in file order, of those to start from, and what is wrong."""
    av = pyav()
    stamps: list[int | None] = []
    keys: list[int] = []
    problem = ""
    try:
        for packet in container.demux(stream):
            if not packet.size or packet.is_discard:
                continue
            if packet.is_corrupt:
                problem = "the file is damaged or cut off"
                continue
            stamps.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
    except (av.error.FFmpegError, OSError) as error:
        problem = f"the file is damaged after {len(stamps):,} frames ({_short(error)})"
    return stamps, keys, problem


def decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Frames from where the container stands; packets that cannot be decoded are passed over."""
    av = pyav()
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.error.FFmpegError, OSError):  # the file ends here, whatever it promised
            with suppress(av.error.FFmpegError):
                yield from stream.codec_context.decode(None)
            return
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue


def _short(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error).splitlines()[0][:80]


__all__ = ["decoded", "opened", "packets_of", "pyav", "why_not"]
