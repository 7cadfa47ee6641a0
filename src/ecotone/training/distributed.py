"""Several processes, one a graphics card, as torchrun starts them; one process without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from ecotone.errors import BackendError

PATIENCE = timedelta(hours=4)  # the others wait while the first one validates


@dataclass(frozen=True)
class World:
    """rank: number of this process; size: how many there are; device: "cpu", "cuda:0" ..."""

    rank: int
    size: int
    device: str

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def share(self, value: Any) -> Any:
        """The first process's plain value, in all of them."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0, device=torch.device(self.device))
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """The plain values of all processes, by rank, in all of them."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, value)
        return found


@contextmanager
def join_world(device: str = "") -> Iterator[World]:
    """The world of this process, by the environment that torchrun sets.

    device: "cpu" or "cuda"; "" takes the graphics card where there is one.
    Raises BackendError when a graphics card is asked for and there is none.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BackendError(f"device {device!r}: torch finds no graphics card; leave --device out.")
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(0, 1, kind)
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if kind == "cuda":
        kind = f"cuda:{local}"
        torch.cuda.set_device(local)
    started = not distributed.is_initialized()
    if started:
        backend = "nccl" if kind.startswith("cuda") else "gloo"
        distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield World(distributed.get_rank(), size, kind)
    finally:
        if started:
            distributed.destroy_process_group()


__all__ = ["World", "join_world"]
