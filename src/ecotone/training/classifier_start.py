"""The network of a classifier with its starting weights: timm's, a file's, SpeciesNet's, none."""

from __future__ import annotations

import dataclasses

import torch

from ecotone.training.classifier_network import ClassifierNetwork
from ecotone.training.network import create_backbone, load_matching
from ecotone.training.published import Start, load_start
from ecotone.training.soft_settings import SoftLabelSettings


def make_network(
    settings: SoftLabelSettings, classes: tuple[str, ...], start: str, accepted: bool
) -> tuple[ClassifierNetwork, Start]:
    """The network on the CPU, and what it starts from. start: see `published.load_start`.

    The head's rows of classes that the starting head knows are carried over.
    Raises InputError (a backbone that is not known), BackendError (weights, licence).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        begun = load_start(start, settings.backbone, settings.image_size, accepted)
        backbone = create_backbone(
            settings.backbone, settings.image_size, settings.backbone_options)
        network = ClassifierNetwork(
            backbone, settings.backbone, settings.image_size, len(classes))
    weights = {k: v for k, v in begun.state.items() if k.startswith("backbone.")}
    if weights:
        load_matching(network, weights, begun.source)
    known = carry_over(network, classes, begun)
    if known:
        begun = dataclasses.replace(begun, notes=(
            *begun.notes, f"The head starts from the same head's {known} classes of that name."))
    return network, begun


@torch.no_grad()
def carry_over(network: ClassifierNetwork, classes: tuple[str, ...], start: Start) -> int:
    """Put the starting head's rows of the same class names into the head; how many there are."""
    if start.head is None or start.head.shape != (len(start.classes), network.dimension + 1):
        return 0
    place = {name: i for i, name in enumerate(start.classes)}
    known = [i for i, name in enumerate(classes) if name in place]
    for i in known:
        row = start.head[place[classes[i]]]
        network.head.weight[i], network.head.bias[i] = row[:-1], row[-1]
    return len(known)


__all__ = ["carry_over", "make_network"]
