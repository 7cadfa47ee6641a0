"""Batches of pictures with and without labels, the same on every run.

Which rows an epoch sees, and what they are taken for, says an `Epoch`; their order is a function of
seed and epoch alone. n pictures in a batch, N pictures, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ecotone.errors import InputError, MediaError
from ecotone.training.data import Crops
from ecotone.training.soft_settings import SoftLabelSettings

ON_DEVICE = 0.25  # of a graphics card's memory that pictures may take


@dataclass(frozen=True, eq=False)
class Epoch:
    """labelled, soft: row numbers of the pictures of an epoch. target: (N, K) what each is taken
    for. weight: (N,) of each in the loss. labelled_share: least part of labelled in a batch."""

    labelled: np.ndarray
    soft: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    labelled_share: float


class SoftFeed:
    """Batches for a training on soft labels. epoch: what the next batches are of."""

    def __init__(self, crops: Crops, settings: SoftLabelSettings, epoch: Epoch,
                 device: str = "cpu") -> None:
        self.crops, self.epoch, self._settings = crops, epoch, settings
        self.failed: dict[int, str] = {}
        self.pool = _pool(crops, device)

    def plan(self, epoch: int, size: int = 1) -> np.ndarray:
        """The rows of an epoch's batches, (steps, batch_size * size); process r has [:, r::size].

        Labelled rows are repeated until they have their share of every batch; an epoch is as long
        as its pictures without labels need, within min_steps and max_steps.
        """
        settings, now = self._settings, self.epoch
        n_soft, n_labelled = len(now.soft), len(now.labelled)
        total = n_soft + n_labelled
        least = max(2, min(settings.batch_size, -(-total // size))) * size
        if not n_labelled or not n_soft:
            of_labels = 0 if n_soft else least
        else:
            share = max(now.labelled_share, n_labelled / total)
            of_labels = int(np.clip(round(share * least), 1, least - 1))
        needed = -(-n_soft // (least - of_labels)) if n_soft else -(-n_labelled // least)
        steps = int(np.clip(needed, settings.min_steps, settings.max_steps))
        rng = np.random.default_rng([settings.seed, 1, epoch])
        first = _cycled(now.labelled, steps * of_labels, rng).reshape(steps, -1)
        rest = _cycled(now.soft, steps * (least - of_labels), rng).reshape(steps, -1)
        return np.concatenate([first, rest], axis=1)

    def steps(self, epoch: int, size: int = 1) -> int:
        """Batches of one process in an epoch."""
        return len(self.plan(epoch, size))

    def batches(self, epoch: int, first: int = 0, rank: int = 0, size: int = 1
                ) -> Iterator[tuple[torch.Tensor, ...]]:
        """Pictures (n, H, W, 3) uint8, targets (n, K), weights (n,) and row numbers (n,)."""
        plan = self.plan(epoch, size)[first:, rank::size]
        target = torch.from_numpy(self.epoch.target)
        weight = torch.from_numpy(self.epoch.weight.astype(np.float32))
        for rows, pictures in zip(plan, self._pictures(plan), strict=True):
            index = torch.from_numpy(rows)
            yield pictures, target[index], weight[index], index

    def _pictures(self, plan: np.ndarray) -> Iterator[torch.Tensor]:
        if self.pool is not None:
            for rows in plan:
                yield self.pool[torch.from_numpy(rows).to(self.pool.device)]
            return
        found = iter(self.crops.map(self._load, [int(r) for r in plan.ravel()]))
        for rows in plan:
            yield torch.from_numpy(np.stack([next(found) for _ in rows]))

    def _load(self, row: int) -> np.ndarray:
        """A picture, or one of the same class where it cannot be read any more."""
        try:
            return self.crops.load(row)
        except (MediaError, InputError) as error:
            self.failed[row] = str(error)
        rows = np.concatenate([self.epoch.labelled, self.epoch.soft])
        alike = rows[self.epoch.target[rows].argmax(axis=1) == self.epoch.target[row].argmax()]
        for other in alike:
            try:
                return self.crops.load(int(other))
            except (MediaError, InputError) as error:
                self.failed[int(other)] = str(error)
        raise MediaError(f"{self.failed[row]}; no other picture of its class can be read.")


def _pool(crops: Crops, device: str) -> torch.Tensor | None:
    """All pictures where they are kept, on the graphics card where they take little of it."""
    if crops.kept is None:
        return None
    pool = torch.from_numpy(crops.kept)
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(torch.device(device))
        if pool.numel() <= ON_DEVICE * free:
            return pool.to(device)
    return pool


def _cycled(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of `rows` in random order: every one once before any a second time."""
    if not count or not len(rows):
        return np.zeros(0, dtype=np.int64)
    turns = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate(turns)[:count].astype(np.int64)


__all__ = ["Epoch", "SoftFeed"]
