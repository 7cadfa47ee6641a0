"""Margin, disagreement and need; one row a burst; sampling without loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.labelling.candidates import draw, representatives
from ecotone.labelling.uncertain import class_shares, disagreement, expected_error, margin, need

P = np.array([[0.9, 0.1, 0.0], [0.4, 0.35, 0.25], [0.0, 0.0, 1.0]])


def test_margin_and_expected_error():
    assert margin(P) == pytest.approx([0.8, 0.05, 1.0])
    assert expected_error(P) == pytest.approx([0.1, 0.6, 0.0])
    assert list(margin(np.ones((2, 1)))) == [1, 1]


def test_disagreement_is_zero_for_equals_and_one_for_opposites():
    assert disagreement(P, P) == pytest.approx([0, 0, 0], abs=1e-12)
    assert disagreement(np.eye(2), np.eye(2)[::-1]) == pytest.approx([1, 1])


def test_need_is_more_where_student_and_map_disagree_and_where_a_class_is_rare():
    same = np.tile([[0.6, 0.4]], (4, 1))
    other = same.copy()
    other[0] = [0.05, 0.95]
    assert need(same, other, same, np.array([0.5, 0.5])).argmax() == 0
    both = np.array([[0.6, 0.4], [0.4, 0.6]])
    value = need(both, None, None, np.array([0.9, 0.1]))
    assert value[1] > value[0] > 0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 99))
def test_need_of_any_posteriors_is_finite(n, k, seed):
    rng = np.random.default_rng(seed)
    p, m, s = (rng.dirichlet(np.full(k, 0.1), n) for _ in range(3))
    value = need(p, m, s, class_shares(p))
    assert value.shape == (n,) and np.isfinite(value).all() and (value >= 0).all()


def test_the_most_typical_free_row_stands_for_its_unit():
    z = np.array([[1, 0], [0.98, 0.2], [0.8, 0.6], [0, 1]], float)
    unit, keys = np.array([0, 0, 0, 1]), np.array([3, 2, 1, 4], dtype=np.uint64)
    assert set(representatives(z, unit, keys, np.ones(4, bool))) == {1, 3}
    assert set(representatives(z, unit, keys, np.array([1, 0, 0, 0], bool))) == {0}
    assert len(representatives(z, unit, keys, np.zeros(4, bool))) == 0


def test_a_draw_keeps_heavy_rows_and_is_unbiased():
    rng = np.random.default_rng(0)
    weight = np.full(20000, 1.0)
    weight[:20] = 200.0
    value = rng.random(20000)
    totals = []
    for seed in range(20):
        keys = np.random.default_rng(seed).integers(1, 2**63, 20000, dtype=np.uint64)
        at, chance = draw(weight, keys, 1000)
        assert len(at) < 1100
        assert (at < 20).sum() == 20
        totals.append((value[at] / chance).sum())
    assert np.mean(totals) == pytest.approx(value.sum(), rel=0.02)
    at, chance = draw(weight[:50], np.arange(50, dtype=np.uint64), 50)
    assert list(at) == list(range(50)) and (chance == 1).all()
