"""Pool, head and network against slow recomputation and pytorch-metric-learning."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from ecotone.errors import BackendError, InputError  # noqa: E402
from ecotone.reid.margins import dynamic_margins  # noqa: E402
from ecotone.training.network import (  # noqa: E402
    GeM,
    Learner,
    OtherLoss,
    ReidNetwork,
    SubCenterHead,
    load_matching,
)
from tests.training.worlds import TINY  # noqa: E402

RNG = np.random.default_rng(0)


def slow_arcface(x: np.ndarray, centres: np.ndarray, y: np.ndarray, margins: np.ndarray,
                 scale: float) -> float:
    """The mean loss picture by picture; centres (C, k, D)."""
    total = 0.0
    for row, truth in zip(x.astype(float), y, strict=True):
        logits = []
        for c, group in enumerate(centres):
            cos = max(float(row @ w / np.linalg.norm(row) / np.linalg.norm(w)) for w in group)
            if c == truth:
                m = margins[c]
                past = cos - m * np.sin(np.pi - m)
                cos = np.cos(np.arccos(cos) + m) if cos > np.cos(np.pi - m) else past
            logits.append(scale * cos)
        total += np.log(np.sum(np.exp(np.array(logits) - logits[truth])))
    return total / len(x)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("counts", [[3, 9, 40, 5], [7, 7, 7, 7]])
def test_the_loss_is_that_of_the_formula(k: int, counts: list[int]) -> None:
    margins = dynamic_margins(counts)
    head = SubCenterHead(6, margins, 30.0, k)
    x = RNG.normal(size=(20, 6)).astype(np.float32)
    y = RNG.integers(0, 4, 20)
    x[:4] = -head.weight.detach().numpy()[y[:4] * k] * 5  # behind their class: the other branch
    found = float(head(torch.from_numpy(x), torch.from_numpy(y)).detach())
    centres = head.weight.detach().numpy().reshape(4, k, 6)
    assert found == pytest.approx(slow_arcface(x, centres, y, margins, 30.0), rel=1e-4)


@pytest.mark.parametrize("k", [1, 3])
def test_with_equal_margins_it_is_that_of_pytorch_metric_learning(k: int) -> None:
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    margin = 0.3
    theirs = losses.SubCenterArcFaceLoss(num_classes=5, embedding_size=8, scale=20, sub_centers=k,
                                         margin=np.rad2deg(margin))
    ours = SubCenterHead(8, np.full(5, margin), 20.0, k)
    with torch.no_grad():  # theirs holds (D, C k)
        ours.weight.copy_(theirs.W.T)
    x = torch.from_numpy(RNG.normal(size=(40, 8)).astype(np.float32)).requires_grad_()
    y = torch.from_numpy(RNG.integers(0, 5, 40))
    one, two = ours(x, y), theirs(x, y)
    assert one.item() == pytest.approx(two.item(), rel=1e-4)
    grad_one, grad_two = torch.autograd.grad(one, x)[0], torch.autograd.grad(two, x)[0]
    assert torch.allclose(grad_one, grad_two, atol=1e-4)


@pytest.mark.parametrize("k", [1, 3])
def test_it_is_that_of_the_numpy_head(k: int) -> None:
    from ecotone.reid.arcface import arcface_loss

    margins = dynamic_margins([3, 9, 40, 5])
    head = SubCenterHead(6, margins, 30.0, k)
    x = RNG.normal(size=(20, 6))
    y = RNG.integers(0, 4, 20)
    loss = head(torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y))
    loss.backward()
    centres = head.weight.detach().numpy().astype(float).reshape(4, k, 6)
    theirs, _, gradient = arcface_loss(x, np.eye(6), centres, y, margins, 30.0)
    assert loss.item() == pytest.approx(theirs, rel=1e-4)
    assert np.allclose(head.weight.grad.numpy(), gradient.reshape(-1, 6), atol=1e-3)


def test_gradients_stay_finite_at_and_opposite_a_centre() -> None:
    head = SubCenterHead(4, np.full(2, 0.3), 49.0, 1)
    x = torch.stack([head.weight[0].detach(), -head.weight[0].detach()]).requires_grad_()
    head(x, torch.zeros(2, dtype=torch.long)).backward()
    assert torch.isfinite(x.grad).all() and torch.isfinite(head.weight.grad).all()


def test_gem_is_the_mean_at_one_and_near_the_maximum_for_large_p() -> None:
    x = torch.rand(2, 3, 4, 5) + 0.1
    assert torch.allclose(GeM(1.0)(x), x.mean(dim=(2, 3)), atol=1e-5)
    cubes = (x**3).mean(dim=(2, 3)) ** (1 / 3)
    assert torch.allclose(GeM()(x), cubes, atol=1e-5)
    assert torch.allclose(GeM(200.0)(x), x.amax(dim=(2, 3)), rtol=0.03)


@pytest.mark.parametrize("backbone, size, tokens", [
    (TINY, 32, False), ("test_vit", 64, True), ("mobilenetv3_small_050", 32, False),
])
def test_any_backbone_gives_normalised_embeddings(backbone: str, size: int, tokens: bool) -> None:
    network = ReidNetwork(backbone, size)
    network.train()
    out = network(torch.randn(8, 3, size, size))
    assert network.tokens == tokens and out.shape == (8, network.dimension)
    assert torch.allclose(out.mean(dim=0), torch.zeros(network.dimension), atol=1e-4)
    assert isinstance(network.pool, GeM) != tokens


def test_the_recorded_network_has_2152_dimensions() -> None:
    network = ReidNetwork("efficientnetv2_rw_m", 64)
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    assert network.dimension == 2152 and millions == pytest.approx(51.1, abs=0.3)


def test_freezing_leaves_the_backbone_as_it_is() -> None:
    network = ReidNetwork(TINY, 32)
    learner = Learner(network, SubCenterHead(network.dimension, np.full(3, 0.2), 30.0, 2))
    before = {k: v.clone() for k, v in network.backbone.state_dict().items()}
    learner.train()
    learner.train_head_only(True)
    optimizer = torch.optim.Adam(learner.parameters(), lr=0.1)
    learner(torch.randn(6, 3, 32, 32), torch.tensor([0, 1, 2] * 2)).backward()
    optimizer.step()
    after = network.backbone.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert learner.head.weight.grad.abs().sum() > 0
    learner.train_head_only(False)
    learner(torch.randn(6, 3, 32, 32), torch.tensor([0, 1, 2] * 2)).backward()
    assert all(p.grad is not None for p in network.used)


def test_weights_of_another_architecture_are_told() -> None:
    network = ReidNetwork(TINY, 32)
    other = {f"backbone.{k}": v for k, v in ReidNetwork("test_resnet", 32)
             .backbone.state_dict().items()}
    with pytest.raises(BackendError, match=f"not weights of {TINY}"):
        load_matching(network, other, "other.pt")
    assert load_matching(network, network.state_dict(), "own.pt") == []


def test_options_reach_timm() -> None:
    network = ReidNetwork("mobilenetv2_100", 32, {"pad_type": "same"})
    assert type(network.backbone.conv_stem).__name__ == "Conv2dSame"
    with pytest.raises(InputError, match="cannot be made"):
        ReidNetwork(TINY, 32, {"no_such_option": 1})


def test_unknown_backbones_and_losses_are_told() -> None:
    with pytest.raises(InputError, match="not known to timm"):
        ReidNetwork("efficientnet_z99", 32)
    with pytest.raises(InputError, match="MultiSimilarityLoss"):
        OtherLoss("NoLoss", 4, 3)


@pytest.mark.parametrize("name", ["MultiSimilarityLoss", "ArcFaceLoss"])
def test_losses_of_pytorch_metric_learning_serve_as_well(name: str) -> None:
    pytest.importorskip("pytorch_metric_learning")
    loss = OtherLoss(name, 8, 3)(torch.randn(12, 8), torch.tensor([0, 1, 2] * 4))
    assert torch.isfinite(loss) and loss > 0
