"""The network: a timm backbone, its features pooled and normalised, and an ArcFace head beside it.

n pictures in a batch, D embedding dimensions, C classes, k sub-centres.
Source: Otarashvili et al. 2024, arXiv:2412.05602 (MiewID); Radenovic et al. 2018, arXiv:1711.02512
(GeM); Deng et al. 2020, Sub-center ArcFace, ECCV; Ha et al. 2020, arXiv:2010.05350 (margins).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import timm
import torch
from torch import nn
from torch.nn import functional

from ecotone.errors import BackendError, InputError


class GeM(nn.Module):
    """Generalised mean over places: (mean x^p)^(1/p), p learned. (n, D, h, w) -> (n, D)."""

    def __init__(self, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), float(p)))
        self.eps = eps

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        # In full precision: cubes of small features vanish in half of it.
        powered = features.float().clamp(min=self.eps).pow(self.p)
        return powered.mean(dim=(2, 3)).pow(1.0 / self.p)


class ReidNetwork(nn.Module):
    """Pictures (n, 3, H, W) -> embeddings (n, D). No layer between the pool and the normalisation.

    Convolutional features are pooled by GeM; of token networks (ViT, Swin) it is their own pooled
    token. Raises InputError for a name that timm does not know.
    """

    outputs = ("embedding",)

    def __init__(self, backbone: str, image_size: int,
                 options: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.name, self.image_size = backbone, image_size
        self.backbone = create_backbone(backbone, image_size, options)
        self.backbone.eval()
        found = self.backbone.forward_features(torch.zeros(1, 3, image_size, image_size))
        self.tokens = found.ndim != 4 or getattr(self.backbone, "output_fmt", "NCHW") == "NHWC"
        pooled = self._pooled(found, None)
        self.dimension = int(pooled.shape[1])
        self.pool = nn.Identity() if self.tokens else GeM()
        self.norm = nn.BatchNorm1d(self.dimension)
        self.used = leave_out_unused(self.backbone, pooled)
        self.backbone.train()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        features = self.backbone.forward_features(pictures)
        return self.norm(self._pooled(features, self.pool).float())

    def _pooled(self, features: torch.Tensor, pool: nn.Module | None) -> torch.Tensor:
        if self.tokens:
            return self.backbone.forward_head(features, pre_logits=True)
        return features.mean(dim=(2, 3)) if pool is None else pool(features)


def leave_out_unused(backbone: nn.Module, pooled: torch.Tensor) -> list[nn.Parameter]:
    """The weights that lead to `pooled`; the others, of the backbone's own head, are frozen: they
    get no gradient, for which DDP would wait."""
    pooled.sum().backward()
    used = [p for p in backbone.parameters() if p.grad is not None]
    for parameter in backbone.parameters():
        parameter.requires_grad_(parameter.grad is not None)
        parameter.grad = None
    return used


def create_backbone(name: str, image_size: int, options: Mapping[str, Any] | None = None
                    ) -> nn.Module:
    """A timm network without weights and without its classifier, for pictures of a size.

    options: what else timm is to make it with. Raises InputError when it cannot be made.
    """
    config = timm.models.get_pretrained_cfg(name.split(".")[0], allow_unregistered=True)
    if config is None and not timm.is_model(name.split(".")[0]):
        near = timm.list_models(f"*{name.split('_')[0]}*")[:4]
        hint = f" such as {', '.join(near)}" if near else ""
        raise InputError(f"backbone {name!r} is not known to timm; give one of its names{hint}.")
    own = {"img_size": image_size} if config is not None and config.fixed_input_size else {}
    own |= options or {}
    try:
        return timm.create_model(name.split(".")[0], pretrained=False, num_classes=0, **own)
    # timm raises whatever the network's own code does with a size that it cannot take.
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"backbone {name}: cannot be made for {image_size} pixels ({text}).") \
            from error


class SubCenterHead(nn.Module):
    """Sub-centre ArcFace with a margin a class: embeddings (n, D) and classes (n,) -> mean loss.

    cos_c is the cosine to the nearest of the k centres of class c. Of the true class it becomes
    cos(theta + m_c), or cos(theta) - m_c sin(pi - m_c) where theta + m_c would pass pi; all cosines
    times `scale` are logits of a cross-entropy. margins: (C,) radians.
    """

    def __init__(self, dimension: int, margins: np.ndarray, scale: float, sub_centers: int) -> None:
        super().__init__()
        self.scale, self.sub_centers = float(scale), int(sub_centers)
        self.register_buffer("margins", torch.as_tensor(np.asarray(margins), dtype=torch.float32))
        self.weight = nn.Parameter(torch.empty(len(margins) * sub_centers, dimension))
        bound = 1 / math.sqrt(dimension)
        nn.init.uniform_(self.weight, -bound, bound)

    def cosines(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Cosine to the nearest centre of every class, (n, C)."""
        unit = functional.normalize(embeddings.float())
        near = functional.linear(unit, functional.normalize(self.weight))
        return near.view(len(embeddings), -1, self.sub_centers).amax(dim=2)

    def forward(self, embeddings: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            cosine = self.cosines(embeddings)
            own = cosine.gather(1, target[:, None])[:, 0].clamp(-1 + 1e-7, 1 - 1e-7)
            margin = self.margins[target]
            sine = torch.sqrt(1 - own * own)
            moved = own * torch.cos(margin) - sine * torch.sin(margin)
            past = own - margin * torch.sin(math.pi - margin)
            moved = torch.where(own > torch.cos(math.pi - margin), moved, past)
            logits = cosine.scatter(1, target[:, None], moved[:, None])
            return functional.cross_entropy(logits * self.scale, target)


class OtherLoss(nn.Module):
    """A loss of pytorch-metric-learning by its class name, with its own defaults.

    Raises InputError when it has none of that name, or the loss needs settings to be made.
    """

    def __init__(self, name: str, dimension: int, classes: int) -> None:
        super().__init__()
        from pytorch_metric_learning import losses

        known = sorted(n for n in vars(losses) if n.endswith("Loss") and not n.startswith("Base"))
        if name not in known:
            raise InputError(f"loss {name!r} is none of SubCenterArcFace, {', '.join(known)}.")
        try:
            self.loss = getattr(losses, name)()
        except (TypeError, KeyError):
            try:
                self.loss = getattr(losses, name)(num_classes=classes, embedding_size=dimension)
            except (TypeError, KeyError) as error:
                raise InputError(f"loss {name}: cannot be made from classes alone; take another.") \
                    from error

    def forward(self, embeddings: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.loss(embeddings.float(), target)


class Learner(nn.Module):
    """Network and head in one module, so that both are trained, saved and spread as one."""

    def __init__(self, network: ReidNetwork, head: nn.Module) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, pictures: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.head(self.network(pictures), target)

    def train_head_only(self, only: bool) -> None:
        """Whether the backbone stays as it is, its running statistics too."""
        for parameter in self.network.used:
            parameter.requires_grad_(not only)
        self.network.backbone.train(not only)


def check_architecture(found: str, wanted: str, where: str) -> None:
    """Raises BackendError, naming both, when weights are of another network than is asked for."""
    if found and found.split(".")[0] != wanted.split(".")[0]:
        raise BackendError(
            f"{where}: holds weights of {found}, but {wanted} is to be trained; give "
            f"--network {found}, or weights of {wanted}."
        )


class WithBackbone(Protocol):
    """A network around a backbone of which `used` weights count."""

    name: str
    backbone: nn.Module
    used: list[nn.Parameter]

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> Any: ...


def load_matching(network: WithBackbone, state: dict[str, Any], where: str) -> list[str]:
    """Put weights into a network; the names that it has and `state` lacks.

    Raises BackendError when shapes differ or nothing of the backbone is there.
    """
    own = network.state_dict()
    shared = {k: v for k, v in state.items() if k in own}
    odd = [k for k, v in shared.items() if tuple(v.shape) != tuple(own[k].shape)]
    used = {id(p) for p in network.used}
    unused = {f"backbone.{k}" for k, p in network.backbone.named_parameters() if id(p) not in used}
    backbone = [k for k in own if k.startswith("backbone.") and k not in unused
                and not k.endswith("num_batches_tracked")]
    missing = [k for k in backbone if k not in shared]
    if odd or len(missing) > 0:
        name = (odd or missing)[0]
        shapes = "" if not odd else (
            f" has shape {tuple(shared[name].shape)}, expected {tuple(own[name].shape)}")
        raise BackendError(
            f"{where}: these are not weights of {network.name}: {name}{shapes or ' is missing'} "
            f"({len(missing)} of {len(backbone)} missing, {len(odd)} of another shape); give "
            "weights of the same architecture, or name theirs as the network."
        )
    network.load_state_dict(shared, strict=False)
    return [k for k in own if k not in shared and not k.endswith("num_batches_tracked")]


__all__ = ["GeM", "Learner", "OtherLoss", "ReidNetwork", "SubCenterHead", "check_architecture",
           "create_backbone", "leave_out_unused", "load_matching"]
