"""From a box on a picture to the pixels that a model sees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ecotone.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

WHOLE = (0.0, 0.0, 1.0, 1.0)


def pixel_box(
    bbox: np.ndarray | tuple[float, ...],
    width: int,
    height: int,
    context: float = 0.0,
    square: bool = False,
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in pixels of a relative box (x, y, width, height in 0..1).

    context: the part of its length that is added on every side. square: the shorter side grows to
    the longer one, so that squashing does not distort the animal. A box that sticks out is moved
    into the picture where it fits and cut where it does not. At least one pixel. The whole picture
    stays the whole picture.

    Raises InputError when the box is not four finite numbers.
    """
    box = np.asarray(bbox, dtype=np.float64).ravel()
    if box.shape != (4,) or not np.isfinite(box).all():
        raise InputError(f"box {list(box)}: expected x, y, width, height, four finite numbers.")
    if is_whole(box):
        return 0, 0, width, height
    x, y, w, h = box * (width, height, width, height)
    new_w, new_h = w * (1 + 2 * context), h * (1 + 2 * context)
    if square:
        new_w = new_h = max(new_w, new_h)
    left, right = _span(x + w / 2, new_w, width)
    top, bottom = _span(y + h / 2, new_h, height)
    return left, top, right, bottom


def crop(
    picture: Image.Image,
    bbox: np.ndarray | tuple[float, ...],
    context: float = 0.0,
    square: bool = False,
) -> Image.Image:
    """The part of a picture inside a relative box, see `pixel_box`."""
    box = pixel_box(bbox, picture.width, picture.height, context, square)
    return picture if box == (0, 0, picture.width, picture.height) else picture.crop(box)


def is_whole(bbox: np.ndarray | tuple[float, ...]) -> bool:
    """Whether a relative box is the whole picture, up to rounding."""
    return bool(np.abs(np.asarray(bbox, dtype=np.float64) - WHOLE).max() < 1e-4)


def _span(centre: float, length: float, limit: int) -> tuple[int, int]:
    """Whole pixels of an interval, moved inside 0..limit."""
    length = min(max(length, 1.0), float(limit))
    start = min(max(centre - length / 2, 0.0), limit - length)
    first = min(int(math.floor(start + 1e-6)), limit - 1)
    last = min(max(int(math.ceil(start + length - 1e-6)), first + 1), limit)
    return first, last
