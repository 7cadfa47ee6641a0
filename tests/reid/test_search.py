"""The blocked search against sorting all similarities, and its order where rows are equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.errors import InputError
from ecotone.reid import search
from ecotone.reid.search import top_k


def slow(queries, gallery, k, rows=None, query_keys=None, gallery_keys=None):
    """Every similarity in double precision, sorted with ties in the order of the gallery."""
    unit = [x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
            for x in (queries, gallery)]
    index = np.full((len(queries), k), -1)
    value = np.full((len(queries), k), np.nan)
    for i, query in enumerate(unit[0]):
        allowed = np.arange(len(gallery)) if rows is None else rows
        if query_keys is not None and query_keys[i] >= 0:
            allowed = allowed[gallery_keys[allowed] != query_keys[i]]
        similarity = np.round(unit[1][allowed] @ query, 6)
        order = np.lexsort((allowed, -similarity))[:k]
        index[i, : len(order)], value[i, : len(order)] = allowed[order], similarity[order]
    return index, value


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(search, "GALLERY_BLOCK", 16)
    monkeypatch.setattr(search, "QUERY_BLOCK", 5)
    monkeypatch.setattr(search, "QUERY_BYTES", 4)


def grid(rng, rows, dims):
    """Rows of few small whole numbers: many equal rows and equal similarities."""
    values = rng.integers(-1, 2, (rows, dims)).astype(np.float32)
    values[~values.any(axis=1), 0] = 1
    return values


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 90), st.integers(1, 6),
       st.integers(1, 25), st.booleans(), st.booleans())
def test_same_as_sorting_everything(seed, n, m, dims, k, subset, keys):
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "GALLERY_BLOCK", 16)
        patch.setattr(search, "QUERY_BLOCK", 5)
        queries, gallery = grid(rng, n, dims), grid(rng, m, dims)
        rows = np.sort(rng.permutation(m)[: rng.integers(1, m + 1)]) if subset else None
        q = rng.integers(-1, 4, n) if keys else None
        g = rng.integers(-1, 4, m) if keys else None
        found = top_k(queries, gallery, k, rows=rows, query_keys=q, gallery_keys=g)
        index, value = slow(queries, gallery, k, rows, q, g)
    np.testing.assert_array_equal(found.index, index)
    np.testing.assert_allclose(found.similarity, value, atol=2e-6)


def test_random_rows_in_any_storage(small_blocks, tmp_path):
    rng = np.random.default_rng(1)
    queries = rng.normal(size=(23, 40)).astype(np.float32)
    gallery = rng.normal(size=(301, 40)).astype(np.float16)
    np.save(tmp_path / "gallery.npy", gallery)
    index, value = slow(queries, gallery, 7)
    for stored in (gallery, np.load(tmp_path / "gallery.npy", mmap_mode="r"),
                   gallery.astype(np.float64), gallery[:, ::-1][:, ::-1]):
        found = top_k(queries, stored, 7)
        np.testing.assert_array_equal(found.index, index)
        np.testing.assert_allclose(found.similarity, value, atol=2e-6)


def test_identical_pictures_come_in_the_order_of_the_gallery(small_blocks):
    rng = np.random.default_rng(2)
    row = rng.normal(size=(1, 33)).astype(np.float32)
    gallery = np.repeat(row, 200, axis=0)
    gallery[3] = rng.normal(size=33)
    found = top_k(np.repeat(row, 11, axis=0), gallery, 30)
    expected = np.delete(np.arange(31), 3)
    np.testing.assert_array_equal(found.index, np.tile(expected, (11, 1)))
    np.testing.assert_allclose(found.similarity, 1.0, atol=1e-6)


def test_a_gallery_that_grows_ever_more_similar(small_blocks):
    angle = np.linspace(np.pi / 2, 0.01, 400)
    gallery = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = top_k(np.array([[1.0, 0.0]]), gallery, 5)
    np.testing.assert_array_equal(found.index[0], [399, 398, 397, 396, 395])


def test_fewer_rows_than_k_and_no_rows():
    found = top_k(np.ones((2, 3)), np.ones((2, 3)), 4)
    np.testing.assert_array_equal(found.index, [[0, 1, -1, -1]] * 2)
    assert np.isnan(found.similarity[:, 2:]).all()
    for gallery in (np.empty((0, 3)), []):
        found = top_k(np.ones((2, 3)), gallery, 4)
        assert (found.index == -1).all() and np.isnan(found.similarity).all()
    assert top_k(np.empty((0, 3)), np.ones((2, 3)), 4).index.shape == (0, 4)


def test_very_long_and_very_short_rows():
    queries = np.array([[1e30, 0.0], [0.0, 1e-10]])
    found = top_k(queries, np.array([[0.0, 3e25], [2e-11, 0.0]]), 1)
    np.testing.assert_array_equal(found.index, [[1], [0]])
    np.testing.assert_allclose(found.similarity, 1.0, atol=1e-6)


@pytest.mark.parametrize("side", ["queries", "gallery"])
@pytest.mark.parametrize("value, says", [(np.nan, "NaN"), (np.inf, "infinity"), (0.0, "zeros")])
def test_rows_without_a_direction(side, value, says):
    rows = {"queries": np.ones((4, 2)), "gallery": np.ones((4, 2))}
    rows[side][3] = value
    with pytest.raises(InputError, match=f"{side}: row 3 is .*{says}"):
        top_k(rows["queries"], rows["gallery"], 2)
    with pytest.raises(InputError, match="row 3"):
        top_k(rows["queries"], rows["gallery"], 2, rows=np.array([1, 3]))


def test_shapes_and_k():
    with pytest.raises(InputError, match="3 dimensions, expected 2"):
        top_k(np.ones((1, 3)), np.ones((1, 2)), 1)
    with pytest.raises(InputError, match="gallery: expected numbers"):
        top_k(np.ones((1, 3)), np.ones(3), 1)
    with pytest.raises(InputError, match="k: 0"):
        top_k(np.ones((1, 3)), np.ones((1, 3)), 0)
