"""The network of a classifier with its starting weights: timm's, a file's, SpeciesNet's, none."""

from __future__ import annotations

import dataclasses

import torch

from ecotone.training.classifier_network import ClassifierNetwork
from ecotone.training.lora import add_lora
from ecotone.training.network import create_backbone, load_matching
from ecotone.training.published import Start, load_start
from ecotone.training.soft_settings import SoftLabelSettings
from ecotone.training.speciesnet_start import NAME, is_speciesnet, load_speciesnet


def make_network(
    settings: SoftLabelSettings, classes: tuple[str, ...], start: str, accepted: bool
) -> tuple[ClassifierNetwork, Start]:
    """The network on the CPU, and what it starts from.

    start: see `published.load_start`; or "speciesnet", "speciesnet:FOLDER".

    The head's rows of classes that the starting head knows are carried over.
    Raises InputError (a backbone that is not known), BackendError (weights, licence).
    """
    name = start if is_speciesnet(start) else settings.backbone
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        if is_speciesnet(name):
            network, begun = _from_speciesnet(name, settings, len(classes))
            if start and not is_speciesnet(start):  # a training that began from SpeciesNet
                begun = load_start(start, NAME, network.image_size, accepted)
        else:
            begun = load_start(start, name, settings.image_size, accepted)
            backbone = create_backbone(name, settings.image_size, settings.backbone_options)
            network = ClassifierNetwork(backbone, name, settings.image_size, len(classes))
        weights = {k: v for k, v in begun.state.items() if k.startswith("backbone.")}
        if weights:
            load_matching(network, weights, begun.source)
        notes = list(begun.notes)
        known = carry_over(network, classes, begun)
        if known:
            notes.append(f"The head starts from the same head's {known} classes of that name.")
        if settings.trainable != "all" and begun.source.startswith("none"):
            notes.append(f"The backbone is random, and of it only {settings.trainable!r} learns; "
                         "give starting weights, or trainable = \"all\".")
        if network.image_size != settings.image_size:
            notes.append(f"{name} takes pictures of {network.image_size} pixels.")
        if settings.trainable == "lora":
            added = add_lora(network.backbone, network.used, settings.lora_rank,
                             settings.lora_alpha)
            notes.append(f"LoRA: {added:,} weights beside the backbone's learn, and are merged "
                         "into it in the end.")
    return network, dataclasses.replace(begun, notes=tuple(notes))


def _from_speciesnet(
    name: str, settings: SoftLabelSettings, classes: int
) -> tuple[ClassifierNetwork, Start]:
    backbone, size, begun = load_speciesnet(name)
    return ClassifierNetwork(backbone, NAME, size, classes), begun


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
