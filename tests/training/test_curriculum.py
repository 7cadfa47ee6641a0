"""The curriculum's rules: who is admitted, what the teacher may say, when it has collapsed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.training.curriculum import admit, align, collapsed, pace_of, pool, start_of
from ecotone.training.soft_settings import SoftLabelSettings


def test_the_pace_goes_from_sure_and_even_to_all() -> None:
    settings = SoftLabelSettings(epochs=11, curriculum_start=0.2, curriculum_pace=0.5,
                                 labelled_share=0.1, teacher=0.4, teacher_start=0.3)
    paces = [pace_of(settings, e, 0.2) for e in range(11)]
    assert paces[0].share == pytest.approx(0.2) and paces[0].labelled_share == pytest.approx(0.42)
    assert [p.share for p in paces] == sorted(p.share for p in paces)
    assert paces[5].share == paces[10].share == pytest.approx(1)
    assert paces[10].labelled_share == pytest.approx(0.1)
    assert paces[3].teacher == 0 and paces[10].teacher == pytest.approx(0.4)
    plain = SoftLabelSettings(epochs=1, curriculum=False, ema=0.0)
    assert pace_of(plain, 0, 0.2).share == 1 and pace_of(plain, 0, 0.2).teacher == 0


def test_sure_pseudo_labels_are_admitted_at_once() -> None:
    q = np.array([[0.9, 0.1], [0.3, 0.7], [1.0, 0.0]])
    assert start_of(SoftLabelSettings(), q) == pytest.approx(2.6 / 3)
    assert start_of(SoftLabelSettings(), np.eye(4)) == 1 == start_of(SoftLabelSettings(), q[:0])
    assert start_of(SoftLabelSettings(curriculum_start=0.4), q) == 0.4
    sure = pace_of(SoftLabelSettings(labelled_share=0.25), 0, 1.0)
    assert sure.share == 1 and sure.labelled_share == 0.25
    with pytest.raises(InputError, match="curriculum_start is 1.5"):
        SoftLabelSettings(curriculum_start=1.5)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 200),
       st.floats(0, 1), st.floats(0, 1), st.floats(1, 4))
def test_quotas_bounds_and_the_surest_first(seed, k, n, share, threshold, bound) -> None:
    rng = np.random.default_rng(seed)
    named = rng.choice(k, n, p=rng.dirichlet(np.ones(k)))
    confidence = rng.random(n).round(2)
    expected = np.bincount(named, minlength=k) / n
    chosen = admit(confidence, named, expected, share, threshold, bound)
    assert chosen.shape == (n,) and chosen.dtype == bool
    for c in range(k):
        mine = named == c
        if chosen[mine].any() and not chosen[mine].all():
            assert confidence[mine & chosen].min() >= confidence[mine & ~chosen].max()
    if share == 1 or threshold == 0:
        assert chosen.mean() >= 0.99 or bound < 1.01
    again = admit(confidence, named, expected, share, threshold, bound)
    assert np.array_equal(again, chosen)


def test_a_class_of_sure_pictures_does_not_crowd_out_the_others() -> None:
    named = np.repeat([0, 1, 2], [100, 100, 100])
    confidence = np.where(named == 0, 0.99, 0.5)
    chosen = admit(confidence, named, np.full(3, 1 / 3), 0.1, 0.9, 2.0)
    counts = np.bincount(named[chosen], minlength=3)
    assert counts.min() >= 10 and counts[0] <= 2 / 3 * counts.sum() + 1


def test_a_threshold_alone_admits_only_what_is_sure() -> None:
    chosen = admit(np.array([0.99, 0.5, 0.2]), np.array([0, 0, 1]), np.full(2, 0.5), 0.0, 0.9, 9.0)
    assert chosen.tolist() == [True, False, False]


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_the_pool_is_anchored(seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    q, p = rng.dirichlet(np.ones(4), 5), rng.dirichlet(np.ones(4), 5)
    found = pool(q, p, weight)
    assert np.allclose(found.sum(axis=1), 1)
    slow = np.array([[a ** (1 - weight) * b**weight for a, b in zip(x, y, strict=True)]
                     for x, y in zip(q, p, strict=True)])
    assert np.allclose(found, slow / slow.sum(axis=1, keepdims=True), atol=1e-5)
    assert np.allclose(pool(q, p, 0.0), q, atol=1e-5)


def test_what_q_excludes_stays_out_and_no_pseudo_label_says_nothing() -> None:
    q = np.array([[0.6, 0.4, 0.0], [0, 0, 0]])
    found = pool(q, np.array([[0.0, 0.0, 1.0], [0.8, 0.1, 0.1]]), 0.3)
    assert found[0, 2] < 0.01
    assert found[1].argmax() == 0 and 1 / 3 < found[1, 0] < 0.8


def test_shares_are_drawn_to_the_expected_and_a_collapse_is_seen() -> None:
    rng = np.random.default_rng(0)
    expected = np.array([0.5, 0.3, 0.2])
    p = rng.dirichlet([5, 3, 2], 400)
    assert not collapsed(p, expected, 2.0)
    skewed = p * [1.6, 1, 0.8]
    skewed /= skewed.sum(axis=1, keepdims=True)
    drawn = align(skewed, expected, 2.0)
    assert np.abs(drawn.mean(0) - expected).max() < np.abs(skewed.mean(0) - expected).max()
    one = np.tile([0.98, 0.01, 0.01], (400, 1))
    assert collapsed(one, expected, 2.0) and collapsed(np.tile([0.5, 0.5, 0.0], (400, 1)),
                                                       expected, 2.0)
    assert not collapsed(one[:3], expected, 2.0)  # too few to tell
