"""Where the csv files of the field's models hold classes, scores and the pictures they speak of.

R rows of a table of texts, one or more rows a picture, one or more classes a row.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ecotone.errors import FormatError
from ecotone.ingest.dialects import Dialect
from ecotone.ingest.results import read_number
from ecotone.ingest.tables import Table, key, number
from ecotone.ingest.text import read_json

NAME = ("predictionbase", "prediction", "predicted", "predictedclass", "top1", "species",
        "commonname", "label", "class", "classification", "classname", "scientificname",
        "vernacularname")
SCORE = ("scorebase", "score", "confidence", "probability", "predictionscore", "prob",
         "classificationprobability", "certainty")
NEXT = re.compile(r"pred(\d+)class")  # speciesnet-fine-tuning: pred1_class, pred2_class ...
RANKED = re.compile(r"top\d+(label|probability)")  # Zamba Cloud's best classes, beside all of them
SNIP = re.compile(r"(.+)-(\d+)")  # MEWC: IMG_1-0.jpg is the first box of IMG_1
ANIMAL = "1"  # the detector's category in animl's tables
Pair = tuple[list[str], list[str]]  # names and scores of the rows, as text


def long_pairs(table: Table, dialect: Dialect | None) -> list[Pair]:
    """Columns of class names with their columns of scores."""
    if dialect is None or not dialect.names:
        return [(table.column(table.find(NAME)), table.column(table.find(SCORE)))]
    names, scores = table.find(dialect.names), table.find(dialect.scores)
    if dialect.kind == "mewc csv":
        names = _worded(table, dialect.names)
    out = [(table.column(names), table.column(scores))]
    for place, header in enumerate(table.header):
        found = NEXT.fullmatch(key(header))
        score = table.find((f"pred{found.group(1)}score",)) if found else None
        if score is not None and place != names:
            out.append((table.column(place), table.column(score)))
    return out


def _worded(table: Table, names: tuple[str, ...]) -> int | None:
    """The column with words: MEWC's class_id and class_name may each be the numbers of classes."""
    places = [p for p in (table.find((n,)) for n in names) if p is not None]
    for place in places:
        if any(number(v) != number(v) for v in table.column(place)[:100] if v):
            return place
    return places[0] if places else None


def divisors(table: Table, dialect: Dialect | None) -> list[float]:
    """What the scores of each row are multiplied with: animl's hold the detector's confidence."""
    ones = [1.0] * len(table.rows)
    if dialect is None or dialect.kind != "animl csv" or "prediction" not in dialect.names:
        return ones
    category, conf = table.column(table.find(("category",))), table.column(table.find(("conf",)))
    return [
        number(c) if kind == ANIMAL and 0 < number(c) <= 1 else 1.0
        for kind, c in zip(category, conf, strict=True)
    ]


def mewc_crops(table: Table) -> tuple[list[str], np.ndarray | None, list[str]]:
    """The picture and box (R, 4) of each crop that MEWC classified, and what to tell.

    Crops are named after their picture and the number of their box in the `md_out.json` beside;
    without it the boxes are not known (None) and the pictures' ending is taken from the crops.
    """
    texts = table.column(table.find(("sourcefile",)))
    crops = table.column(table.find(("filename",)))
    numbers = table.column(table.find(("detectionindex",)))
    found = [_crop(crop) for crop in crops]
    files, problem = _detector_boxes(table.path.with_name("md_out.json"))
    out, boxes = [], np.full((len(crops), 4), np.nan)
    for row, (stem, place, ending) in enumerate(found):
        file, known = files.get(texts[row] and str(PurePosixPath(texts[row]).with_suffix(""))
                                or stem, ("", []))
        place = int(numbers[row]) if numbers[row].isdecimal() else place
        out.append(texts[row] or file or f"{stem}{ending}")
        if 0 <= place < len(known):
            boxes[row] = known[place]
    return out, boxes if np.isfinite(boxes).any() else None, problem


def _crop(name: str) -> tuple[str, int, str]:
    """"a/IMG_1-0.jpg" as the picture's name without ending, the number of the box, the ending."""
    path = PurePosixPath(name.replace("\\", "/"))
    found = SNIP.fullmatch(path.stem)
    if not found or len(found.group(2)) > 6:
        return str(path.with_suffix("")) if path.name else "", -1, path.suffix
    return str(path.with_name(found.group(1))), int(found.group(2)), path.suffix


def _detector_boxes(path: Path) -> tuple[dict[str, tuple[str, list[Any]]], list[str]]:
    """Picture without ending -> its name and the boxes, as MegaDetector put them."""
    if not path.is_file():
        return {}, []
    try:
        data = read_json(path)
    except FormatError as error:
        return {}, [f"the boxes are not known: {error}"]
    images = data.get("images") if isinstance(data, dict) else None
    out = {}
    for image in images if isinstance(images, list) else ():
        file = image.get("file") if isinstance(image, dict) else None
        detections = image.get("detections") if isinstance(image, dict) else None
        if isinstance(file, str) and file:
            boxes = [_box(d) for d in detections] if isinstance(detections, list) else []
            stem = str(PurePosixPath(file.removeprefix("/images/")).with_suffix(""))
            out[stem] = (file, boxes)
    return out, []


def _box(detection: Any) -> list[float]:
    box = detection.get("bbox") if isinstance(detection, dict) else None
    numbers = [read_number(v) for v in box] if isinstance(box, list) else []
    good = len(numbers) == 4 and all(v is not None and -0.01 <= v <= 1.01 for v in numbers)
    return [float(v) for v in numbers if v is not None] if good else [np.nan] * 4
