"""Weights to start from: published ones by name, timm's, files on disk; with their licences.

A licence that allows commercial use and asks for no consent is taken silently; any other is shown,
and has to be accepted. It is looked at before anything is fetched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.backends.torch_common import loading, need
from ecotone.errors import BackendError

FREE = frozenset({"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0",
                  "cc-by-sa-4.0"})
NOT_STATED = "not stated"
NC = "cc-by-nc-4.0 (no commercial use)"
OFFLINE = ("fetch the file once elsewhere and give its path in place of the name, with --network "
           "{network}.")


@dataclass(frozen=True)
class Published:
    """A published checkpoint: its network in timm's names, picture size, and licence."""

    network: str
    size: int
    licence: str
    timm: bool = False  # in timm's own format on the hub


_MIEWID = Published("efficientnetv2_rw_m", 440, NOT_STATED)
_MEGA = {
    "T-224": ("swin_tiny_patch4_window7_224", 224), "S-224": ("swin_small_patch4_window7_224", 224),
    "B-224": ("swin_base_patch4_window7_224", 224),
    "L-224": ("swin_large_patch4_window7_224", 224),
    "L-384": ("swin_large_patch4_window12_384", 384),
}
PUBLISHED: dict[str, Published] = {
    "conservationxlabs/miewid-msv2": _MIEWID, "conservationxlabs/miewid-msv3": _MIEWID,
    **{f"BVRA/MegaDescriptor-{k}": Published(*v, NC, True) for k, v in _MEGA.items()},
}


@dataclass(frozen=True, eq=False)
class Start:
    """Weights to start from, by the names of `ReidNetwork`. source: for the card; classes and head:
    of a checkpoint of ecotone, to carry known individuals over."""

    state: dict[str, Any]
    source: str
    licence: str
    mean: list[float] | None = None
    std: list[float] | None = None
    classes: tuple[str, ...] = ()
    head: Any = None
    notes: tuple[str, ...] = field(default_factory=tuple)


def known_name(name: str) -> str:
    """The name in `PUBLISHED` that is meant, "" when it is none: with or without "hf-hub:"."""
    plain = name.removeprefix("hf-hub:").removeprefix("hf_hub:")
    folded = {k.casefold(): k for k in PUBLISHED}
    folded |= {k.split("/")[1].casefold(): k for k in PUBLISHED}
    return folded.get(plain.casefold(), "")


def licence_of(name: str) -> str:
    """The licence of published weights: our record, or what timm says of its own."""
    if known_name(name):
        return PUBLISHED[known_name(name)].licence
    timm = need("timm", "torch", name)
    config = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
    return str(getattr(config, "license", None) or NOT_STATED)


def check_licence(name: str, accepted: bool) -> str:
    """The licence of published weights.

    Raises BackendError when it has to be accepted and was not.
    """
    licence = licence_of(name)
    if licence.casefold() in FREE or accepted:
        return licence
    says = "its makers state no licence" if licence == NOT_STATED else f"its licence is {licence}"
    raise BackendError(
        f"{name}: {says}; read its page, and if your use is allowed give --accept-license."
    )


def load_start(start: str, network: str, image_size: int, accepted: bool = False) -> Start:
    """The weights that `start` names.

    "" for none, "pretrained" for timm's of the network, a published name, or a file or folder.

    Raises BackendError: no such file, a hub that cannot be reached, a licence that is not accepted,
    or weights of another architecture.
    """
    from ecotone.training.weights import read_weights

    if not start:
        return Start({}, "none: from scratch", "no starting weights")
    if start == "pretrained":
        return _from_timm(network, network, image_size, accepted)
    name = known_name(start)
    if name:
        return _from_hub(name, network, image_size, accepted)
    if Path(start).exists():
        return read_weights(Path(start), network)
    timm = need("timm", "torch", start)
    if timm.is_model(start.split(".")[0]) and Path(start).suffix != ".pt":
        return _from_timm(start, network, image_size, accepted)
    raise BackendError(
        f"{start}: no such file, and no published checkpoint of that name; known: pretrained, "
        f"{', '.join(PUBLISHED)}, timm's names."
    )


def _from_timm(name: str, network: str, image_size: int, accepted: bool) -> Start:
    """Weights of a timm name, or of a hub model in timm's format."""
    from ecotone.training.network import check_architecture

    timm = need("timm", "torch", name)
    hub = known_name(name)
    check_architecture(PUBLISHED[hub].network if hub else name, network, name)
    licence = check_licence(name, accepted)
    spec = f"hf-hub:{hub}" if hub else name
    config = timm.models.get_pretrained_cfg(name.split(".")[0], allow_unregistered=True)
    own = {"img_size": image_size} if hub or (config and config.fixed_input_size) else {}
    with loading(name, OFFLINE.format(network=network)):
        model = timm.create_model(spec, pretrained=True, num_classes=0, **own)
        found = timm.data.resolve_model_data_config(model)
    state = {f"backbone.{k}": v for k, v in model.state_dict().items()}
    return Start(state, spec, licence, list(found["mean"]), list(found["std"]))


def _from_hub(name: str, network: str, image_size: int, accepted: bool) -> Start:
    from ecotone.training.network import check_architecture
    from ecotone.training.weights import read_weights

    known = PUBLISHED[name]
    if known.timm:
        return _from_timm(name, network, image_size, accepted)
    check_architecture(known.network, network, name)
    licence = check_licence(name, accepted)
    hub = need("huggingface_hub", "torch", name)
    with loading(name, OFFLINE.format(network=network)):
        path = hub.hf_hub_download(name, "model.safetensors")
    found = read_weights(Path(path), network)
    return Start(found.state, f"hf-hub:{name}", licence, found.mean, found.std)


def told_architecture(folder: Path) -> str:
    """The architecture that the config.json in a folder of a hub model states, "" for none."""
    try:
        values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    names = [values.get(k) for k in ("architecture", "model_name")] if isinstance(values, dict) \
        else []
    return next((n for n in names if isinstance(n, str)), "")


__all__ = ["PUBLISHED", "Published", "Start", "check_licence", "known_name", "licence_of",
           "load_start", "told_architecture"]
