"""MegaDetector results json, 1.2 to 1.6 and the variants that other tools write.

Source: megadetector-output-format.md of agentmorris/MegaDetector.
"""

from __future__ import annotations

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

DEFAULT_NAMES = {"0": "empty", "1": "animal", "2": "person", "3": "vehicle"}


def is_megadetector(data: Any) -> bool:
    """Whether a json value is a MegaDetector file."""
    return isinstance(data, dict) and "images" in data and (
        "detection_categories" in data or _first_has_detections(data["images"])
    )


def _first_has_detections(images: Any) -> bool:
    first = images[0] if isinstance(images, list) and images else None
    return isinstance(first, dict) and "file" in first


def parse_megadetector(path: Path, data: dict[str, Any]) -> ResultFile:
    """Boxes and classifications of a MegaDetector file; `raw_classifications` where there are.

    Raises FormatError when `images` is no list or no entry is usable.
    """
    problems = Problems(path)
    info = data.get("info") if isinstance(data.get("info"), dict) else {}
    reader = _Reader(data, problems)
    images = []
    listed = as_list(data["images"], path, "images")
    for entry in entries(listed, "image", problems):
        file = entry.get("file") or entry.get("filepath") or entry.get("file_name")
        if not isinstance(file, str) or not file.strip():
            problems.add("an image has no 'file'", f"image {len(images)}")
            continue
        images.append(reader.image(file, entry))
    if listed and not images:
        raise FormatError(f"{path}: none of the {len(listed):,} images has a 'file'.")
    detector = str(info.get("detector") or "detector")
    metadata = info.get("detector_metadata")
    typical = metadata.get("typical_detection_threshold") if isinstance(metadata, dict) else None
    version = str(info.get("format_version") or "").strip()
    return ResultFile(
        path, f"MegaDetector {version}".strip(), detector,
        _short(str(info.get("classifier") or "")) or path.stem, read_number(typical), images,
        problems=problems.lines(),
    )


def _short(name: str) -> str:
    """A classifier's name without the folders of the computer it lay on."""
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] if "\\" in name else name


class _Reader:
    def __init__(self, data: dict[str, Any], problems: Problems) -> None:
        names = data.get("detection_categories")
        given = names if isinstance(names, dict) else {}
        self.names = {**DEFAULT_NAMES, **{str(k): str(v) for k, v in given.items()}}
        self.classes = _class_names(data)
        self.problems = problems

    def image(self, file: str, entry: dict[str, Any]) -> ImageResult:
        """One entry of `images`."""
        listed = entry.get("detections")
        failure = entry.get("failure")
        if failure or not isinstance(listed, list):
            return ImageResult(file, failure=str(failure or "no detections are stored for it"))
        boxes = []
        for position, value in enumerate(entries(listed, file, self.problems)):
            box = self.box(value, f"{file}, detection {position}")
            if box is not None:
                boxes.append(box)
        whole = self.scores(entry, file)
        return ImageResult(file, tuple(boxes), whole)

    def box(self, value: dict[str, Any], where: str) -> FoundBox | None:
        """One detection; None when it is empty or wrong (which is told)."""
        category = str(value.get("category", ""))
        name = self.names.get(category)
        if name is None:
            self.problems.add(
                "a category is not in 'detection_categories', box left out", f"{where}: {category}"
            )
            return None
        kind = category_of(name)
        if kind == "blank":
            return None
        confidence = read_number(value.get("conf"))
        if confidence is None or not 0 <= confidence <= 1.001:
            self.problems.add("conf is not a number in 0..1, box left out", where)
            return None
        bbox = read_box(value.get("bbox"), where, self.problems)
        if bbox is None:
            return None
        return FoundBox(bbox, kind, min(confidence, 1.0), self.scores(value, where))

    def scores(self, value: dict[str, Any], where: str) -> Scores:
        """The classifications of a box or picture, the raw ones where there are."""
        listed = value.get("raw_classifications") or value.get("classifications") or ()
        pairs = [p for p in listed if isinstance(p, (list, tuple)) and len(p) == 2]
        if len(pairs) != len(listed):
            self.problems.add("a classification is not [class, score], left out", where)
        names = [self.classes.get(str(p[0]), str(p[0])) for p in pairs]
        return read_scores(names, [p[1] for p in pairs], where, self.problems)


def _class_names(data: dict[str, Any]) -> dict[str, str]:
    """Class id -> name; SpeciesNet's full line where the descriptions hold it."""
    names = data.get("classification_categories")
    out = {str(k): str(v) for k, v in names.items()} if isinstance(names, dict) else {}
    lines = data.get("classification_category_descriptions")
    if isinstance(lines, dict):
        full = {str(k): str(v) for k, v in lines.items() if str(v).count(";") == 6}
        out.update(full)
    return out
