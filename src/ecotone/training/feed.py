"""Batches for training: which pictures in which order, augmented, the same on every run.

Order and augmentation are functions of seed, epoch and row alone: nothing has to be kept to go on
in the middle of an epoch. n pictures in a batch, H = W their size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ecotone.errors import InputError, MediaError
from ecotone.training.augment import augment
from ecotone.training.data import Crops
from ecotone.training.settings import TrainingSettings


class Feed:
    """The training pictures of a network.

    rows: numbers of the pictures that train. target: what each of all N pictures is, (N,) classes
    or (N, K) soft labels. flip: (N,) bool, which may be mirrored.
    """

    def __init__(self, crops: Crops, rows: np.ndarray, target: np.ndarray,
                 settings: TrainingSettings, flip: np.ndarray | None = None) -> None:
        self.crops, self.rows, self.target = crops, np.asarray(rows), np.asarray(target)
        self._settings = settings
        self._flip = np.zeros(len(self.target), bool) if flip is None else flip
        self.failed: dict[int, str] = {}

    def plan(self, epoch: int, rank: int = 0, size: int = 1) -> list[np.ndarray]:
        """The rows of every batch of one process in an epoch. All processes have as many batches,
        and every batch has two rows or more."""
        order = np.random.default_rng([self._settings.seed, 1, epoch]).permutation(self.rows)
        least, whole = 2 * size, self._settings.batch_size * size
        if len(order) < least:
            order = np.resize(order, least)
        chunks = [order[i : i + whole] for i in range(0, len(order), whole)]
        if len(chunks) > 1 and len(chunks[-1]) < least:
            chunks.pop()  # other rows are left out in the next epoch
        wanted = [-(-len(c) // size) * size for c in chunks]
        return [np.resize(c, w)[rank::size] for c, w in zip(chunks, wanted, strict=True)]

    def steps(self, epoch: int, size: int = 1) -> int:
        """Batches of one process in an epoch."""
        return len(self.plan(epoch, 0, size))

    def batches(self, epoch: int, first: int = 0, rank: int = 0, size: int = 1
                ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Pictures (n, H, W, 3) uint8 and their targets, from batch `first` on."""
        plan = self.plan(epoch, rank, size)[first:]
        pictures = iter(self.crops.map(lambda row: self._one(int(row), epoch),
                                       np.concatenate(plan) if plan else ()))
        for rows in plan:
            batch = np.stack([next(pictures) for _ in rows])
            yield torch.from_numpy(batch), torch.from_numpy(self.target[rows])

    def _one(self, row: int, epoch: int) -> np.ndarray:
        rng = np.random.default_rng([self._settings.seed, 2, epoch, row])
        picture = self._load(row)
        return augment(picture, rng, self._settings.augment, bool(self._flip[row]))

    def _load(self, row: int) -> np.ndarray:
        """The picture, or another of the same target where it cannot be read any more."""
        if row not in self.failed:
            try:
                return self.crops.load(row)
            except (MediaError, InputError) as error:
                self.failed[row] = str(error)
        same = [int(r) for r in self.rows if np.array_equal(self.target[r], self.target[row])]
        for other in same:
            if other not in self.failed:
                return self._load(other)
        raise MediaError(f"{self.failed[row]}; no other picture of it can be read.")


def normalised(pictures: torch.Tensor, mean: list[float], std: list[float]) -> torch.Tensor:
    """Bytes (n, H, W, 3) as a network takes them: (n, 3, H, W) float32, channels last in memory."""
    shift = torch.tensor(mean, device=pictures.device) * 255
    scale = torch.tensor(std, device=pictures.device) * 255
    return ((pictures.float() - shift) / scale).permute(0, 3, 1, 2)


__all__ = ["Feed", "normalised"]
