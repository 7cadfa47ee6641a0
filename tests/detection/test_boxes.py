"""From candidates to the boxes of a picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.detection import Candidates, choose_boxes, fit
from ecotone.errors import BackendError

NAMES = ("animal", "human", "", "vehicle")


def candidates(boxes, scores, classes):
    return Candidates(np.array(boxes, dtype=float).reshape(-1, 4), np.array(scores, dtype=float),
                      np.array(classes, dtype=int))


def test_boxes_are_relative_to_the_picture_clipped_and_surest_first():
    place = fit(200, 100, 320, 320)  # 320 x 160 with 80 above and below
    found = candidates(
        [[32, 96, 64, 112], [-50, 0, 160, 160], [0, 0, 320, 70], [0, 100, 50, 150]],
        [0.5, 0.9, 0.8, 0.01], [0, 3, 0, 0])
    boxes = choose_boxes(found, place, NAMES)
    np.testing.assert_allclose(boxes.bbox, [[0, 0, 0.5, 0.5], [0.1, 0.1, 0.1, 0.1]], atol=1e-9)
    assert boxes.category.tolist() == ["vehicle", "animal"]  # the third lies in the bar
    assert boxes.confidence.tolist() == [0.9, 0.5]


def test_a_class_that_is_no_animal_is_left_out_and_suppresses_nothing():
    place = fit(100, 100, 100, 100)
    found = candidates([[10, 10, 50, 50], [10, 10, 50, 51]], [0.9, 0.8], [2, 0])
    assert choose_boxes(found, place, NAMES, nms="agnostic").confidence.tolist() == [0.8]


def test_suppression_by_class_across_classes_and_not_at_all():
    place = fit(100, 100, 100, 100)
    found = candidates([[10, 10, 50, 50], [10, 10, 50, 51], [10, 11, 50, 50]], [0.9, 0.8, 0.7],
                       [0, 1, 0])
    assert len(choose_boxes(found, place, NAMES)) == 2
    assert len(choose_boxes(found, place, NAMES, nms="agnostic")) == 1
    assert len(choose_boxes(found, place, NAMES, nms="none")) == 3


def test_thousands_of_boxes_are_capped_and_counted():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 9990, (5000, 2))
    found = candidates(np.hstack([low, low + 5]), rng.uniform(0.1, 1, 5000), np.zeros(5000))
    place = fit(10_000, 10_000, 10_000, 10_000)
    boxes = choose_boxes(found, place, NAMES, most=300)
    assert len(boxes) == 300 and boxes.dropped == 900
    assert boxes.confidence.min() >= np.sort(found.scores)[-400]


def test_the_smallest_box_has_an_area():
    place = fit(1000, 1000, 1000, 1000)
    found = candidates([[999.999, 5, 1005, 5.00001]], [0.9], [0])
    x, y, width, height = choose_boxes(found, place, NAMES).bbox[0]
    assert width > 0 and height > 0 and x + width <= 1 + 1e-12 and y + height <= 1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(0, 10_000), st.sampled_from(["class", "agnostic", "none"]))
def test_always_inside_the_picture(n, seed, nms):
    rng = np.random.default_rng(seed)
    place = fit(int(rng.integers(1, 999)), int(rng.integers(1, 999)), 320, 256)
    corners = np.sort(rng.uniform(-100, 420, (n, 2, 2)), axis=1).reshape(n, 4)
    boxes = choose_boxes(candidates(corners, rng.random(n), rng.integers(0, 4, n)), place, NAMES,
                         nms=nms)
    assert (boxes.bbox[:, :2] >= 0).all() and (boxes.bbox[:, 2:] > 0).all()
    assert (boxes.bbox[:, :2] + boxes.bbox[:, 2:] <= 1 + 1e-9).all()
    assert (np.diff(boxes.confidence) <= 0).all()
    assert set(boxes.category) <= {"animal", "human", "vehicle"}


def test_nan_and_unnamed_classes_are_refused():
    place = fit(100, 100, 100, 100)
    with pytest.raises(BackendError, match="NaN"):
        choose_boxes(candidates([[0, 0, 9, 9]], [np.nan], [0]), place, NAMES)
    with pytest.raises(BackendError, match="NaN"):
        choose_boxes(candidates([[0, np.inf, 9, 9]], [0.9], [0]), place, NAMES)
    with pytest.raises(BackendError, match="class 4 was found"):
        choose_boxes(candidates([[0, 0, 9, 9]], [0.9], [4]), place, NAMES)
