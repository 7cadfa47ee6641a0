"""Who said what of each detection: the label that counts, and where people differ.

N detections.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from ecotone.review.table import Table
from ecotone.store.labels import counting_labels, read_labels
from ecotone.store.tables import LabelTable


@dataclass(frozen=True)
class Voice:
    """One person's newest label of a detection. number: of the label's row."""

    number: int
    label: str
    author: str
    created: str


@dataclass(frozen=True)
class Standing:
    """The label of a detection that counts, and what others say who differ from it."""

    counts: Voice
    others: tuple[Voice, ...] = ()


class Voices:
    """Detection id -> Standing, kept up to date medium by medium."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.of: dict[str, Standing] = {}
        self.labelled = np.zeros(len(table), dtype=bool)
        self.disputed: set[int] = set()
        self.names: dict[str, int] = defaultdict(int)  # class -> detections that it counts for

    def read(self, connection: Any) -> None:
        """Read everything anew."""
        self.of, self.disputed = {}, set()
        self.labelled = np.zeros(len(self.table), dtype=bool)
        self.names = defaultdict(int)
        labels = read_labels(connection)
        media = sorted(set(labels.media_id) & self.table.media_row.keys())
        self._put(_standings(labels, self._boxes(media)))

    def refresh(self, connection: Any, media: Iterable[str]) -> list[str]:
        """Read the labels of some media anew; the ids of their detections."""
        known = [m for m in media if m in self.table.media_row]
        if not known:
            return []
        boxes = self._boxes(known)
        ids = [d for here in boxes.values() for d, _ in here]
        self._take_out(ids)
        self._put(_standings(read_labels(connection, known), boxes))
        return ids

    def forget(self, identity: str) -> None:
        """Take a detection out that is no longer in use."""
        self._take_out([identity])

    def grow(self) -> None:
        """Make room for detections that the table got since."""
        more = len(self.table) - len(self.labelled)
        self.labelled = np.append(self.labelled, np.zeros(max(more, 0), dtype=bool))

    def _boxes(self, media: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        wanted = np.zeros(len(self.table.media_id), dtype=bool)
        wanted[[self.table.media_row[m] for m in media]] = True
        rows = np.flatnonzero(wanted[self.table.medium] & self.table.used)
        out: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in rows:
            medium = self.table.media_id[self.table.medium[row]]
            out[medium].append((self.table.id[row], self.table.category[row]))
        return out

    def _take_out(self, ids: Iterable[str]) -> None:
        for identity in ids:
            before = self.of.pop(identity, None)
            row = self.table.row_of[identity]
            self.labelled[row] = False
            self.disputed.discard(row)
            if before is not None:
                self.names[before.counts.label] -= 1

    def _put(self, found: Mapping[str, Standing]) -> None:
        for identity, standing in found.items():
            row = self.table.row_of.get(identity)
            if row is None:
                continue
            self.of[identity] = standing
            self.labelled[row] = True
            self.names[standing.counts.label] += 1
            if standing.others:
                self.disputed.add(row)


def _standings(
    labels: LabelTable, boxes: Mapping[str, Sequence[tuple[str, str]]]
) -> dict[str, Standing]:
    place = {int(n): row for row, n in enumerate(labels.number)}
    who = [a or PurePath(s).name for a, s in zip(labels.author, labels.source, strict=True)]

    def voice(number: int) -> Voice:
        row = place[number]
        return Voice(int(number), labels.label[row], who[row], labels.created[row])

    counting, _ = counting_labels(labels, boxes)
    out = {d: Standing(voice(number)) for d, (number, _) in counting.items()}
    if len(set(who)) < 2:
        return out
    people = np.asarray(who, dtype=object)
    others: dict[str, list[Voice]] = defaultdict(list)
    for author in sorted(set(who)):
        own, _ = counting_labels(_part(labels, people == author), boxes)
        for detection, (number, label) in own.items():
            if detection in out and out[detection].counts.label != label:
                others[detection].append(voice(number))
    for detection, voices in others.items():
        out[detection] = replace(out[detection], others=tuple(voices))
    return out


def _part(labels: LabelTable, rows: np.ndarray) -> LabelTable:
    return LabelTable(*(getattr(labels, f.name)[rows] for f in fields(LabelTable)))
