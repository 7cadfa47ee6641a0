"""The head trained with triplet loss; what needs torch is skipped where it is not installed."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from itertools import islice

import numpy as np
import pytest

from ecotone.errors import MissingExtraError
from ecotone.hierarchy.centroids import Crops, mean_directions, unit_rows
from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.hierarchy.metric_head import Head, fit_space
from ecotone.hierarchy.triplet import batches, centroid_loss, held_out, train_triplet, triplet_loss

SETTINGS = FiveStageSettings(hidden=32, output=8, steps=120)
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


def crossed(n=240, seed=0):
    """Two classes of two kinds each (day and night), crosswise, so that their means are one."""
    rng = np.random.default_rng(seed)
    y, night = np.arange(n) % 2, np.arange(n) // 2 % 2
    first, second = 1 - 2 * night, (1 - 2 * night) * (1 - 2 * y)
    x = np.stack([np.full(n, 1.0), 0.5 * first, 0.5 * second, *np.zeros((3, n))], axis=1)
    x += 0.1 * rng.normal(size=x.shape)
    return unit_rows(x.astype(np.float32)), y, rng.permutation(n).astype(np.uint64)


def slow_loss(z: np.ndarray, y: np.ndarray, margin: float) -> float:
    """The loss by its definition, pair by pair."""
    total, active = 0.0, 0
    for a in range(len(z)):
        for p in range(len(z)):
            if p == a or y[p] != y[a]:
                continue
            near = 1 - z[a] @ z[p]
            others = [1 - z[a] @ z[n] for n in range(len(z)) if y[n] != y[a]]
            beyond = [d for d in others if d > near]
            loss = max(0.0, near - (min(beyond) if beyond else max(others)) + margin)
            total, active = total + loss, active + (loss > 0)
    return total / max(active, 1)


@needs_torch
@pytest.mark.parametrize("seed", range(4))
def test_the_loss_is_that_of_semi_hard_triplets(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1, 2], 4))
    z = unit_rows(rng.normal(size=(12, 3)))
    got = triplet_loss(torch, torch.from_numpy(z), torch.from_numpy(y), 0.2)
    assert float(got) == pytest.approx(slow_loss(z, y, 0.2), abs=1e-9)
    assert float(triplet_loss(torch, torch.from_numpy(np.eye(3)[y]), torch.from_numpy(y), 0.2)) == 0


@needs_torch
def test_training_brings_crossed_classes_apart():
    x, y, keys = crossed()
    test, truth, _ = crossed(seed=1)
    head = Head("triplet", *train_triplet(x, y, keys, SETTINGS, 0))
    assert [w.shape for w in head.weights] == [(6, 32), (32, 8)]

    def accuracy(space: Head) -> float:
        centre = mean_directions(space.apply(x), y, 2)
        return float(((space.apply(test) @ centre.T).argmax(axis=1) == truth).mean())

    assert accuracy(head) > 0.95 > accuracy(Head()) + 0.2


@needs_torch
def test_a_seed_gives_the_same_head_again():
    torch = pytest.importorskip("torch")
    x, y, keys = crossed(90)
    few, threads = replace(SETTINGS, steps=30), torch.get_num_threads()
    torch.manual_seed(1)
    one = train_triplet(x, y, keys, few, 3)
    torch.manual_seed(2)
    two = train_triplet(x, y, keys, few, 3)
    for a, b in zip(one[0] + one[1], two[0] + two[1], strict=True):
        np.testing.assert_array_equal(a, b)
    other = train_triplet(x, y, keys, few, 4)
    assert not np.array_equal(one[0][0], other[0][0])
    assert torch.get_num_threads() == threads


@needs_torch
def test_where_a_line_does_not_do_the_trained_head_is_taken():
    x, y, keys = crossed()
    order = np.lexsort((keys, y))
    head, centroids = fit_space(Crops(x[order], y[order], keys[order]), SETTINGS)
    assert head.kind == "triplet" and centroids.held_accuracy > 0.8


def test_without_torch_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    x, y, keys = crossed(30)
    with pytest.raises(MissingExtraError, match=r"ecotone\[torch\]"):
        train_triplet(x, y, keys, SETTINGS)


def test_held_out_crops_are_a_share_of_every_class():
    target = np.repeat([0, 1, 2], [20, 8, 3])
    keys = np.arange(31).astype(np.uint64)
    out = held_out(target, keys, 0.2)
    assert [int(out[target == c].sum()) for c in range(3)] == [4, 2, 1]
    copies = held_out(np.tile(target, 2), np.tile(keys, 2), 0.2)
    np.testing.assert_array_equal(copies[:31], copies[31:])
    assert not held_out(np.zeros(4, int), np.zeros(4), 0.5).any(), "one picture cannot be split"


def test_batches_hold_classes_with_crops():
    target = np.repeat(np.arange(10), [8] * 9 + [3])
    rows = np.arange(len(target))
    settings = FiveStageSettings()
    seen = set()
    for batch in islice(batches(target, rows, settings, np.random.default_rng(0)), 50):
        counts = np.bincount(target[batch], minlength=10)
        assert sorted(set(counts)) == [0, 4] and (counts == 4).sum() == 8
        for c in np.flatnonzero(counts):
            own = batch[target[batch] == c]
            assert c == 9 or len(set(own)) == 4
        seen |= set(batch)
    assert seen == set(rows)
    few = next(batches(target[:16], np.arange(4, 16), settings, np.random.default_rng(0)))
    assert len(few) == 8 and few.min() >= 4


def test_centroid_loss_the_slow_way():
    rng = np.random.default_rng(5)
    z, y = unit_rows(rng.normal(size=(40, 4))), np.arange(40) % 3
    held = rng.random(40) < 0.3
    centre = [unit_rows(z[~held & (y == c)].mean(axis=0, keepdims=True))[0] for c in range(3)]
    losses = []
    for row in np.flatnonzero(held):
        far = [1 - z[row] @ c for c in centre]
        other = min(d for c, d in enumerate(far) if c != y[row])
        losses.append(max(0.0, far[y[row]] - other + 0.2))
    assert centroid_loss(z, y, held, 0.2) == pytest.approx(np.mean(losses))
    assert centroid_loss(z, y, np.zeros(40, bool), 0.2) == 0.0
