"""Labelled and unlabelled pictures as `ReIdentifier` takes them, checked, and what is odd in them.

N pictures, D embedding dimensions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from ecotone.errors import InputError
from ecotone.reid.constraints import make_constraints
from ecotone.reid.heldout import Labelled
from ecotone.reid.inputs import check_names, unit_matrix


@dataclass(frozen=True, eq=False)
class Labels:
    """embeddings: (N, D) float32 unit rows. individuals, species, viewpoint, encounter: (N,) str,
    "" where nothing is known."""

    embeddings: np.ndarray
    individuals: np.ndarray
    species: np.ndarray
    viewpoint: np.ndarray
    encounter: np.ndarray

    def __len__(self) -> int:
        return len(self.individuals)

    @property
    def rest(self) -> tuple[np.ndarray, ...]:
        """All but the embeddings."""
        return self.individuals, self.species, self.viewpoint, self.encounter


def labels_of(
    embeddings: np.ndarray, individuals: Sequence[object] | None,
    species: Sequence[object] | None, viewpoint: Sequence[object] | None,
    encounter: Sequence[object] | None,
) -> Labels:
    """Checked columns. Raises InputError when lengths differ or an embedding has no direction."""
    values = unit_matrix(embeddings, "embeddings")
    n = len(values)
    if individuals is not None and len(individuals) != n:
        raise InputError(f"individuals: {len(individuals)} names for {n} embeddings.")
    columns = []
    for names, what in ((individuals, "individuals"), (species, "species"),
                        (viewpoint, "viewpoint"), (encounter, "encounter")):
        found = check_names(names, n, what)
        columns.append(np.full(n, "", dtype=object) if found is None else found)
    return Labels(values, *columns)


def labelled(table: Labels) -> tuple[Labelled, np.ndarray]:
    """The rows with an individual, in an order that does not depend on that of the table, and their
    rows in the table."""
    rows = np.flatnonzero(table.individuals != "")
    order = sorted(rows.tolist(), key=lambda r: (
        table.individuals[r], table.species[r], table.viewpoint[r], table.encounter[r],
        digest(table.embeddings[r])))
    rows = np.array(order, dtype=np.int64)
    who = np.unique(table.individuals[rows].astype(str), return_inverse=True)[1]
    same = _units(table, rows)
    return Labelled(table.embeddings[rows], who, table.species[rows], table.viewpoint[rows],
                    same), rows


def copies(embeddings: np.ndarray) -> np.ndarray:
    """(N,) int, equal for identical embeddings."""
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(digest(row), len(seen)) for row in embeddings],
                    dtype=np.int64)


def digest(row: np.ndarray) -> bytes:
    """16 bytes that stand for the values of an embedding, wherever its row is."""
    return blake2b(np.ascontiguousarray(row).tobytes(), digest_size=16).digest()


def _units(table: Labels, rows: np.ndarray) -> np.ndarray:
    """(n,) int: pictures of one encounter, and identical pictures, are one unit."""
    first: dict[object, int] = {}
    links = []
    copy = copies(table.embeddings[rows])
    for place, (row, c) in enumerate(zip(rows, copy, strict=True)):
        keys = [("copy", int(c))]
        if table.encounter[row]:
            keys.append(("encounter", table.species[row], table.encounter[row]))
        links += [(first[k], place) for k in keys if k in first]
        for key in keys:
            first.setdefault(key, place)
    return make_constraints(len(rows), links).unit


def problems(table: Labels, data: Labelled) -> list[str]:
    """What is odd in labelled pictures, for people."""
    notes = []
    lost = int((table.individuals == "").sum())
    if lost and len(data):
        notes.append(f"{lost:,} pictures without an individual are left out of the gallery")
    if not len(data):
        return ["no picture has an individual: every animal is new"]
    count = Counter(data.who.tolist())
    single = sum(1 for c in count.values() if c == 1)
    if single:
        notes.append(f"{single:,} of {len(count):,} individuals have one picture: they can be "
                     "recognised, but teach nothing of how alike two pictures of one are")
    kinds: dict[str, set[int]] = {}
    for kind, who in zip(data.species, data.who, strict=True):
        kinds.setdefault(kind, set()).add(int(who))
    alone = sorted(k for k, people in kinds.items() if len(people) == 1)
    if alone:
        notes.append(f"one individual alone in {_some(alone)}: known and new ones of it are judged "
                     "by what other species taught")
    blank = int((data.viewpoint == "").sum())
    if blank and (data.viewpoint != "").any():
        notes.append(f"{blank:,} pictures have no viewpoint: they are compared with all viewpoints")
    return notes + _contradictions(data)


def _contradictions(data: Labelled) -> list[str]:
    """Identical pictures that carry different individuals."""
    copy = copies(data.embeddings)
    owners: dict[int, set[int]] = {}
    for c, who in zip(copy.tolist(), data.who.tolist(), strict=True):
        owners.setdefault(c, set()).add(who)
    several = sum(1 for people in owners.values() if len(people) > 1)
    out = []
    repeated = len(copy) - len(owners)
    if repeated:
        out.append(f"{repeated:,} pictures are identical to another one: never compared with it")
    if several:
        out.append(f"{several:,} identical pictures carry different individuals: check their "
                   "labels (two animals on one picture need a box each)")
    return out


def _some(names: Sequence[str]) -> str:
    shown = [n or "the pictures without species" for n in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
