"""The closed form of the metric head, and which head is fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ecotone.errors import MissingExtraError
from ecotone.hierarchy import metric_head
from ecotone.hierarchy.centroids import Crops, unit_rows
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.hierarchy.metric_head import (
    Head,
    closed_form,
    fit_head,
    fit_space,
    head_kinds,
    main_axes,
    whitening,
)

SETTINGS = FiveStageSettings()


def blobs(n=400, d=10, k=4, seed=0):
    """Unit embeddings whose classes differ in few directions, with noise that is not round."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    noise = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    return unit_rows((5 + 2 * rng.normal(size=(k, d))[y] + noise).astype(np.float32)), y


def test_a_head_is_its_layers_with_rectifiers_between():
    rng = np.random.default_rng(0)
    w1, b1, w2, b2 = (rng.normal(size=s) for s in ((5, 4), 4, (4, 3), 3))
    head = Head("triplet", (w1, w2), (b1, b2))
    x = rng.normal(size=(7, 5)).astype(np.float32)
    for row, out in zip(x, head.apply(x), strict=True):
        hidden = row / np.sqrt(sum(row * row)) @ w1 + b1
        expected = np.array([max(h, 0) for h in hidden]) @ w2 + b2
        np.testing.assert_allclose(out, expected / np.sqrt(sum(expected**2)), atol=1e-5)
    np.testing.assert_allclose(Head().apply(3 * x), unit_rows(x), atol=1e-6)
    assert head.apply(x[:0]).shape == (0, 3)


def test_blocks_do_not_change_what_a_head_gives(monkeypatch):
    x, y = blobs()
    head = closed_form(x, y)
    whole = head.apply(x)
    monkeypatch.setattr(metric_head, "CHUNK", 37)
    np.testing.assert_allclose(head.apply(x), whole, atol=1e-5)


def test_whitening_makes_the_shrunken_covariance_round():
    rng = np.random.default_rng(1)
    r = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
    w = r.T @ r / 50
    shrunken = (49 * w + np.trace(w) * np.eye(4)) / (49 + 4) + 1e-6 * np.trace(w) / 4 * np.eye(4)
    white = whitening(r)
    np.testing.assert_allclose(white @ shrunken @ white, np.eye(4), atol=1e-8)


def test_main_axes_are_orthonormal_and_no_more_than_there_are():
    rng = np.random.default_rng(2)
    flat = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 6))
    axes = main_axes(flat, 5)
    assert axes.shape == (6, 2)
    np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-10)
    np.testing.assert_allclose(flat @ axes @ axes.T, flat, atol=1e-8)
    assert main_axes(np.zeros((3, 4)), 2).shape == (4, 0)


def test_the_first_axes_span_those_of_discriminant_analysis():
    x, y = blobs(n=4000, d=6, k=3)
    turn = closed_form(x, y, more=0).weights[0]
    assert turn.shape == (6, 2)
    reference = LinearDiscriminantAnalysis(solver="eigen").fit(x, y).scalings_[:, :2]
    centred = (x - x.mean(axis=0)).astype(float)
    ours, theirs = centred @ turn, centred @ reference
    mapped = np.linalg.lstsq(theirs, ours, rcond=None)[0]
    assert np.abs(theirs @ mapped - ours).max() < 0.02 * np.abs(ours).max()


def test_more_axes_leave_room_for_what_is_neither():
    rng = np.random.default_rng(3)
    means = rng.normal(size=(3, 20)) * 2
    y = np.arange(200) % 2
    x = unit_rows((6 + means[y] + 0.5 * rng.normal(size=(200, 20))).astype(np.float32))
    third = unit_rows((6 + means[2] + 0.5 * rng.normal(size=(40, 20))).astype(np.float32))

    def nearest(more: int) -> float:
        head = closed_form(x, y, more)
        centre = np.stack([head.apply(x[y == c]).mean(axis=0) for c in (0, 1)])
        return float(np.median((1 - head.apply(third) @ unit_rows(centre).T).min(axis=1)))

    assert nearest(0) < 1e-6, "on one axis everything lies at one of two points"
    assert nearest(16) > 0.2


def test_the_closed_form_brings_classes_together():
    x, y = blobs(d=12, k=5)
    head = closed_form(x[:200], y[:200])

    def accuracy(apply) -> float:
        a, b = apply(x[:200]), apply(x[200:])
        centre = unit_rows(np.stack([a[y[:200] == c].mean(axis=0) for c in range(5)]))
        return float(((b @ centre.T).argmax(axis=1) == y[200:]).mean())

    assert accuracy(head.apply) > accuracy(Head().apply) + 0.05


def test_fewer_rows_than_dimensions_and_equal_rows_are_fine():
    x, y = blobs(n=20, d=64, k=2)
    assert np.isfinite(closed_form(x, y).apply(x)).all()
    same = np.tile(x[:1], (20, 1))
    assert np.isfinite(closed_form(same, y).apply(same)).all()


def test_one_class_has_nothing_to_learn():
    x, _ = blobs(n=20)
    assert fit_head("closed-form", x, np.zeros(20, int), np.arange(20), SETTINGS).kind == "none"


def test_which_heads_are_tried(monkeypatch):
    monkeypatch.setattr(metric_head, "find_spec", lambda name: None)
    assert head_kinds(SETTINGS, 5) == ("closed-form",)
    assert head_kinds(SETTINGS, 1) == ("none",)
    assert head_kinds(replace(SETTINGS, metric_head=False), 5) == ("none",)
    assert head_kinds(replace(SETTINGS, head="none"), 5) == ("none",)
    with pytest.raises(MissingExtraError, match=r"triplet loss needs.*ecotone\[torch\]"):
        head_kinds(replace(SETTINGS, head="triplet"), 5)
    monkeypatch.setattr(metric_head, "find_spec", lambda name: object())
    assert head_kinds(SETTINGS, 5) == ("closed-form", "triplet")
    assert head_kinds(replace(SETTINGS, head="triplet"), 5) == ("triplet",)


def test_of_two_heads_the_one_that_is_right_on_held_out_crops(monkeypatch):
    x, y = blobs(n=100)
    crops = Crops(x, y, np.arange(100).astype(np.uint64))
    noise = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    fit = metric_head.fit_head

    def fake(kind, *rest):
        if kind == "triplet":
            return Head("triplet", (noise,), (np.zeros(2, np.float32),))
        return fit(kind, *rest)

    monkeypatch.setattr(metric_head, "fit_head", fake)
    monkeypatch.setattr(metric_head, "head_kinds", lambda s, c: ("closed-form", "triplet"))
    assert fit_space(crops, SETTINGS)[0].kind == "closed-form"
    monkeypatch.setattr(metric_head, "head_kinds", lambda s, c: ("triplet", "closed-form"))
    head, centroids = fit_space(crops, SETTINGS)
    assert head.kind == "closed-form" and centroids.held_accuracy > 0.5
