"""From epoch to epoch: the curriculum, the teacher's say, and the way back when it goes wrong.

N pictures, K classes. The rules are in `curriculum`; here they meet the network and the loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from ecotone.training.classifier_network import ClassifierNetwork, SoftLearner
from ecotone.training.curriculum import (
    Pace,
    admit,
    align,
    collapsed,
    pace_of,
    pool,
    start_of,
)
from ecotone.training.distributed import World
from ecotone.training.inference import softmax
from ecotone.training.loop import RESTORE
from ecotone.training.pictures import LabelledPictures
from ecotone.training.soft_feed import Epoch, SoftFeed
from ecotone.training.soft_settings import SoftLabelSettings
from ecotone.training.soft_split import SoftSplit

PART = 8192  # rows that are worked on at once
SLACK = 0.1  # a loss that grows by less is no explosion
Say = Callable[[ClassifierNetwork, np.ndarray, np.ndarray], np.ndarray]


class SoftControl:
    """Chooses what every epoch of a training on soft labels sees.

    say: (network, rows, mirrored or not) -> logits (n, K). After a first explosion of the
    validation loss pseudo-labels count half and the teacher is silent, after a second one people's
    labels train alone, after a third the training ends; each time the best weights are taken up.
    """

    def __init__(self, data: LabelledPictures, split: SoftSplit, settings: SoftLabelSettings,
                 world: World, say: Say) -> None:
        self._data, self._split, self._settings = data, split, settings
        self._world, self._say = world, say
        self.falls, self.best = 0, math.inf
        mass = data.target[split.soft].sum(axis=0).astype(np.float64)
        self._expected = (mass + 1 / len(mass)) / (mass.sum() + 1)
        self._start = start_of(settings, data.target[split.soft])
        self._said: dict[int, int] = {}  # row -> line of what the teacher last said
        self._lines = np.zeros((0, len(data.classes)), dtype=np.float16)
        self._weight, self._epoch = 0.0, 0
        self.feed: SoftFeed | None = None

    def first(self) -> Epoch:
        """What the first epoch sees."""
        return self._build()

    def begin(self, learner: SoftLearner, epoch: int) -> dict[str, float]:
        """Ask the teacher, choose the pictures; the figures of this epoch."""
        self._epoch, pace = epoch, self._pace(epoch)
        self._weight, guarded = pace.teacher if not self.falls else 0.0, False
        if self._weight > 0 and learner.teacher is not None:
            guarded = self._ask(learner, epoch)
        if guarded:
            self._weight = 0.0
        now = self._build()
        if self.feed is not None:
            self.feed.epoch = now
        soft = len(self._split.soft) + len(self._split.bare)
        return {"admitted": len(now.soft) / max(1, soft), "labelled_share": now.labelled_share,
                "teacher_weight": self._weight, "guarded": float(guarded)}

    def end(self, epoch: int, figures: dict[str, float]) -> str:
        """What to do when the validation loss is many times the best one."""
        loss = figures.get("log_loss")
        if loss is None:
            return ""
        exploded = not math.isfinite(loss) or loss > self._settings.explode * self.best + SLACK
        self.best = min(self.best, loss) if math.isfinite(loss) else self.best
        if not exploded:
            return ""
        self.falls += 1
        if self.falls > 2 or (self.falls == 2 and not len(self._split.labelled)):
            return "the validation loss exploded; the best weights are kept"
        return RESTORE

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        rows = np.fromiter(self._said, dtype=np.int64, count=len(self._said))
        lines = np.fromiter(self._said.values(), dtype=np.int64, count=len(self._said))
        return {"falls": self.falls, "best": self.best, "weight": self._weight,
                "epoch": self._epoch, "rows": torch.from_numpy(rows),
                "said": torch.from_numpy(self._lines[lines])}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on as if never stopped: the epoch under way is chosen again."""
        self.falls, self.best = int(state["falls"]), float(state["best"])
        self._weight, self._epoch = float(state["weight"]), int(state["epoch"])
        self._said = {int(row): i for i, row in enumerate(state["rows"].tolist())}
        self._lines = state["said"].numpy()
        if self.feed is not None:
            self.feed.epoch = self._build()

    def _pace(self, epoch: int) -> Pace:
        return pace_of(self._settings, epoch, self._start)

    def _ask(self, learner: SoftLearner, epoch: int) -> bool:
        """Let the teacher look at the pictures without a label; whether its shares came apart."""
        rows = self._asked(epoch)
        rng = np.random.default_rng([self._settings.seed, 4, epoch])
        mirror = (rng.random(len(rows)) < 0.5) & self._settings.flip
        mine = slice(self._world.rank, None, self._world.size)
        logits = self._say(learner.teacher, rows[mine], mirror[mine])
        p = np.empty((len(rows), logits.shape[1]), dtype=np.float32)
        for rank, part in enumerate(self._world.gather(logits)):
            p[rank :: self._world.size] = part
        shift = learner.shift.cpu().numpy()
        for part in _parts(len(p)):
            p[part] = softmax(p[part] + shift)
        good = np.isfinite(p).all(axis=1)
        rows, p = rows[good], p[good]
        settings = self._settings
        by_q = np.isin(rows, self._split.soft)
        if collapsed(p[by_q], self._expected, settings.class_bound):
            return True
        shares = p[by_q].mean(axis=0) if by_q.any() else None
        p = align(p, self._expected, settings.class_bound, shares)
        self._said = {int(row): i for i, row in enumerate(rows)}
        self._lines = p.astype(np.float16)
        return False

    def _asked(self, epoch: int) -> np.ndarray:
        """The pictures that the teacher looks at: all, or as many as an epoch can take."""
        rows = np.concatenate([self._split.soft, self._split.bare])
        settings = self._settings
        most = settings.max_steps * settings.batch_size * self._world.size
        if len(rows) <= most:
            return rows
        rng = np.random.default_rng([settings.seed, 5, epoch])
        return np.sort(rng.choice(rows, most, replace=False))

    def _build(self) -> Epoch:
        """The pictures of the epoch, from pseudo-labels, what the teacher said, and the pace."""
        data, split, settings = self._data, self._split, self._settings
        pace = self._pace(self._epoch)
        heard = np.array([r for r in self._said if self._weight > 0], dtype=np.int64)
        target = data.target.copy() if len(heard) else data.target
        for part in _parts(len(heard)):
            lines = self._lines[[self._said[int(r)] for r in heard[part]]].astype(np.float64)
            target[heard[part]] = pool(data.target[heard[part]], lines, self._weight)
        soft = self._admitted(target, split.soft, pace.share)
        bare = split.bare[np.isin(split.bare, heard)]
        if len(bare):
            lines = self._lines[[self._said[int(r)] for r in bare]]
            sure = admit(lines.max(axis=1).astype(np.float64), lines.argmax(axis=1),
                         self._expected, 0.0, settings.confidence, settings.class_bound)
            soft = np.concatenate([soft, bare[sure]])
        if self.falls >= 2:
            soft = soft[:0]
        scale = settings.unlabelled_weight * (0.5 if self.falls else 1.0)
        weight = scale * target.max(axis=1) ** settings.confidence_power
        weight[split.labelled] = 1.0
        if scale == 0 and len(split.labelled):
            soft = soft[:0]
        return Epoch(split.labelled, soft, target, weight.astype(np.float32), pace.labelled_share)

    def _admitted(self, target: np.ndarray, rows: np.ndarray, share: float) -> np.ndarray:
        if not len(rows) or share >= 1:
            return rows
        settings = self._settings
        named = self._data.target[rows].argmax(axis=1)
        expected = np.bincount(named, minlength=target.shape[1]) / len(rows)
        chosen = admit(target[rows].max(axis=1), named, expected, share, settings.confidence,
                       settings.class_bound)
        return rows[chosen]


def _parts(n: int) -> Iterator[slice]:
    """n rows, some at a time: doubles of all of them with many classes would take gigabytes."""
    return (slice(i, i + PART) for i in range(0, n, PART))


__all__ = ["SoftControl"]
