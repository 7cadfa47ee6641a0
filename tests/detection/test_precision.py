"""Average precision against a slow recomputation and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.detection import average_precision, score_detections
from ecotone.detection.precision import matches


def slow_precision(scores, right, true):
    """The area under the envelope, one recall step at a time."""
    area, before = 0.0, 0.0
    points = []
    for level in sorted(set(scores), reverse=True):
        kept = [r for s, r in zip(scores, right, strict=True) if s >= level]
        points.append((sum(kept) / true, sum(kept) / len(kept)))
    for i, (recall, _) in enumerate(points):
        area += (recall - before) * max(p for _, p in points[i:])
        before = recall
    return area


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30), st.integers(0, 10))
def test_as_the_slow_way(rows, more):
    scores = [s / 5 for s, _ in rows]
    right = [r for _, r in rows]
    true = sum(right) + more
    if not true:
        assert np.isnan(average_precision(np.array(scores), np.array(right), 0))
        return
    found = average_precision(np.array(scores), np.array(right, dtype=bool), true)
    assert found == pytest.approx(slow_precision(scores, right, true))


def test_as_average_precision_of_ranked_answers():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    right = rng.random(50) < 0.5
    scores = right * 0.2 + rng.permutation(50) / 50
    # The envelope is never below the plain step curve.
    plain = metrics.average_precision_score(right, scores)
    assert plain <= average_precision(scores, right, int(right.sum())) <= plain + 0.1


def test_each_true_box_is_found_once():
    true = np.array([[0.1, 0.1, 0.2, 0.2]])
    found = np.array([[0.1, 0.1, 0.2, 0.2], [0.11, 0.1, 0.2, 0.2], [0.6, 0.6, 0.1, 0.1]])
    assert matches(found, np.array([0.5, 0.9, 0.7]), true).tolist() == [False, True, False]
    score = score_detections([found], [np.array([0.5, 0.9, 0.7])], [true])
    assert (score.true, score.found, score.right) == (1, 3, 1)
    assert score.precision == pytest.approx(1 / 3) and score.recall == 1
    assert score.average_precision == 1.0


def test_nothing_found_and_nothing_true():
    none = np.zeros((0, 4))
    empty = score_detections([none], [np.zeros(0)], [np.array([[0.0, 0, 1, 1]])])
    assert empty.recall == 0 and np.isnan(empty.precision) and empty.average_precision == 0
    assert np.isnan(score_detections([none], [np.zeros(0)], [none]).average_precision)
    assert np.isnan(score_detections([], [], []).average_precision)
