"""Which pictures train and which tell when to stop: held-out labels, by location.

N pictures, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ecotone.evaluation.splits import make_units, split_units
from ecotone.training.pictures import LabelledPictures
from ecotone.training.soft_settings import SoftLabelSettings

LABELS, PSEUDO, NOTHING = "held-out labels", "held-out pseudo-labels", "nothing"
LEAST_PSEUDO = 40  # pseudo-labels from which some are held out
LEAST_LABELS = 8  # held-out labels that tell more than pseudo-labels
MOST_PSEUDO = 2000


@dataclass(frozen=True, eq=False)
class SoftSplit:
    """Row numbers. labelled, soft, bare: pictures that train, with a label, a pseudo-label, none.

    held: pictures that tell when to stop, by `kind`: held-out labels, held-out pseudo-labels or
    nothing. by: "location" or "random", what was kept together.
    """

    labelled: np.ndarray
    soft: np.ndarray
    bare: np.ndarray
    held: np.ndarray
    kind: str
    by: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)


def split_soft(
    data: LabelledPictures, settings: SoftLabelSettings, usable: np.ndarray
) -> SoftSplit:
    """The split of the pictures that can be read. usable: (N,) bool.

    Held-out labels are taken as `data` names them, else chosen: whole locations where the labels
    lie in two or more, and never the last training pictures of a class. With fewer labels than
    min_labels, or too few left to hold out, none are, and a tenth of the pseudo-labels tells when
    to stop.
    """
    labelled = data.labelled & usable
    soft, bare = data.soft & usable, ~data.labelled & ~data.soft & usable
    held, by, notes = np.zeros(len(data), dtype=bool), "", []
    if data.held_out is not None:
        held, by = labelled & data.held_out, "given"
    elif settings.validation and labelled.sum() >= settings.min_labels:
        held, by = _hold_out(data, labelled, settings.validation, settings.seed)
        if soft.sum() >= LEAST_PSEUDO and held.sum() < LEAST_LABELS:
            held[:] = False  # a handful tells less than many pseudo-labels do
    kind = LABELS if held.any() else NOTHING
    if kind == NOTHING:
        if labelled.any() and data.held_out is None:
            notes.append(f"{labelled.sum():,} labels: none are held out (from "
                         f"{settings.min_labels} on at several locations some are), all of them "
                         "train.")
        if settings.validation and soft.sum() >= LEAST_PSEUDO:
            part = min(0.1, MOST_PSEUDO / soft.sum())
            held, by = _hold_out(data, soft, part, settings.seed)
            kind = PSEUDO if held.any() else NOTHING
    if kind == PSEUDO:
        notes.append(f"When to stop is told by {held.sum():,} held-out pseudo-labels, which are "
                     "not the truth.")
    if kind == NOTHING:
        notes.append("No pictures are held out: there is no validation, and nothing stops early.")
    rows = [np.flatnonzero(mask & ~held) for mask in (labelled, soft, bare)]
    return SoftSplit(*rows, np.flatnonzero(held), kind, by, tuple(notes))


def _hold_out(
    data: LabelledPictures, pool: np.ndarray, part: float, seed: int
) -> tuple[np.ndarray, str]:
    """(N,) bool of held-out rows among `pool`, and what was kept together."""
    rows = np.flatnonzero(pool)
    held = np.zeros(len(data), dtype=bool)
    units, by = make_units(len(rows), locations=data.location[rows], min_locations=2)
    if len(np.unique(units)) < 2:
        return held, ""
    _, chosen = split_units(units, part, seed)
    inside = np.zeros(len(rows), dtype=bool)
    inside[chosen] = True
    named = data.target[rows].argmax(axis=1)
    others = data.soft.copy()
    others[rows] = False
    known = np.flatnonzero(data.target[others].sum(axis=0) >= 1)  # by pseudo-labels
    for unit in np.unique(units[inside]):  # back go units without which a class has no pictures
        mine = units == unit
        left = np.union1d(named[~inside], known)
        if not np.isin(named[mine], left).all():
            inside[mine] = False
    held[rows[inside]] = True
    return held, by


__all__ = ["LABELS", "NOTHING", "PSEUDO", "SoftSplit", "split_soft"]
