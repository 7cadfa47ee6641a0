"""What the backends on PyTorch share: optional imports, loading with one clear error, arrays."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np

from ecotone.errors import BackendError, EcotoneError, MissingExtraError


def need(module: str, extra: str, what: str) -> Any:
    """An optional package, imported. Raises MissingExtraError with the line that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(what, extra) from error


@contextmanager
def loading(what: str, offline: str) -> Iterator[None]:
    """Turn whatever a library raises while it loads weights into one BackendError.

    offline: how to load the same without the network, told when the hub cannot be reached.
    """
    try:
        with _offline_where_there_is_no_network():
            yield
    except EcotoneError:
        raise
    # Hub clients raise their own types, those of requests or httpx, and plain OSError.
    except Exception as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        if _is_network(error):
            raise BackendError(
                f"{what}: the hub cannot be reached ({type(error).__name__}); {offline}"
            ) from error
        raise BackendError(f"{what}: cannot be loaded ({text}); {offline}") from error


@contextmanager
def _offline_where_there_is_no_network() -> Iterator[None]:
    """Let the hub's client look at its cache alone where its server has no address: it would ask
    for a minute, and print every try."""
    try:
        constants = import_module("huggingface_hub.constants")
        host = urlsplit(constants.ENDPOINT).hostname
        was = constants.HF_HUB_OFFLINE
    except (ImportError, AttributeError, ValueError):  # none, or another version of it
        yield
        return
    if not was and host and not (getproxies().keys() & {"https", "all"}):
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = was


def existing(path: str | Path | None, what: str) -> Path | None:
    """A path given by the user, or None. Raises BackendError when it does not exist."""
    if not path:
        return None
    if not Path(path).exists():
        raise BackendError(f"{what}: {path} does not exist; check --checkpoint.")
    return Path(path)


def pick_device(torch: Any, device: str = "") -> str:
    """The device asked for, else a graphics card where there is one."""
    if device:
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def to_numpy(tensor: Any) -> np.ndarray:
    """A tensor as a float32 array on the host."""
    return np.asarray(tensor.detach().float().cpu().numpy(), dtype=np.float32)


def _is_network(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, comes from the network."""
    words = ("connection", "timeout", "offline", "resolve", "unreachable", "ssl", "proxy",
             "localentrynotfound", "maxretry", "hfhub")  # fmt: skip
    while error is not None:
        names = [c.__name__.lower() for c in type(error).__mro__]
        if any(word in name for name in names for word in words):
            return True
        if "name resolution" in str(error).lower() or "offline" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False
