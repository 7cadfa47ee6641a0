"""The protocol of the evaluation: groups, caps, splits, ranks limited by the gallery."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.reid.evaluate import evaluate_reid


def at(*degrees: float) -> np.ndarray:
    """Embeddings on a circle, by angle in degrees."""
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def some(n: int = 60, people: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    who = rng.integers(0, people, n)
    return rng.normal(size=(people, 8))[who] + rng.normal(size=(n, 8)), who.astype(str)


def test_by_hand():
    found = evaluate_reid(at(0, 10, 30, 45), ["a", "a", "b", "b"])
    # 0: a(10). 10: a(0) 10, b 20 -> right. 30: b(45) 15 -> right. 45: b(30) 15 -> right.
    assert found.top[1] == 1.0 and found.map == 1.0
    found = evaluate_reid(at(0, 10, 15, 45), ["a", "a", "b", "b"])
    # 10: b(15) before a(0). 15: a(10), a(0), b(45). 0: a(10). 45: b(15).
    (group,) = found.groups
    assert found.top[1] == 2 / 4 and found.top[5] == 1.0
    assert found.map == pytest.approx((1 + 1 / 2 + 1 / 3 + 1) / 4)
    assert (group.queries, group.gallery, group.individuals) == (4, 3, 2)
    assert found.queries == 4


def test_as_a_slow_computation_over_groups():
    x, who = some(120)
    kind = np.where(np.arange(120) % 3 == 0, "deer", "fox")
    found = evaluate_reid(x, who, species=kind, max_pictures=None)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    tops, maps = [], []
    for name in ("deer", "fox"):
        rows = [i for i in range(120) if kind[i] == name]
        rows = [i for i in rows if sum(who[j] == who[i] for j in rows) > 1]
        top, ap = [], []
        for q in rows:
            order = sorted((g for g in rows if g != q), key=lambda g: -unit[q] @ unit[g])
            right = [who[g] == who[q] for g in order]
            top.append(any(right[:5]))
            hits = [sum(right[:r + 1]) / (r + 1) for r, ok in enumerate(right) if ok]
            ap.append(np.mean(hits))
        tops.append(np.mean(top))
        maps.append(np.mean(ap))
    assert found.top[5] == pytest.approx(np.mean(tops))
    assert found.map == pytest.approx(np.mean(maps))


def test_a_small_gallery_limits_the_ranks_and_counts_in_every_mean():
    x, who = some(60, 6)
    small = at(0, 50, 10, 60)
    both = np.vstack([x, np.pad(small, ((0, 0), (0, 6)))])
    names = [*who, "y", "y", "z", "z"]
    found = evaluate_reid(both, names, species=["big"] * 60 + ["small"] * 4)
    assert len(found.groups) == 2
    assert found.groups[1].gallery == 3 and found.groups[1].top[20] == 1.0
    assert found.top[20] == pytest.approx((found.groups[0].top[20] + 1.0) / 2)
    assert found.top[1] == pytest.approx((found.groups[0].top[1] + found.groups[1].top[1]) / 2)


def test_a_group_that_cannot_be_measured_is_in_no_mean():
    x, who = some()
    alone = np.vstack([x, x[:3] + 5])
    found = evaluate_reid(alone, [*who, "q", "q", "q"], species=["fox"] * 60 + ["lynx"] * 3)
    without = evaluate_reid(x, who, species=["fox"] * 60)
    assert found.top == without.top and found.map == without.map
    assert found.excluded == {("lynx", ""): "one individual, nothing to tell apart"}
    assert "lynx" in found.notes[-1]
    single = evaluate_reid(alone, [*who, "q", "r", "s"], species=["fox"] * 60 + ["lynx"] * 3)
    assert single.excluded[("lynx", "")] == "no individual with enough pictures"


def test_at_most_ten_pictures_drawn_by_seed_whatever_the_order():
    x, who = some(200, 5)
    found = evaluate_reid(x, who)
    assert found.queries == 50
    turned = np.random.default_rng(1).permutation(200)
    again = evaluate_reid(x[turned], who[turned])
    assert again.top == found.top and again.map == pytest.approx(found.map)
    assert evaluate_reid(x, who, random_state=1).map != found.map
    assert evaluate_reid(x, who, max_pictures=None).queries == 200


def test_fewer_pictures_in_the_database_are_harder():
    x, who = some(200, 10)
    full = evaluate_reid(x, who, max_pictures=None)
    few = evaluate_reid(x, who, max_pictures=None, database_pictures=2)
    assert few.top[1] < full.top[1]
    assert few.groups[0].gallery < 20 < full.groups[0].gallery


def test_split():
    x = at(0, 40, 5, 38, 80)
    found = evaluate_reid(x, ["a", "b", "a", "a", "c"],
                          split=["train", "train", "test", "test", "test"])
    assert found.queries == 2  # c is in no gallery
    assert found.top[1] == 0.5 and found.groups[0].gallery == 2
    with pytest.raises(InputError, match="split holds 'x'"):
        evaluate_reid(x[:2], ["a", "a"], split=["x", "train"])


def test_viewpoints_and_encounters():
    x = at(0, 1, 20, 60, 61, 75)
    who = ["a", "a", "a", "b", "b", "b"]
    met = ["1", "1", "2", "3", "3", "4"]
    assert evaluate_reid(x, who, encounter=met).queries == 6
    assert evaluate_reid(x, who, encounter=["1", "1", "1", "3", "3", "4"]).queries == 3
    sides = ["left", "left", "right", "left", "left", "right"]
    found = evaluate_reid(x, who, viewpoint=sides)
    assert [g.viewpoint for g in found.groups] == ["left"]
    assert found.excluded == {("", "right"): "no individual with enough pictures"}
    noted = evaluate_reid(x, who, viewpoint=["left", "left", "", "left", "left", None])
    assert "2 pictures have no viewpoint" in noted.notes[0]


def test_a_matrix_of_similarities_is_as_good():
    x, who = some()
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    by_matrix = evaluate_reid(None, who, similarity=unit @ unit.T, max_pictures=None)
    assert by_matrix.map == pytest.approx(evaluate_reid(x, who, max_pictures=None).map)


def test_identical_pictures_are_the_worst_case():
    found = evaluate_reid(np.ones((6, 3)), ["a", "a", "b", "b", "c", "c"])
    assert found.top[1] == 0.0 and found.top[5] == 1.0


def test_bad_input():
    with pytest.raises(InputError, match="either embeddings"):
        evaluate_reid(None, ["a"])
    with pytest.raises(InputError, match="expected \\(2, D\\)"):
        evaluate_reid(np.zeros((3, 2)), ["a", "b"])
    with pytest.raises(InputError, match="NaN"):
        evaluate_reid(np.array([[np.nan], [1.0]]), ["a", "a"])
    with pytest.raises(InputError, match="nothing to evaluate: all pictures"):
        evaluate_reid(np.eye(2), ["a", "b"])
    with pytest.raises(InputError, match="no picture has an individual"):
        evaluate_reid(np.eye(2), ["", None])
