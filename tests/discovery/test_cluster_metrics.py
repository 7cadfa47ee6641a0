"""Agreement of clusters with classes, against scikit-learn, with rejected rows out and in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from ecotone.discovery import evaluate_clusters
from ecotone.errors import InputError

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 5)), min_size=1, max_size=40)


def referee(true, labels):
    return (metrics.v_measure_score(true, labels), metrics.homogeneity_score(true, labels),
            metrics.completeness_score(true, labels),
            metrics.adjusted_mutual_info_score(true, labels),
            metrics.adjusted_rand_score(true, labels))


def figures(found):
    return (found.v_measure, found.homogeneity, found.completeness, found.ami, found.ari)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_figures_are_those_of_scikit_learn(rows):
    true, labels = np.array(rows).T
    report = evaluate_clusters(true, labels)
    kept = labels >= 0
    assert report.rejected == pytest.approx(1 - kept.mean())
    if kept.any():
        assert figures(report.kept) == pytest.approx(referee(true[kept], labels[kept]))
    else:
        assert report.kept is None
    alone = [f"alone {i}" if v < 0 else f"cluster {v}" for i, v in enumerate(labels)]
    assert figures(report.singletons) == pytest.approx(referee(true, alone))


@given(ROWS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_neither_order_nor_numbers_matter(rows, random):
    true, labels = np.array(rows).T
    order = list(range(len(rows)))
    random.shuffle(order)
    other = np.where(labels >= 0, 50 - labels, -1)
    first, second = evaluate_clusters(true, labels), evaluate_clusters(true[order], other[order])
    assert figures(second.singletons) == pytest.approx(figures(first.singletons))
    assert (second.n_clusters, second.rejected) == (first.n_clusters, first.rejected)


def test_names_and_unknown_rows():
    true = ["fox", None, "deer", "fox", "", float("nan"), "deer"]
    report = evaluate_clusters(true, [0, 0, 1, 0, 1, 0, 1])
    assert (report.n, report.n_classes, report.n_clusters) == (4, 2, 2)
    assert report.kept.v_measure == pytest.approx(1.0)
    assert evaluate_clusters([3, -1, 3, 1], [0, 1, 0, 1]).n == 3


def test_rejected_rows_flatter_without_them_only():
    report = evaluate_clusters([0, 0, 1, 1], [0, -1, 1, -1])
    assert report.kept.v_measure == 1.0 and report.singletons.v_measure < 1.0
    assert report.rejected == 0.5


def test_what_does_not_fit_is_said():
    with pytest.raises(InputError, match="one cluster a row"):
        evaluate_clusters([0, 1], [0])
    with pytest.raises(InputError, match="no row has a known class"):
        evaluate_clusters([None, None], [0, 1])
    with pytest.raises(InputError, match="-2"):
        evaluate_clusters([0, 1], [0, -2])
    with pytest.raises(InputError, match="cluster numbers"):
        evaluate_clusters([0, 1], [0.5, 1.0])
