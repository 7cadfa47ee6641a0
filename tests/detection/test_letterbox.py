"""Boxes go into the input and come back; bars lie where the exporters put them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.detection import fit
from ecotone.errors import InputError

SIDE = st.integers(1, 5000)


@given(SIDE, SIDE, SIDE, SIDE, st.booleans(), st.sampled_from(["centre", "corner"]),
       st.sampled_from([0, 32, 64]), st.integers(0, 1000))
def test_there_and_back(width, height, wide, high, stretch, place, stride, seed):
    box = fit(width, height, wide, high, stretch=stretch, place=place, stride=stride)
    assert box.left >= 0 and box.left + box.inner_width <= box.input_width
    assert box.top >= 0 and box.top + box.inner_height <= box.input_height
    given_boxes = np.random.default_rng(seed).random((5, 4))
    np.testing.assert_allclose(box.to_picture(box.to_input(given_boxes)), given_boxes, atol=1e-9)


def test_known_places():
    wide = fit(1920, 1080, 640, 640)
    assert (wide.inner_width, wide.inner_height, wide.left, wide.top) == (640, 360, 0, 140)
    np.testing.assert_allclose(wide.to_picture([[0, 140, 640, 500]]), [[0, 0, 1, 1]])
    np.testing.assert_allclose(wide.to_picture([[320, 320, 640, 500]]), [[0.5, 0.5, 1, 1]])
    corner = fit(1080, 1920, 640, 640, place="corner")
    assert (corner.inner_width, corner.left, corner.top) == (360, 0, 0)
    squashed = fit(1920, 1080, 320, 256, stretch=True)
    assert (squashed.inner_width, squashed.inner_height) == (320, 256)


def test_the_smallest_input_in_multiples_of_a_stride():
    box = fit(1920, 1080, 1280, 1280, stride=64)
    assert (box.input_width, box.input_height) == (1280, 768)  # 720 rows and 24 above and below
    assert (box.left, box.top) == (0, 24)
    assert fit(100, 100, 640, 640, stride=32).input_width == 640


def test_impossible_sizes_are_refused():
    with pytest.raises(InputError, match="at least 1"):
        fit(0, 10, 640, 640)
    with pytest.raises(InputError, match="place"):
        fit(10, 10, 640, 640, place="left")
