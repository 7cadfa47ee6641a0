"""Pictures for the page: small JPEGs of the detections, people made unrecognisable."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecotone.errors import MediaError

if TYPE_CHECKING:
    from PIL.Image import Image

    from ecotone.media.video import FrameOf

CROP_SIDE, WHOLE_SIDE = 264, 560  # pixels
CROP_BYTES, WHOLE_BYTES = 22_000, 52_000  # a page of 60 pictures stays below 6 MB
CONTEXT = 0.08  # added around a box, share of its longer side
WHOLE_BOX = np.array([0.0, 0.0, 1.0, 1.0], dtype=np.float32)


def make_pictures(
    path: Path | FrameOf, bbox: Sequence[float], people: Sequence[Sequence[float]] = ()
) -> tuple[bytes, bytes | None, tuple[int, int]]:
    """JPEG bytes of a detection and of its whole picture with the box drawn, and the crop's size.

    bbox: x, y, width, height in 0..1. people: boxes to make unrecognisable. The second is None
    when the box covers the picture. Raises MediaError when the file cannot be read.
    """
    from PIL import ImageDraw

    box = np.clip(np.asarray(bbox, dtype=float), 0.0, 1.0)
    picture = _load(path, box, people)
    if box[2] <= 0 or box[3] <= 0 or box[2] * box[3] > 0.92:
        crop = _fit(picture, CROP_SIDE * 1.5)
        return encode(crop, CROP_BYTES), None, crop.size
    crop = _fit(picture.crop(_around(box, picture.size)), CROP_SIDE)
    whole = _fit(picture, WHOLE_SIDE)
    x, y, w, h = box * np.array([whole.width, whole.height] * 2)
    draw = ImageDraw.Draw(whole)
    draw.rectangle((x - 1, y - 1, x + w + 1, y + h + 1), outline=(20, 20, 20), width=4)
    draw.rectangle((x, y, x + w, y + h), outline=(255, 214, 79), width=2)
    return encode(crop, CROP_BYTES), encode(whole, WHOLE_BYTES), crop.size


def encode(picture: Image, most: int) -> bytes:
    """JPEG bytes of at most `most` bytes: quality first, then size, is given up."""
    while True:
        for quality in (82, 72, 60, 46, 32):
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=quality, optimize=True)
            if buffer.tell() <= most:
                return buffer.getvalue()
        if min(picture.size) < 16:
            return buffer.getvalue()
        picture = picture.resize((max(1, picture.width * 2 // 3), max(1, picture.height * 2 // 3)))


def blur(picture: Image, box: Sequence[float]) -> Image:
    """The picture with a box (x, y, width, height in 0..1) reduced to a few coarse patches.

    Shrinking to few pixels first takes the detail out for good; a blur alone can be undone.
    """
    from PIL import Image as Pillow
    from PIL import ImageFilter

    x, y, w, h = np.clip(np.asarray(box, dtype=float), 0.0, 1.0)
    margin = 0.1 * max(w, h)
    left, top = int((x - margin) * picture.width), int((y - margin) * picture.height)
    right, low = int((x + w + margin) * picture.width), int((y + h + margin) * picture.height)
    area = (max(0, left), max(0, top), min(picture.width, right + 1), min(picture.height, low + 1))
    if area[2] <= area[0] or area[3] <= area[1]:
        return picture
    part = picture.crop(area)
    small = part.resize((7, max(2, round(7 * part.height / part.width))) if
                        part.width <= part.height else
                        (max(2, round(7 * part.width / part.height)), 7), Pillow.Resampling.BOX)
    coarse = small.resize(part.size, Pillow.Resampling.BICUBIC)
    result = picture.copy()
    result.paste(coarse.filter(ImageFilter.GaussianBlur(max(part.size) / 40)), area[:2])
    return result


def _load(path: Path | FrameOf, box: np.ndarray, people: Sequence[Sequence[float]]) -> Image:
    from ecotone.media.decode import load_picture

    share = max(float(box[2:].max()), 0.02)
    side = round(max(WHOLE_SIDE, CROP_SIDE / share))
    picture = load_picture(path, (side, side))
    for person in people:
        picture = blur(picture, person)
    return picture


def _around(box: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    x, y, w, h = box * np.array([size[0], size[1], size[0], size[1]])
    margin = CONTEXT * max(w, h)
    left, top = max(0, int(x - margin)), max(0, int(y - margin))
    right, low = min(size[0], int(x + w + margin) + 1), min(size[1], int(y + h + margin) + 1)
    if right - left < 2 or low - top < 2:
        raise MediaError("the box of this detection is smaller than two pixels")
    return left, top, right, low


def _fit(picture: Image, side: float) -> Image:
    scale = side / max(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size)
