"""Scores of novelty against slow recomputations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from ecotone.discovery.novelty_scores import (
    Covariance,
    ecod_novelty,
    energy_novelty,
    knn_novelty,
    mahalanobis_novelty,
    neighbours_for,
    softmax_novelty,
)
from ecotone.errors import InputError


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def some(n: int, dims: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32) + 0.5


@pytest.mark.parametrize(("n", "dims"), [(60, 5), (20, 50)])
@pytest.mark.parametrize("relative", [False, True])
def test_mahalanobis_is_the_textbook_one_with_a_shrunken_covariance(n, dims, relative):
    known, new = some(n, dims), some(9, dims, 1)
    target = np.arange(n) % 3
    z, x = unit(known.astype(float)), unit(new.astype(float))
    means = np.stack([z[target == k].mean(axis=0) for k in range(3)])

    def shrunk(centred: np.ndarray, freedom: int) -> np.ndarray:
        w = centred.T @ centred / freedom
        return (freedom * w + np.trace(w) * np.eye(dims)) / (freedom + dims)

    inverse = np.linalg.inv(shrunk(z - means[target], n - 3))
    gaps = x[:, None] - means
    want = np.einsum("mkd,de,mke->mk", gaps, inverse, gaps).min(axis=1)
    if relative:
        gap = x - z.mean(axis=0)
        all_rows = np.linalg.inv(shrunk(z - z.mean(axis=0), n - 1))
        want = want - np.einsum("md,de,me->m", gap, all_rows, gap)
    np.testing.assert_allclose(
        mahalanobis_novelty(new, known, target, relative=relative), want, rtol=1e-4, atol=1e-4
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 15), st.integers(0, 99))
def test_knn_is_the_sorted_distance(n, dims, k, seed):
    known, new = some(n, dims, seed), some(4, dims, seed + 1)
    gaps = unit(new.astype(float))[:, None] - unit(known.astype(float))
    want = np.sort(np.linalg.norm(gaps, axis=2), axis=1)[:, min(k, n) - 1]
    np.testing.assert_allclose(knn_novelty(new, known, k), want, atol=2e-3)


def test_softmax_and_energy():
    logits = some(20, 4)
    proba = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
    np.testing.assert_allclose(softmax_novelty(proba), 1 - proba.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(energy_novelty(logits), -logsumexp(logits, axis=1), atol=1e-6)
    slow = -2.0 * np.log(np.exp(logits.astype(float) / 2.0).sum(axis=1))
    np.testing.assert_allclose(energy_novelty(logits, 2.0), slow, atol=1e-6)


def signed_axes(z: np.ndarray) -> np.ndarray:
    axes = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)[2]
    largest = np.abs(axes).argmax(axis=1)
    return axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]


def slow_ecod(new: np.ndarray, known: np.ndarray) -> list[float]:
    """Each new row appended to the reference alone; axes by SVD."""
    z, x = unit(known.astype(float)), unit(new.astype(float))
    axes = signed_axes(z)
    known_z, new_z = (z - z.mean(axis=0)) @ axes.T, (x - z.mean(axis=0)) @ axes.T
    skew = ((known_z - known_z.mean(axis=0)) ** 3).mean(axis=0)
    out = []
    for row in new_z:
        both = np.vstack([known_z, row])
        left = [-np.log(np.mean(both[:, d] <= row[d])) for d in range(len(row))]
        right = [-np.log(np.mean(both[:, d] >= row[d])) for d in range(len(row))]
        named = [r if s >= 0 else v for v, r, s in zip(left, right, skew, strict=True)]
        out.append(max(sum(left), sum(right), sum(named)))
    return out


def test_ecod_is_the_largest_of_three_sums_of_tails():
    known, new = some(40, 4) ** 2, some(7, 4, 3)
    np.testing.assert_allclose(ecod_novelty(new, known), slow_ecod(new, known), rtol=1e-4)


def test_ecod_sums_are_those_of_pyod():
    pyod = pytest.importorskip("pyod.models.ecod")
    known, new = some(80, 4) ** 2, some(6, 4, 3) ** 2
    z, x = unit(known.astype(float)), unit(new.astype(float))
    axes = signed_axes(z)
    model = pyod.ECOD()
    model.fit((z - z.mean(axis=0)) @ axes.T)
    want = []
    for row in (x - z.mean(axis=0)) @ axes.T:
        model.decision_function(row[None])  # joins the row to the reference
        want.append(max(u[-1].sum() for u in (model.U_l, model.U_r, model.U_skew)))
    np.testing.assert_allclose(ecod_novelty(new, known), want, rtol=1e-4)


def test_covariance_of_equal_rows_divides_by_no_zero():
    found = Covariance.fit(np.zeros((5, 3)), 4)
    assert np.isfinite(found.solve(np.ones((2, 3)))).all()
    same = np.ones((5, 3), dtype=np.float32)
    assert np.isfinite(mahalanobis_novelty(same, same, np.zeros(5, dtype=int))).all()


def test_k_follows_the_size_of_classes():
    assert neighbours_for(np.arange(10)) == 1
    assert neighbours_for(np.repeat(np.arange(3), 8)) == 4
    assert neighbours_for(np.repeat(np.arange(3), 800)) == 10


def test_bad_input_names_the_row():
    good, bad = some(5, 3), some(5, 3)
    bad[2, 1] = np.nan
    with pytest.raises(InputError, match="row 2"):
        knn_novelty(bad, good)
    with pytest.raises(InputError, match="row 2"):
        ecod_novelty(good, bad)
    with pytest.raises(InputError, match="dimensions"):
        knn_novelty(some(2, 4), good)
    with pytest.raises(InputError, match="row 1"):
        energy_novelty(np.array([[0.0, 1.0], [np.nan, 0.0]]))
    with pytest.raises(InputError, match="row 0"):
        softmax_novelty(np.array([[0.2, 0.2]]))
    with pytest.raises(InputError, match="reference"):
        knn_novelty(good, good[:0])
    with pytest.raises(InputError, match="target"):
        mahalanobis_novelty(good, good, np.zeros(3, dtype=int))
    assert knn_novelty(good[:0], good).shape == (0,)
    assert mahalanobis_novelty(good[:0], good, np.zeros(5, dtype=int)).shape == (0,)
