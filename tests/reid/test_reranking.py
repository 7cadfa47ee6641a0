"""Re-ranking against a direct implementation with sets, and query expansion by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.errors import InputError
from ecotone.reid.matching import match
from ecotone.reid.reranking import expand_queries, rerank
from ecotone.reid.search import Neighbors


def slow(query, candidates, k1, k2, weight):
    """Zhong et al. 2017 with sets and loops, on one query and its candidates."""
    rows = np.vstack([query[None], candidates]).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    n = len(rows)
    d = 1 - rows @ rows.T
    ranked = [[i, *sorted((j for j in range(n) if j != i), key=lambda j, i=i: d[i, j])]
              for i in range(n)]

    def reciprocal(i, k):
        return {j for j in ranked[i][: k + 1] if i in ranked[j][: k + 1]}

    v = np.zeros((n, n))
    for i in range(n):
        star = set(reciprocal(i, k1))
        for j in reciprocal(i, k1):
            half = reciprocal(j, max(k1 // 2, 1))
            if len(half & reciprocal(i, k1)) > 2 / 3 * len(half):
                star |= half
        for j in star:
            v[i, j] = np.exp(-((rows[i] - rows[j]) ** 2).sum())
        v[i] /= v[i].sum()
    if k2 > 1:
        v = np.array([np.mean([v[j] for j in ranked[i][:k2]], axis=0) for i in range(n)])
    out = []
    for j in range(1, n):
        low, high = np.minimum(v[0], v[j]).sum(), np.maximum(v[0], v[j]).sum()
        out.append((1 - weight) * (1 - low / high) + weight * d[0, j])
    return np.array(out)


@pytest.mark.parametrize("k1, k2, weight", [(20, 6, 0.3), (5, 2, 0.3), (3, 1, 0.0), (8, 3, 1.0)])
def test_same_as_the_direct_way(k1, k2, weight):
    rng = np.random.default_rng(k1)
    gallery, queries = rng.normal(size=(60, 6)), rng.normal(size=(4, 6))
    matches = match(queries, gallery, 40)
    found = rerank(queries, gallery, matches, k1=k1, k2=k2, weight=weight)
    for row in range(4):
        distance = slow(queries[row], gallery[matches.index[row]], k1, k2, weight)
        order = np.argsort(np.round(distance, 9), kind="stable")
        np.testing.assert_array_equal(found.index[row], matches.index[row][order])
        np.testing.assert_allclose(found.similarity[row], 1 - distance[order], atol=1e-5)


def test_a_picture_that_is_near_to_everything_is_put_behind():
    rng = np.random.default_rng(0)
    centres = 3 + rng.normal(size=(10, 30))
    who = np.repeat(np.arange(10), 6)
    x = centres[who] + 1.2 * rng.normal(size=(60, 30))
    hubs = 3 + 0.1 * rng.normal(size=(3, 30))
    gallery, owner = np.vstack([x, hubs]), np.concatenate([who, [-1, -1, -1]])
    keys = np.arange(63)
    matches = match(x, gallery, 62, query_keys=keys[:60], gallery_keys=keys)
    after = rerank(x, gallery, matches, k1=6, k2=3)
    before, now = (np.mean(owner[m.index[:, :5]] == who[:, None]) for m in (matches, after))
    assert now > before + 0.1


def test_other_queries_change_nothing():
    rng = np.random.default_rng(0)
    x, queries = rng.normal(size=(30, 5)), rng.normal(size=(3, 5))
    both = rerank(queries, x, match(queries, x, 25))
    one = rerank(queries[1:2], x, match(queries[1:2], x, 25))
    np.testing.assert_array_equal(both.index[1], one.index[0])


def test_identical_pictures_missing_candidates_and_none():
    x = np.ones((6, 3))
    found = rerank(x[:1], x, match(x[:1], x, 8))
    np.testing.assert_array_equal(found.index[0], [0, 1, 2, 3, 4, 5, -1, -1])
    assert np.isnan(found.similarity[0, 6:]).all() and np.isfinite(found.similarity[0, :6]).all()
    none = rerank(x[:1], np.empty((0, 3)), match(x[:1], np.empty((0, 3)), 2))
    assert (none.index == -1).all()
    alone = rerank(x[:1], x[:1], match(x[:1], x[:1], 1))
    assert alone.index.tolist() == [[0]]


def test_expansion_by_hand():
    queries = np.array([[2.0, 0.0], [0.0, 1.0]])
    gallery = np.array([[0.6, 0.8], [-1.0, 0.0]])
    matches = Neighbors(np.array([[0, 1], [-1, -1]]), np.array([[0.6, -1.0], [np.nan, np.nan]]))
    found = expand_queries(queries, gallery, matches, alpha=3)
    expected = np.array([1 + 0.216 * 0.6, 0.216 * 0.8])
    np.testing.assert_allclose(found[0], expected / np.linalg.norm(expected), rtol=1e-6)
    np.testing.assert_allclose(found[1], [0, 1])
    nearer = match(found, gallery, 1).similarity[0, 0]
    assert nearer > matches.similarity[0, 0]


@pytest.mark.parametrize("argument", [{"k1": 0}, {"k2": 1.5}, {"weight": 1.2}, {"weight": np.nan}])
def test_arguments_out_of_range(argument):
    with pytest.raises(InputError):
        rerank(np.eye(2), np.eye(2), match(np.eye(2), np.eye(2), 2), **argument)


def test_what_does_not_fit():
    matches = match(np.eye(2), np.eye(2), 2)
    with pytest.raises(InputError, match="2 queries, but 1"):
        rerank(np.eye(2)[:1], np.eye(2), matches)
    with pytest.raises(InputError, match="row 1 of a gallery of 1"):
        expand_queries(np.eye(2), np.eye(2)[:1], matches)
    with pytest.raises(InputError, match="alpha"):
        expand_queries(np.eye(2), np.eye(2), matches, alpha=-1)
