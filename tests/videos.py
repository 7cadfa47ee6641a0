"""Small videos for tests, made with PyAV: every frame bears its number as eight black or white
bars, so that a test can read which frame it was given."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

WIDTH, HEIGHT = 128, 96
CODECS = {".mp4": "libx264", ".mov": "libx264", ".avi": "mpeg4", ".mkv": "libx264",
          ".m4v": "libx264", ".mts": "libx264"}
FORMATS = {".mts": "mpegts", ".m4v": "mp4"}


def bars(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """The picture (H, W, 3) uint8 of a frame number below 256."""
    out = np.full((height, width, 3), 90, np.uint8)
    step = width // 8
    for bit in range(8):
        if number >> bit & 1:
            out[: height // 2, bit * step : (bit + 1) * step] = 230
        else:
            out[: height // 2, bit * step : (bit + 1) * step] = 20
    return out


def number_in(picture) -> int:
    """The number that a frame (a Pillow picture of any size) bears."""
    grey = np.asarray(picture.convert("L"), dtype=float)
    height, width = grey.shape
    step = width / 8
    return sum(
        (grey[: height * 3 // 8, int((bit + 0.3) * step) : int((bit + 0.7) * step)].mean() > 128)
        << bit
        for bit in range(8)
    )


def make_video(
    path: Path, n: int = 30, rate: int = 10, *, codec: str = "", pictures: Sequence | None = None,
    stamps: Sequence[int] | None = None, keys: int = 12, created: str = "", turn: int = 0,
    front: bool = False,
) -> Path:
    """Write a video of n frames and return its path.

    pictures: (H, W, 3) uint8 each, default `bars`. stamps: times of the frames in units of
    1 / (10 * rate) seconds, for a rate that varies. keys: frames from one start to the next. turn:
    degrees clockwise by which a player turns it (mp4, mov). front: the index before the frames.
    """
    av = pytest.importorskip("av")
    from fractions import Fraction

    shown = [bars(i) for i in range(n)] if pictures is None else list(pictures)
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = path.suffix.lower()
    options = {"movflags": "+faststart"} if front else {}
    with av.open(str(path), "w", format=FORMATS.get(ending), options=options) as file:
        if created:
            file.metadata["creation_time"] = created
        stream = file.add_stream(codec or CODECS[ending], rate=rate)
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = keys
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 10 * rate)
        for i, pixels in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[i], Fraction(1, 10 * rate)
            for packet in stream.encode(frame):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    if turn:
        _turn(path, turn)
    return path


def make_sound(path: Path) -> Path:
    """Write a file with sound and no pictures."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=16000, layout="mono")
        for i in range(20):
            wave = np.sin(np.arange(1024) / 9.0 + i).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
            frame.sample_rate = 16000
            for packet in stream.encode(frame):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    return path


def cut(path: Path, to: Path, share: float = 0.6) -> Path:
    """The first part of a file, as a full card or a pulled plug leaves it."""
    data = path.read_bytes()
    to.write_bytes(data[: int(len(data) * share)])
    return to


MATRIX = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def _turn(path: Path, degrees: int) -> None:
    """Write a display matrix into the track's header (ISO 14496-12, tkhd)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    place = at + (40 if data[at] == 0 else 52)
    a, b, c, d = (v << 16 for v in MATRIX[degrees])
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
