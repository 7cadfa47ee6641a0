"""Weights in a file: of ecotone's training, of MiewID, or of a plain timm network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from ecotone.errors import BackendError
from ecotone.training.network import check_architecture
from ecotone.training.published import NOT_STATED, Start, told_architecture

WRAPPERS = ("state_dict", "model_state_dict", "model", "state_dict_ema", "teacher")
FILES = ("model.pt", "best.pt", "model.safetensors", "pytorch_model.bin")
POOL = re.compile(r"^(?:backbone\.)?(?:global_pool|pooling|pool)\.p$")
HEADS = re.compile(
    r"^(?:backbone\.)?(?:final|fc|classifier|head|head\.fc|head\.l)\.(?:weight|bias)$"
)


def read_weights(path: Path, network: str) -> Start:
    """The weights in a file, or in the folder of a training or of a hub model.

    Nothing in the file is run: it may hold tensors and plain values only. Beside the weights it may
    state architecture, license, mean and std (of pixels in 0..1).
    Raises BackendError when it cannot be read, or says that it is of another network.
    """
    if path.is_dir():
        found = next((path / f for f in FILES if (path / f).is_file()), None)
        if found is None:
            raise BackendError(f"{path}: holds none of {', '.join(FILES)}.")
        check_architecture(told_architecture(path), network, str(path))
        path = found
    state = _read(path)
    if "learner" in state and "settings" in state:
        return _own(state, path, network)
    whole = state
    for name in WRAPPERS:
        if isinstance(state.get(name), dict):
            state = state[name]
    check_architecture(str(whole.get("architecture") or ""), network, str(path))
    tensors = {k: v for k, v in state.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise BackendError(f"{path}: holds no weights.")
    classes = whole.get("classes") if isinstance(whole.get("classes"), list) else []
    return Start(
        renamed(tensors), str(path), str(whole.get("license") or f"{NOT_STATED} in the file"),
        *(whole.get(k) if isinstance(whole.get(k), list) else None for k in ("mean", "std")),
        tuple(str(c) for c in classes), _linear_head(tensors) if classes else None)


def renamed(state: dict[str, Any]) -> dict[str, Any]:
    """Weights by the names of `ReidNetwork`: of MiewID (backbone, pooling, bn), or of timm alone.

    Classifiers are left out: their classes are not ours.
    """
    for prefix in ("module.", "model.", "_orig_mod."):
        if all(k.startswith(prefix) for k in state):
            state = {k.removeprefix(prefix): v for k, v in state.items()}
    whole = any(k.startswith("backbone.") for k in state)
    out: dict[str, Any] = {}
    for name, value in state.items():
        if POOL.match(name):
            out["pool.p"] = value.reshape(1)
        elif whole and name.startswith("bn."):
            out[f"norm.{name[3:]}"] = value
        elif HEADS.match(name):
            continue
        else:
            out[name if whole else f"backbone.{name}"] = value
    return out


def _own(state: dict[str, Any], path: Path, network: str) -> Start:
    check_architecture(state["settings"].get("backbone", ""), network, str(path))
    about = state["about"]
    learner = state["learner"]
    weights = {k.removeprefix("network."): v for k, v in learner.items()
               if k.startswith("network.")}
    return Start(
        weights, f"{path}, which started from {about.get('start', '')}",
        str(about.get("licence", NOT_STATED)), about.get("mean"), about.get("std"),
        tuple(about.get("classes", ())), learner.get("head.weight"),
    )


def _linear_head(tensors: dict[str, torch.Tensor]) -> torch.Tensor | None:
    """Weights and, in the last column, biases of a classifier of ecotone, (K, D + 1)."""
    weight, bias = tensors.get("head.weight"), tensors.get("head.bias")
    if weight is None or bias is None or weight.ndim != 2:
        return None
    return torch.cat([weight, bias[:, None]], dim=1)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    # torch raises pickle, zip, key and runtime errors alike for what it cannot read.
    except Exception as error:
        text = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise BackendError(
            f"{path}: cannot be read as weights ({text}); expected .safetensors, or a file of "
            "torch that holds tensors only."
        ) from error
    if not isinstance(state, dict):
        raise BackendError(f"{path}: holds {type(state).__name__}, expected weights by name.")
    return state


__all__ = ["read_weights", "renamed"]
