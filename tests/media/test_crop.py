"""Boxes in pixels: inside the picture, around the animal, never empty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ecotone.errors import InputError
from ecotone.media.crop import crop, is_whole, pixel_box

UNIT = st.floats(0, 1)


@given(
    st.tuples(UNIT, UNIT, UNIT, UNIT), st.integers(1, 500), st.integers(1, 500), UNIT, st.booleans()
)
def test_box_is_inside_and_not_empty(box, width, height, context, square) -> None:
    left, top, right, bottom = pixel_box(box, width, height, context, square)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


@given(
    st.floats(0.3, 0.5), st.floats(0.3, 0.5), st.floats(0.05, 0.2), st.floats(0.05, 0.2),
    st.floats(0, 0.2), st.booleans(),
)
def test_box_covers_the_detection(x, y, w, h, context, square) -> None:
    left, top, right, bottom = pixel_box((x, y, w, h), 1000, 800, context, square)
    assert left <= x * 1000 + 1 and right >= (x + w) * 1000 - 1
    assert top <= y * 800 + 1 and bottom >= (y + h) * 800 - 1
    if square:
        assert abs((right - left) - (bottom - top)) <= 2


def test_exact_numbers() -> None:
    assert pixel_box((0.25, 0.5, 0.5, 0.25), 400, 200) == (100, 100, 300, 150)
    # 200 x 50 pixels, a tenth more on every side: 240 x 60; square: 240 high, cut to 200
    assert pixel_box((0.25, 0.5, 0.5, 0.25), 400, 200, 0.1) == (80, 95, 320, 155)
    assert pixel_box((0.25, 0.5, 0.5, 0.25), 400, 200, 0.1, True) == (80, 0, 320, 200)
    # in the corner it is moved inside, not cut
    assert pixel_box((0.0, 0.0, 0.1, 0.2), 400, 200, 0.5, True) == (0, 0, 80, 80)


def test_whole_picture_stays() -> None:
    picture = Image.new("RGB", (40, 30))
    assert crop(picture, (0, 0, 1, 1), 0.2, True) is picture
    assert is_whole(np.array([0, 0, 0.99999, 1], np.float32))
    assert not is_whole((0, 0, 0.5, 1))


@pytest.mark.parametrize("box", [(0, 0, 1), (0, 0, float("nan"), 1), (0, 0, float("inf"), 1)])
def test_bad_boxes(box) -> None:
    with pytest.raises(InputError, match="four finite numbers"):
        pixel_box(box, 10, 10)
