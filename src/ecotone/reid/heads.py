"""Heads by name: what turns frozen embeddings into ones that tell individuals apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from ecotone.errors import InputError

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
