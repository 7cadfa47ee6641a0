"""The grid runs every pair, says what could not be run, and judges like `evaluate_clusters`."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ecotone.discovery import Clusterer, cluster_grid, evaluate_clusters
from ecotone.errors import InputError

from .worlds import blobs


def test_all_pairs_once_and_numbers_where_they_are_taken(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    x, y = blobs([40, 30], dim=6)
    names = np.where(y == 0, "deer", "fox").astype(object)
    names[0] = None
    seen = []
    found = cluster_grid(x, names, reductions=["pca", "none", "umap"],
                         clusterings=["discriminant", "hdbscan", "dbscan", "ward", "gmm"],
                         progress=lambda done, total, text: seen.append((done, total)))
    assert len(found) == 2 * (3 * 2 + 2) + 2 * 2 + 2 == len(seen)
    run = [g for g in found if g.report is not None]
    assert {g.reduction for g in run} == {"pca", "none"}
    assert all("ecotone[umap]" in g.note for g in found if g.report is None)
    one = next(g for g in run if (g.reduction, g.clustering, g.known) == ("pca", "ward", True))
    again = Clusterer("pca", "ward", 2).fit(x)
    assert one.report == evaluate_clusters(names, again.labels_) and one.n_clusters == 2
    row = one.row()
    assert row["v_measure"] == one.report.kept.v_measure and row["rejected"] == 0
    assert row["v_measure_all"] == one.report.singletons.v_measure and row["classes"] == "known"


def test_what_does_not_fit_is_said():
    x, _ = blobs([20, 20])
    with pytest.raises(InputError, match="labels: 3 rows"):
        cluster_grid(x, ["a", "b", "c"])
    with pytest.raises(InputError, match="no row has a known class"):
        cluster_grid(x, [None] * 40)
