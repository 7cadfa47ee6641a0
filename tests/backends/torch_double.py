"""A stand-in for the few functions of torch that the backends call, on NumPy arrays."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np


class Tensor:
    """An array with the methods of a tensor that are used."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.asarray(values)

    def to(self, device: str) -> Tensor:
        return self

    def detach(self) -> Tensor:
        return self

    def float(self) -> Tensor:
        return Tensor(self.values.astype(np.float32))

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return self.values

    def exp(self) -> float:
        return float(np.exp(self.values))


def module() -> SimpleNamespace:
    """What `import torch` gives."""
    return SimpleNamespace(
        from_numpy=Tensor,
        inference_mode=contextlib.nullcontext,
        set_num_threads=lambda n: None,
        cuda=SimpleNamespace(is_available=lambda: False),
    )


class Network:
    """What all networks have: eval and to."""

    def eval(self) -> None:
        self.training = False

    def to(self, device: str) -> None:
        self.device = device
