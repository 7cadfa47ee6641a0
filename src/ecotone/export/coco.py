"""COCO Camera Traps json of a study.

Boxes are in pixels where the picture's size is known, else in parts of it. An observation of an
event stands on every picture of the event with `sequence_level_annotation`. What COCO has no key
for stands under the name of its Camtrap DP column, on the image, the annotation, the category or in
`deployments`, and `ecotone.ingest.coco` reads it again.
Source: COCO Camera Traps format, agentmorris/MegaDetector, megadetector/data_management/README.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from ecotone.export.atomic import replaced
from ecotone.export.study_index import Placed, StudyIndex, scratch
from ecotone.export.written import Written
from ecotone.ingest.camtrapdp_cells import mediatype_of
from ecotone.ingest.coco_cells import (
    CATEGORY_KEYS,
    IMAGE_KEYS,
    NO_NAMES,
    OBSERVATION_KEYS,
    REMARKS,
    Category,
    category_of,
    inner_path,
    number_of,
    plain,
    remarks,
    side,
    text_of,
    time_of,
)
from ecotone.study import DEPLOYMENT_COLUMNS, Row, Study

EMPTY = "empty"
_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")
_BOX = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")


def write_coco(study: Study, path: str | Path, machine: bool = False) -> Written:
    """Write a study as COCO Camera Traps json; the file appears when it is complete.

    machine: also what models said, marked with classificationMethod and its probability.
    Raises InputError when the file cannot be written.
    """
    with scratch() as database, replaced(path) as file:
        index = StudyIndex(study, database)
        return _Writer(study, index, file, machine).write(Path(path))


class _Writer:
    def __init__(self, study: Study, index: StudyIndex, file: TextIO, machine: bool) -> None:
        self._study, self._index, self._file, self._machine = study, index, file, machine
        self._place_of = _locations(study)
        self._categories: dict[str, tuple[int, Category]] = {EMPTY: (0, category_of(EMPTY, {}))}
        self._left: dict[str, int] = {}

    def write(self, path: Path) -> Written:
        """Everything, in the order info, images, annotations, categories, deployments."""
        write = self._file.write
        write('{\n "info": ' + _text(_info(self._study, self._machine)) + ",\n")
        images = self._list("images", (self._image(p) for p in self._index.media()))
        annotations = self._list("annotations", self._annotations())
        categories = self._list("categories", self._category_entries())
        deployments = [_different(row, DEPLOYMENT_COLUMNS, {}) for row in self._study.deployments]
        self._list("deployments", iter(deployments), last=True)
        write("}\n")
        counts = {"media": images, "observations": annotations, "categories": categories,
                  "deployments": len(deployments)}
        return Written(path, counts, self._warnings())

    def _list(self, name: str, entries: Iterator[dict], last: bool = False) -> int:
        count = 0
        self._file.write(f' "{name}": [')
        for entry in entries:
            self._file.write((",\n  " if count else "\n  ") + _text(entry))
            count += 1
        self._file.write(("\n " if count else "") + ("]\n" if last else "],\n"))
        return count

    def _leave(self, reason: str) -> None:
        self._left[reason] = self._left.get(reason, 0) + 1

    def _warnings(self) -> list[str]:
        out = [f"{count:,} {reason}" for reason, count in self._left.items()]
        if self._index.twice:
            out.append(f"{self._index.twice:,} media have an id that stands twice, left out")
        return out

    def _image(self, placed: Placed) -> dict[str, Any]:
        row, event = placed.row, placed.event
        entry: dict[str, Any] = {"id": row["mediaID"], "file_name": row.get("filePath", "")}
        width, height = side(row.get("width", "")), side(row.get("height", ""))
        if width and height:
            entry.update(width=int(width), height=int(height))
        time = time_of(row.get("timestamp", ""))
        if time:
            entry["datetime"] = time.replace("T", " ")
        place = row.get("deploymentID", "")
        entry["location"] = self._place_of.get(place, place)
        if event:
            shared = event in self._index.shared  # sequences are of a whole file
            entry.update(seq_id=f"{place} {event}" if shared else event,
                         seq_num_frames=placed.frames, frame_num=placed.frame)
        said = _said(row.get("mediaComments", ""))
        path = inner_path(entry["file_name"])
        derived = {
            "deploymentID": entry["location"], "timestamp": time, "mediaComments": remarks(said),
            "fileName": path.rpartition("/")[2], "fileMediatype": mediatype_of(path),
            "eventID": entry.get("seq_id", ""),
        }
        return {**entry, **said, **_different({**row, "eventID": event}, IMAGE_KEYS, derived)}

    def _annotations(self) -> Iterator[dict[str, Any]]:
        for row in self._study.observations:
            if row.get("classificationMethod") == "machine" and not self._machine:
                self._leave("observations of models are left out; ask for them with machine")
            elif row.get("mediaID"):
                yield from self._of_medium(row)
            else:
                yield from self._of_event(row)

    def _of_medium(self, row: Row) -> Iterator[dict[str, Any]]:
        image = self._index.medium(row["mediaID"])
        if image is None:
            self._leave("observations are of media that the study does not have, left out")
            return
        identity = self._index.unused(row.get("observationID") or f"of {row['mediaID']}")
        time = image.get("timestamp", "")
        event = self._index.event_of(row["mediaID"])
        yield self._annotation(identity, row, image, event, (time, time))

    def _of_event(self, row: Row) -> Iterator[dict[str, Any]]:
        event = row.get("eventID", "")
        images = self._index.of_event(event, row.get("deploymentID", ""))
        if not images:
            self._leave("observations are of events without pictures, left out")
            return
        times = [i["timestamp"] for i in images if i.get("timestamp")] or [""]
        own = row.get("observationID") or f"of {event}"
        for number, image in enumerate(images, start=1):
            identity = self._index.unused(own if number == 1 else f"{own}:{number}")
            entry = self._annotation(identity, row, image, event, (times[0], times[-1]))
            yield {**entry, "sequence_level_annotation": True, "observationID": own}

    def _annotation(
        self, identity: str, row: Row, image: Row, event: str, span: tuple[str, str]
    ) -> dict[str, Any]:
        number, category = self._category(row)
        entry = {"id": identity, "image_id": image["mediaID"], "category_id": number}
        count = row.get("count", "")
        if count:
            entry["count"] = int(count) if _WHOLE.fullmatch(count) else count
        derived = {
            **category._asdict(), "deploymentID": image.get("deploymentID", ""), "eventID": event,
            "eventStart": span[0], "eventEnd": span[1], "classificationMethod": "human",
        }
        return {**entry, **_box(row, image), **_different(row, OBSERVATION_KEYS, derived)}

    def _category(self, row: Row) -> tuple[int, Category]:
        """The category of an observation: its number, and what a reader takes from it.

        Observations of one name share it, unless they are of different species.
        """
        own = Category(*(row.get(name, "") for name in CATEGORY_KEYS))
        name = own.label or own.vernacularName or own.scientificName
        if own.observationType == "blank":
            name = EMPTY
        elif not name:
            name = own.observationType if own.observationType in NO_NAMES else "unknown"
        known = self._categories.get(name)
        both = (known[1].scientificName, own.scientificName) if known else ("", "")
        if all(both) and both[0] != both[1]:
            name = f"{name} ({own.scientificName})"
        return self._categories.setdefault(name, (len(self._categories), own))

    def _category_entries(self) -> Iterator[dict[str, Any]]:
        for name, (number, own) in self._categories.items():
            default = category_of(name, {})._asdict()
            yield {"id": number, "name": name, **_different(own._asdict(), CATEGORY_KEYS, default)}


def _different(
    row: Mapping[str, str], names: Iterable[str], derived: Mapping[str, str]
) -> dict[str, str]:
    """The cells that a reader would not find by itself."""
    pairs = ((name, row.get(name, "")) for name in names)
    return {name: cell for name, cell in pairs if cell != derived.get(name, "")}


def _box(row: Row, image: Row) -> dict[str, list[float]]:
    values = [number_of(row.get(name, "")) for name in _BOX]
    if any(v != v for v in values):
        return {}
    sides = [side(image.get("width", "")), side(image.get("height", ""))] * 2
    if all(sides):
        pixels = [_pixels(v, int(s)) for v, s in zip(values, sides, strict=True)]
        if max(pixels) > 1:  # less would be read as parts of the picture
            return {"bbox": pixels}
    return {"bbox_relative": values}


def _pixels(value: float, length: int) -> float:
    """Pixels in the fewest decimals that give the same part of the picture again."""
    for decimals in range(12):
        pixels = round(value * length, decimals)
        if plain(pixels / length) == plain(value):
            break
    return int(pixels) if pixels == int(pixels) else pixels


def _said(comments: str) -> dict[str, Any]:
    """The keys of an image that stand in its mediaComments; {} where there is other text too."""
    keys = {word: key for key, word in REMARKS.items()}
    parts = [part.partition(":") for part in comments.split(" | ")]
    said = {keys[word]: value for word, _, value in parts if word in keys}
    if remarks(said) != comments:
        return {}
    return {key: True if (key, value) == ("corrupt", "true") else value
            for key, value in said.items()}


def _locations(study: Study) -> dict[str, str]:
    return {
        row["deploymentID"]: row.get("locationName") or row.get("locationID") or row["deploymentID"]
        for row in study.deployments
    }


def _info(study: Study, machine: bool) -> dict[str, str]:
    data = study.metadata
    people = data.get("contributors")
    names = [text_of(p.get("title")) for p in people if isinstance(p, dict)] if isinstance(
        people, list) else []
    title = text_of(data.get("title")) or text_of(data.get("name"))
    out = {
        "version": text_of(data.get("version")) or "1.0", "description": title,
        "contributor": " | ".join(n for n in names if n),
        "date_created": text_of(data.get("created")),
        "classificationMethod": "human | machine" if machine else "human",
    }
    return {key: said for key, said in out.items() if said or key == "description"}


def _text(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False)
