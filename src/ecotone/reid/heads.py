"""Heads by name, and which of them is best: what turns frozen embeddings into ones that tell
individuals apart. N pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.errors import InputError

if TYPE_CHECKING:
    from ecotone.reid.heldout import Labelled

AUTO, NONE = "auto", "none"
CLOSED = ("discriminant", "whitening")  # what "auto" tries beside no head: seconds, no seed
_CLASSES = {
    "discriminant": ("ecotone.reid.linear_heads", "DiscriminantHead"),
    "whitening": ("ecotone.reid.linear_heads", "WhiteningHead"),
    "arcface": ("ecotone.reid.arcface", "SubCenterArcFace"),
}
CHOICES = (AUTO, NONE, *_CLASSES)


def head_makers(head: Any, random_state: int = 0) -> dict[str, Callable[[], Any]]:
    """Name -> what makes an untrained head; nothing for "none" and None.

    head: one of `CHOICES`, None, or an object with `fit(embeddings, individuals)` and `transform`,
    which is copied for every training. Raises InputError for anything else.
    """
    if head is None or (isinstance(head, str) and head == NONE):
        return {}
    if isinstance(head, str):
        if head not in CHOICES:
            raise InputError(f"head {head!r} is none of {CHOICES}.")
        names = CLOSED if head == AUTO else (head,)
        return {name: partial(_make, name, random_state) for name in names}
    if not (hasattr(head, "fit") and hasattr(head, "transform")):
        raise InputError(f"head: a {type(head).__name__} has no fit and transform.")
    return {type(head).__name__: partial(_copy, head)}


def _make(name: str, random_state: int) -> Any:
    module, kind = _CLASSES[name]
    made = getattr(import_module(module), kind)
    return made(random_state=random_state) if name == "arcface" else made()


def _copy(head: Any) -> Any:
    from copy import deepcopy

    return deepcopy(head)


def choose_head(
    data: Labelled, makers: Mapping[str, Callable[[], Any]], random_state: int = 0
) -> tuple[str, dict[str, float], str]:
    """The best of some heads or "none", the mean average precision of each on individuals that it
    has not seen, and why; see `choosing.best_head`. Of an encounter one picture a viewpoint counts:
    near copies would make every head look good."""
    from ecotone.reid.choosing import IDENTITY, best_head

    keys = list(zip(data.who.tolist(), data.unit.tolist(), data.viewpoint, strict=True))
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    rows = np.array(sorted(first.values()), dtype=np.int64)
    found = best_head(
        data.embeddings[rows], data.who[rows].astype(str), data.viewpoint[rows],
        data.species[rows], heads={name: make() for name, make in makers.items()},
        random_state=random_state)
    scores = {NONE if n == IDENTITY else n: float(np.mean(v)) for n, v in found.scores.items()}
    return NONE if found.name == IDENTITY else found.name, scores, found.note
