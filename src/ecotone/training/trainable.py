"""What of a network learns: its head, its last stages, small additions of low rank, or all.

The stages of a backbone are those that timm names for it.
"""

from __future__ import annotations

from typing import Protocol

from torch import nn

STAGES = 7  # into which a backbone is cut that names none
SMALL = 0.005  # of the weights: a group with less counts to the stage before it


class Network(Protocol):
    """A backbone of which `used` weights count, and a head."""

    backbone: nn.Module
    head: nn.Module
    used: list[nn.Parameter]


def choose_trainable(network: Network, part: str, stages: int = 1) -> list[nn.Parameter]:
    """Freeze what does not learn; the backbone's weights that do.

    part: "head" (none of the backbone), "last" (its last `stages` stages), "lora" (what
    `lora.add_lora` added), "all".
    """
    if part == "all":
        chosen = list(network.used)
    elif part == "last":
        used = {id(p) for p in network.used}
        last = [p for group in backbone_stages(network.backbone)[-stages:] for p in group]
        chosen = [p for p in last if id(p) in used]
    elif part == "lora":
        chosen = [p for n, p in network.backbone.named_parameters() if ".lora_" in f".{n}"]
    else:
        chosen = []
    for parameter in network.backbone.parameters():
        parameter.requires_grad_(False)
    for parameter in chosen:
        parameter.requires_grad_(True)
    return chosen


def backbone_stages(backbone: nn.Module) -> list[list[nn.Parameter]]:
    """The weights of every stage, from the stem on; last norms belong to the last stage."""
    named = dict(backbone.named_parameters())
    groups = [[named[n] for n in names] for names in _named_stages(backbone, list(named))]
    total = sum(p.numel() for p in named.values())
    stages: list[list[nn.Parameter]] = []
    for group in groups:
        if stages and sum(p.numel() for p in group) < SMALL * total:
            stages[-1] = stages[-1] + group
        else:
            stages.append(group)
    return stages


def _named_stages(backbone: nn.Module, names: list[str]) -> list[list[str]]:
    if hasattr(backbone, "group_matcher"):
        from timm.models import group_parameters

        found = group_parameters(backbone, backbone.group_matcher(coarse=True))
        return [list(found[k]) for k in sorted(found)]
    layers = list(dict.fromkeys(n.rpartition(".")[0] for n in names))
    place = {layer: i * STAGES // len(layers) for i, layer in enumerate(layers)}
    groups: list[list[str]] = [[] for _ in range(STAGES)]
    for name in names:
        groups[place[name.rpartition(".")[0]]].append(name)
    return [g for g in groups if g]


def freeze_modes(network: Network) -> None:
    """Layers that learn are in training mode, and running statistics of frozen ones stay."""
    network.head.train()
    some = any(p.requires_grad for p in network.backbone.parameters())
    network.backbone.train(some)
    for module in network.backbone.modules():
        own = list(module.parameters(recurse=False))
        kept = any(True for _ in module.buffers(recurse=False))
        if kept and not any(p.requires_grad for p in own):
            module.eval()


__all__ = ["backbone_stages", "choose_trainable", "freeze_modes"]
