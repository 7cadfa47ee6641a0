"""Centroids and the distances within, against the slow way."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.hierarchy.centroids import (
    Crops,
    build_centroids,
    class_folds,
    held_out_distance,
    keep_nearest,
    mean_directions,
    unit_rows,
)
from ecotone.hierarchy.metric_head import Head


def make_crops(seed=0, counts=(30, 12, 8), dim=6) -> Crops:
    rng = np.random.default_rng(seed)
    target = np.repeat(np.arange(len(counts)), counts)
    values = rng.normal(size=(len(counts), dim))[target] * 2 + rng.normal(size=(len(target), dim))
    keys = rng.permutation(len(target)).astype(np.uint64)
    return Crops(unit_rows(values.astype(np.float32)), target, keys)


def as_it_is(embeddings, target, keys):
    return Head()


def slow_centroid(rows: np.ndarray) -> np.ndarray:
    mean = np.mean([r / np.sqrt(sum(r * r)) for r in np.asarray(rows, float)], axis=0)
    return mean / np.sqrt(sum(mean * mean))


def test_centroids_and_their_statistics_the_slow_way():
    crops = make_crops()
    _, found = build_centroids(crops, as_it_is, 0.05, 0)
    every = []
    for c, less in enumerate((1, 0, 0)):  # 5 % of 30, 12 and 8, rounded down
        rows = crops.embeddings[crops.target == c]
        far = [1 - r @ slow_centroid(rows) for r in rows]
        rows = rows[np.argsort(far)[:len(rows) - less]]
        centre = slow_centroid(rows)
        distance = [1 - float(r @ centre) for r in rows]
        np.testing.assert_allclose(found.vectors[c], centre, atol=1e-6)
        assert found.mean[c] == pytest.approx(np.mean(distance), abs=1e-6)
        assert found.sd[c] == pytest.approx(np.std(distance), abs=1e-6)
        assert found.count[c] == len(rows)
        every += distance
    assert found.median == pytest.approx(np.median(every), abs=1e-6)
    assert np.isnan(found.held_accuracy)


def test_the_farthest_share_is_dropped_class_by_class():
    crops = make_crops(counts=(20, 41))
    kept = keep_nearest(crops.embeddings, crops.target, 2, 0.05)
    assert [int((~kept[crops.target == c]).sum()) for c in (0, 1)] == [1, 2]
    for c in (0, 1):
        rows = np.flatnonzero(crops.target == c)
        far = 1 - crops.embeddings[rows] @ slow_centroid(crops.embeddings[rows])
        assert far[~kept[rows]].min() >= far[kept[rows]].max()
    assert keep_nearest(crops.embeddings, crops.target, 2, 0.0).all()


def test_held_out_distances_have_not_seen_the_crop():
    crops = make_crops(1)
    far, right = held_out_distance(crops, as_it_is, 0.0, 4)
    fold = class_folds(crops, 4)
    for row in range(len(far)):
        centres = [slow_centroid(crops.embeddings[(fold != fold[row]) & (crops.target == c)])
                   for c in range(3)]
        distance = [1 - float(crops.embeddings[row] @ c) for c in centres]
        assert far[row] == pytest.approx(distance[crops.target[row]], abs=1e-6)
        assert right[row] == (np.argmin(distance) == crops.target[row])
    _, inside = build_centroids(crops, as_it_is, 0.0, 0)
    _, outside = build_centroids(crops, as_it_is, 0.0, 4)
    assert (outside.mean > inside.mean).all()
    assert outside.held_accuracy == pytest.approx(right.mean())


def test_folds_deal_every_class_out_and_keep_copies_together():
    crops = make_crops(counts=(20, 20))
    crops = Crops(np.vstack([crops.embeddings] * 2), np.tile(crops.target, 2),
                  np.tile(crops.keys, 2))
    fold = class_folds(crops, 5)
    np.testing.assert_array_equal(fold[:40], fold[40:])
    for c in (0, 1):
        assert list(np.bincount(fold[crops.target == c])) == [8] * 5


def test_a_class_of_one_picture_falls_back_to_its_own_distance():
    same = np.tile(unit_rows(np.ones((1, 6))), (8, 1)).astype(np.float32)
    other = make_crops(counts=(10,))
    crops = Crops(np.vstack([same, other.embeddings]), np.repeat([0, 1], [8, 10]),
                  np.r_[np.zeros(8), 1 + other.keys].astype(np.uint64))
    _, found = build_centroids(crops, as_it_is, 0.05, 5)
    assert found.mean[0] == pytest.approx(0, abs=1e-6) and found.sd[0] < 1e-6
    assert np.isfinite(found.mean).all() and np.isfinite(found.held_accuracy)


def test_zero_rows_and_empty_classes_stay_zero():
    np.testing.assert_array_equal(unit_rows(np.zeros((2, 3))), np.zeros((2, 3)))
    assert not mean_directions(np.ones((2, 3)), np.array([0, 0]), 2)[1].any()
