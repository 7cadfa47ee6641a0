"""Sub-center ArcFace: its gradient by differences and by torch, its training, its odd inputs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from ecotone.errors import InputError
from ecotone.reid.arcface import SubCenterArcFace, arcface_loss, learning_rate, with_margin
from ecotone.reid.margins import dynamic_margins
from tests.reid.made import make_individuals, top1


def problem(seed=0, scale=8.0):
    rng = np.random.default_rng(seed)
    x, a = rng.normal(size=(9, 7)), rng.normal(size=(7, 5))
    w, target = rng.normal(size=(4, 3, 5)), rng.integers(0, 4, 9)
    x[0] = -w[target[0]].mean(axis=0) @ np.linalg.pinv(a)  # far from its centres: the linear part
    return x, a, w, target, dynamic_margins([1, 5, 20, 300], 0.2, 0.9), scale


@pytest.mark.parametrize("seed", range(4))
def test_gradient_is_the_slope_of_the_loss(seed):
    x, a, w, target, margins, scale = problem(seed)
    _, by_a, by_w = arcface_loss(x, a, w, target, margins, scale)
    for values, gradient in ((a, by_a), (w, by_w)):
        numeric = np.zeros_like(values)
        for place in np.ndindex(values.shape):
            kept, losses = values[place], []
            for step in (1e-6, -1e-6):
                values[place] = kept + step
                losses.append(arcface_loss(x, a, w, target, margins, scale)[0])
            values[place] = kept
            numeric[place] = (losses[0] - losses[1]) / 2e-6
        np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-6)


def test_loss_by_hand():
    # One picture at 60 degrees of its own centre, at 90 of the other's nearest sub-centre.
    x, a = np.array([[1.0, 0.0]]), np.eye(2)
    own = np.array([[0.5, 0.75**0.5], [-1.0, 0.0]])
    other = np.array([[0.0, 2.0], [-3.0, 0.0]])
    margins = np.array([0.3, 0.2])
    loss, _, _ = arcface_loss(x, a, np.stack([own, other]), np.array([0]), margins, 4.0)
    phi = np.cos(np.pi / 3 + 0.3)
    assert loss == pytest.approx(np.log(1 + np.exp(4 * (0 - phi))), rel=1e-9)


def test_margin_falls_linearly_past_the_turn():
    margin = np.full(3, 0.4)
    cos = np.array([0.9, np.cos(np.pi - 0.4) - 1e-6, -1.0])
    phi, slope = with_margin(cos, margin)
    assert phi[0] == pytest.approx(np.cos(np.arccos(0.9) + 0.4))
    np.testing.assert_allclose(phi[1:], cos[1:] - 0.4 * np.sin(0.4))
    np.testing.assert_array_equal(slope[1:], 1)


@pytest.mark.parametrize("seed", range(3))
def test_gradient_is_that_of_torch(seed):
    torch = pytest.importorskip("torch")
    x, a, w, target, margins, scale = problem(seed, scale=30.0)
    ta, tw = (torch.tensor(v, requires_grad=True) for v in (a, w))
    z = torch.nn.functional.normalize(torch.tensor(x) @ ta, dim=1)
    cos = torch.einsum("bd,ckd->bck", z, torch.nn.functional.normalize(tw, dim=2)).amax(2)
    m = torch.tensor(margins)[target]
    own = cos[torch.arange(9), target]
    turned = torch.cos(torch.acos(own) + m)
    phi = torch.where(own > torch.cos(np.pi - m), turned, own - m * torch.sin(np.pi - m))
    logits = cos.clone()
    logits[torch.arange(9), target] = phi
    loss = torch.nn.functional.cross_entropy(scale * logits, torch.tensor(target))
    loss.backward()
    ours = arcface_loss(x, a, w, target, margins, scale)
    assert ours[0] == pytest.approx(loss.item(), rel=1e-9)
    np.testing.assert_allclose(ours[1], ta.grad.numpy(), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ours[2], tw.grad.numpy(), rtol=1e-6, atol=1e-9)


def test_loss_is_that_of_pytorch_metric_learning():
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    torch = pytest.importorskip("torch")
    x, a, w, target, _, scale = problem(1)
    x[0] = x[1]  # the far picture: the libraries bend the end of the margin in other ways
    theirs = losses.SubCenterArcFaceLoss(
        num_classes=4, embedding_size=5, margin=np.degrees(0.3), scale=scale, sub_centers=3
    )
    theirs.W.data = torch.tensor(w.reshape(12, 5).T)
    expected = theirs(torch.tensor(x @ a), torch.tensor(target)).item()
    found = arcface_loss(x, a, w, target, np.full(4, 0.3), scale)[0]
    assert found == pytest.approx(expected, rel=1e-5)


def test_schedule():
    head = SubCenterArcFace(lr_start=1e-5, lr_max=1e-3, lr_min=2e-6)
    rates = [learning_rate(head, e) for e in range(60)]
    assert rates[0] == 1e-5 and rates[15] == pytest.approx(1e-3)
    assert rates[16] == pytest.approx((1e-3 - 2e-6) * 0.8 + 2e-6)
    np.testing.assert_allclose(np.diff(rates[:16]), (1e-3 - 1e-5) / 15)
    assert rates[-1] == pytest.approx(2e-6, rel=0.1)


def test_better_on_individuals_it_has_not_seen():
    x, who = make_individuals(individuals=90, pictures=4)
    new, names = make_individuals(individuals=30, pictures=3, seed=5)
    head = SubCenterArcFace(dimensions=32, epochs=20).fit(x, who)
    assert top1(head.transform(new), names) > top1(new, names) + 0.2
    assert head.transform(new).shape == (90, 32)
    assert len(head.history_) and 0 <= head.best_epoch_ <= 20
    assert len(head.margins_) == len(head.classes_) == 90


def test_training_lowers_the_loss_from_any_start():
    x, who = make_individuals(individuals=20, pictures=4)
    head = SubCenterArcFace(dimensions=16, epochs=25, held_out=0, shrinkage=1.0).fit(x, who)
    losses = [step.loss for step in head.history_]
    assert head.best_epoch_ == 25 == len(losses) and losses[-1] < 0.5 * losses[0]


def test_a_seed_repeats_and_the_order_of_rows_changes_nothing():
    x, who = make_individuals(individuals=12, pictures=3)
    sides = np.tile(["l", "r", "l"], 12)
    head = SubCenterArcFace(dimensions=8, epochs=4, held_out=0, random_state=3)
    before = clone(head).fit(x, who, sides).transform(x)
    np.testing.assert_array_equal(before, clone(head).fit(x, who, sides).transform(x))
    order = np.random.default_rng(0).permutation(36)
    after = clone(head).fit(x[order], who[order], sides[order]).transform(x)
    np.testing.assert_allclose(before @ before.T, after @ after.T, atol=2e-3)
    other = clone(head).set_params(random_state=4).fit(x, who, sides).transform(x)
    assert np.abs(before @ before.T - other @ other.T).max() > 1e-3


def test_flanks_are_classes_of_their_own():
    x, who = make_individuals(individuals=6, pictures=4)
    head = SubCenterArcFace(dimensions=8, epochs=2).fit(x, who, np.tile(["l", "l", "r", "r"], 6))
    assert len(head.classes_) == 12


def test_an_individual_with_one_picture_identical_pictures_and_equal_counts():
    x, who = make_individuals(individuals=6, pictures=2)
    x, who = np.vstack([x, x[:4], x[:1] - 2]), np.concatenate([who, who[:4], ["alone"]])
    head = SubCenterArcFace(dimensions=300, epochs=3).fit(x, who)
    assert np.isfinite(head.transform(x)).all() and head.projection_.shape[1] <= 60
    equal = SubCenterArcFace(epochs=2).fit(x[:12], who[:12])
    np.testing.assert_allclose(equal.margins_, 0.2)


@pytest.mark.parametrize("argument", [{"dimensions": 0}, {"scale": -1.0}, {"sub_centres": 1.5},
                                      {"held_out": 1.0}, {"lr_max": 0}, {"noise": -1.0},
                                      {"low_margin": 0.5, "high_margin": 0.2}])
def test_arguments_out_of_range(argument):
    x, who = make_individuals(individuals=6, pictures=2)
    with pytest.raises(InputError):
        SubCenterArcFace(**argument).fit(x, who)


def test_one_individual():
    with pytest.raises(InputError, match="1 individuals, expected two"):
        SubCenterArcFace().fit(np.random.default_rng(0).normal(size=(3, 4)), ["a"] * 3)
