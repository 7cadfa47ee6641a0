"""SpeciesNet's classifier as a backbone: its network from the package, without its last layer.

n pictures, D embedding dimensions. Source: google/cameratrapai, the package speciesnet.
"""

from __future__ import annotations

import math

import torch
from torch import fx, nn

from ecotone.backends.speciesnet import open_speciesnet
from ecotone.errors import BackendError
from ecotone.training.published import Start

NAME = "speciesnet"
LICENCE = "Apache-2.0"


class SpeciesNetBackbone(nn.Module):
    """Pictures (n, 3, H, W) in 0..1 -> what went into SpeciesNet's last layer, (n, D)."""

    def __init__(self, network: nn.Module, classes: int, size: int) -> None:
        super().__init__()
        last = [n for n, m in network.named_modules() if getattr(m, "out_features", 0) == classes]
        if last:
            parent, _, name = last[-1].rpartition(".")
            setattr(network.get_submodule(parent), name, nn.Identity())
        elif not (isinstance(network, fx.GraphModule) and cut_graph(network, classes, size)):
            raise BackendError(
                f"{NAME}: its network has no layer of {classes:,} outputs to take off; this "
                "version of the package is not known, use another model of it.")
        self.network = network.requires_grad_(True)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.network(pictures.permute(0, 2, 3, 1)).flatten(1)  # it takes channels last


def cut_graph(network: fx.GraphModule, classes: int, size: int) -> bool:
    """End a traced network before it comes to `classes` numbers; whether that place was found.

    For last layers that are products with a stored matrix, as converters from other libraries
    write them.
    """
    from torch.fx.passes.shape_prop import ShapeProp

    with torch.no_grad():
        ShapeProp(network).propagate(torch.zeros(1, size, size, 3))
    end = next(n for n in network.graph.nodes if n.op == "output")
    node = end.args[0]
    while isinstance(node, fx.Node) and _width(node) == classes:
        varying = [n for n in node.all_input_nodes if n.op != "get_attr" and _width(n)]
        node = varying[0] if len(varying) == 1 else None
    if not isinstance(node, fx.Node) or node is end.args[0]:
        return False
    end.args = (node,)
    network.graph.eliminate_dead_code()
    network.recompile()
    return True


def _width(node: fx.Node) -> int:
    """How many numbers of a picture a node gives, 0 where it gives no tensor of pictures."""
    shape = getattr(node.meta.get("tensor_meta"), "shape", ())
    return int(math.prod(shape[1:])) if len(shape) > 1 and shape[0] == 1 else 0


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
    backbone = SpeciesNetBackbone(backend.network.float(), len(backend.classes),
                                  backend.preprocessing.height)
    start = Start({}, f"SpeciesNet {version}", LICENCE, [0.0] * 3, [1.0] * 3)
    return backbone, backend.preprocessing.height, start


__all__ = ["NAME", "SpeciesNetBackbone", "is_speciesnet", "load_speciesnet"]
