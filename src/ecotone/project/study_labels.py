"""From the observations of a study to boxes and to labels: people's rows only, machines' never."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ecotone.ingest.boxes import ENOUGH
from ecotone.ingest.labels import LabelRow, class_names
from ecotone.ingest.tables import number
from ecotone.store.tables import Box, LabelTable, NewLabel
from ecotone.study import OBSERVATION_COLUMNS, Row

BBOX = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
KINDS = ("human", "vehicle", "blank")
_ELSEWHERE = {"observationID", "mediaID", "deploymentID", "observationLevel", "scientificName",
              "classificationMethod", "classifiedBy"}
ATTRIBUTES = (*(c for c in OBSERVATION_COLUMNS if c not in _ELSEWHERE), "label")
Key = tuple[str, str, str, str]
Rect = tuple[float, float, float, float]


class Said(NamedTuple):
    """What a person said of a picture that is here."""

    media_id: str
    row: LabelRow
    author: str
    observation_id: str
    attributes: str


@dataclass
class Observed:
    """What a study's observations hold: what people said of pictures, boxes by media id, and the
    number of rows that are kept as rows alone, by reason."""

    said: list[Said] = field(default_factory=list)
    boxes: dict[str, list[Box]] = field(default_factory=lambda: defaultdict(list))
    left: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    def lines(self) -> list[str]:
        """What to tell of rows that did not become labels."""
        words = {
            "machine": "observations by machines, which are never labels",
            "unsure": "observations that do not say who made them but give a probability",
            "event": "observations of an event, not of a picture",
            "away": "observations of pictures that are not here",
            "silent": "observations that name no class",
        }
        return [f"{self.left[k]:,} {text}, kept as rows" for k, text in words.items()
                if self.left[k]]


def read_observations(
    rows: Iterable[Row], media_of: Mapping[str, str], threshold: float
) -> Observed:
    """Sort the observations of a study.

    media_of: study's mediaID -> media id. threshold: machines' boxes below it are left out.
    """
    found = Observed()
    for line, row in enumerate(rows, start=1):
        found.rows += 1
        medium = media_of.get(row.get("mediaID", ""), "")
        method = row.get("classificationMethod", "")
        by_person = method == "human" or not method and not row.get("classificationProbability")
        box = box_of(row)
        if box is not None and medium:
            _keep_box(found.boxes[medium], row, box, by_person, threshold)
        if not by_person:
            found.left["machine" if method else "unsure"] += 1
        elif row.get("observationLevel") == "event" or not row.get("mediaID"):
            found.left["event"] += 1
        elif not medium:
            found.left["away"] += 1
        else:
            said = _label_row(row, line, box)
            if said is None:
                found.left["silent"] += 1
            else:
                found.said.append(Said(
                    medium, said, row.get("classifiedBy", ""), row.get("observationID", ""),
                    _attributes(row),
                ))
    return found


def box_of(row: Row) -> Rect | None:
    """The box of an observation in 0..1, None when it has none."""
    cells = [row.get(c, "") for c in BBOX]
    if not all(cells):
        return None
    x, y, width, height = (number(c) for c in cells)
    good = 0 <= x < 1 and 0 <= y < 1 and 0 < width <= 1 and 0 < height <= 1
    return (x, y, min(width, 1 - x), min(height, 1 - y)) if good else None


def _keep_box(
    here: list[Box], row: Row, box: Rect, by_person: bool, threshold: float
) -> None:
    kind = row.get("observationType", "")
    if kind == "blank":
        return
    given = number(row.get("detectionConfidence", "") or "1")
    confidence = 1.0 if by_person or not 0 <= given <= 1 else given
    if confidence < threshold:
        return
    fresh = Box(box, kind if kind in KINDS else "animal", confidence)
    # One box may have several rows: of several people, or alternatives of a machine.
    same = nearest(box, [b.bbox for b in here])
    if same < 0:
        here.append(fresh)
    elif fresh.confidence > here[same].confidence:
        here[same] = fresh


def _label_row(row: Row, line: int, box: Rect | None) -> LabelRow | None:
    kind = row.get("observationType", "")
    if kind in ("unknown", "unclassified"):
        return None
    if kind == "blank":
        return LabelRow(line, label=row.get("label", "") or kind, bbox=box)
    label = row.get("label", "") or (kind if kind in KINDS else "")
    said = LabelRow(
        line, label=label, scientific_name=row.get("scientificName", ""),
        vernacular_name=row.get("vernacularName", ""), bbox=box,
    )
    return said if said.said else None


def _attributes(row: Row) -> str:
    found = {c: row[c] for c in ATTRIBUTES if row.get(c)}
    return json.dumps(found, ensure_ascii=False, sort_keys=True)


def new_labels(
    said: Sequence[Said], detections: Mapping[str, tuple[list[str], list]], table: LabelTable,
    known: Mapping[str, tuple[str, str]], sources: set[str],
) -> tuple[list[NewLabel], int]:
    """The labels that say something new, and how many do not.

    detections: media id -> (detection ids, boxes) in use. sources: those of labels that the study
    gave before, in any of its versions; what it says again of a picture is no news.
    """
    names = class_names([s.row for s in said], known)
    given: dict[str, dict[Key, NewLabel]] = defaultdict(dict)
    for one, name in zip(said, names, strict=True):
        detection = _detection(one.row.bbox, detections.get(one.media_id))
        label = NewLabel(
            one.media_id, name, one.row.scientific_name, one.row.vernacular_name, detection,
            one.author, one.observation_id, one.attributes,
        )
        key = (one.observation_id, label.scientific_name, label.vernacular_name, one.attributes)
        given[detection or one.media_id][key] = label
    before = _before(table, sources)
    fresh, same = [], 0
    for unit, labels in given.items():
        if before.get(unit) == set(labels):
            same += len(labels)
        else:
            fresh += labels.values()
    return fresh, same


def _detection(box: Rect | None, here: tuple[list[str], list] | None) -> str:
    if box is None or here is None:
        return ""
    pair = nearest(box, here[1])
    return here[0][pair] if pair >= 0 else ""


def nearest(box: Rect, known: Sequence[Sequence[float]]) -> int:
    """Which known box is the same, by overlap, as `ingest.boxes.pair_boxes` has it; -1 for none.

    For one box at a time, of which a large study has as many as pictures.
    """
    best, most = -1, ENOUGH
    x, y, width, height = box
    for n, (left, top, across, down) in enumerate(known):
        common = max(min(x + width, left + across) - max(x, left), 0.0) * max(
            min(y + height, top + down) - max(y, top), 0.0)
        share = common / max(width * height + across * down - common, 1e-12)
        if share > most or best < 0 and share >= most:
            best, most = n, share
    return best


def _before(table: LabelTable, sources: set[str]) -> dict[str, set[Key]]:
    """What the study said last of each medium or detection."""
    last: dict[str, tuple[int, set[Key]]] = {}
    for batch, medium, detection, source, *key in zip(
        table.batch, table.media_id, table.detection_id, table.source, table.observation_id,
        table.scientific_name, table.vernacular_name, table.attributes, strict=True,
    ):
        if source not in sources:
            continue
        unit = detection or medium
        if unit not in last or last[unit][0] != batch:
            last[unit] = (batch, set())
        last[unit][1].add(tuple(key))
    return {unit: labels for unit, (_, labels) in last.items()}
