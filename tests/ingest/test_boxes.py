from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecotone.ingest.boxes import overlaps, pair_boxes

side = st.integers(0, 8)
box = st.tuples(side, side, st.integers(1, 8), st.integers(1, 8))


@given(st.lists(box, min_size=1, max_size=4), st.lists(box, min_size=1, max_size=4))
def test_overlap_is_the_share_of_cells(a, b):
    def cells(item):
        x, y, w, h = item
        return {(i, j) for i in range(x, x + w) for j in range(y, y + h)}

    found = overlaps(np.array(a) / 16, np.array(b) / 16)
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            expected = len(cells(one) & cells(other)) / len(cells(one) | cells(other))
            assert abs(found[i, j] - expected) < 1e-9


def test_each_box_finds_its_own_best_first_and_none_twice():
    known = np.array([[0.1, 0.1, 0.2, 0.2], [0.5, 0.5, 0.3, 0.3]])
    found = np.array([[0.5, 0.5, 0.3, 0.31], [0.11, 0.1, 0.2, 0.2], [0.1, 0.1, 0.2, 0.2],
                      [0.8, 0.1, 0.1, 0.1]])
    assert pair_boxes(found, known) == [1, -1, 0, -1]
    assert pair_boxes(np.zeros((0, 4)), known) == []
    assert pair_boxes(found, np.zeros((0, 4))) == [-1] * 4
