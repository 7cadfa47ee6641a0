"""`Clusterer`: finds what is there, in any order, with any reduction and clustering, any size."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.base import clone

from ecotone.discovery import Clusterer, clusterer, evaluate_clusters
from ecotone.errors import InputError, MissingExtraError

from .worlds import blobs

PAIRS = [(r, c) for r in ("pca", "none", "tsne") for c in ("hdbscan", "dbscan", "ward", "gmm")]


def v(true, found):
    return evaluate_clusters(true, found.labels_).singletons.v_measure


def test_number_is_found_and_rows_sorted():
    x, y = blobs([200, 120, 80, 40])
    found = Clusterer().fit(x)
    assert found.n_clusters_ == 4 and v(y, found) > 0.97
    sizes = np.bincount(found.labels_[found.labels_ >= 0])
    assert (np.diff(sizes) <= 0).all(), "the largest cluster is 0"
    assert found.settings_.as_dict() == {
        "reduction": "pca", "clustering": "discriminant", "over_cluster": 1.0, "fitted_on": 440,
        "min_cluster_size": 15, "min_samples": 5}
    assert ((found.probabilities_ > 0) == (found.labels_ >= 0)).all()
    assert found.embedding_.shape[0] == 440 and list(found.parent_) == [0, 1, 2, 3]


@pytest.mark.parametrize(("reduction", "clustering"), PAIRS)
def test_every_pair_of_the_grid(reduction, clustering):
    x, y = blobs([80, 60, 40], dim=10, apart=9)
    known = 3 if clustering in ("ward", "gmm") else None
    found = Clusterer(reduction, clustering, known).fit(x)
    least = 0.4 if clustering == "dbscan" else 0.9  # its one radius rejects many of these
    assert v(y, found) > least
    if known:
        assert found.n_clusters_ == 3 and (found.labels_ >= 0).all()


@pytest.mark.parametrize("clustering", ["ward", "gmm"])
def test_number_of_ward_and_mixture_is_estimated(clustering):
    x, y = blobs([90, 60, 50, 50, 40], dim=8, apart=10, seed=1)
    assert Clusterer("pca", clustering).fit(x).n_clusters_ == 5


def test_order_and_container_play_no_part(tmp_path):
    x, _ = blobs([90, 70, 40])
    x[5] = x[17]  # a copy
    order = np.random.default_rng(3).permutation(len(x))
    for settings in ({}, {"n_clusters": 3}, {"over_cluster": 2.0}, {"clustering": "hdbscan"}):
        first, second = Clusterer(**settings).fit(x), Clusterer(**settings).fit(x[order])
        np.testing.assert_array_equal(first.labels_[order], second.labels_)
        assert first.labels_[5] == first.labels_[17]
    kept = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float16, x.shape)
    kept[:] = x
    assert Clusterer().fit(kept).n_clusters_ == 3


@pytest.mark.parametrize("n_clusters", [1, 2, 7, 31])
def test_known_number_is_kept(n_clusters):
    x, _ = blobs([60, 40, 20, 10])
    found = Clusterer(n_clusters=n_clusters).fit(x)
    assert found.n_clusters_ == n_clusters
    assert set(found.labels_) == set(range(n_clusters))


def test_over_clustering_splits_by_coat():
    rng = np.random.default_rng(1)
    x, y = blobs([120, 100, 80], dim=12, apart=14)
    coat = rng.integers(0, 2, len(x))
    way = rng.normal(size=(3, 12))
    way *= 1.6 / np.linalg.norm(way, axis=1, keepdims=True)
    x = x + np.where(coat[:, None] == 1, 1, -1) * way[y]
    found = Clusterer(over_cluster=2.0).fit(x)
    assert found.n_clusters_ == 6 and sorted(found.parent_) == [0, 0, 1, 1, 2, 2]
    assert evaluate_clusters(y, found.parent_[found.labels_]).kept.v_measure > 0.95
    assert evaluate_clusters(2 * y + coat, found.labels_).kept.v_measure > 0.7
    assert Clusterer(over_cluster=1.67).fit(x).n_clusters_ == 5


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("settings", [
    {}, {"n_clusters": 4}, {"clustering": "hdbscan"}, {"reduction": "tsne"},
    {"reduction": "none", "clustering": "gmm"}, {"clustering": "dbscan", "over_cluster": 3.0}])
def test_few_rows(n, settings):
    found = Clusterer(**settings).fit(np.random.default_rng(0).normal(size=(n, 4)))
    assert found.labels_.shape == found.probabilities_.shape == (n,)
    assert set(found.labels_) <= set(range(-1, found.n_clusters_))


@pytest.mark.parametrize("settings", [
    {}, {"clustering": "hdbscan"}, {"clustering": "dbscan"}, {"clustering": "ward"},
    {"clustering": "gmm", "n_clusters": 2}, {"reduction": "tsne"}, {"reduction": "none"}])
def test_rows_that_do_not_differ_are_one_cluster(settings):
    for x in (np.full((40, 5), 2.5), np.zeros((40, 5)), np.ones((40, 1))):
        found = Clusterer(**settings).fit(x)
        assert found.n_clusters_ == 1 and (found.labels_ == 0).all()


def test_one_dimension_constant_columns_and_copies():
    rng = np.random.default_rng(0)
    line = np.concatenate([rng.normal(-5, 0.5, 60), rng.normal(5, 0.5, 60)])[:, None]
    assert Clusterer("none", "discriminant").fit(line).n_clusters_ == 2
    assert Clusterer().fit(line).labels_.shape == (120,)
    x, y = blobs([80, 60], dim=16, apart=9)
    flat = np.concatenate([x, np.ones((len(x), 4))], axis=1)
    assert v(y, Clusterer().fit(flat)) > 0.95
    copies = np.repeat(np.eye(3, 6), 30, axis=0)
    assert Clusterer().fit(copies).n_clusters_ == 3


def test_rows_beyond_those_fitted_join(monkeypatch):
    monkeypatch.setitem(clusterer.AT_MOST, "pca", 150)
    monkeypatch.setitem(clusterer.AT_MOST, "tsne", 150)
    x, y = blobs([150, 120, 90], apart=9)
    for settings in ({"clustering": "hdbscan"}, {"clustering": "ward", "n_clusters": 3},
                     {"reduction": "tsne"}):
        found = Clusterer(**settings).fit(x)
        assert found.settings_.fitted_on == 150
        report = evaluate_clusters(y, found.labels_)
        assert report.kept.v_measure > 0.95 and report.rejected < 0.15
        assert np.isnan(found.embedding_).any() == ("reduction" in settings)


def test_what_does_not_fit_is_said():
    x, _ = blobs([20, 20])
    bad = x.copy()
    bad[7, 2] = np.nan
    with pytest.raises(InputError, match="row 7"):
        Clusterer().fit(bad)
    for settings, text in (
        ({"reduction": "lda"}, "reduction"), ({"clustering": "kmeans"}, "clustering"),
        ({"n_clusters": 0}, "n_clusters"), ({"n_clusters": 2.5}, "n_clusters"),
        ({"over_cluster": 0.5}, "over_cluster"),
        ({"clustering": "hdbscan", "n_clusters": 3}, "takes no number"),
        ({"reduction": "tsne", "clustering": "discriminant"}, "does not go with"),
    ):
        with pytest.raises(InputError, match=text):
            Clusterer(**settings).fit(x)
    with pytest.raises(InputError, match=r"\(N, D\)"):
        Clusterer().fit(x[0])


def test_umap_is_an_extra(monkeypatch):
    x, _ = blobs([30, 30])
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=r"ecotone\[umap\]"):
        Clusterer("umap").fit(x)


def test_it_is_an_estimator():
    first = Clusterer("pca", "ward", 3, over_cluster=2.0, random_state=4)
    assert clone(first).get_params() == first.get_params()


@pytest.mark.parametrize(("uneven", "size"), [(False, 15), (True, 100), (2, 150)])
def test_uneven_classes_ask_for_larger_clusters(uneven, size):
    x, _ = blobs([400, 220, 30], dim=6, apart=12)
    found = Clusterer("none", "hdbscan", uneven=uneven).fit(x)
    assert found.settings_.min_cluster_size == size
    assert np.bincount(found.labels_[found.labels_ >= 0]).min() >= size


def test_uneven_has_three_steps():
    with pytest.raises(InputError, match="uneven: 3"):
        Clusterer(uneven=3).fit(np.eye(4))
