"""Labels in the catalogue: append-only rows in, the labels that count now out."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from ecotone.store.media import read_columns
from ecotone.store.tables import LabelTable, NewLabel, columns

_ALL = """SELECT n, batch, media_id, detection_id, label, scientific_name, vernacular_name, created,
    author, source, observation_id, attributes FROM label
    WHERE (decision = 0 OR decision NOT IN (SELECT target FROM undone))"""
FEW_MEDIA = 900  # asked for at once; every SQLite takes as many parameters


def read_labels(
    connection: sqlite3.Connection, media: Sequence[str] | None = None
) -> LabelTable:
    """Every label that was given and not taken back, oldest first; of some media, or of all."""
    if media is None:
        return _table(read_columns(connection, f"{_ALL} ORDER BY n", 12))
    rows: list[tuple] = []
    for start in range(0, len(media), FEW_MEDIA):
        part = list(media[start : start + FEW_MEDIA])
        marks = ",".join("?" * len(part))
        rows += connection.execute(f"{_ALL} AND media_id IN ({marks})", part)
    return _table(columns(sorted(rows), 12))


def _table(cells: list[np.ndarray]) -> LabelTable:
    number, batch, *texts = cells
    return LabelTable(number.astype(np.int64), batch.astype(np.int64), *texts)


def insert_labels(
    connection: sqlite3.Connection, labels: Sequence[NewLabel], created: str, author: str,
    source: str, decision: int = 0,
) -> int:
    """Append labels as one import; how many. Call within a transaction.

    author: of the labels that name none themselves. decision: that they came from, 0 for none.
    """
    batch = connection.execute("SELECT coalesce(max(batch), 0) + 1 FROM label").fetchone()[0]
    connection.executemany(
        """INSERT INTO label (batch, media_id, detection_id, label, scientific_name,
           vernacular_name, created, author, source, observation_id, attributes, decision)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [(batch, v.media_id, v.detection_id, v.label, v.scientific_name, v.vernacular_name, created,
          v.author or author, source, v.observation_id, v.attributes, decision) for v in labels],
    )
    return len(labels)


def label_names(table: LabelTable) -> dict[str, tuple[str, str]]:
    """Class name -> (scientificName, vernacularName), the first that was given of each, or ""."""
    names: dict[str, tuple[str, str]] = {}
    rows = zip(table.label, table.scientific_name, table.vernacular_name, strict=True)
    for label, scientific, vernacular in rows:
        before = names.get(label, ("", ""))
        names[label] = (before[0] or scientific, before[1] or vernacular)
    return names


def category_of(label: str) -> str:
    """The detector category that a label speaks of: animal, human, vehicle or blank."""
    from ecotone.taxonomy.names import parse_label

    special = str(parse_label(label).special or "")
    return special if special in ("human", "vehicle", "blank") else "animal"


def current_labels(
    table: LabelTable, detections: Mapping[str, Sequence[tuple[str, str]]]
) -> tuple[dict[str, str], list[tuple[str, tuple[str, ...]]]]:
    """The label of each detection, and the media whose labels cannot be told apart; see
    `counting_labels`."""
    out, ambiguous = counting_labels(table, detections)
    return {d: label for d, (_, label) in out.items()}, ambiguous


def counting_labels(
    table: LabelTable, detections: Mapping[str, Sequence[tuple[str, str]]]
) -> tuple[dict[str, tuple[int, str]], list[tuple[str, tuple[str, ...]]]]:
    """The label of each detection with its number, and the media whose labels cannot be told apart.

    detections: media id -> its (detection id, category) in use. The newest import of a medium
    counts. A label of the medium goes to the detections of its category (all when there are none
    of it); several different labels of one import only where the category tells them apart. A label
    of a single detection counts for that one alone.
    Returns (detection id -> (number of the label, class name), [(media id, labels)] that are
    ambiguous).
    """
    newest: dict[str, int] = {}
    given: dict[str, dict[str, int]] = defaultdict(dict)
    own: dict[str, tuple[int, str]] = {}
    rows = zip(table.number, table.batch, table.media_id, table.detection_id, table.label,
               strict=True)
    for number, batch, medium, detection, label in rows:
        if detection:
            own[detection] = (number, label)
            continue
        if newest.get(medium) != batch:
            newest[medium], given[medium] = batch, {}
        given[medium][label] = number
    kinds: dict[str, str] = {}
    out: dict[str, tuple[int, str]] = {}
    ambiguous = []
    for medium, labels in given.items():
        here = detections.get(medium, ())
        kind_of = {label: _kind(label, kinds) for label in labels}
        applied, clear = _apply(kind_of, here)
        out.update({d: (labels[label], label) for d, label in applied.items()})
        if not clear and here:
            ambiguous.append((medium, tuple(labels)))
    in_use = {d for here in detections.values() for d, _ in here} if own else set()
    for detection, (number, label) in own.items():
        if detection in in_use and out.get(detection, (0, ""))[0] < number:
            out[detection] = (number, label)
    return out, ambiguous


def _kind(label: str, known: dict[str, str]) -> str:
    if label not in known:
        known[label] = category_of(label)
    return known[label]


def _apply(
    kind_of: Mapping[str, str], here: Sequence[tuple[str, str]]
) -> tuple[dict[str, str], bool]:
    """Labels of one medium, from one import, on its detections; and whether that was clear."""
    if len(kind_of) == 1:
        ((label, kind),) = kind_of.items()
        fitting = [d for d, category in here if category == kind]
        if kind == "blank" or not fitting:
            fitting = [d for d, _ in here]
        return {d: label for d in fitting}, True
    by_kind: dict[str, list[str]] = defaultdict(list)
    for label, kind in kind_of.items():
        by_kind[kind].append(label)
    if "blank" in by_kind:  # "empty" beside another label contradicts it
        return {}, False
    applied = {
        d: by_kind[category][0] for d, category in here if len(by_kind.get(category, ())) == 1
    }
    clear = all(d in applied or category not in by_kind for d, category in here) and bool(applied)
    return applied, clear
