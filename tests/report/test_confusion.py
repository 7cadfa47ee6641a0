from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.report.confusion import confusion_chart, matrix_of, mixups_of, order_classes


@given(st.integers(0, 70), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_no_row_is_lost_whatever_is_collapsed(k, seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.3, (k, k)) + np.diag(rng.poisson(3, k))
    matrix = matrix_of(counts, [f"c{i}" for i in range(k)])
    assert matrix.counts.sum() == counts.sum()
    assert np.trace(matrix.counts) >= np.trace(counts)
    assert len(matrix.names) == len(set(matrix.names)) <= 26
    assert matrix.counts.shape == (len(matrix.names),) * 2


def test_the_rarest_classes_are_one_row():
    counts = np.diag(np.arange(1, 41))
    matrix = matrix_of(counts, [f"c{i}" for i in range(40)], most=10)
    assert matrix.names[-1] == "31 rarer classes"
    assert set(matrix.collapsed) == {f"c{i}" for i in range(31)}
    assert set(matrix.names[:-1]) == {f"c{i}" for i in range(31, 40)}
    assert matrix.counts[-1, -1] == sum(range(1, 32))


def test_classes_that_are_mixed_up_lie_together():
    counts = np.diag([10] * 6)
    for a, b in ((0, 3), (1, 4), (2, 5)):
        counts[a, b] = counts[b, a] = 5
    place = np.argsort(order_classes(counts))
    assert all(abs(place[a] - place[b]) == 1 for a, b in ((0, 3), (1, 4), (2, 5)))


def test_mixups_come_most_frequent_first():
    counts = np.array([[5, 3, 0], [1, 9, 0], [0, 0, 0]])
    found = mixups_of(counts, ["a", "b", "c"])
    assert [(m.truth, m.taken, m.count, m.rows) for m in found] == [
        ("a", "b", 3, 8), ("b", "a", 1, 10)]


@pytest.mark.parametrize("k", [1, 2, 60])
def test_the_chart_has_a_square_for_each_pair(k):
    matrix = matrix_of(np.full((k, k), 2), [f"<c{i}> & é" for i in range(k)])
    root = ElementTree.fromstring(confusion_chart(matrix))
    cells = [e for e in root.iter() if "cell" in (e.get("class") or "")]
    assert len(cells) == len(matrix.names) ** 2
    assert confusion_chart(matrix_of(np.zeros((3, 3), int), ["a", "b", "c"])) == ""
