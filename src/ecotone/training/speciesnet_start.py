"""SpeciesNet's classifier as a backbone: its network from the package, without its last layer.

n pictures, D embedding dimensions. Source: google/cameratrapai, the package speciesnet.
"""

from __future__ import annotations

import torch
from torch import nn

from ecotone.backends.speciesnet import open_speciesnet
from ecotone.errors import BackendError
from ecotone.training.published import Start

NAME = "speciesnet"
LICENCE = "Apache-2.0"


class SpeciesNetBackbone(nn.Module):
    """Pictures (n, 3, H, W) in 0..1 -> what went into SpeciesNet's last layer, (n, D)."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__()
        last = [n for n, m in network.named_modules() if getattr(m, "out_features", 0) == classes]
        if not last:
            raise BackendError(
                f"{NAME}: its network has no layer of {classes:,} outputs to take off; this "
                "version of the package is not known, use another model of it.")
        parent, _, name = last[-1].rpartition(".")
        setattr(network.get_submodule(parent), name, nn.Identity())
        self.network = network.requires_grad_(True)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.network(pictures.permute(0, 2, 3, 1)).flatten(1)  # it takes channels last


def is_speciesnet(name: str) -> bool:
    """Whether "speciesnet" or "speciesnet:..." is meant."""
    return name == NAME or name.startswith(f"{NAME}:")


def load_speciesnet(name: str) -> tuple[nn.Module, int, Start]:
    """The backbone on the CPU, the size of its pictures, and what it is.

    name: "speciesnet" for the package's own model, "speciesnet:FOLDER" for one on disk.
    Raises MissingExtraError, BackendError.
    """
    backend = open_speciesnet(name.partition(":")[2], device="cpu")
    version = backend.info()["version"]
    backbone = SpeciesNetBackbone(backend.network.float(), len(backend.classes))
    start = Start({}, f"SpeciesNet {version}", LICENCE, [0.0] * 3, [1.0] * 3)
    return backbone, backend.preprocessing.height, start


__all__ = ["NAME", "SpeciesNetBackbone", "is_speciesnet", "load_speciesnet"]
