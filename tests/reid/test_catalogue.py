"""People's decisions, and catalogues that keep them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from ecotone.errors import InputError
from ecotone.reid import linkage as own
from ecotone.reid.catalogue import best_threshold, make_catalogue
from ecotone.reid.constraints import make_constraints

NONE = np.zeros((0, 2), dtype=np.int64)


def matrix(n: int = 40, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    p = rng.random((n, n)) ** 2
    p = (p + p.T) / 2
    np.fill_diagonal(p, 0)
    return p


def pairs_of(p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    left, right = np.triu_indices(len(p), 1)
    return left, right, p[left, right]


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == c).tolist()) for c in np.unique(labels)}


# Decisions


def test_same_is_transitive_and_different_holds_for_all():
    found = make_constraints(6, same=[(0, 1), (1, 2), (4, 5)], different=[(2, 4)])
    assert found.unit.tolist() == [0, 0, 0, 1, 2, 2]
    assert found.apart.tolist() == [[0, 2]] and found.units == 3


def test_contradictions_name_the_chain():
    with pytest.raises(InputError, match=r"p0 and p2 .*also the same \(p0 = p1 = p2\)"):
        make_constraints(3, [(0, 1), (1, 2)], [(0, 2)], ids=["p0", "p1", "p2"])
    with pytest.raises(InputError, match="and 1 more"):
        make_constraints(7, [(i, i + 1) for i in range(6)], [(i, i + 1) for i in range(6)])
    with pytest.raises(InputError, match="1 and 1 are said"):
        make_constraints(3, [], [(1, 1)])
    with pytest.raises(InputError, match="row 3, there are 3"):
        make_constraints(3, [(0, 3)])


# Linkage


def test_dense_and_sparse_linkage_as_scipy():
    for seed in range(5):
        p = matrix(seed=seed)
        tree = linkage(squareform(1 - p, checks=False), method="average")
        merges = own.dense(p, np.ones(40), NONE)
        for threshold in (0.3, 0.45, 0.6):
            expected = partition(fcluster(tree, 1 - threshold, criterion="distance"))
            assert partition(own.cut(40, merges, threshold)) == expected
            left, right, values = pairs_of(p)
            sparse = own.sparse(left, right, values, np.ones(40, dtype=int), NONE, threshold)
            assert partition(sparse) == expected


def test_dense_and_sparse_agree_with_sizes_and_what_stays_apart():
    rng = np.random.default_rng(3)
    for seed in range(5):
        p = matrix(30, seed)
        size = rng.integers(1, 5, 30)
        apart = np.array([(a, b) for a, b in rng.integers(0, 30, (25, 2)) if a < b])
        left, right, values = pairs_of(p)
        total = values * size[left] * size[right]
        one = own.cut(30, own.dense(p, size, apart), 0.35)
        other = own.sparse(left, right, total, size, apart, 0.35)
        assert partition(one) == partition(other)
        assert (one[apart[:, 0]] != one[apart[:, 1]]).all()


# Catalogues


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_decisions_hold_always(data):
    n = data.draw(st.integers(2, 14))
    truth = data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    pair = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    said = data.draw(st.lists(pair, max_size=12))
    same = [p for p in said if truth[p[0]] == truth[p[1]]]
    other = [p for p in said if truth[p[0]] != truth[p[1]]]
    method = data.draw(st.sampled_from(["average", "hdbscan"]))
    threshold = data.draw(st.floats(0.05, 0.95))
    p = matrix(n, data.draw(st.integers(0, 99)))
    found = make_catalogue(n, *pairs_of(p), make_constraints(n, same, other), threshold, method)
    assert all(found.cluster[a] == found.cluster[b] for a, b in same)
    assert all(found.cluster[a] != found.cluster[b] for a, b in other)
    assert ((found.probability >= 0) & (found.probability <= 1)).all()


@pytest.mark.parametrize("method", ["average", "hdbscan"])
@pytest.mark.parametrize("individuals", [1, 2, 8])
@pytest.mark.parametrize(("same", "other"), [(0.9, 0.05), (0.6, 0.3)])
def test_clear_groups_are_found(method, individuals, same, other):
    truth = np.repeat(np.arange(individuals), 5)
    n = len(truth)
    p = np.where(truth[:, None] == truth[None, :], same, other) + matrix(n) / 20
    found = make_catalogue(n, *pairs_of(p), method=method)
    assert partition(found.cluster) == partition(truth)
    assert found.cluster[0] == 0 and found.probability.min() > same - 0.05


def test_the_order_of_pictures_does_not_matter():
    p = matrix(30)
    found = make_catalogue(30, *pairs_of(p), threshold=0.3)
    turn = np.random.default_rng(0).permutation(30)
    again = make_catalogue(30, *pairs_of(p[np.ix_(turn, turn)]), threshold=0.3)
    back = np.empty(30, dtype=int)
    back[turn] = again.cluster
    assert partition(back) == partition(found.cluster)


def test_a_shortlist_of_pairs_does_for_many_pictures(monkeypatch):
    monkeypatch.setattr("ecotone.reid.catalogue.DENSE", 10)
    truth = np.repeat(np.arange(30), 4)
    p = np.where(truth[:, None] == truth[None, :], 0.8, 0.03)
    left, right, values = pairs_of(p)
    some = (values > 0.5) | (np.random.default_rng(0).random(len(left)) < 0.2)
    found = make_catalogue(120, left[some], right[some], values[some])
    assert partition(found.cluster) == partition(truth)


def test_no_pairs_one_picture_and_none():
    empty = np.zeros(0, dtype=np.int64)
    assert make_catalogue(3, empty, empty, np.zeros(0)).cluster.tolist() == [0, 1, 2]
    assert make_catalogue(1, empty, empty, np.zeros(0)).probability.tolist() == [1.0]
    assert len(make_catalogue(0, empty, empty, np.zeros(0))) == 0


def test_threshold_from_labelled_pictures():
    truth = np.repeat(np.arange(8), 5)
    p = np.where(truth[:, None] == truth[None, :], 0.3, 0.08) + matrix(40) / 20
    best = best_threshold(truth, *pairs_of(p))
    assert 0.13 < best < 0.31
    assert partition(make_catalogue(40, *pairs_of(p), threshold=best).cluster) == partition(truth)
    empty = np.zeros(0, dtype=np.int64)
    assert best_threshold(["a", "b"], empty, empty, np.zeros(0)) == 0.5


def test_bad_input():
    empty = np.zeros(0, dtype=np.int64)
    with pytest.raises(InputError, match="none of"):
        make_catalogue(2, empty, empty, np.zeros(0), method="ward")
    with pytest.raises(InputError, match="threshold 0"):
        make_catalogue(2, empty, empty, np.zeros(0), threshold=0)
    with pytest.raises(InputError, match="in 0..1"):
        make_catalogue(2, np.array([0]), np.array([1]), np.array([1.5]))
    with pytest.raises(InputError, match="outside 0..1"):
        make_catalogue(2, np.array([0]), np.array([2]), np.array([0.5]))
    with pytest.raises(InputError, match="one length"):
        make_catalogue(2, np.array([0]), np.array([1]), np.zeros(0))


def test_clusters_hold_one_name_by_people_at_most():
    rng = np.random.default_rng(1)
    for seed in range(5):
        p = matrix(30, seed)
        owner = np.where(rng.random(30) < 0.3, rng.integers(0, 3, 30), -1)
        left, right, values = pairs_of(p)
        one = own.cut(30, own.dense(p, np.ones(30), NONE, owner), 0.2)
        other = own.sparse(left, right, values, np.ones(30, dtype=int), NONE, 0.2, owner)
        assert partition(one) == partition(other)
        for cluster in np.unique(one):
            people = owner[(one == cluster) & (owner >= 0)]
            assert len(set(people.tolist())) < 2
