"""Frames by rate and by motion: as a slow loop chooses them, and where things really move."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.media.sampling import (
    Sampling,
    by_motion,
    by_rate,
    choose_frames,
    motion_of,
    parse_sampling,
)
from tests.videos import make_video


@given(st.lists(st.integers(1, 400), min_size=0, max_size=60), st.sampled_from([0.5, 1, 2, 5, 30]))
def test_by_rate_is_the_first_frame_of_each_tick(steps: list[int], rate: float) -> None:
    times = np.cumsum([0, *steps]) / 1000
    slow, tick = [], 0
    while tick / rate <= times[-1] + 1e-6 / rate:
        later = [i for i, t in enumerate(times) if t >= tick / rate - 1e-3 / max(rate, 1)]
        slow += later[:1]
        tick += 1
    assert by_rate(times, rate) == sorted(set(slow))


def test_by_rate_of_nothing_and_of_a_faster_rate_than_the_video() -> None:
    assert by_rate(np.array([]), 1) == []
    assert by_rate(np.arange(10) / 10, 1000) == list(range(10))
    assert by_rate(np.arange(31) / 10, 1) == [0, 10, 20, 30]


@settings(max_examples=60)
@given(st.lists(st.floats(0, 50), min_size=0, max_size=80), st.integers(1, 30))
def test_by_motion_gives_n_in_order_and_the_same_again(motion: list[float], n: int) -> None:
    given_ = dict(enumerate(motion))
    found = by_motion(given_, n)
    assert found == sorted(set(found)) and len(found) == min(n, len(motion))
    assert found == by_motion(dict(reversed(list(given_.items()))), n)


def test_motion_finds_where_something_moves(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scene = rng.integers(60, 120, (96, 128, 3)).astype(np.uint8)
    shown = []
    for i in range(120):
        picture = np.clip(scene.astype(int) + (25 if 20 <= i < 22 else 0), 0, 255).astype(np.uint8)
        if 70 <= i < 90:  # an animal walks through; at 20 the exposure jumps
            x = (i - 70) * 5
            picture[40:70, x : x + 30] = 220
        shown.append(picture)
    path = make_video(tmp_path / "a.mp4", 120, pictures=shown)
    video, chosen = choose_frames(path, parse_sampling("motion:8"))
    assert video.frames == 120 and len(chosen) == 8
    assert sum(69 <= n <= 91 for n in chosen) >= 5
    assert any(n < 60 for n in chosen)
    assert choose_frames(path, parse_sampling("motion:8"))[1] == chosen
    assert choose_frames(path, parse_sampling("rate:2"))[1] == list(range(0, 120, 5))
    assert choose_frames(path, parse_sampling("all"))[1] == list(range(120))


def test_motion_of_equal_frames_is_nothing() -> None:
    grey = np.full((4, 4), 7, np.uint8)
    assert motion_of([(0, grey), (1, grey + 9), (2, grey)]) == {0: 0.0, 1: 0.0, 2: 0.0}
    assert motion_of([]) == {} and motion_of([(3, grey)]) == {3: 0.0}


@pytest.mark.parametrize("text,kind,value", [
    ("rate:1", "rate", 1), ("RATE:0.5", "rate", 0.5), ("motion:16", "motion", 16),
    (" all ", "all", 0),
])
def test_words_for_sampling(text: str, kind: str, value: float) -> None:
    found = parse_sampling(text)
    assert found == Sampling(kind, value)
    assert parse_sampling(str(found)) == found


@pytest.mark.parametrize("text", [
    "", "rate", "rate:0", "rate:-1", "rate:nan", "motion:0", "motion:1.5", "motion:inf", "all:3",
    "3", "every:2", "rate:1:2",
])
def test_wrong_words_for_sampling(text: str) -> None:
    with pytest.raises(InputError, match="expected 'rate:1'"):
        parse_sampling(text, "--frames")
