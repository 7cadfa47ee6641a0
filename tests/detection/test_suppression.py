"""Suppression against torchvision's and against the slow, obvious way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.detection import suppress
from ecotone.errors import InputError


def slow(boxes, scores, classes, overlap):
    """Every box, surest first, against every one that stays."""
    def iou(a, b):
        wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        area = [max(0.0, c[2] - c[0]) * max(0.0, c[3] - c[1]) for c in (a, b)]
        union = sum(area) - wide * high
        return wide * high / union if union > 0 else 0.0

    kept = []
    for row in sorted(range(len(boxes)), key=lambda r: (-scores[r], r)):
        rivals = [k for k in kept if classes is None or classes[k] == classes[row]]
        if all(iou(boxes[k], boxes[row]) <= overlap for k in rivals):
            kept.append(row)
    return kept


def some_boxes(rng, n, size=100):
    low = rng.uniform(0, size * 0.8, (n, 2))
    return np.hstack([low, low + rng.uniform(1, size * 0.3, (n, 2))])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 10_000), st.floats(0.05, 0.95), st.booleans())
def test_as_the_slow_way(n, seed, overlap, by_class):
    rng = np.random.default_rng(seed)
    boxes, scores = some_boxes(rng, n), np.round(rng.random(n), 1)
    classes = rng.integers(0, 3, n) if by_class else None
    assert suppress(boxes, scores, classes, overlap).tolist() == slow(
        boxes, scores, classes, overlap)


def test_as_torchvision():
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision.ops")
    rng = np.random.default_rng(5)
    for overlap in (0.3, 0.5, 0.7):
        boxes, scores = some_boxes(rng, 400), rng.random(400)
        kinds = rng.integers(0, 3, 400)
        told = [torch.from_numpy(a) for a in (boxes, scores, kinds)]
        assert suppress(boxes, scores, None, overlap).tolist() == ops.nms(
            told[0], told[1], overlap).tolist()
        assert sorted(suppress(boxes, scores, kinds, overlap)) == sorted(
            ops.batched_nms(*told, overlap).tolist())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 10_000))
def test_what_stays_does_not_overlap_and_suppressing_again_changes_nothing(n, seed):
    rng = np.random.default_rng(seed)
    boxes, scores = some_boxes(rng, n), rng.random(n)
    kept = suppress(boxes, scores, None, 0.5)
    assert kept[0] == scores.argmax()
    assert suppress(boxes[kept], scores[kept], None, 0.5).tolist() == list(range(len(kept)))
    order = rng.permutation(n)
    again = suppress(boxes[order], scores[order], None, 0.5)
    assert order[again].tolist() == kept.tolist()


def test_thousands_of_boxes_stop_at_the_number_wanted():
    rng = np.random.default_rng(1)
    boxes, scores = some_boxes(rng, 20_000, 10_000), rng.random(20_000)
    assert len(suppress(boxes, scores, None, 0.9, most=300)) == 300


def test_nan_and_lengths_are_refused():
    with pytest.raises(InputError, match="NaN"):
        suppress(np.array([[0, 0, np.nan, 1]]), np.array([0.5]))
    with pytest.raises(InputError, match="one length"):
        suppress(np.zeros((2, 4)), np.zeros(3))
    assert len(suppress(np.zeros((0, 4)), np.zeros(0))) == 0
