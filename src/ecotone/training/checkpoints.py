"""Checkpoints: all that a training needs to go on as if it had never stopped.

Written beside, flushed, renamed: after a kill at any moment there is the old one or the new one.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from ecotone.errors import BackendError, InputError

FORMAT = 1
LAST, BEST = "last.pt", "best.pt"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the state of a training. Raises InputError when the disk refuses."""
    save_tensors(path, {"format": FORMAT, **state})


def save_tensors(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values. Raises InputError when the disk refuses."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        with open(handle, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError on a full disk
        raise InputError(f"{path}: cannot be written ({error}).") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote, on the CPU. Nothing in the file is run.

    Raises BackendError when it is damaged or no checkpoint of ecotone.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # torch raises pickle, zip, key and runtime errors alike for what it cannot read.
    except Exception as error:
        text = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise BackendError(f"{path}: cannot be read as a checkpoint ({text}).") from error
    if not isinstance(state, dict) or "format" not in state or "learner" not in state:
        raise BackendError(f"{path}: is no checkpoint of ecotone's training.")
    if state["format"] > FORMAT:
        raise BackendError(f"{path}: made by a newer ecotone; update: pip install -U ecotone")
    return state


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # Windows can sync no folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


__all__ = ["BEST", "LAST", "load_checkpoint", "save_checkpoint", "save_tensors"]
