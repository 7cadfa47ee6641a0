"""How many pictures go to a model at once: as many as memory allows, fewer after it ran out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from ecotone.engine.memory import free_memory, most_used, out_of_memory
from ecotone.errors import BackendError, InputError

T = TypeVar("T")
R = TypeVar("R")
FIRST = 8  # pictures of the batch that is measured
TYPICAL = 32  # on a processor, and where nothing is known: more are no faster
MOST = 256  # on a graphics card
SHARE = 0.5  # of the free memory that a batch may take
HELD = 4  # a picture's input in memory: prepared, in the batch, on its way, and one of its outputs


class Batches:
    """The size of batches. It is never above `limit` where the user gave one.

    Without a limit, a first batch of 8 is measured: what it took of the device's memory, and at
    least four times the input, is what each picture needs; the size is the power of two that half
    of the free memory has room for, at most 256 on a graphics card and 32 elsewhere. When memory
    runs out, the size is halved and the same pictures are tried again. note: that this happened.

    shape, dtype: of the input of one picture. device: as `backend.device`.
    """

    def __init__(
        self, limit: int | None, shape: Sequence[int], dtype: str, device: str = "cpu",
        free: Callable[[str], int | None] = free_memory,
    ) -> None:
        if limit is not None and limit < 1:
            raise InputError(f"batch_size is {limit}, expected at least 1.")
        self._free, self._device = free, device
        self._input = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self.most = limit or (TYPICAL if device == "cpu" else MOST)
        if limit is None and free(device) is None:
            self.most = TYPICAL
        self._measure = limit is None
        self.size = self._fitting(HELD * self._input, FIRST) if limit is None else limit
        self.note = ""

    @classmethod
    def of(cls, backend: Any, limit: int | None) -> Batches:
        """Those for a backend."""
        way = getattr(backend, "preprocessing", None)  # some detectors keep theirs to themselves
        device = getattr(backend, "device", None) or getattr(backend, "_device", None) or "cpu"
        return cls(limit, way.shape if way else (), way.dtype if way else "uint8", str(device))

    @property
    def ahead(self) -> int:
        """Pictures that may be prepared before the model takes them: two batches, and no more than
        a quarter of the machine's free memory."""
        free = self._free("cpu")
        room = 2 * self.most if free is None else int(free / 4 / max(1, self._input))
        return max(2, min(2 * self.most, room))

    def run(self, function: Callable[[Sequence[T]], R], items: Sequence[T]) -> Iterator[R]:
        """What the function gives for the items, `size` of them at a time and fewer where memory
        runs out. Raises BackendError when it does with a single one."""
        start = 0
        while start < len(items):
            part = items[start : start + self.size]
            try:
                result = self._measured(function, part)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                self._halve(len(part), error)
                continue
            start += len(part)
            yield result

    def _halve(self, rows: int, error: Exception) -> None:
        if rows < 2:
            raise BackendError(
                "memory has run out with a single picture; close other programs, use a smaller "
                "model, or another device (--device cpu)."
            ) from error
        self.size, self._measure = max(1, min(rows, self.size) // 2), False
        self.most = self.size
        self.note = f"memory ran out: batches of {self.size} from then on"

    def _measured(self, function: Callable[[Sequence[T]], R], part: Sequence[T]) -> R:
        if not self._measure:
            return function(part)
        shared = self._device == "cpu"
        before = most_used() if shared else self._free(self._device)
        result = function(part)
        after = most_used() if shared else self._free(self._device)
        self._measure = False
        if before is not None and after is not None:
            used = after - before if shared else before - after
            self.size = self._fitting(max(HELD * self._input, used / len(part)), self.most)
        return result

    def _fitting(self, each: float, most: int) -> int:
        """The largest power of two of pictures that fits, at most `most`."""
        free = self._free(self._device)
        room = most if free is None else min(most, int(SHARE * free / max(1.0, each)))
        return min(most, 1 << (max(1, room).bit_length() - 1))


__all__ = ["Batches"]
