"""Where a picture lies in a detector's input, and the way of boxes there and back.

Pixels are counted from the upper left corner of the picture, as real numbers; a box is left, top,
right, bottom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError

PLACES = ("centre", "corner")


@dataclass(frozen=True)
class Letterbox:
    """A picture of `width` x `height` pixels, scaled to `inner_width` x `inner_height` and laid at
    `left`, `top` of an input of `input_width` x `input_height`; the rest is padding."""

    width: int
    height: int
    input_width: int
    input_height: int
    inner_width: int
    inner_height: int
    left: int
    top: int

    def to_input(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (M, 4) in 0..1 of the picture (left, top, right, bottom) in pixels of the input."""
        scale = np.array([self.inner_width, self.inner_height] * 2, dtype=np.float64)
        shift = np.array([self.left, self.top] * 2, dtype=np.float64)
        return np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * scale + shift

    def to_picture(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (M, 4) in pixels of the input in 0..1 of the picture; beyond it where they are."""
        scale = np.array([self.inner_width, self.inner_height] * 2, dtype=np.float64)
        shift = np.array([self.left, self.top] * 2, dtype=np.float64)
        return (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) - shift) / scale


def fit(
    width: int, height: int, input_width: int, input_height: int, *, stretch: bool = False,
    place: str = "centre", stride: int = 0,
) -> Letterbox:
    """How a picture of `width` x `height` pixels goes into an input.

    stretch: squash it to the input, whatever its shape; else it keeps its shape and the rest is
    padded. place: "centre" or "corner" (upper left). stride: where the input's size is open, the
    smallest one that holds the scaled picture in multiples of so many pixels; 0 = the whole input.

    Raises InputError on sizes below 1 or another place.
    """
    if min(width, height, input_width, input_height) < 1 or stride < 0:
        raise InputError(
            f"a picture of {width} x {height} into an input of {input_width} x {input_height}: "
            "sizes are at least 1."
        )
    if place not in PLACES:
        raise InputError(f"place is {place!r}, expected one of {', '.join(PLACES)}.")
    if stretch:
        return Letterbox(width, height, input_width, input_height, input_width, input_height, 0, 0)
    ratio = min(input_width / width, input_height / height)
    inner = (
        min(max(1, round(width * ratio)), input_width),
        min(max(1, round(height * ratio)), input_height),
    )
    if stride:
        input_width, input_height = (
            min(math.ceil(length / stride) * stride, math.ceil(whole / stride) * stride)
            for length, whole in zip(inner, (input_width, input_height), strict=True)
        )
    left = top = 0
    if place == "centre":
        left, top = (input_width - inner[0]) // 2, (input_height - inner[1]) // 2
    return Letterbox(width, height, input_width, input_height, *inner, left, top)


__all__ = ["PLACES", "Letterbox", "fit"]
