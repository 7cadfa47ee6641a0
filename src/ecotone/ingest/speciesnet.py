"""SpeciesNet's predictions json: its three generations, with its own decisions.

legacy (<= 5.0.4): classifications of the picture (of its best box). dev: a prediction on every
box. 20261015 and later: raw_classifications on every box, category "0" for the whole picture.
Source: google/cameratrapai README and the json its versions write.
"""

from __future__ import annotations

import math
from typing import Any

from ecotone.errors import FormatError
from ecotone.hierarchy.ensemble_rows import Decision
from ecotone.ingest.json_stream import Document
from ecotone.ingest.results import (
    FoundBox,
    ImageResult,
    Problems,
    ResultFile,
    Scores,
    category_of,
    entries,
    plain_label,
    read_box,
    read_number,
    read_scores,
    read_word,
    storable,
)

NAMES = {"0": "whole", "1": "animal", "2": "human", "3": "vehicle"}
FILE_KEYS = ("filepath", "file_path", "file")


def is_speciesnet(data: Any) -> bool:
    """Whether a json value is a SpeciesNet predictions file."""
    return isinstance(data, dict) and "predictions" in data


def generation(data: dict[str, Any]) -> str:
    """"legacy", "dev", or the format version that the file names.

    data: the file's value; of an outline (`json_stream`) the first prediction speaks for all.
    """
    info = data.get("info")
    if isinstance(info, dict) and info.get("format_version"):
        return read_word(info["format_version"])
    listed = data["predictions"] if isinstance(data["predictions"], list) else ()
    return "dev" if any(_is_dev(entry) for entry in listed) else "legacy"


def _is_dev(entry: Any) -> bool:
    boxes = entry.get("detections") if isinstance(entry, dict) else None
    return isinstance(boxes, list) and any(
        isinstance(box, dict) and ("prediction" in box or "classifications" in box) for box in boxes
    )


def parse_speciesnet(document: Document) -> ResultFile:
    """Boxes, scores and decisions of a SpeciesNet file, of whichever generation.

    Raises FormatError when `predictions` is no list or no entry is usable.
    """
    path = document.path
    problems = Problems(path)
    kind = generation(document.outline)
    images: list[ImageResult] = []
    version = ""
    for number, entry in entries(document, "predictions", problems):
        file = next((entry[k] for k in FILE_KEYS if isinstance(entry.get(k), str)), "").strip()
        if not file:
            problems.add("a prediction has no 'filepath', left out", f"entry {number:,}")
            continue
        if kind == "legacy" and _is_dev(entry):
            kind = "dev"
        image = _image(storable(file), entry, problems)
        version = version or image.model_version
        images.append(image)
    if document.outline["predictions"] and not images:
        raise FormatError(f"{path}: none of its predictions has a 'filepath'.")
    if not any(image.boxes for image in images):
        # Whole pictures alone: the classifier ran without a detector.
        images = [i._replace(boxes=None) if i.scores else i for i in images]
    info = document.outline.get("info")
    return ResultFile(
        path, f"SpeciesNet {kind}", "SpeciesNet detector", f"speciesnet {version}".strip(), None,
        images, problems=problems.lines(), info=info if isinstance(info, dict) else {},
    )


def _image(file: str, entry: dict[str, Any], problems: Problems) -> ImageResult:
    failures = _failures(entry.get("failures"))
    whole, decision = _scores(entry, file, problems), _decision(entry)
    listed = entry.get("detections")
    boxes: list[FoundBox] | None = None
    if isinstance(listed, list):
        boxes = []
        for position, value in enumerate(listed):
            where = f"{file}, detection {position}"
            if not isinstance(value, dict):
                problems.add("a detection is no object, left out", where)
            elif _kind(value) == "whole":
                whole = _scores(value, where, problems) or whole
                decision = _decision(value) or decision
            else:
                box = _box(value, where, problems)
                boxes += [box] if box is not None else []
    if "DETECTOR" in failures:
        boxes = None
    failure = ""
    if failures and boxes is None and not whole:
        failure = "SpeciesNet failed on it: " + ", ".join(failures).lower()
    return ImageResult(
        file, None if boxes is None else tuple(boxes), whole, failure, decision, failures,
        country=read_word(entry.get("country")).upper(),
        admin1_region=read_word(entry.get("admin1_region")).upper(),
        latitude=read_degrees(entry.get("latitude"), 90.0),
        longitude=read_degrees(entry.get("longitude"), 180.0),
        model_version=read_word(entry.get("model_version")),
    )


def _failures(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    named = dict.fromkeys(read_word(v).upper() for v in listed)
    return tuple(step for step in named if step)


def read_degrees(value: Any, limit: float) -> float | None:
    """Degrees between -limit and limit, else None."""
    number = read_number(value)
    return number if number is not None and abs(number) <= limit else None


def _kind(value: dict[str, Any]) -> str:
    category = str(value.get("category", ""))
    return NAMES.get(category) or str(value.get("label") or category)


def _box(value: dict[str, Any], where: str, problems: Problems) -> FoundBox | None:
    confidence = read_number(value.get("conf"))
    if confidence is None or not 0 <= confidence <= 1.001:
        problems.add("conf is not a number in 0..1, box left out", where)
        return None
    bbox = read_box(value.get("bbox"), where, problems)
    if bbox is None:
        return None
    category = category_of(_kind(value))
    if category == "blank":
        return None
    scores = _scores(value, where, problems)
    return FoundBox(bbox, category, min(confidence, 1.0), scores, _decision(value))


def _scores(value: dict[str, Any], where: str, problems: Problems) -> Scores:
    """The classifier's own scores; else what was processed or predicted, as a single score."""
    for name in ("raw_classifications", "classifications"):
        found = value.get(name)
        if not isinstance(found, dict) or not found.get("classes"):
            continue
        classes, scores = found["classes"], found.get("scores")
        if not isinstance(classes, list) or not isinstance(scores, list):
            problems.add("classes and scores are no lists, left out", where)
            return ()
        names = [plain_label(c) if isinstance(c, str) else c for c in classes]
        return read_scores(names, scores, where, problems)
    decision = _decision(value)
    if decision is None or math.isnan(decision.score):
        return ()
    return read_scores([decision.label], [decision.score], where, problems)


def _decision(value: dict[str, Any]) -> Decision | None:
    """What SpeciesNet made of a box or picture; a score that it does not tell is NaN."""
    processed = value.get("processed_classification")
    if isinstance(processed, dict):
        found = processed.get("class"), processed.get("score"), processed.get("source")
    else:
        found = tuple(
            value.get(k) for k in ("prediction", "prediction_score", "prediction_source")
        )
    label, score = plain_label(read_word(found[0])), read_number(found[1])
    if not label:
        return None
    return Decision(label, math.nan if score is None else score, read_word(found[2]))
