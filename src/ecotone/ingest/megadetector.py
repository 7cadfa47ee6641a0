"""MegaDetector results json, 1.2 to 1.6 and the variants that other tools write.

Source: megadetector-output-format.md of agentmorris/MegaDetector.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    is_plain,
    plain_label,
    read_box,
    read_count,
    read_number,
    read_scores,
    read_word,
    storable,
)

DEFAULT_NAMES = {"0": "empty", "1": "animal", "2": "person", "3": "vehicle"}
UNSEEN = "no detections are stored for it"
# Keys of an image beside file, detections and classifications that are kept.
FACTS = ("width", "height", "datetime", "exif_metadata", "frame_rate", "frames_processed")


def is_megadetector(data: Any) -> bool:
    """Whether a json value is a MegaDetector file."""
    return isinstance(data, dict) and "images" in data and (
        "detection_categories" in data or _first_has_detections(data["images"])
    )


def _first_has_detections(images: Any) -> bool:
    first = images[0] if isinstance(images, list) and images else None
    return isinstance(first, dict) and "file" in first


def parse_megadetector(document: Document) -> ResultFile:
    """Boxes and classifications of a MegaDetector file; `raw_classifications` where there are.

    Raises FormatError when `images` is no list or no entry is usable.
    """
    path, data = document.path, document.outline
    problems = Problems(path)
    info = data.get("info") if isinstance(data.get("info"), dict) else {}
    reader = _Reader(data, problems)
    images = []
    for number, entry in entries(document, "images", problems):
        file = entry.get("file") or entry.get("filepath") or entry.get("file_name")
        if not isinstance(file, str) or not file.strip():
            problems.add("an image has no 'file', left out", f"images, entry {number:,}")
            continue
        images.append(reader.image(storable(file), entry))
    if data["images"] and not images:
        raise FormatError(f"{path}: none of its images has a 'file'.")
    metadata = info.get("detector_metadata")
    typical = metadata.get("typical_detection_threshold") if isinstance(metadata, dict) else None
    version = read_word(info.get("format_version"))
    return ResultFile(
        path, f"MegaDetector {version}".strip(), read_word(info.get("detector")) or "detector",
        _short(read_word(info.get("classifier"))) or path.stem, _share(typical), images,
        problems=problems.lines(), info=info,
    )


def _short(name: str) -> str:
    """A classifier's name without the folders of the computer it lay on."""
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] if "\\" in name else name


def _share(value: Any) -> float | None:
    number = read_number(value)
    return number if number is not None and 0 <= number <= 1 else None


class _Reader:
    def __init__(self, data: dict[str, Any], problems: Problems) -> None:
        names = {**DEFAULT_NAMES, **_names(data, "detection_categories", problems)}
        self.kinds = {key: category_of(name) for key, name in names.items()}
        self.classes = _class_names(data, problems)
        self.problems = problems

    def image(self, file: str, entry: dict[str, Any]) -> ImageResult:
        """One entry of `images`."""
        facts = self.facts(file, entry) if len(entry) > 2 else {}
        listed, failure = entry.get("detections"), entry.get("failure")
        if failure or type(listed) is not list:
            told = read_word(failure) or (UNSEEN if not failure else "failed")
            return ImageResult(file, failure=told, **facts)
        boxes = self.boxes(listed, file)
        if "classifications" in entry or "raw_classifications" in entry:
            facts["scores"] = self.scores(entry, file)
        return ImageResult(file, tuple(boxes), **facts)

    def boxes(self, listed: list[Any], file: str) -> list[FoundBox]:
        """The detections of an image."""
        kinds, out = self.kinds, []
        for position, value in enumerate(listed):
            # In line, since there may be millions: a box with nothing to look at twice.
            try:
                kind, confidence = kinds[value["category"]], value["conf"]
                x, y, width, height = value["bbox"]
                if is_plain(x, y, width, height, confidence) and kind != "blank":
                    if len(value) == 3:
                        out.append(FoundBox((x, y, width, height), kind, confidence))
                        continue
                    scores = self.plain_scores(value)
                    if scores is not None:
                        out.append(FoundBox((x, y, width, height), kind, confidence, scores))
                        continue
            except (KeyError, TypeError, ValueError):
                pass
            box = self.box(value, file, position)
            if box is not None:
                out.append(box)
        return out

    def plain_scores(self, value: dict[str, Any]) -> Scores | None:
        """The scores of a box with just one more key, if that is `classifications` and plain.

        Raises KeyError, TypeError or ValueError when it is something else.
        """
        if len(value) > 4:
            return None
        classes, scores = self.classes, []
        for name, score in value["classifications"]:
            if type(score) is not float or not 0.0 <= score <= 1.0:
                return None
            scores.append((classes[name], score))
        return tuple(scores)

    def box(self, value: Any, file: str, position: int) -> FoundBox | None:
        """One detection; None when it is empty or wrong (which is told)."""
        where = f"{file}, detection {position}"
        if not isinstance(value, dict):
            self.problems.add("a detection is no object, left out", where)
            return None
        category = str(value.get("category", ""))
        kind = self.kinds.get(category)
        if kind is None:
            self.problems.add(
                "a category is not in 'detection_categories', box left out",
                f"{where}: {storable(category)[:40]}",
            )
            return None
        if kind == "blank":
            return None
        confidence = read_number(value.get("conf"))
        if confidence is None or not 0 <= confidence <= 1.001:
            self.problems.add("conf is not a number in 0..1, box left out", where)
            return None
        bbox = read_box(value.get("bbox"), where, self.problems)
        if bbox is None:
            return None
        return FoundBox(
            bbox, kind, min(confidence, 1.0), self.scores(value, where), self.decision(value),
            read_count(value.get("frame_number")),
        )

    def scores(self, value: dict[str, Any], where: str) -> Scores:
        """The classifications of a box or picture, the raw ones where there are."""
        pairs = self.pairs(value.get("raw_classifications") or value.get("classifications"), where)
        names = [self.classes.get(str(p[0])) or p[0] for p in pairs]
        return read_scores(names, [p[1] for p in pairs], where, self.problems)

    def pairs(self, listed: Any, where: str) -> list[Sequence[Any]]:
        """Those of a list of classifications that are pairs."""
        if not listed:
            return []
        if not isinstance(listed, list):
            self.problems.add("classifications are no list, left out", where)
            return []
        pairs = [p for p in listed if isinstance(p, (list, tuple)) and len(p) == 2]
        if len(pairs) != len(listed):
            self.problems.add("a classification is not [class, score], left out", where)
        return pairs

    def decision(self, value: dict[str, Any]) -> Decision | None:
        """The processed classification, which stands beside the raw ones of a box."""
        first = value.get("classifications")
        if not value.get("raw_classifications") or not isinstance(first, list) or not first:
            return None
        pair = first[0]
        score = read_number(pair[1]) if isinstance(pair, list) and len(pair) == 2 else None
        name = read_word(pair[0]) if score is not None else ""
        return Decision(self.classes.get(name, name), score, "classifier") if name else None

    def facts(self, file: str, entry: dict[str, Any]) -> dict[str, Any]:
        """What an entry says of its file itself."""
        if not any(entry.get(key) is not None for key in FACTS):
            return {}
        frames = entry.get("frames_processed")
        counted = [read_count(f) for f in frames] if isinstance(frames, list) else None
        if counted is not None and None in counted:
            self.problems.add("frames_processed are no whole numbers, left out", file)
            counted = None
        return {
            "width": read_count(entry.get("width")) or None,
            "height": read_count(entry.get("height")) or None,
            "datetime": read_word(entry.get("datetime")), "exif": entry.get("exif_metadata"),
            "frame_rate": read_number(entry.get("frame_rate")),
            "frames_processed": None if counted is None else tuple(counted),
        }


def _names(data: dict[str, Any], key: str, problems: Problems) -> dict[str, str]:
    """A map of ids to names; {} (and a problem) when it is none."""
    found = data.get(key)
    if isinstance(found, dict):
        return {str(k): read_word(v) for k, v in found.items()}
    if found is not None:
        problems.add(f"{key!r} is no object, left out", type(found).__name__)
    return {}


def _class_names(data: dict[str, Any], problems: Problems) -> dict[str, str]:
    """Class id -> name; SpeciesNet's full line where the descriptions hold it."""
    out = _names(data, "classification_categories", problems)
    lines = _names(data, "classification_category_descriptions", problems)
    out.update({k: plain_label(line) for k, line in lines.items() if line.count(";") == 6})
    return {k: name for k, name in out.items() if name}
