"""Small additions of low rank to the weights of a frozen network, merged into them at the end.

W' = W + (alpha / rank) B A, with B (out, rank) zero at first and A (rank, in); of a convolution,
in is its input channels times the places of its kernel.
Source: Hu et al. 2022, LoRA, arXiv:2106.09685.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """The addition to one weight, as torch's parametrizations take it."""

    def __init__(self, weight: torch.Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        out, width = weight.shape[0], weight[0].numel()
        rank = min(rank, out, width)
        self.scale = alpha / rank
        self.lora_a = nn.Parameter(torch.empty(rank, width))
        self.lora_b = nn.Parameter(torch.zeros(out, rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        # Contiguous as the weight is: a convolution's may lie channels last.
        return weight + (self.scale * (self.lora_b @ self.lora_a)).reshape(weight.shape)


def add_lora(backbone: nn.Module, used: list[nn.Parameter], rank: int, alpha: float) -> int:
    """Add to every dense layer and convolution of `used` weights; how many weights learn now.

    Depthwise convolutions are left as they are: their weights are of low rank already.
    """
    ids = {id(p) for p in used}
    total = 0
    for module in list(backbone.modules()):
        weight = getattr(module, "weight", None)
        dense = isinstance(module, nn.Linear) or (
            isinstance(module, nn.Conv2d) and module.groups == 1)
        if not dense or id(weight) not in ids:
            continue
        addition = LowRank(weight, rank, alpha)
        total += sum(p.numel() for p in addition.parameters())
        parametrize.register_parametrization(module, "weight", addition, unsafe=True)
    return total


def merge_lora(backbone: nn.Module) -> None:
    """Put the additions into the weights: the network is a plain one again."""
    for module in list(backbone.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


__all__ = ["LowRank", "add_lora", "merge_lora"]
