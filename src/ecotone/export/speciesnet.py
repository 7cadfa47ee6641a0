"""SpeciesNet predictions json: the form of 5.0.6 and later, and the one before it.

Source: google/cameratrapai, README and the json that its versions write.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ecotone.errors import InputError
from ecotone.export.categories import is_line
from ecotone.export.json_file import json_file
from ecotone.export.megadetector import IDS, rounded, rounded_box
from ecotone.export.written import Written
from ecotone.hierarchy.ensemble_rows import Decision
from ecotone.ingest.results import FoundBox, ImageResult, Problems, Scores

GENERATIONS = ("20261015", "legacy")
WHOLE = {
    "category": "0", "label": "whole_image_classification", "conf": 1.0,
    "bbox": [0.0, 0.0, 1.0, 1.0],
}
STEPS = ("CLASSIFIER", "DETECTOR", "GEOLOCATION")
DECIMALS = 4


def write_speciesnet(
    images: Iterable[ImageResult],
    path: str | Path,
    *,
    generation: str = "20261015",
    model_version: str = "",
    classifier: str = "",
    descriptions: Mapping[str, str] | None = None,
    top: int = 5,
    source: str = "classifier",
) -> Written:
    """Write pictures, boxes and classes as SpeciesNet's predictions; memory holds one picture.

    generation: "20261015" (scores of each box) or "legacy" (of the picture alone, with its
    prediction). model_version: of pictures that have none of their own; default: the classifier's
    name. descriptions: class -> "uuid;class;order;family;genus;species;common name"; a class
    without one is written as ";;;;;;name". top: classes a box at most. source: what
    `prediction_source` says where the best class stands in for a decision.

    Raises InputError on another generation, numbers that are none, or when the disk refuses.
    """
    if generation not in GENERATIONS:
        raise InputError(f"generation is {generation!r}, expected {' or '.join(GENERATIONS)}.")
    if top < 1:
        raise InputError(f"top is {top}, expected at least 1 class a box.")
    path, version = Path(path), model_version or classifier or "unknown"
    maker = _Legacy if generation == "legacy" else _Predictions
    entries = maker(path, version, dict(descriptions or {}), top, source)
    before = {} if generation == "legacy" else {"info": {"format_version": generation}}
    with json_file(path, "predictions", before) as file:
        for image in images:
            file.append(entries.entry(image))
    counts = {"images": file.entries, **entries.counts}
    return Written(path, counts, entries.lost.lines())


class _Predictions:
    """Makes entries of `predictions`, and remembers what could not be written."""

    def __init__(
        self, path: Path, version: str, lines: dict[str, str], top: int, source: str
    ) -> None:
        self.path, self.version, self.lines = path, version, lines
        self.top, self.source = top, source
        self.lost = Problems(path)
        self.counts = {"detections": 0, "classifications": 0, "failures": 0}

    def entry(self, image: ImageResult) -> dict[str, Any]:
        """The entry of one picture."""
        file = image.file.replace("\\", "/")
        if not file.strip():
            raise InputError(f"{self.path}: a picture without a name; give each its path.")
        failures = self._failures(image)
        out: dict[str, Any] = {"filepath": file}
        if failures:
            self.counts["failures"] += 1
            out["failures"] = failures
        for key in ("country", "admin1_region", "latitude", "longitude"):
            if getattr(image, key) not in (None, ""):
                out[key] = getattr(image, key)
        boxes = [box for box in image.boxes or () if box.category != "blank"]
        if any(box.frame_number is not None for box in boxes):
            self.lost.add("frames of a video are not told apart", file)
        out.update(self.results(image, boxes, file))
        out["model_version"] = image.model_version or self.version
        return out

    def results(
        self, image: ImageResult, boxes: list[FoundBox], file: str
    ) -> dict[str, Any]:
        """The keys that differ between the generations."""
        listed = []
        if image.scores:
            listed.append({**WHOLE, **self._classified(image.scores, image.decision, file)})
        for box in boxes:
            listed.append({
                **self.box(box, file), **self._classified(box.scores, box.decision, file)
            })
        if image.decision and not image.scores:
            self.lost.add("a decision on a picture without scores is left out", file)
        return {} if image.boxes is None and not listed else {"detections": listed}

    def box(self, box: FoundBox, file: str) -> dict[str, Any]:
        """A box without its classes."""
        self.counts["detections"] += 1
        where = f"{self.path}: {file}"
        kind = box.category if box.category in IDS else "animal"
        return {
            "category": IDS[kind], "label": kind,
            "conf": rounded(box.confidence, DECIMALS, f"{where}, confidence"),
            "bbox": rounded_box(box.bbox, f"{where}, bbox"),
        }

    def _classified(
        self, scores: Scores, decision: Decision | None, file: str
    ) -> dict[str, Any]:
        if not scores:
            return {}
        raw = self.ranked(scores, file)
        made = self.decided(decision, raw)
        names = ("class", "score", "source")
        return {"raw_classifications": raw,
                "processed_classification": dict(zip(names, made, strict=True))}

    def ranked(self, scores: Scores, file: str) -> dict[str, list]:
        """The best classes, best first."""
        self.counts["classifications"] += 1
        best = sorted(scores, key=lambda s: -s[1])[: self.top]
        where = f"{self.path}: {file}, score"
        return {
            "classes": [self.line(label) for label, _ in best],
            "scores": [rounded(score, DECIMALS, where) for _, score in best],
        }

    def decided(self, decision: Decision | None, raw: Mapping[str, list]) -> tuple[str, float, str]:
        """Label, score and source of a decision; without one, of the best class."""
        if decision is None or math.isnan(decision.score):
            return raw["classes"][0], raw["scores"][0], self.source
        where = f"{self.path}: score of {decision.label}"
        return (self.line(decision.label), rounded(decision.score, DECIMALS, where),
                decision.source or self.source)

    def line(self, label: str) -> str:
        """A class as SpeciesNet's tokens."""
        line = self.lines.get(label, label)
        if is_line(line):
            return line
        return ";;;;;;" + label.replace(";", " ").strip()

    def _failures(self, image: ImageResult) -> list[str]:
        if image.failures or not image.failure:
            return list(image.failures)
        named = [step for step in STEPS if step in image.failure.upper()]
        return named or ["CLASSIFIER", "DETECTOR"]


class _Legacy(_Predictions):
    """Entries as they were up to 5.0.4: the scores are those of the best box."""

    def results(
        self, image: ImageResult, boxes: list[FoundBox], file: str
    ) -> dict[str, Any]:
        """The keys that differ between the generations."""
        scored = sorted((b for b in boxes if b.scores), key=lambda b: -b.confidence)
        scores, decision = image.scores, image.decision
        if scored and not scores:
            scores, decision = scored[0].scores, decision or scored[0].decision
        if len(scored) > 1 or (scored and image.scores):
            self.lost.add("scores of more than one box, of which this form takes the best", file)
        out: dict[str, Any] = {}
        if scores:
            out["classifications"] = self.ranked(scores, file)
        if image.boxes is not None:
            out["detections"] = [self.box(box, file) for box in boxes]
        if scores or (decision is not None and not math.isnan(decision.score)):
            made = self.decided(decision, out.get("classifications", {}))
            names = ("prediction", "prediction_score", "prediction_source")
            out.update(zip(names, made, strict=True))
        return out


__all__ = ["write_speciesnet"]
