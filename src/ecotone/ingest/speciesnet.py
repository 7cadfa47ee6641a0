"""SpeciesNet's predictions json: its three generations.

legacy (<= 5.0.4): classifications of the picture (of its best box). dev: a prediction on every
box. 20261015 and later: raw_classifications on every box, category "0" for the whole picture.
Source: google/cameratrapai README and the json its versions write.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError
from ecotone.ingest.results import (
    FoundBox,
    ImageResult,
    Problems,
    ResultFile,
    Scores,
    as_list,
    category_of,
    entries,
    read_box,
    read_number,
    read_scores,
)

NAMES = {"0": "whole", "1": "animal", "2": "human", "3": "vehicle"}
FILE_KEYS = ("filepath", "file_path", "file")


def is_speciesnet(data: Any) -> bool:
    """Whether a json value is a SpeciesNet predictions file."""
    return isinstance(data, dict) and "predictions" in data


def generation(data: dict[str, Any]) -> str:
    """"legacy", "dev", or the format version that the file names."""
    info = data.get("info")
    if isinstance(info, dict) and info.get("format_version"):
        return str(info["format_version"])
    for entry in data["predictions"] if isinstance(data["predictions"], list) else ():
        boxes = entry.get("detections") if isinstance(entry, dict) else None
        for box in boxes or ():
            if isinstance(box, dict) and ("prediction" in box or "classifications" in box):
                return "dev"
    return "legacy"


def parse_speciesnet(path: Path, data: dict[str, Any]) -> ResultFile:
    """Boxes and scores of a SpeciesNet file, of whichever generation.

    Raises FormatError when `predictions` is no list or no entry is usable.
    """
    problems = Problems(path)
    listed = as_list(data["predictions"], path, "predictions")
    images, versions = [], set()
    for entry in entries(listed, "prediction", problems):
        file = next((entry[k] for k in FILE_KEYS if isinstance(entry.get(k), str)), "").strip()
        if not file:
            problems.add("a prediction has no 'filepath'", f"prediction {len(images)}")
            continue
        versions.add(str(entry.get("model_version") or ""))
        images.append(_image(file, entry, problems))
    if not any(image.boxes for image in images):
        # Whole pictures alone: the classifier ran without a detector.
        images = [replace(i, boxes=None) if i.scores else i for i in images]
    if listed and not images:
        raise FormatError(f"{path}: none of the {len(listed):,} predictions has a 'filepath'.")
    version = next(iter(versions - {""}), "")
    return ResultFile(
        path, f"SpeciesNet {generation(data)}", "SpeciesNet detector",
        f"speciesnet {version}".strip(), None, images, problems=problems.lines(),
    )


def _image(file: str, entry: dict[str, Any], problems: Problems) -> ImageResult:
    failures = entry.get("failures") or []
    whole = _scores(entry, file, problems)
    listed = entry.get("detections")
    boxes: list[FoundBox] | None = None
    if isinstance(listed, list) and "DETECTOR" not in failures:
        boxes = []
        for position, value in enumerate(entries(listed, file, problems)):
            where = f"{file}, detection {position}"
            if _kind(value) == "whole":
                whole = _scores(value, where, problems) or whole
                continue
            box = _box(value, where, problems)
            if box is not None:
                boxes.append(box)
    failure = ""
    if failures and boxes is None and not whole:
        failure = "SpeciesNet failed on it: " + ", ".join(map(str, failures)).lower()
    return ImageResult(file, None if boxes is None else tuple(boxes), whole, failure)


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
    return FoundBox(bbox, category, min(confidence, 1.0), _scores(value, where, problems))


def _scores(value: dict[str, Any], where: str, problems: Problems) -> Scores:
    """The classifier's own scores; else what was processed or predicted, as a single score."""
    for name in ("raw_classifications", "classifications"):
        found = value.get(name)
        if isinstance(found, dict) and found.get("classes"):
            return read_scores(found["classes"], found.get("scores") or (), where, problems)
    processed = value.get("processed_classification")
    if isinstance(processed, dict) and processed.get("class"):
        return read_scores([processed["class"]], [processed.get("score")], where, problems)
    if value.get("prediction") and value.get("prediction_score") is not None:
        return read_scores([value["prediction"]], [value["prediction_score"]], where, problems)
    return ()
