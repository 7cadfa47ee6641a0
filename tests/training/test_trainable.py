"""What learns: head, last stages, LoRA, all; merged and exported; SpeciesNet as a backbone."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
from torch import nn  # noqa: E402

from ecotone.errors import BackendError, InputError, MissingExtraError  # noqa: E402
from ecotone.training.checkpoints import load_checkpoint  # noqa: E402
from ecotone.training.classifier import predict, train_classifier  # noqa: E402
from ecotone.training.classifier_network import ClassifierNetwork, SoftLearner  # noqa: E402
from ecotone.training.lora import add_lora, merge_lora  # noqa: E402
from ecotone.training.network import create_backbone  # noqa: E402
from ecotone.training.trainable import backbone_stages, choose_trainable  # noqa: E402
from tests.training.worlds import TINY, colours, soft  # noqa: E402


def network(name: str = TINY) -> ClassifierNetwork:
    torch.manual_seed(0)
    return ClassifierNetwork(create_backbone(name, 32), name, 32, 3)


def step(learner: SoftLearner) -> None:
    """One step of plain gradient descent on noise."""
    learner.train()
    learner.train_head_only(False)
    some = [p for p in learner.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(some, lr=0.1, weight_decay=0.1)
    loss = learner(torch.randn(4, 3, 32, 32), torch.eye(3)[[0, 1, 2, 0]], torch.ones(4))
    loss.backward()
    optimizer.step()


@pytest.mark.parametrize("name", [TINY, "test_vit", "test_efficientnet"])
@pytest.mark.parametrize("part", ["head", "last", "lora", "all"])
def test_what_is_frozen_stays_to_the_last_bit(name: str, part: str) -> None:
    net = network(name)
    if part == "lora":
        add_lora(net.backbone, net.used, 2, 4.0)
    learner = SoftLearner(net, np.zeros(3), 0.0, 0.0, part)
    learns = {id(p) for p in learner.trained}
    before = {k: v.clone() for k, v in net.backbone.state_dict().items()}
    ids = {k: id(p) for k, p in net.backbone.named_parameters()}
    step(learner)
    moved = {k for k, v in net.backbone.state_dict().items() if not torch.equal(v, before[k])}
    frozen = {k for k, i in ids.items() if i not in learns}
    assert not moved & frozen and bool(moved) == (part != "head")
    if part in ("head", "lora"):
        assert all("lora_" in k for k in moved)  # running statistics stay too
    count = sum(p.numel() for p in learner.trained)
    total = sum(p.numel() for p in net.backbone.parameters())
    assert count == 0 if part == "head" else count > 0
    assert (count == total) == (part == "all") or part == "all"


@pytest.mark.parametrize("name", [TINY, "test_vit", "test_efficientnet", "resnet18"])
def test_stages_are_all_weights_in_order(name: str) -> None:
    backbone = create_backbone(name, 32)
    stages = backbone_stages(backbone)
    found = [id(p) for stage in stages for p in stage]
    assert len(found) == len(set(found)) == len(list(backbone.parameters())) and len(stages) > 2
    assert id(next(backbone.parameters())) in {id(p) for p in stages[0]}
    net = network(name)
    last = choose_trainable(net, "last", 1)
    assert set(map(id, last)) < set(map(id, choose_trainable(net, "last", 2)))


@pytest.mark.parametrize("name", [TINY, "test_vit"])
def test_lora_begins_as_nothing_and_merges_into_the_weights(name: str) -> None:
    net = network(name).eval()
    keys = set(net.state_dict())
    x = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        plain = net.embed(x)
        assert add_lora(net.backbone, net.used, 2, 4.0) > 0
        assert torch.equal(net.embed(x), plain)
        for key, p in net.named_parameters():
            if "lora_b" in key:
                p.normal_()
        changed = net.embed(x)
        assert not torch.allclose(changed, plain, atol=1e-3)
        merge_lora(net.backbone)
        assert torch.allclose(net.embed(x), changed, atol=1e-5)
    assert set(net.state_dict()) == keys


@pytest.mark.parametrize("part", ["head", "last", "lora"])
def test_parts_train_from_the_weights_of_a_training(tmp_path, part: str) -> None:
    data, _ = colours(48, 3, 12)
    first = train_classifier(data, tmp_path / "first", soft(epochs=1), device="cpu")
    made = train_classifier(data, tmp_path / part, soft(epochs=1, trainable=part), device="cpu",
                            start=str(tmp_path / "first"))
    one, two = first.network.backbone.state_dict(), made.network.backbone.state_dict()
    assert one.keys() == two.keys()
    same = [k for k in one if torch.equal(one[k], two[k])]
    assert len(same) == len(one) if part == "head" else len(same) < len(one)
    assert made.difference < 1e-3 and predict(made, data)[0].shape == (48, 3)
    assert any("LoRA" in n for n in made.card["notes"]) == (part == "lora")
    keys = load_checkpoint(tmp_path / part / "last.pt")["learner"]
    assert any("lora_" in k for k in keys) == (part == "lora")


def test_plain_weights_of_timm_in_a_file_are_a_start(tmp_path) -> None:
    """With a head of other classes, which is left out."""
    import timm

    other = timm.create_model(TINY, num_classes=7)
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    data, _ = colours(24, 3, 9)
    made = train_classifier(data, tmp_path / "out", soft(epochs=1, trainable="head"),
                            start=str(tmp_path / "weights.pth"), device="cpu")
    one, two = other.state_dict(), made.network.backbone.state_dict()
    assert two and all(torch.equal(one[k], v) for k, v in two.items())
    with pytest.raises(BackendError, match="no such file"):
        train_classifier(data, tmp_path / "b", soft(), start=str(tmp_path / "no.pth"))


class Foreign(nn.Module):
    """A stand-in for SpeciesNet's network: pictures channels last, a layer of its own classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.classifier = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, 2)
        self.requires_grad_(False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(pictures.permute(0, 3, 1, 2)))
        return self.classifier(x.mean(dim=(2, 3)))


class Product(Foreign):
    """Its last layer is a product with a stored matrix, as converters write it."""

    def __init__(self) -> None:
        super().__init__()
        del self.classifier
        self.register_buffer("matrix", torch.randn(8, 2))
        self.register_buffer("bias", torch.randn(2))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(pictures.permute(0, 3, 1, 2)))
        return torch.add(torch.matmul(x.mean(dim=(2, 3)), self.matrix), self.bias)


def package(net: nn.Module) -> SimpleNamespace:
    class SpeciesNetClassifier:
        IMG_SIZE = 48

        def __init__(self, model_name: str, device: str | None = None) -> None:
            self.device, self.model = device or "cpu", net
            self.model_info = SimpleNamespace(type_="always_crop", version="4.0.2a")
            self.labels = {0: "u;mammalia;;;;;mammal", 1: "u;aves;;;;;bird"}

    return SimpleNamespace(SpeciesNetClassifier=SpeciesNetClassifier, DEFAULT_MODEL="kaggle:x")


@pytest.mark.parametrize("kind", [Foreign, Product])
def test_it_starts_from_speciesnet_and_goes_on_from_what_came_of_it(
    tmp_path, monkeypatch, kind: type[nn.Module]
) -> None:
    net = torch.fx.symbolic_trace(kind())
    began = net.conv.weight.clone()
    monkeypatch.setitem(sys.modules, "speciesnet", package(net))
    data, _ = colours(24, 3, 9)
    made = train_classifier(data, tmp_path / "a", soft(epochs=1, lr=1e-9), device="cpu",
                            start="speciesnet")
    weight = made.network.backbone.state_dict()["network.conv.weight"]
    assert torch.allclose(weight, began, atol=1e-6) and made.network.dimension == 8
    assert made.network.image_size == 48 and made.difference < 1e-3
    assert made.card["start"] == {"source": "SpeciesNet 4.0.2a", "licence": "Apache-2.0"}
    monkeypatch.setitem(sys.modules, "speciesnet", package(torch.fx.symbolic_trace(kind())))
    again = train_classifier(data, tmp_path / "b", soft(epochs=1, lr=1e-9, backbone="speciesnet"),
                             start=str(tmp_path / "a"), device="cpu")
    weight = again.network.backbone.state_dict()["network.conv.weight"]
    assert torch.allclose(weight, began, atol=1e-6)


def test_speciesnet_without_its_package_or_its_last_layer_is_told(tmp_path, monkeypatch) -> None:
    data, _ = colours(24, 3, 9)
    monkeypatch.setitem(sys.modules, "speciesnet", None)
    with pytest.raises(MissingExtraError, match=r"ecotone\[speciesnet\]"):
        train_classifier(data, tmp_path, soft(), start="speciesnet", device="cpu")
    monkeypatch.setitem(sys.modules, "speciesnet", package(nn.Flatten()))
    with pytest.raises((BackendError, InputError)):
        train_classifier(data, tmp_path, soft(), start="speciesnet", device="cpu")
