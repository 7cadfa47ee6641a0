"""Cutting and merging clusters: what is one cloud stays one, what is rare is found."""

from __future__ import annotations

import numpy as np
import pytest

from ecotone.discovery import Clusterer
from ecotone.discovery.discriminant import Discriminant, fit_discriminant, outlying
from ecotone.discovery.separation import merge_close, separation, to_number

from .worlds import blobs


def test_separation_is_that_of_the_projected_rows():
    x, y = blobs([400, 300], dim=5, apart=4)
    one, other = x[y == 0].astype(float), x[y == 1].astype(float)
    model = fit_discriminant(x, y, 2)
    along = model.precision @ (one.mean(axis=0) - other.mean(axis=0))
    s, t = one @ along, other @ along
    spread = (len(s) * s.var() + len(t) * t.var()) / (len(s) + len(t))
    square = (s.mean() - t.mean()) ** 2 / spread - 5 * (1 / 400 + 1 / 300)
    assert separation(model, one, other) == pytest.approx(np.sqrt(square), rel=1e-6)


def test_discriminant_is_the_shared_covariance_rule():
    x, y = blobs([200, 150, 100], dim=4, apart=5)
    model = fit_discriminant(x, y, 3)
    means = np.stack([x[y == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(model.means, means, atol=1e-4)
    within = sum((x[y == k] - means[k]).T @ (x[y == k] - means[k]) for k in range(3)) / (450 - 3)
    shrunken = (449 * within + np.trace(within) * np.eye(4)) / (449 + 4)
    np.testing.assert_allclose(model.precision, np.linalg.inv(shrunken), rtol=1e-3, atol=1e-4)
    label, chance, far = model.assign(x)
    slow = [[-0.5 * (r - m) @ model.precision @ (r - m) + s
             for m, s in zip(model.means, model.log_share, strict=True)] for r in x[:20]]
    slow = np.exp(slow - np.max(slow, axis=1, keepdims=True))
    np.testing.assert_array_equal(label[:20], slow.argmax(axis=1))
    np.testing.assert_allclose(chance[:20], slow.max(axis=1) / slow.sum(axis=1), rtol=1e-4)
    assert far.shape == (450,) and (far >= 0).all()


def test_halves_of_one_cloud_merge_and_two_clouds_do_not():
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(600, 6))
    halves = (cloud[:, 0] > 0).astype(int)
    assert merge_close(cloud, halves).labels.max() == 0
    x, y = blobs([300, 300], dim=6, apart=8)
    assert merge_close(x, y).labels.max() == 1


def test_known_classes_never_merge_with_each_other():
    cloud = np.random.default_rng(0).normal(size=(300, 6))
    labels = np.arange(300) % 3
    merged = merge_close(cloud, labels, owner=np.array([0, 1, -1]))
    assert merged.labels.max() == 1 and sorted(merged.owner) == [0, 1]
    assert len(merged.ratio) == 1 and merged.ratio[0] < 1


@pytest.mark.parametrize("number", [1, 2, 5, 20])
def test_number_is_reached_from_either_side(number):
    x, y = blobs([30, 20, 10, 10], dim=6)
    labels, model = to_number(x, y, number)
    assert len(np.unique(labels)) == number and isinstance(model, Discriminant)
    same = np.ones((20, 3))
    assert len(np.unique(to_number(same, np.zeros(20, int), number)[0])) == number


def test_one_cloud_is_one_cluster_and_strangers_are_rejected():
    rng = np.random.default_rng(0)
    assert Clusterer().fit(rng.normal(size=(500, 24)) + 2).n_clusters_ == 1
    x, _ = blobs([200, 200, 200], dim=24, apart=16)
    strangers = rng.normal(size=(20, 24)) * 6
    found = Clusterer().fit(np.concatenate([x, strangers]))
    assert (found.labels_[600:] < 0).mean() > 0.8 and (found.labels_[:600] < 0).mean() < 0.03
    assert not outlying(np.ones(5)).any()


def test_rare_species_among_many_rows_are_found():
    x, y = blobs([600, 500, 400, 300, 30, 30], dim=40, apart=11)
    found = Clusterer().fit(x)
    for rare in (4, 5):
        own = found.labels_[y == rare]
        cluster = np.bincount(own[own >= 0], minlength=1).argmax()
        assert (own == cluster).sum() >= 20
        assert (y[found.labels_ == cluster] == rare).mean() > 0.8


def test_a_cluster_that_holds_no_label_though_it_should_stands_apart_sooner():
    x, y = blobs([60, 25], dim=30, apart=4.0, seed=3)
    owner = np.array([0, -1])
    asked = separation(fit_discriminant(x, y, 2), x[y == 0], x[y == 1]) / 1.15  # 1 + 30 / 85: 1.35
    for told, left in ((0, 1), (1, 1), (30, 2)):  # one label of 60 may miss a part of 25 by chance
        found = merge_close(x, y, owner=owner, threshold=asked, told=np.array([told, 0]))
        assert len(found.owner) == left
    one = blobs([85], dim=30, seed=3)[0]  # but the half of one cloud does not
    halves, _ = to_number(one, np.zeros(85, dtype=int), 2)
    assert len(merge_close(one, halves, owner=owner, threshold=3.1,
                           told=np.array([3, 0])).owner) == 1
