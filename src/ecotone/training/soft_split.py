"""Which pictures train and which tell when to stop: held-out labels, by location.

N pictures, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ecotone.evaluation.splits import make_units, split_units
from ecotone.training.pictures import LabelledPictures
from ecotone.training.soft_settings import AUTO, SoftLabelSettings

LABELS, PSEUDO, NOTHING = "held-out labels", "held-out pseudo-labels", "nothing"
LEAST_PSEUDO = 40  # pseudo-labels from which some are held out
LEAST_LABELS = 8  # held-out labels that tell more than pseudo-labels
MOST_PSEUDO = 2000
MOST_LEFT_OUT = 0.25  # of all pictures may be kept from the training by held-out locations


@dataclass(frozen=True, eq=False)
class SoftSplit:
    """Row numbers. labelled, soft, bare: pictures that train, with a label, a pseudo-label, none.

    held: pictures that tell when to stop, by `kind`: held-out labels, held-out pseudo-labels or
    nothing. by: "location", "random" or "given", what was kept together. left_out: pictures at
    held-out locations that do not train either. strict: whether none at these locations trains.
    """

    labelled: np.ndarray
    soft: np.ndarray
    bare: np.ndarray
    held: np.ndarray
    kind: str
    by: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)
    left_out: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    strict: bool = False


def split_soft(
    data: LabelledPictures, settings: SoftLabelSettings, usable: np.ndarray
) -> SoftSplit:
    """The split of the pictures that can be read. usable: (N,) bool.

    Held-out labels are taken as `data` names them, else chosen: whole locations where the labels
    lie in two or more, and never the last training pictures of a class. With fewer labels than
    min_labels, or too few left to hold out, none are, and a tenth of the pseudo-labels tells when
    to stop. Where whole locations are held out, see `_left_out`.
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
    gone, strict = np.zeros(len(data), dtype=bool), False
    if kind == LABELS:
        gone, strict, told = _left_out(data, settings.strict_locations, usable, held, by)
        notes += told
    rows = [np.flatnonzero(mask & ~held & ~gone) for mask in (labelled, soft, bare)]
    return SoftSplit(*rows, np.flatnonzero(held), kind, by, tuple(notes), np.flatnonzero(gone),
                     strict)


def _left_out(
    data: LabelledPictures, wanted: bool | str, usable: np.ndarray, held: np.ndarray, by: str
) -> tuple[np.ndarray, bool, list[str]]:
    """(N,) bool: the other pictures at held-out locations, where these are left out; whether they
    are; and what to tell.

    A network that saw a camera's background under pseudo-labels is measured too well on its labels.
    So they are left out, unless ("auto") the locations hold more than a quarter of all pictures or
    all that is known of a class.
    """
    none = np.zeros(len(data), dtype=bool)
    known = data.location != ""
    others = usable & known & ~held & np.isin(data.location, data.location[held & known])
    if wanted is False or by == "random" or (wanted == AUTO and by != "location"):
        return none, False, _said_of(others, "strict_locations = true leaves them out")
    if wanted == AUTO:
        share = (others.sum() + held.sum()) / usable.sum()
        train = usable & ~held
        before, after = (data.target[rows].sum(axis=0) for rows in (train, train & ~others))
        lost = np.flatnonzero((before >= 1) & (after < 1))
        if len(lost):
            return none, False, _said_of(others, f"there is no other of {data.classes[lost[0]]}")
        if share > MOST_LEFT_OUT:
            return none, False, _said_of(others, f"these locations hold {share:.0%} of all "
                                         "pictures; strict_locations = true leaves them out")
    told = [f"{others.sum():,} pictures without a held-out label at held-out locations do not "
            "train: nothing of these locations does."] if others.any() else []
    return others, True, told


def _said_of(others: np.ndarray, why: str) -> list[str]:
    """That pictures at held-out locations train."""
    return [f"{others.sum():,} pictures at locations of held-out labels train ({why})."
            ] if others.any() else []


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
