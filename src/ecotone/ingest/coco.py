"""COCO Camera Traps: json with images, annotations and categories, read as a study.

Ids may be numbers or texts, locations and sizes too; boxes are in pixels (`bbox`) or in parts of
the picture (`bbox_relative`). A sequence-level annotation stands on every picture of its sequence
and is one observation of the event. Keys that Camtrap DP has a column for are read from images,
annotations and categories, so that what `ecotone.export.coco` writes comes back whole.
Source: COCO Camera Traps format, agentmorris/MegaDetector, megadetector/data_management/README.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError
from ecotone.ingest.camtrapdp_cells import RULES, mediatype_of
from ecotone.ingest.camtrapdp_log import Log, Quiet
from ecotone.ingest.camtrapdp_times import instant
from ecotone.ingest.coco_cells import (
    CATEGORY_KEYS,
    IMAGE_KEYS,
    MACHINE_KEYS,
    OBSERVATION_KEYS,
    Category,
    box_of,
    category_of,
    inner_path,
    number_of,
    remarks,
    side,
    text_of,
    time_of,
)
from ecotone.ingest.text import looks_like, read_json, some
from ecotone.study import (
    DEPLOYMENT_COLUMNS,
    MEDIA_COLUMNS,
    MORE,
    OBSERVATION_COLUMNS,
    Row,
    Study,
    blank_row,
)

_MEDIA = (*MEDIA_COLUMNS, *MORE["media"])
_OBSERVATIONS = (*OBSERVATION_COLUMNS, *MORE["observations"])


class Again:
    """Rows that can be gone through again: `make` gives them anew for every loop."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __iter__(self) -> Iterator[Row]:
        return self._make()


def read_coco(path: Path) -> Study:
    """A COCO Camera Traps file as deployments (its locations), media and observations.

    Annotations are people's unless they say otherwise (classificationMethod, or a score).
    Raises FormatError when it is no such file or none of its images can be used.
    """
    twice: list[str] = []
    data = read_json(path, twice)
    _check(path, data)
    log = Log()
    if twice:
        log.note(f"{path.name}: {len(twice):,} keys stand twice, the last is used: "
                 + some(list(dict.fromkeys(twice))), problem=True)
    file = _File(path, data, log)
    count = sum(1 for _ in file.media(log))
    if not count and data["images"]:
        raise FormatError(f"{path}: none of its {len(data['images']):,} images can be used: "
                          f"{'; '.join(log.problems[:1])}")
    for _ in file.observations(log):
        pass
    quiet = Quiet()
    return Study(
        deployments=file.deployments(), media=Again(lambda: file.media(quiet)),
        observations=Again(lambda: file.observations(quiet)), metadata=_metadata(data.get("info")),
        source=str(path), repairs=log.repairs, problems=log.problems,
    )


def is_coco(data: Any) -> bool:
    """Whether a json value looks like COCO: images with annotations or a list of categories."""
    return isinstance(data, dict) and "images" in data and (
        "annotations" in data or isinstance(data.get("categories"), list)
    )


def _check(path: Path, data: Any) -> None:
    if not is_coco(data):
        raise FormatError(
            f"{path}: looks like {looks_like(data)}; expected COCO Camera Traps json (images, "
            "annotations, categories)."
        )
    for name in ("images", "annotations", "categories"):
        if not isinstance(data.get(name, []), list):
            raise FormatError(
                f"{path}: {name!r} is {type(data[name]).__name__}, expected a list; make the file "
                "again."
            )


class _File:
    """The parts of one file, each entry as a row; `log` hears of what is mended or left out."""

    def __init__(self, path: Path, data: Mapping[str, Any], log: Log) -> None:
        self._name = path.name
        self._images: list[Any] = data["images"]
        self._annotations: list[Any] = data.get("annotations") or []
        self._kept = data.get("deployments")
        self._categories = self._read_categories(data.get("categories") or [], log)
        self._row_of: dict[str, int] = {}  # image id -> its place in the list
        self._spans: dict[tuple[str, str], tuple[str, str]] = {}  # event -> first and last time
        self._locations: dict[str, None] = {}
        for place, row in self._images_of(Quiet()):
            self._row_of[row["mediaID"]] = place
            self._locations.setdefault(row["deploymentID"])
            if row["eventID"] and row["timestamp"]:
                self._stretch((row["eventID"], row["deploymentID"]), row["timestamp"])

    def _stretch(self, event: tuple[str, str], time: str) -> None:
        first, last = self._spans.get(event, (time, time))
        self._spans[event] = (
            time if _moment(time) < _moment(first) else first,
            time if _moment(time) >= _moment(last) else last,
        )

    def _read_categories(self, entries: list[Any], log: Log) -> dict[str, Category]:
        out: dict[str, Category] = {}
        for number, entry in enumerate(entries, start=1):
            identity = text_of(entry.get("id")) if isinstance(entry, dict) else ""
            if not identity:
                log.problem("categories", "no object with an id, left out", self._name, number)
            elif identity in out:
                log.problem("categories", "an id that stands twice, the first is used",
                            self._name, number, identity)
            else:
                name = text_of(entry.get("name")) or text_of(entry.get("category"))
                if not name:
                    log.problem("categories", "no name, its id is used", self._name, number)
                keys = {k: text_of(entry[k]) for k in CATEGORY_KEYS if k in entry}
                out[identity] = category_of(name or identity, keys)
        return out

    def deployments(self) -> list[Row]:
        """One row a location; what our own writer kept of it, else its name alone."""
        kept = {}
        for entry in self._kept if isinstance(self._kept, list) else ():
            if isinstance(entry, dict) and text_of(entry.get("deploymentID")):
                cells = {c: text_of(entry.get(c)) for c in DEPLOYMENT_COLUMNS}
                kept.setdefault(cells["deploymentID"], cells)
        for place in self._locations:
            if place and place not in kept:
                kept[place] = blank_row(DEPLOYMENT_COLUMNS, deploymentID=place, locationName=place)
        return list(kept.values())

    def media(self, log: Log) -> Iterator[Row]:
        """One row an image."""
        for _, row in self._images_of(log):
            yield row

    def _images_of(self, log: Log) -> Iterator[tuple[int, Row]]:
        seen: set[str] = set()
        for place, entry in enumerate(self._images):
            reason, identity = "no object, left out", ""
            if isinstance(entry, dict):
                identity, file = text_of(entry.get("id")), text_of(entry.get("file_name"))
                reason = "" if identity else "no id, left out"
                if identity in seen:
                    reason = "an id that stands twice, the later one left out"
                elif not inner_path(file):
                    reason = reason or "no file_name, left out"
            if reason:
                log.problem("images", reason, self._name, place + 1, identity)
                continue
            seen.add(identity)
            yield place, self._image(entry, identity, file, place + 1, log)

    def _image(
        self, entry: Mapping[str, Any], identity: str, file: str, number: int, log: Log
    ) -> Row:
        path = inner_path(file)
        if path != file:
            log.repair("images", "file_name with other slashes or leading out of its folder",
                       self._name, number, file, path)
        row = blank_row(
            _MEDIA, mediaID=identity, deploymentID=text_of(entry.get("location")),
            filePath=path, fileName=path.rpartition("/")[2], fileMediatype=mediatype_of(path),
            width=side(entry.get("width")), height=side(entry.get("height")),
            eventID=text_of(entry.get("seq_id")), mediaComments=remarks(entry),
        )
        written = text_of(entry.get("datetime"))
        row["timestamp"] = time_of(written)
        if written and not row["timestamp"] and "timestamp" not in entry:
            log.problem("images", "datetime that is none, left out", self._name, number, written)
        row.update((k, text_of(entry[k])) for k in IMAGE_KEYS if k in entry)
        row["fileName"] = row["fileName"].replace("\\", "/").rpartition("/")[2]
        return row

    def observations(self, log: Log) -> Iterator[Row]:
        """One row an annotation; those of a sequence once, of the event."""
        seen: set[str] = set()
        events: set[tuple[str, ...]] = set()
        for number, entry in enumerate(self._annotations, start=1):
            media = text_of(entry.get("image_id")) if isinstance(entry, dict) else ""
            if media not in self._row_of:
                log.problem("annotations", "no image of the file, left out", self._name, number,
                            media)
                continue
            place = self._row_of[media]
            image = self._image(self._images[place], media,
                                text_of(self._images[place]["file_name"]), 0, Quiet())
            row = self._annotation(entry, image, number, log)
            if row["observationLevel"] == "event":
                same = text_of(entry.get("observationID")) or ""
                key = (row["eventID"], row["deploymentID"], text_of(entry.get("category_id")),
                       row["count"], same)
                if key in events:
                    continue
                events.add(key)
            identity = row["observationID"]
            if not identity or identity in seen:
                row["observationID"] = _unused(f"annotation {number}", seen)
                log.repair("annotations", "no id, or one that stands twice; numbered",
                           self._name, number, identity, row["observationID"])
            seen.add(row["observationID"])
            yield row

    def _annotation(
        self, entry: Mapping[str, Any], image: Row, number: int, log: Log
    ) -> Row:
        category = self._category(entry, number, log)
        row = blank_row(
            _OBSERVATIONS, **category._asdict(), deploymentID=image["deploymentID"],
            observationID=text_of(entry.get("observationID")) or text_of(entry.get("id")),
            mediaID=image["mediaID"], eventID=image["eventID"], observationLevel="media",
            eventStart=image["timestamp"], eventEnd=image["timestamp"],
            count=text_of(entry.get("count")), classificationMethod="human",
        )
        box = box_of(entry, image["width"], image["height"])
        written = str(entry.get("bbox"))[:60] if box.mended or box.wrong else ""
        if box.wrong:
            log.problem("annotations", box.wrong, self._name, number, written)
        elif box.mended:
            log.repair("annotations", box.mended, self._name, number, written, str(box.cells))
        row.update(zip(("bboxX", "bboxY", "bboxWidth", "bboxHeight"), box.cells, strict=True))
        if text_of(entry.get("sequence_level_annotation")).lower() in ("true", "1"):
            self._of_event(row, number, log)
        for name in MACHINE_KEYS:  # people give no scores
            if text_of(entry.get(name)):
                row["classificationMethod"] = "machine"
                good = 0 <= number_of(entry[name]) <= 1
                row["classificationProbability"] = text_of(entry[name]) if good else ""
        row.update((k, text_of(entry[k])) for k in OBSERVATION_KEYS if k in entry)
        if row["classificationMethod"] not in ("human", "machine", ""):
            found = RULES["observations"]["classificationMethod"].mend(row["classificationMethod"])
            row["classificationMethod"] = found[0] if found else "machine"
        return row

    def _of_event(self, row: Row, number: int, log: Log) -> None:
        if row["bboxX"]:
            return
        if not row["eventID"]:
            log.repair("annotations", "sequence-level on an image without seq_id, taken as of the "
                       "image", self._name, number, "event", "media")
            return
        row["observationLevel"], row["mediaID"] = "event", ""
        row["eventStart"], row["eventEnd"] = self._spans.get(
            (row["eventID"], row["deploymentID"]), ("", "")
        )

    def _category(self, entry: Mapping[str, Any], number: int, log: Log) -> Category:
        identity = text_of(entry.get("category_id"))
        found = self._categories.get(identity)
        if found is None:
            name = "empty" if identity == "0" else identity
            log.problem("annotations", "category_id that no category has, used as the name",
                        self._name, number, identity)
            found = category_of(name or "unknown", {})
            self._categories[identity] = found
        return found


def _moment(time: str) -> float:
    found = instant(time)
    return -math.inf if found is None else found


def _unused(name: str, seen: set[str]) -> str:
    while name in seen:
        name += "'"
    return name


def _metadata(info: Any) -> dict[str, Any]:
    """The file's `info` in the terms of Camtrap DP's descriptor."""
    if not isinstance(info, dict):
        return {}
    out: dict[str, Any] = {
        here: text_of(info.get(there)) for here, there in (
            ("title", "description"), ("version", "version"), ("created", "date_created"),
        )
    }
    contributor = text_of(info.get("contributor"))
    if contributor:
        out["contributors"] = [{"title": contributor, "role": "contributor"}]
    return {name: value for name, value in out.items() if value}
