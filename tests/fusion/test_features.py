"""Projection and content keys."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from ecotone.fusion.features import content_keys, fit_projection, project_all


def test_projection_is_the_principal_subspace_of_unit_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 12)) * np.linspace(3, 0.1, 12)
    mean, axes = fit_projection(x, np.arange(300), 5)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = PCA(5).fit(unit).components_
    np.testing.assert_allclose(np.abs((expected @ axes).diagonal()), 1, atol=1e-4)
    np.testing.assert_allclose(mean, unit.mean(axis=0), atol=1e-6)


def test_fewer_rows_than_dimensions_give_orthonormal_axes():
    x = np.random.default_rng(1).normal(size=(6, 40))
    _, axes = fit_projection(x, np.arange(6), 256)
    assert axes.shape == (40, 5)
    np.testing.assert_allclose(axes.T @ axes, np.eye(5), atol=1e-4)


def test_equal_embeddings_still_project():
    mean, axes = fit_projection(np.ones((9, 4)), np.arange(9), 3)
    assert np.isfinite(project_all(np.ones((9, 4)), mean, axes)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(2, 60))
def test_keys_follow_their_rows(seed, n):
    x = np.random.default_rng(seed).normal(size=(n, 7)).astype(np.float32)
    order = np.random.default_rng(seed + 1).permutation(n)
    keys = content_keys(x, 3)
    assert (content_keys(x[order], 3) == keys[order]).all()
    assert len(np.unique(keys)) == n
    assert (content_keys(x, 4) != keys).any()
    assert content_keys(np.vstack([x, x[:1]]), 3)[-1] == keys[0]
