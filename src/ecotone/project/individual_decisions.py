"""People's word on pairs of animals, same or different: from a csv, kept for good, found again.

    two pictures:  first, second | filePath1, filePath2 | detectionID1, detectionID2
    what they are: decision (same, different, open)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import FormatError, InputError
from ecotone.ingest.matching import MediaIndex
from ecotone.ingest.tables import read_table
from ecotone.ingest.text import some
from ecotone.store import individuals as store
from ecotone.store.individuals import DIFFERENT, OPEN, SAME, PairDecision
from ecotone.store.runs import now

FIRST = ("first", "filepath1", "path1", "detectionid1", "a", "left", "query")
SECOND = ("second", "filepath2", "path2", "detectionid2", "b", "right", "candidate")
WORD = ("decision", "same", "answer", "verdict", "label")
MEANING = {
    "same": SAME, "yes": SAME, "true": SAME, "1": SAME, "match": SAME,
    "different": DIFFERENT, "no": DIFFERENT, "false": DIFFERENT, "0": DIFFERENT,
    "open": OPEN, "unsure": OPEN, "": OPEN,
}


@dataclass(frozen=True)
class DecisionReport:
    """added: decisions that say something new; skipped: that do not. problems: rows left out."""

    added: int
    skipped: int
    problems: list[str] = field(default_factory=list)


def add_decisions(project: Any, file: Path, author: str = "") -> DecisionReport:
    """Add the decisions of a csv; the newest of a pair counts.

    Raises FormatError when it is no table of decisions, InputError when decisions contradict each
    other; nothing of the file is kept then.
    """
    table = read_table(file)
    columns = [table.find(names) for names in (FIRST, SECOND, WORD)]
    if any(c is None for c in columns):
        raise FormatError(f"{file}, row 1: expected columns first, second and decision (found: "
                          f"{some(table.header, 8)}).")
    first, second, word = (table.column(c) for c in columns)
    unknown = [f"{line} ({w})" for line, w in zip(table.lines, word, strict=True)
               if w.casefold() not in MEANING]
    if unknown:
        raise FormatError(f"{file}: decision is none of same, different, open: row "
                          f"{some(unknown)}.")
    names = detections_of(project, [*first, *second], file.parent)
    pairs = zip(names[:len(first)], names[len(first):], word, table.lines, strict=True)
    decisions, lost = [], []
    for a, b, w, line in pairs:
        if a and b and a != b:
            decisions.append(PairDecision(a, b, MEANING[w.casefold()], author, str(file)))
        else:
            lost.append(str(line))
    problems = list(table.problems)
    if lost:
        problems.append(f"{file.name}: {len(lost):,} rows name no two animals of this project (a "
                        f"picture with several needs detectionID): row {some(lost)}")
    added = decide(project, decisions)
    return DecisionReport(added, len(decisions) - added, problems)


def decide(project: Any, decisions: Iterable[PairDecision]) -> int:
    """Keep people's decisions on pairs of detections; how many say something new.

    Raises InputError when they contradict others that count, or people's individualIDs; nothing is
    kept then.
    """
    from ecotone.project.individual_labels import named_individuals

    decisions = list(decisions)
    catalog = project.catalog
    with catalog.transaction() as connection:
        added = store.insert_decisions(connection, decisions, now())
        counted = store.read_decisions(connection)
        check(counted, named_individuals(catalog).individual)
    return added


def check(decisions: list[PairDecision], individual: dict[str, str]) -> None:
    """Raise InputError when decisions contradict each other or individualIDs by people."""
    from ecotone.reid.deciding import peoples_word

    named = sorted(individual)
    other = sorted({d for p in decisions for d in (p.first, p.second)} - individual.keys())
    ids = [*other, *(f"{d} ({individual[d]})" for d in named)]
    place = {d: n for n, d in enumerate([*other, *named])}
    codes = np.unique([individual[d] for d in named], return_inverse=True)[1]
    same = [(place[p.first], place[p.second]) for p in decisions if p.decision == SAME]
    apart = [(place[p.first], place[p.second]) for p in decisions if p.decision == DIFFERENT]
    peoples_word(len(other), codes.astype(np.int64), np.arange(len(other)), same, apart, ids)


def pairs_among(
    project: Any, ids: np.ndarray
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The decisions that count among some detections, by row: same, different.

    A chain of "same" over detections that are not among them still holds.
    """
    place = {d: n for n, d in enumerate(ids.tolist())}
    decisions = store.read_decisions(project.catalog.connection)
    root: dict[str, str] = {}

    def find(d: str) -> str:
        while root.get(d, d) != d:
            d = root[d]
        return d

    for p in decisions:
        if p.decision == SAME:
            root[find(p.second)] = find(p.first)
    anchor: dict[str, int] = {}
    same, different = [], []
    for d in sorted({x for p in decisions for x in (p.first, p.second)} & place.keys()):
        at = anchor.setdefault(find(d), place[d])
        if at != place[d]:
            same.append((at, place[d]))
    for p in decisions:
        if p.decision == DIFFERENT:
            a, b = anchor.get(find(p.first)), anchor.get(find(p.second))
            if a is not None and b is not None:
                different.append((a, b))
    return same, different


def detections_of(project: Any, texts: list[str], base: Path) -> list[str]:
    """The detection that each text means: its id, or the only animal of a picture; "" if none."""
    catalog = project.catalog
    detections, media = catalog.detections(), catalog.media()
    if not len(media):
        raise InputError("no pictures in this project yet; add some: ecotone add images FOLDER")
    known = set(detections.id)
    animals: dict[str, list[str]] = {}
    for d, m, c in zip(detections.id, detections.media_id, detections.category, strict=True):
        if c == "animal":
            animals.setdefault(m, []).append(d)
    by_path = [t for t in texts if t not in known]
    found = MediaIndex(media.path, media.file_path).find(by_path, base).rows
    medium = {t: media.id[r] for t, r in zip(by_path, found, strict=True) if r >= 0}
    out = []
    for text in texts:
        here = animals.get(medium.get(text, text), [])
        out.append(text if text in known else here[0] if len(here) == 1 else "")
    return out
