"""Local features on drawn coats; scores of other matchers."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ecotone.errors import InputError, MissingExtraError
from ecotone.reid.local_features import (
    LocalFeatures,
    LocalSettings,
    _ratio_matches,
    check_pair_scores,
    extract_local_features,
    local_matches,
    local_score,
    local_scores,
)


def coat(seed: int, size: int = 240) -> np.ndarray:
    """A grey picture of spots of many sizes, drawn by the seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    out = np.full((size, size), 120.0)
    for _ in range(90):
        cx, cy, r = rng.uniform(20, size - 20), rng.uniform(20, size - 20), rng.uniform(3, 11)
        out += rng.choice([-70, 70]) * np.exp(-(((x - cx) ** 2 + (y - cy) ** 2) / r**2) ** 2)
    return np.clip(out, 0, 255).astype(np.uint8)


def moved(picture: np.ndarray, turn: float, scale: float, light: float = 0.8) -> np.ndarray:
    cv2 = pytest.importorskip("cv2")
    size = picture.shape[0]
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), turn, scale)
    out = cv2.warpAffine(picture, matrix, (size, size), borderValue=120)
    return np.clip(out * light + 20, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def coats() -> list[LocalFeatures]:
    pytest.importorskip("cv2")
    pictures = [coat(s) for s in range(4)]
    return [extract_local_features(p) for p in (*pictures, *(moved(p, 12, 0.9) for p in pictures))]


def test_the_same_coat_in_another_pose_is_found(coats):
    pairs = np.array([(i, j) for i in range(4) for j in range(4)])
    calls = []
    scores = local_scores(coats[:4], coats[4:], pairs, progress=lambda *done: calls.append(done))
    scores = scores.reshape(4, 4)
    assert (scores.argmax(axis=1) == np.arange(4)).all()
    assert np.diag(scores).min() > 5 * scores[~np.eye(4, dtype=bool)].max() + 1
    assert calls == [(16, 16)]


def test_matches_lie_where_the_coat_was_moved_to(coats):
    found, weight = local_matches(coats[0], coats[4])
    angle = np.radians(12)
    turn = 0.9 * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    expected = (coats[0].points[found[:, 0]] - 0.5) @ turn.T + 0.5
    error = np.linalg.norm(expected - coats[4].points[found[:, 1]], axis=1)
    assert np.median(error) < 0.01 and len(found) > 10
    assert ((weight > 0) & (weight <= 1)).all()


def test_the_order_of_a_pair_and_repeating_change_nothing(coats):
    for other in (4, 5):
        forth = local_score(coats[0], coats[other])
        assert forth == local_score(coats[other], coats[0]) == local_score(coats[0], coats[other])
    found, back = local_matches(coats[0], coats[4])[0], local_matches(coats[4], coats[0])[0]
    np.testing.assert_array_equal(found, back[:, ::-1])


def test_ratio_matches_the_slow_way():
    rng = np.random.default_rng(0)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.normal(size=(2, 40, 4)))
    distance = np.linalg.norm(a[:, None] - b[None], axis=2)
    expected = []
    for i, row in enumerate(distance):
        first, second = np.argsort(row)[:2]
        if row[first] < 0.7 * row[second] and distance[:, first].argmin() == i:
            expected.append((i, int(first), 1 - row[first] / row[second]))
    mine, theirs, weight = _ratio_matches(a, b, 0.7)
    assert list(zip(mine.tolist(), theirs.tolist(), strict=True)) == [e[:2] for e in expected]
    np.testing.assert_allclose(weight, [e[2] for e in expected], atol=1e-6)


def test_a_map_that_no_standing_animal_makes_scores_nothing(coats):
    upside_down = extract_local_features(moved(coat(0), 180, 1.0))
    assert local_score(coats[0], upside_down) == 0
    assert local_score(coats[0], upside_down, LocalSettings(turn=180)) > 5
    mirrored = extract_local_features(np.ascontiguousarray(coat(0)[:, ::-1]))
    assert local_score(coats[0], mirrored) < 3


def test_pictures_without_key_points_and_one_pixel():
    pytest.importorskip("cv2")
    plain = extract_local_features(np.full((80, 60), 100, dtype=np.uint8))
    tiny = extract_local_features(np.zeros((1, 1), dtype=np.uint8))
    assert len(plain) == len(tiny) == 0
    assert local_score(plain, tiny) == local_score(plain, extract_local_features(coat(0))) == 0.0


def test_identical_pictures_score_their_key_points(coats):
    assert local_score(coats[0], coats[0]) > 0.9 * len(coats[0])


def test_large_pictures_are_shrunk():
    cv2 = pytest.importorskip("cv2")
    large = cv2.resize(coat(1), (1500, 1500), interpolation=cv2.INTER_CUBIC)
    found = extract_local_features(large)
    assert found.points.max() <= 1 and local_score(found, extract_local_features(coat(1))) > 10


@pytest.mark.parametrize("picture", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)),
                                     np.zeros((0, 4), np.uint8)])
def test_pictures_of_another_kind(picture):
    pytest.importorskip("cv2")
    with pytest.raises(InputError, match="expected grey"):
        extract_local_features(picture)


def test_without_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"ecotone\[local\]"):
        extract_local_features(np.zeros((4, 4), dtype=np.uint8))


def test_scores_of_other_matchers():
    pairs, scores = check_pair_scores([[0, 1], [2, 0]], [0.5, 3], 3, 2)
    assert pairs.dtype == np.int64 and scores.tolist() == [0.5, 3]
    assert check_pair_scores([], [], 3, 2)[0].shape == (0, 2)
    for wrong, value, says in (
        ([[0, 2]], [1.0], "row 0 is"), ([[0, 1]], [1.0, 2.0], "one a pair"),
        ([[0, 1]], [np.nan], "pair 0 has nan"), ([[0, 1], [0, 1]], [1.0, 2.0], "given twice"),
        ([[0.5, 1]], [1.0], "whole numbers"), ([0, 1], [1.0], "whole numbers"),
    ):
        with pytest.raises(InputError, match=says):
            check_pair_scores(wrong, value, 3, 2)
