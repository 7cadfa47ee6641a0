"""Frames pooled within a video, and the frame that answers for it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecotone.hierarchy.bursts import pool_bursts
from ecotone.hierarchy.videos import best_frame, pool_frames

TWO = np.array([[0.9, 0.08, 0.02], [0.95, 0.04, 0.01], [0.01, 0.98, 0.01], [0.5, 0.4, 0.1]])


def test_frames_of_one_animal_agree_and_another_animal_stays_apart() -> None:
    pooled = pool_frames(TWO, ["v", "v", "v", ""])
    np.testing.assert_allclose(pooled[0], pooled[1], atol=1e-3)
    assert pooled[1, 0] > pooled[0, 0]  # the surer frame is still known
    assert pooled[2].argmax() == 1 and pooled[0].argmax() == 0
    np.testing.assert_array_equal(pooled[3], TWO[3])
    np.testing.assert_allclose(
        pooled[:3], pool_bursts(TWO[:3], ["v"] * 3, np.full(3, 1 / 3)), atol=1e-3)


def test_unknown_rows_say_nothing() -> None:
    values = np.vstack([TWO[:2], [[np.nan] * 3]])
    pooled = pool_frames(values, ["v"] * 3)
    np.testing.assert_allclose(pooled[:2], pool_frames(TWO[:2], ["v"] * 2))
    assert np.isnan(pooled[2]).all()
    assert pool_frames(np.zeros((0, 3)), []).shape == (0, 3)


def test_the_best_frame_is_the_surest_of_the_class_shown_most() -> None:
    assert best_frame(TWO) == 1
    blank = np.array([True, False, False])
    assert best_frame(TWO, blank) == 2  # empty frames do not outvote what is seen once
    assert best_frame(TWO[:2], blank) == 1
    assert best_frame(np.full((2, 3), np.nan)) == -1
    assert best_frame(np.zeros((0, 3))) == -1


@given(st.permutations(range(4)))
def test_order_does_not_matter(order: list[int]) -> None:
    names = np.array(["v", "v", "w", "w"], dtype=object)
    pooled = pool_frames(TWO, names)
    np.testing.assert_allclose(pool_frames(TWO[order], names[order]), pooled[order], atol=1e-12)
    assert order[best_frame(TWO[order])] == best_frame(TWO)
