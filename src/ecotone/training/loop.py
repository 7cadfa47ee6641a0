"""The training loop: epochs of two stages, mixed precision, validation, early stop, checkpoints.

It knows nothing of what is learned: a learner is a module that gives the loss of a batch and can
freeze its backbone; a control may choose what an epoch sees, and take it back. A stopped training
goes on from its last checkpoint exactly: every random choice is a function of seed, epoch and step,
and the optimizer's state is kept.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ecotone.errors import InputError
from ecotone.training.checkpoints import BEST, LAST, load_checkpoint, save_checkpoint
from ecotone.training.data import Progress
from ecotone.training.distributed import World
from ecotone.training.feed import normalised

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
IRRELEVANT = ("workers", "memory", "save_minutes")  # settings that change no result
SHOWN = {"top1": "top-1", "accuracy": "right"}  # figures of a validation that progress tells
RESTORE = "restore"  # what a control answers to go back to the best weights


class Learnable(Protocol):
    """What can be trained: pictures (n, 3, H, W) and targets in, the mean loss out."""

    def __call__(self, pictures: torch.Tensor, *target: torch.Tensor) -> torch.Tensor: ...

    def train_head_only(self, only: bool) -> None: ...


@runtime_checkable
class AfterStep(Protocol):
    """A learner that keeps something up to date after every step, such as a mean of its weights."""

    def after_step(self) -> None: ...


class Schedule(Protocol):
    """The settings that the loop reads. rate: the learning rate at an epoch, with fractions."""

    seed: int
    head_epochs: int
    patience: int
    save_minutes: float
    precision: str

    @property
    def all_epochs(self) -> int: ...

    def rate(self, at: float) -> float: ...

    def as_dict(self) -> dict[str, Any]: ...


class Batches(Protocol):
    """Batches of an epoch from batch `first` on: pictures (n, H, W, 3) uint8, then targets."""

    def steps(self, epoch: int, size: int = 1) -> int: ...

    def batches(self, epoch: int, first: int = 0, rank: int = 0, size: int = 1
                ) -> Iterator[tuple[torch.Tensor, ...]]: ...


class Control(Protocol):
    """What decides from epoch to epoch. begin: before an epoch; its figures go into the history.

    end: after one; RESTORE goes back to the best weights, another text ends the training with it.
    """

    def begin(self, learner: nn.Module, epoch: int) -> dict[str, float]: ...

    def end(self, epoch: int, figures: dict[str, float]) -> str: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


Prepare = Callable[[tuple[torch.Tensor, ...], int, int], tuple[torch.Tensor, ...]]


class Loop:
    """A training of `learner` on `feed`, kept in `folder`.

    validate: gives figures of the learner, of which the first decides what is best, or None.
    about: plain values that are kept in every checkpoint and must be equal to go on. optimizer:
    makes one, default Adam; the rate of a group is multiplied by its "factor". prepare: (batch on
    the device, epoch, step) -> what the learner takes, default the pictures normalised.
    """

    def __init__(
        self, learner: nn.Module, feed: Batches, settings: Schedule, folder: Path,
        world: World, normalisation: tuple[list[float], list[float]],
        validate: Callable[[nn.Module], dict[str, float]] | None = None,
        about: dict[str, Any] | None = None, progress: Progress | None = None,
        optimizer: Callable[[nn.Module], torch.optim.Optimizer] | None = None,
        prepare: Prepare | None = None, control: Control | None = None,
    ) -> None:
        self.learner, self.feed, self.settings = learner, feed, settings
        # Channels last is how pictures lie in memory, and half as fast again.
        learner.to(device=world.device, memory_format=torch.channels_last)
        self.folder, self.world, self.control = Path(folder), world, control
        self._prepare = prepare or (
            lambda batch, epoch, step: (normalised(batch[0], *normalisation), *batch[1:]))
        self._validate, self._progress = validate, progress or (lambda done, total, text: None)
        self.about = {**(about or {}), "processes": world.size}
        self.optimizer = (optimizer or _adam)(learner)
        self.precision = pick_precision(settings.precision, world.device)
        self._scaler = torch.amp.GradScaler(enabled=self.precision == "float16")
        self.epoch = self.step = 0
        self.total = 0.0  # of the losses of this epoch
        self.best: list[float] = []
        self.since_best = 0
        self.history: list[dict[str, float]] = []
        self._begun: dict[str, float] = {}  # what the control says of this epoch
        self.finished = ""
        self._saved = time.monotonic()

    def run(self) -> list[dict[str, float]]:
        """Train to the end, or go on; the history, one dict an epoch. The learner ends with its
        best weights.

        Raises InputError when the folder holds another training.
        """
        self._resume()
        devices = [self.world.device] if self.world.device.startswith("cuda") else []
        with torch.random.fork_rng(devices=devices):
            while not self.finished:
                self._one_epoch()
        best = self.folder / BEST
        if best.is_file():
            self.learner.load_state_dict(load_checkpoint(best)["learner"])
        return self.history

    def _one_epoch(self) -> None:
        head_only = self.epoch < self.settings.head_epochs
        self.learner.train()
        self.learner.train_head_only(head_only)
        if self.control is not None and self.step == 0:
            self._begun = self.control.begin(self.learner, self.epoch)
        module = self._wrapped()
        steps = self.feed.steps(self.epoch, self.world.size)
        text = self._text()
        batches = self.feed.batches(self.epoch, self.step, self.world.rank, self.world.size)
        for batch in batches:
            self._set_rate(self.epoch + self.step / steps)
            self.total += self._one_step(module, batch)
            self.step += 1
            self._progress(self.epoch * steps + self.step, self.settings.all_epochs * steps, text)
            if time.monotonic() - self._saved >= 60 * self.settings.save_minutes:
                self._save(LAST)
        self._end_epoch(self.total / max(1, self.step))

    def _set_rate(self, at: float) -> None:
        rate = self.settings.rate(at)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)

    def _one_step(self, module: nn.Module, batch: tuple[torch.Tensor, ...]) -> float:
        device = self.world.device
        seed = zlib.crc32(repr((self.settings.seed, self.epoch, self.step, self.world.rank))
                          .encode())
        torch.manual_seed(seed)
        moved = tuple(t.to(device, non_blocking=True) for t in batch)
        moved = self._prepare(moved, self.epoch, self.step)
        with self._mixed():
            loss = module(*moved)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(
                f"training: the loss is {value} in epoch {self.epoch + 1}, step {self.step + 1}; "
                "lower the learning rate, or set precision to float32. The last checkpoint is kept."
            )
        self.optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.step(self.optimizer)
        self._scaler.update()
        if isinstance(self.learner, AfterStep):
            self.learner.after_step()
        return value

    def _end_epoch(self, loss: float) -> None:
        row = {"epoch": self.epoch + 1, "lr": self.settings.rate(self.epoch), "loss": loss,
               **self._begun}
        figures: dict[str, float] = {}
        if self._validate is not None:
            if self.world.first:
                figures = self._validate(self.learner)
            figures = self.world.share(figures)
        self.history.append({**row, **figures})
        self.epoch, self.step, self.total = self.epoch + 1, 0, 0.0
        score = list(figures.values())
        better = not figures or not self.best or score > self.best
        self.best, self.since_best = (score, 0) if better else (self.best, self.since_best + 1)
        patience = self.settings.patience
        if self.epoch >= self.settings.all_epochs:
            self.finished = "all epochs"
        elif patience and self.since_best >= patience:
            self.finished = f"no better for {patience} epochs"
        if better:
            self._save(BEST)
        if self.control is not None:
            self._obey(self.control.end(self.epoch - 1, figures))
        self._save(LAST)

    def _obey(self, verdict: str) -> None:
        """Go back to the best weights, or finish, when the control says so."""
        if verdict == RESTORE:
            state = load_checkpoint(self.folder / BEST)
            self.learner.load_state_dict(state["learner"])
            self.optimizer.load_state_dict(state["optimizer"])
        elif verdict:
            self.finished = self.finished or verdict

    def _text(self) -> str:
        last = self.history[-1] if self.history else {}
        parts = [f"epoch {self.epoch + 1} of {self.settings.all_epochs}"]
        parts += [f"loss {last['loss']:.3f}"] if last else []
        parts += [f"{said} {last[name]:.1%}" for name, said in SHOWN.items() if name in last]
        return ", ".join(parts)

    def _wrapped(self) -> nn.Module:
        if self.world.size == 1:
            return self.learner
        ids = [torch.device(self.world.device)] if self.world.device != "cpu" else None
        return DistributedDataParallel(self.learner, device_ids=ids)

    def _mixed(self) -> Any:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.world.device.split(":")[0], DTYPES[self.precision])

    def _save(self, name: str) -> None:
        self._saved = time.monotonic()
        if not self.world.first:
            return
        save_checkpoint(self.folder / name, {
            "learner": self.learner.state_dict(), "optimizer": self.optimizer.state_dict(),
            "scaler": self._scaler.state_dict(), "epoch": self.epoch, "step": self.step,
            "total": self.total, "best": self.best, "since_best": self.since_best,
            "history": self.history, "finished": self.finished, "begun": self._begun,
            "control": self.control.state_dict() if self.control is not None else {},
            "settings": self.settings.as_dict(), "about": self.about,
        })

    def _resume(self) -> None:
        path = self.folder / LAST
        if not path.is_file():
            return
        state = load_checkpoint(path)
        check_same(path, state, self.settings, self.about)
        self.learner.load_state_dict(state["learner"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        if self.control is not None:
            self.control.load_state_dict(state["control"])
        self._begun = state.get("begun", {})
        for name in ("epoch", "step", "total", "best", "since_best", "history", "finished"):
            setattr(self, name, state[name])


def _adam(learner: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(learner.parameters())


def check_same(path: Path, state: dict[str, Any], settings: Schedule,
               about: dict[str, Any]) -> None:
    """Raises InputError when a checkpoint is of another training, naming what differs."""
    pairs = [(k, state["settings"].get(k), v) for k, v in settings.as_dict().items()
             if k not in IRRELEVANT]
    pairs += [(k, state["about"].get(k), v) for k, v in about.items()]
    for name, was, now in pairs:
        if was != now:
            long = max(len(str(was)), len(str(now))) > 80
            what = "differs" if long else f"was {was!r} and is now {now!r}"
            raise InputError(
                f"{path}: is of another training: {name} {what}; give another output folder, or "
                "remove this one to start anew."
            )


def pick_precision(wanted: str, device: str) -> str:
    """ "auto" as bfloat16 or float16 on a graphics card, float32 elsewhere."""
    if wanted != "auto":
        if wanted == "float16" and not device.startswith("cuda"):
            raise InputError("training: precision float16 needs a graphics card; take bfloat16.")
        return wanted
    if not device.startswith("cuda"):
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


__all__ = ["RESTORE", "Control", "Learnable", "Loop", "check_same", "pick_precision"]
