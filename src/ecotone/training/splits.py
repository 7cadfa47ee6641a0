"""Who trains and who validates: individuals with too few pictures, seen and unseen individuals.

N pictures, C classes. A class is an individual of a species, or one flank of it.
Source: the data filter and split recorded for MiewID (Otarashvili et al. 2024): individuals with
three pictures or more train; half of what is held out are whole individuals.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ecotone.errors import InputError
from ecotone.evaluation.splits import link_rows
from ecotone.training.data import IndividualPictures
from ecotone.training.settings import TrainingSettings

VALIDATION = frozenset({"val", "valid", "validation"})
TRAIN = frozenset({"", "train", "training", "database"})
SEPARATOR = " | "  # between species, individual and viewpoint in the name of a class


@dataclass(frozen=True, eq=False)
class Split:
    """train, seen, unseen: row numbers; seen are held-out pictures of individuals that train,
    unseen those of individuals that do not. classes: C names; target: (N,) class of each training
    row, -1 elsewhere. counts: (C,) training pictures. notes: what to know."""

    train: np.ndarray
    seen: np.ndarray
    unseen: np.ndarray
    classes: tuple[str, ...]
    target: np.ndarray
    counts: np.ndarray
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def validation(self) -> np.ndarray:
        """All held-out rows, sorted."""
        return np.sort(np.concatenate([self.seen, self.unseen]))


def split_individuals(
    data: IndividualPictures, settings: TrainingSettings, usable: np.ndarray
) -> Split:
    """The split of the pictures that can be read. usable: (N,) bool.

    A `split` of the data (train, val; others are left out) is taken as it is. Otherwise whole
    individuals and, of others, whole encounters are held out at random by the seed; what an
    individual draws does not depend on the order of the rows.

    Raises InputError when fewer than two individuals are left to train.
    """
    animal = _joined(data.species, data.individual)
    given = np.array([str(s).casefold() for s in data.split], dtype=object)
    pool = usable & np.isin(given, list(TRAIN))
    animal_counts = dict(zip(*np.unique(animal[pool], return_counts=True), strict=True))
    keep = np.array([animal_counts.get(a, 0) >= settings.min_pictures for a in animal], bool) & pool
    told = np.flatnonzero(usable & np.isin(given, list(VALIDATION)))
    notes = _few(animal_counts, settings.min_pictures)
    _enough(animal[keep], animal_counts, settings.min_pictures)
    if len(told):
        there = np.isin(animal[told], np.unique(animal[keep]))
        seen, unseen = told[there], told[~there]
    else:
        seen, unseen = _hold_out(animal, keep, data.encounter, settings)
    train = keep.copy()
    train[seen] = train[unseen] = False
    _enough(animal[train], animal_counts, settings.min_pictures)
    viewpoint = data.viewpoint if settings.by_viewpoint else np.full(len(data), "", object)
    if settings.by_viewpoint and (viewpoint[train] == "").any() and (viewpoint[train] != "").any():
        missing = int((viewpoint[train] == "").sum())
        notes.append(f"{missing:,} training pictures have no viewpoint; they are classes of their "
                     "own beside the flanks of their individuals.")
    return _classes(data, train, seen, unseen, viewpoint, notes)


def _classes(data: IndividualPictures, train: np.ndarray, seen: np.ndarray, unseen: np.ndarray,
             viewpoint: np.ndarray, notes: list[str]) -> Split:
    names = _joined(data.species, data.individual, viewpoint)
    classes, index, counts = np.unique(
        names[train].astype(str), return_inverse=True, return_counts=True)
    target = np.full(len(data), -1, dtype=np.int64)
    target[train] = index
    held = np.concatenate([seen, unseen])
    if not len(held):
        notes.append("No pictures are held out: there is no validation, and nothing stops early.")
    return Split(np.flatnonzero(train), np.sort(seen), np.sort(unseen), tuple(classes.tolist()),
                 target, counts, tuple(notes))


def _joined(*columns: np.ndarray) -> np.ndarray:
    return np.array([SEPARATOR.join(filter(None, map(str, row)))
                     for row in zip(*columns, strict=True)], dtype=object)


def _few(counts: dict[str, int], least: int) -> list[str]:
    few = sorted(a for a, n in counts.items() if n < least)
    if not few:
        return []
    more = "" if len(few) <= 3 else f" and {len(few) - 3:,} more"
    return [f"{len(few):,} individuals have fewer than {least} pictures and do not train: "
            f"{', '.join(few[:3])}{more}."]


def _enough(animals: np.ndarray, counts: dict[str, int], least: int) -> None:
    left = sorted(set(animals))
    if len(left) >= 2:
        return
    only = f"only {left[0]!r} has" if left else f"none of {len(counts):,} individuals has"
    raise InputError(
        f"training: {only} {least} pictures or more; to tell individuals apart takes at least two "
        "such individuals. Add pictures, or lower min_pictures."
    )


def _hold_out(animal: np.ndarray, keep: np.ndarray, encounter: np.ndarray,
              settings: TrainingSettings) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of held-out pictures of seen individuals, and of unseen individuals."""
    total = settings.validation * keep.sum()
    names, counts = np.unique(animal[keep].astype(str), return_counts=True)
    rng = np.random.default_rng([settings.seed, 11])
    order = rng.permutation(len(names))
    held: list[str] = []
    found = 0
    for i in order:
        if len(held) >= len(names) - 2 or found + counts[i] > total * settings.unseen_ratio:
            continue
        held.append(names[i])
        found += counts[i]
    unseen = np.flatnonzero(keep & np.isin(animal.astype(str), held))
    seen: list[int] = []
    for i in order:
        if len(seen) >= total * (1 - settings.unseen_ratio):
            break
        if names[i] not in held and counts[i] >= settings.min_pictures + 2:
            seen += _some(np.flatnonzero(keep & (animal == names[i])), encounter, settings, rng)
    return np.array(sorted(seen), dtype=np.int64), unseen


def _some(rows: np.ndarray, encounter: np.ndarray, settings: TrainingSettings,
          rng: np.random.Generator) -> list[int]:
    """Some of an individual's pictures, whole encounters: at least two, at most a third or two, and
    as many left as training takes."""
    units = link_rows(len(rows), encounter[rows])
    most = min(max(2, len(rows) // 3), len(rows) - settings.min_pictures)
    out: list[int] = []
    for unit in rng.permutation(np.unique(units)):
        mine = rows[units == unit]
        if len(out) + len(mine) <= most:
            out += mine.tolist()
    return out if len(out) >= 2 else []


__all__ = ["Split", "split_individuals"]
