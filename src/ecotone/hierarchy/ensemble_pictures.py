"""SpeciesNet's decision on pictures: what its classifier and its detector said, combined.

Plain dicts in, plain dicts out, in the shape of SpeciesNet's json. Two generations: "20261015"
(as 5.0.6 writes it) decides each classified box on its own; "legacy" (up to 5.0.4) has one answer
a picture, from its scores and its surest box. Source: google/cameratrapai (Apache-2.0),
ensemble.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ecotone.errors import InputError
from ecotone.hierarchy.ensemble_rows import Decision

GENERATIONS = ("20261015", "legacy")
PLACE = ("country", "admin1_region", "latitude", "longitude")
WHOLE = "0"  # category of the box that stands for the whole picture
REPORTED = 2  # classes a box keeps in the output of 20261015; the decision sees `top` of them
BOX_TOLERANCE = 1e-4
Entry = Mapping[str, Any]
_None: dict[str, Any] = {}


class Decides(Protocol):
    """Whatever decides one box: a SpeciesNetEnsemble."""

    def decide(
        self, classes: Any, scores: Any, detection_label: str | None = "",
        detection_confidence: float = 0.0, country: str | None = None,
        admin1_region: str | None = None,
    ) -> Decision: ...


def combine(
    ensemble: Decides,
    files: Iterable[str],
    classified: Mapping[str, Entry],
    detected: Mapping[str, Entry],
    places: Mapping[str, Entry],
    *,
    partial: Mapping[str, Entry] | None = None,
    reported: int | None = REPORTED,
    model_version: str | None = None,
    generation: str = GENERATIONS[0],
) -> list[dict[str, Any]]:
    """One prediction a file, in the order of `files`.

    classified, detected: file -> what the classifier and the detector wrote for it; a file that is
    missing or has "failures" failed there. Boxes stand best first, as the detector writes them.
    places: file -> country, admin1_region, latitude, longitude. partial: file -> a prediction that
    is taken as it is. reported: classes kept of a box's scores, None for all; the decision does
    not depend on it. Nothing is rounded and nothing given is changed.

    Raises InputError, naming the file, when classifier and detector saw different boxes or a value
    is missing; and as `SpeciesNetEnsemble.decide` does.
    """
    if generation not in GENERATIONS:
        raise InputError(f"generation {generation!r}: expected one of {', '.join(GENERATIONS)}.")
    make = _legacy if generation == "legacy" else _by_box
    found = []
    for file in files:
        if partial is not None and file in partial:
            found.append(dict(partial[file]))
            continue
        said, seen, place = _answer(classified, file), _answer(detected, file), places.get(file)
        body = make(ensemble, file, said, seen, place or _None)
        if make is _by_box:
            _shorten(body, reported, file)
        parts = {"CLASSIFIER": said, "DETECTOR": seen, "GEOLOCATION": place}
        result = {
            "filepath": file,
            "failures": [name for name, value in parts.items() if value is None] or None,
            **{name: (place or _None).get(name) for name in PLACE}, **body,
            "model_version": model_version,
        }
        found.append({name: value for name, value in result.items() if value is not None})
    return found


def _answer(results: Mapping[str, Entry], file: str) -> Entry | None:
    entry = results.get(file)
    return None if entry is None or "failures" in entry else entry


def _by_box(
    ensemble: Decides, file: str, said: Entry | None, seen: Entry | None, place: Entry
) -> dict[str, Any]:
    """20261015: a decision on each box that has scores."""
    boxes = None if seen is None else _get(seen, "detections", file)
    scored = None if said is None else _get(said, "detections", file)
    if scored and _get(scored[0], "category", file) == WHOLE:
        whole = dict(scored[0])
        if boxes is None:
            return {"detections": [whole]}
        first = boxes[0] if boxes else {"label": "", "conf": 0.0}
        _decide(ensemble, file, whole, first, place)
        return {"detections": [whole, *map(dict, boxes)]}
    if boxes is None:
        return {}
    if scored is None:
        return {"detections": [dict(box) for box in boxes]}
    _check_same(file, scored, boxes)
    out = [dict(box) for box in scored]
    for box in out:
        if "raw_classifications" in box:
            _decide(ensemble, file, box, box, place)
    return {"detections": out}


def _legacy(
    ensemble: Decides, file: str, said: Entry | None, seen: Entry | None, place: Entry
) -> dict[str, Any]:
    """Up to 5.0.4: a decision on the picture, where both parts gave an answer."""
    scores = None if said is None else _get(said, "classifications", file)
    boxes = None if seen is None else _get(seen, "detections", file)
    body = {"classifications": scores, "detections": boxes}
    if scores is not None and boxes is not None:
        answer = _ask(ensemble, file, scores, boxes[0] if boxes else {"label": "", "conf": 0.0},
                      place)
        if answer.label:
            body["prediction"], body["prediction_score"], body["prediction_source"] = answer
    return body


def _decide(
    ensemble: Decides, file: str, target: dict[str, Any], box: Entry, place: Entry
) -> None:
    raw = _get(target, "raw_classifications", file)
    label, score, source = _ask(ensemble, file, raw, box, place)
    if label:
        target["processed_classification"] = {"class": label, "score": score, "source": source}


def _ask(ensemble: Decides, file: str, raw: Entry, box: Entry, place: Entry) -> Decision:
    try:
        return ensemble.decide(
            _get(raw, "classes", file), _get(raw, "scores", file), _get(box, "label", file),
            _get(box, "conf", file), place.get("country"), place.get("admin1_region"),
        )
    except InputError as error:
        raise error if str(error).startswith(file) else InputError(f"{file}: {error}") from error


def _shorten(body: dict[str, Any], reported: int | None, file: str) -> None:
    """Leave each box the classes that are reported of it."""
    for box in body.get("detections") or ():
        if "raw_classifications" in box:
            raw = box["raw_classifications"]
            short = {name: _get(raw, name, file)[:reported] for name in ("classes", "scores")}
            box["raw_classifications"] = {**raw, **short}


def _check_same(file: str, scored: list[Entry], boxes: list[Entry]) -> None:
    """The classifier's boxes must be those of the detector, in its order."""
    if len(scored) != len(boxes):
        raise InputError(
            f"{file}: the classifier saw {len(scored)} boxes, the detector {len(boxes)}; give the "
            "classifier's output for this very detector output."
        )
    for number, (one, other) in enumerate(zip(scored, boxes, strict=True)):
        left, right = _get(one, "bbox", file), _get(other, "bbox", file)
        same = len(left) == len(right) and all(
            math.isclose(a, b, abs_tol=BOX_TOLERANCE) for a, b in zip(left, right, strict=True)
        )
        if not same or _get(one, "category", file) != _get(other, "category", file):
            raise InputError(
                f"{file}, box {number}: the classifier saw {left}, the detector {right}; give the "
                "classifier's output for this very detector output."
            )


def _get(entry: Any, key: str, file: str) -> Any:
    if not isinstance(entry, Mapping) or key not in entry:
        raise InputError(f"{file}: {key!r} is missing; give results as SpeciesNet writes them.")
    return entry[key]
