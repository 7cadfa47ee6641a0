"""Decisions of people at a page: stored in one transaction each, before anyone is told so.

Every decision has a key given by who asks; the same key again gives the first answer and stores
nothing. What another person has said meanwhile is a conflict, which is told and not overwritten.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecotone.errors import InputError
from ecotone.project.pair_words import SOURCE, pair_words
from ecotone.store import decisions as rows
from ecotone.store.decisions import Decision
from ecotone.store.discoveries import ProposalName, insert_name, members
from ecotone.store.individuals import (
    DIFFERENT,
    OPEN,
    SAME,
    PairDecision,
    insert_decisions,
    read_decisions,
)
from ecotone.store.labels import counting_labels, insert_labels, read_labels
from ecotone.store.person_boxes import NONE, insert_box, turn_box
from ecotone.store.runs import now
from ecotone.store.tables import LabelTable, NewLabel
from ecotone.taxonomy.names import parse_label

UNSURE = "cannot tell"  # a word on a pair that says neither same nor different
MOST = 5000  # detections of one decision
LEAST_SIDE = 1e-3  # of a box, share of the picture
LONGEST = 200  # letters of a name


@dataclass(frozen=True)
class Said:
    """What a person says of one detection, or of the whole video that it is a frame of (whole).
    seen: the number of the label that was shown as counting, 0 when none was."""

    detection: str
    label: str
    scientific_name: str = ""
    vernacular_name: str = ""
    seen: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Conflict:
    """Another person's label, or word on a pair, that was given since the page showed it."""

    detection: str
    number: int
    label: str
    author: str
    created: str


class ConflictError(Exception):
    """Others have said something else meanwhile; nothing was stored. conflicts: what they said."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(f"others decided {len(conflicts)} of these otherwise meanwhile")
        self.conflicts = tuple(conflicts)


def label(
    catalog: Any, key: str, author: str, said: Sequence[Said], force: bool = False,
    context: Mapping[str, Any] | None = None, proposal: tuple[str, int] | None = None,
) -> Decision:
    """Store labels of detections as one decision of an author.

    force: also where others have said something else meanwhile. context: kept with it. proposal:
    run and number of the proposal of `discover` that gets its name by this, as by `ecotone discover
    --name`, where all detections are of it; undo takes the name back with the labels.
    Raises ConflictError when others have and not `force`, InputError on an unknown detection or a
    name that is none; then nothing is stored.
    """
    _check_asker(key, author)
    if not 1 <= len(said) <= MOST:
        raise InputError(f"a decision of {len(said)} detections; expected 1 to {MOST}.")
    for one in said:
        check_name(one.label)
    with catalog.transaction() as connection:
        before = rows.find_decision(connection, key)
        if before is not None:
            return before
        here = boxes_here(connection, [_medium_of(one.detection) for one in said])
        known = {d for boxes in here.values() for d, _ in boxes}
        missing = next((one.detection for one in said if one.detection not in known), "")
        if missing:
            raise InputError(f"{missing}: no such detection here; it may have got a new box.")
        if not force:
            _check_conflicts(connection, author, said, here)
        content = {"labels": {one.detection: one.label for one in said}, **(context or {})}
        created = now()
        made = rows.insert_decision(connection, key, "label", author, created, content)
        labels = [_new_label(one, here) for one in said]
        insert_labels(connection, labels, created, author, SOURCE, made.n)
        if proposal is not None:
            _name_proposal(connection, proposal, said, made)
        return made


def _name_proposal(
    connection: Any, proposal: tuple[str, int], said: Sequence[Said], made: Decision
) -> None:
    """Keep what a person calls a proposal. A decision that waited in a browser while another
    discovery gave its number to other pictures names nothing, and "unknown" is no name."""
    names = {one.label for one in said}
    if len(names) != 1 or parse_label(said[0].label).special == "unknown":
        return
    if {one.detection for one in said} <= members(connection, *proposal):
        insert_name(connection, ProposalName(
            *proposal, said[0].label, made.author, len(said), made.created), made.n)


def _new_label(one: Said, here: Mapping[str, Sequence[tuple[str, str]]]) -> NewLabel:
    medium = _medium_of(one.detection)
    # Of a picture without boxes the label is the picture's, as it is in every import.
    whole = one.whole or (one.detection.endswith(":0") and len(here[medium]) == 1)
    return NewLabel(
        medium, one.label, one.scientific_name, one.vernacular_name,
        "" if whole else one.detection,
    )


def _check_conflicts(
    connection: Any, author: str, said: Sequence[Said],
    here: Mapping[str, Sequence[tuple[str, str]]],
) -> None:
    table = read_labels(connection, sorted(here))
    counting, _ = counting_labels(table, here)
    place = {int(n): row for row, n in enumerate(table.number)}
    found = []
    for one in said:
        number, name = counting.get(one.detection, (0, ""))
        if number <= one.seen or name == one.label:
            continue
        who = table.author[place[number]]
        if who != author:
            created = table.created[place[number]]
            found.append(Conflict(one.detection, int(number), name, who, created))
    if found:
        raise ConflictError(found)


def undo(catalog: Any, key: str, author: str) -> tuple[Decision, Decision] | None:
    """Take the author's newest decision that counts back: the row of that, and what it takes back;
    None when there is nothing. What counted before counts again."""
    return _turn(catalog, key, author, "undo")


def redo(catalog: Any, key: str, author: str) -> tuple[Decision, Decision] | None:
    """Let the decision that the author undid last count again, as long as nothing was decided
    since; see `undo`."""
    return _turn(catalog, key, author, "redo")


def _turn(
    catalog: Any, key: str, author: str, kind: str
) -> tuple[Decision, Decision] | None:
    _check_asker(key, author)
    with catalog.transaction() as connection:
        before = rows.find_decision(connection, key)
        if before is not None:
            target = rows.read_decision(connection, before.target)
            return None if target is None else (before, target)
        find = rows.to_undo if kind == "undo" else rows.to_redo
        target = rows.read_decision(connection, find(connection, author))
        if target is None:
            return None
        made = rows.insert_decision(connection, key, kind, author, now(), {}, target.n)
        turn_box(connection, target.n, kind == "redo")
        if target.kind == "match":
            _count_pair(catalog, target.content["first"], target.content["second"])
        return made, target


def draw_box(
    catalog: Any, key: str, author: str, detection: str, bbox: Sequence[float],
    add: bool = False,
) -> tuple[Decision, str]:
    """Put a person's box (x, y, width, height in 0..1) in the place of a detection's, or beside it
    (`add`); the decision and the id of the new detection. The box before stays, out of use; a label
    that counted for it counts for the new one.

    Raises InputError on an unknown detection or a box that is none.
    """
    _check_asker(key, author)
    box = check_box(bbox)
    medium = _medium_of(detection)
    with catalog.transaction() as connection:
        before = rows.find_decision(connection, key)
        if before is not None:
            return before, str(before.content.get("made", ""))
        here = boxes_here(connection, [medium])
        category = dict(here.get(medium, ())).get(detection)
        if category is None:
            raise InputError(f"{detection}: no such detection here; it may have got a new box.")
        replaces = NONE if add else int(detection.rpartition(":")[2])
        number = _next_number(connection, medium)
        made_id = f"{medium}:{number}"
        content = {"detection": detection, "bbox": box, "made": made_id, "add": add}
        made = rows.insert_decision(connection, key, "box", author, now(), content)
        table = read_labels(connection, [medium])
        counting, _ = counting_labels(table, here)
        frame = _frame_number(connection, medium, int(detection.rpartition(":")[2]))
        insert_box(connection, made.n, medium, replaces, box, category, frame)
        if not add and detection in counting:
            _carry_label(connection, table, counting[detection][0], made_id, made)
        return made, made_id


def _carry_label(
    connection: Any, table: LabelTable, number: int, detection: str, made: Decision
) -> None:
    row = int(np.flatnonzero(table.number == number)[0])
    carried = NewLabel(
        table.media_id[row], table.label[row], table.scientific_name[row],
        table.vernacular_name[row], detection, table.author[row], "", table.attributes[row],
    )
    insert_labels(connection, [carried], table.created[row], "", SOURCE, made.n)


def match(
    catalog: Any, key: str, author: str, a: str, b: str, word: str, seen: int = -1,
    force: bool = False,
) -> Decision:
    """Store whether two detections show the same individual; see `store.individuals`.

    word: SAME, DIFFERENT or UNSURE, which keeps the pair open for the models but is remembered.
    seen: the number of the word that was shown as counting, -1 when none was. force: also where
    others have said another word meanwhile; both stay on record, the newest counts.
    Raises ConflictError when others have and not `force`, InputError on an unknown detection,
    another word, and where it contradicts what people said before; nothing is stored then.
    """
    _check_asker(key, author)
    if word not in (SAME, DIFFERENT, UNSURE):
        raise InputError(f"a pair is {word!r}: expected {SAME}, {DIFFERENT} or {UNSURE}.")
    with catalog.transaction() as connection:
        before = rows.find_decision(connection, key)
        if before is not None:
            return before
        here = boxes_here(connection, [_medium_of(a), _medium_of(b)])
        known = {d for boxes in here.values() for d, _ in boxes}
        if a not in known or b not in known or a == b:
            raise InputError(f"{a}, {b}: expected two different detections of this project.")
        first, second = sorted((a, b))
        found = pair_words(connection, (first, second)).get((first, second))
        if found is not None and not force:
            meanwhile = [
                Conflict(first, w.number, w.decision, w.author, w.created)
                for w in (found.counts, *found.others)
                if w.number > seen and w.author != author and w.decision != word
            ]
            if meanwhile:
                raise ConflictError(meanwhile)
        content = {"first": first, "second": second, "said": word}
        made = rows.insert_decision(connection, key, "match", author, now(), content)
        _count_pair(catalog, first, second)
        return made


def _count_pair(catalog: Any, first: str, second: str) -> None:
    """Let a pair be what people say of it by now. Raises InputError where that contradicts what
    they say of other pairs."""
    from ecotone.project.individual_decisions import check as check_pairs
    from ecotone.project.individual_labels import named_individuals

    connection = catalog.connection
    found = pair_words(connection, (first, second)).get((first, second))
    counts = OPEN if found is None or found.counts.decision == UNSURE else found.counts.decision
    author = "" if found is None else found.counts.author
    said = PairDecision(first, second, counts, author, SOURCE)
    if insert_decisions(connection, [said], now()) and counts != OPEN:
        check_pairs(read_decisions(connection), named_individuals(catalog).individual)


def boxes_here(connection: Any, media: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Media id -> its (detection id, category) in use, by number."""
    out: dict[str, list[tuple[str, str]]] = {}
    for medium in dict.fromkeys(media):
        found = connection.execute(
            """SELECT m.id || ':' || d.number, d.category FROM detection d
               JOIN medium m ON m.n = d.medium WHERE m.id = ? AND d.retired = 0
               ORDER BY d.number""", (medium,)
        ).fetchall()
        if found:
            out[medium] = found
    return out


def check_name(name: str) -> str:
    """A class name as it may be stored. Raises InputError when it is empty, long or broken."""
    if not _is_text(name):
        raise InputError(f"class name {name[:40]!r}: expected 1 to {LONGEST} printable letters.")
    return name


def _is_text(text: str) -> bool:
    control = any(unicodedata.category(c) in ("Cc", "Cs") for c in text)
    return bool(text.strip()) and len(text) <= LONGEST and not control


def check_box(bbox: Sequence[float]) -> list[float]:
    """A box inside the picture. Raises InputError when it is none."""
    box = np.asarray(bbox, dtype=np.float64)
    good = box.shape == (4,) and np.isfinite(box).all() and (box[2:] >= LEAST_SIDE).all()
    if not good or (box < 0).any() or (box[:2] + box[2:] > 1 + 1e-6).any():
        raise InputError(f"box {list(bbox)}: expected x, y, width, height inside 0..1.")
    box[2:] = np.minimum(box[2:], 1.0 - box[:2])
    return [float(v) for v in box.round(6)]


def _check_asker(key: str, author: str) -> None:
    if not 8 <= len(key) <= 100 or not _is_text(key):
        raise InputError("key: expected 8 to 100 printable letters, another for every decision.")
    if not _is_text(author):
        raise InputError("author: say who decides, in 1 to 200 printable letters.")


def _next_number(connection: Any, media_id: str) -> int:
    return 1 + connection.execute(
        """SELECT coalesce(max(d.number), 0) FROM detection d JOIN medium m ON m.n = d.medium
           WHERE m.id = ?""", (media_id,)
    ).fetchone()[0]


def _frame_number(connection: Any, media_id: str, number: int) -> int | None:
    """The frame of a video that a detection is on."""
    return connection.execute(
        """SELECT d.frame_number FROM detection d JOIN medium m ON m.n = d.medium
           WHERE m.id = ? AND d.number = ?""", (media_id, number)
    ).fetchone()[0]


def _medium_of(detection: str) -> str:
    return detection.rpartition(":")[0]
