"""False alarms that come back, among animals that do not."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.context import find_repeats
from ecotone.context.repeats import box_overlap, count_occasions
from ecotone.errors import InputError

DAY = 86400.0


def scene(seed: int, animals: int = 400, alarms: int = 12, jitter: float = 0.003):
    """Animals anywhere, and a stone that is found `alarms` times; the last rows are the stone."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(0.05, 0.4, (animals, 2))
    boxes = np.concatenate([rng.uniform(0, 1 - size), size], axis=1)
    stone = np.array([0.3, 0.55, 0.12, 0.09]) + rng.normal(0, jitter, (alarms, 4))
    time = np.concatenate([rng.uniform(0, 90, animals), rng.choice(90, alarms, replace=False)])
    return np.concatenate([boxes, stone]), time * DAY


@pytest.mark.parametrize("seed", range(5))
def test_the_stone_is_found_and_no_animal(seed):
    boxes, time = scene(seed)
    found = find_repeats(boxes, ["cam"] * len(boxes), time)
    assert set(found.row) <= set(range(400, 412)) and len(found) >= 10
    assert found.occasions[0] >= 10 and found.days[0] >= 10
    assert "times on" in found.why[0] and "at cam" in found.why[0]


def test_a_resting_animal_is_one_occasion():
    boxes = np.tile([0.4, 0.4, 0.2, 0.2], (200, 1))
    assert len(find_repeats(boxes, ["cam"] * 200, np.arange(200) * 30.0)) == 0
    assert len(find_repeats(boxes, ["cam"] * 200, np.arange(200) * 7200.0)) == 200


def test_animals_at_a_feeder_are_no_repeats():
    rng = np.random.default_rng(0)
    boxes = np.array([0.4, 0.4, 0.25, 0.2]) + rng.normal(0, 0.03, (300, 4))
    found = find_repeats(boxes, ["cam"] * 300, rng.uniform(0, 90, 300) * DAY)
    assert len(found) < 30


def test_stones_are_found_among_very_many_boxes():
    boxes, time = scene(5, animals=12000)
    found = find_repeats(boxes, ["cam"] * len(boxes), time * 20)
    assert set(found.row) <= set(range(12000, 12012)) and len(found) >= 10


def test_other_cameras_and_whole_pictures_do_not_count():
    boxes, time = scene(1, animals=0, alarms=12)
    cameras = [f"cam{i}" for i in range(12)]
    assert len(find_repeats(boxes, cameras, time)) == 0
    whole = np.tile([0.0, 0.0, 1.0, 1.0], (50, 1))
    assert len(find_repeats(whole, ["cam"] * 50, np.arange(50) * DAY)) == 0
    assert len(find_repeats(np.zeros((0, 4)), [])) == 0


def test_what_people_saw_is_never_listed():
    boxes, time = scene(2)
    confirmed = np.zeros(len(boxes), dtype=bool)
    confirmed[400] = True
    found = find_repeats(boxes, ["cam"] * len(boxes), time, confirmed=confirmed)
    assert 400 not in found.row and len(found) >= 9
    confirmed[400:405] = True
    assert len(find_repeats(boxes, ["cam"] * len(boxes), time, confirmed=confirmed)) == 0


def test_the_order_of_boxes_plays_no_part():
    boxes, time = scene(3)
    order = np.random.default_rng(0).permutation(len(boxes))
    first = find_repeats(boxes, ["cam"] * len(boxes), time)
    other = find_repeats(boxes[order], ["cam"] * len(boxes), time[order])
    assert set(order[other.row]) == set(first.row)
    assert np.allclose(other.surprise, first.surprise)


def test_overlap_is_that_of_pixels():
    rng = np.random.default_rng(4)
    for _ in range(20):
        a, b = rng.integers(1, 30, (2, 4))
        grid = np.zeros((2, 64, 64), dtype=bool)
        for layer, (x, y, w, h) in zip(grid, (a, b), strict=True):
            layer[y : y + h, x : x + w] = True
        pixels = (grid[0] & grid[1]).sum() / (grid[0] | grid[1]).sum()
        assert box_overlap(a / 64, b[None] / 64)[0] == pytest.approx(pixels)


def test_occasions():
    time = np.array([0.0, 100.0, 4000.0, 4100.0, 90000.0])
    assert count_occasions(time, np.arange(5)) == 3
    assert count_occasions(np.full(3, np.nan), np.array([1, 1, 2])) == 2


@pytest.mark.parametrize("call, message", [
    (lambda: find_repeats([[0, 0, np.nan, 1]], ["a"]), "row 0 holds NaN"),
    (lambda: find_repeats([[0, 0, 1, 1]], []), "place: 0 entries"),
    (lambda: find_repeats([[0, 0, 1, 1]], ["a"], overlap=2.0), "overlap"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
