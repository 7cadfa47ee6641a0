"""The network of a classifier: a backbone, a linear layer, and what of it learns.

n pictures in a batch, D embedding dimensions, K classes.
Source: Menon et al. 2021, arXiv:2007.07314 (logit adjustment); Tarvainen and Valpola 2017,
arXiv:1703.01780 (a teacher that is the moving mean of the weights).
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ecotone.training.export import EMBEDDING, SCORES
from ecotone.training.network import leave_out_unused
from ecotone.training.trainable import choose_trainable, freeze_modes

EMA_WARMUP = 10  # steps: the mean follows quickly at first


class ClassifierNetwork(nn.Module):
    """Pictures (n, 3, H, W) -> embeddings (n, D) and probabilities (n, K).

    backbone: gives pooled features (n, D). name: of it, for messages and the export.
    """

    outputs = (EMBEDDING, SCORES)

    def __init__(self, backbone: nn.Module, name: str, image_size: int, classes: int) -> None:
        super().__init__()
        self.name, self.image_size, self.backbone = name, image_size, backbone
        backbone.eval()
        pooled = self.embed(torch.zeros(1, 3, image_size, image_size))
        self.dimension = int(pooled.shape[1])
        self.used = leave_out_unused(backbone, pooled)
        self.head = nn.Linear(self.dimension, classes)
        nn.init.trunc_normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def embed(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pooled features (n, D)."""
        return self.backbone(pictures).flatten(1)

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """Scores before the softmax, (n, K)."""
        return self.head(self.embed(pictures))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pooled = self.embed(pictures).float()
        return pooled, torch.softmax(self.head(pooled), dim=1)


class SoftLearner(nn.Module):
    """A network that learns from soft labels, and the moving mean of its weights beside it.

    shift: (K,) tau log pi, added to the logits in the loss: what the network itself gives is then
    free of the classes' frequencies. smoothing: of labels. ema: decay a step, 0 for no teacher.
    """

    def __init__(self, network: ClassifierNetwork, shift: np.ndarray, smoothing: float = 0.0,
                 ema: float = 0.99, part: str = "all", stages: int = 1) -> None:
        super().__init__()
        self.network, self._ema, self._smoothing = network, float(ema), float(smoothing)
        self.trained = choose_trainable(network, part, stages)
        self.register_buffer("shift", torch.as_tensor(np.asarray(shift, dtype=np.float32)))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.teacher = copy.deepcopy(network).requires_grad_(False).eval() if ema else None

    def forward(self, pictures: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
                ) -> torch.Tensor:
        """The mean of the weighted soft cross-entropies. target: (n, K); weight: (n,)."""
        logits = self.network.logits(pictures)
        with torch.autocast(pictures.device.type, enabled=False):
            share = functional.log_softmax(logits.float() + self.shift, dim=1)
            target = target * (1 - self._smoothing) + self._smoothing / target.shape[1]
            return (weight * -(target * share).sum(dim=1)).mean()

    def train_head_only(self, only: bool) -> None:
        """Whether of the trained parts only the head learns now."""
        for parameter in self.trained:
            parameter.requires_grad_(not only)
        freeze_modes(self.network)
        if self.teacher is not None:
            self.teacher.eval()

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the teacher towards the network."""
        if self.teacher is None:
            return
        self.steps += 1
        step = int(self.steps)
        part = 1 - min(self._ema, (1 + step) / (EMA_WARMUP + step))
        pairs = list(zip(self.teacher.parameters(), self.network.parameters(), strict=True))
        moving = [(t, p) for t, p in pairs if p.requires_grad]
        torch._foreach_lerp_([t for t, _ in moving], [p.detach() for _, p in moving], part)
        for mean, now in zip(self.teacher.buffers(), self.network.buffers(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, part)
            else:
                mean.copy_(now)

    def networks(self) -> dict[str, ClassifierNetwork]:
        """The network, and its mean where there is one, by name."""
        return {"network": self.network, **({"teacher": self.teacher} if self.teacher else {})}


def smoothed_shares(target: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """pi, (K,): mean of soft targets (N, K), as if one more picture were of all classes alike."""
    k = target.shape[1]
    weight = np.ones(len(target)) if weight is None else weight
    return (weight @ target.astype(np.float64) + 1 / k) / (weight.sum() + 1)


def adjustment(
    shares: np.ndarray, tau: float | str, ratio: float = 5.0
) -> tuple[np.ndarray, float]:
    """tau log pi, (K,), and tau: "auto" is 1 where the most frequent class has `ratio` times the
    share of the median one, or more; else 0."""
    if tau == "auto":
        tau = 1.0 if shares.max() >= ratio * np.median(shares) else 0.0
    return float(tau) * np.log(shares), float(tau)


__all__ = ["ClassifierNetwork", "SoftLearner", "adjustment", "smoothed_shares"]
