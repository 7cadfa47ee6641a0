"""Boxes of a detector in a csv table: animl's Detections.csv.

One row a box: the picture, category (1 animal, 2 person, 3 vehicle, 0 nothing found), conf, and
bbox1 to bbox4 as x y width height in 0..1.
Source: conservationtechlab/animl-py; MegaDetector's data_management/animl_to_md.py.
"""

from __future__ import annotations

from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.dialects import DETECTIONS, advice, dialect_of
from ecotone.ingest.labels import PATH
from ecotone.ingest.results import (
    FoundBox,
    ImageResult,
    Problems,
    ResultFile,
    category_of,
    read_box,
    read_number,
)
from ecotone.ingest.tables import Table, number, read_table
from ecotone.ingest.text import some
from ecotone.media.patience import patient_open

CATEGORIES = {"1": "animal", "2": "human", "3": "vehicle"}
BOX = ("bbox1", "bbox2", "bbox3", "bbox4")
NOTHING = "0"


def is_box_table(path: Path) -> bool:
    """Whether a file's name and beginning are those of a csv table, not of json."""
    if path.suffix.casefold() == ".json":
        return False
    try:
        with patient_open(path) as handle:
            return handle.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] not in (b"{", b"[", b"")
    except OSError:
        return False


def read_box_table(path: Path) -> ResultFile:
    """The boxes of a csv table as results of a detector.

    Raises FormatError when the table holds no boxes, and says which command takes it.
    """
    table = read_table(path)
    dialect = dialect_of(table.header)
    if dialect is None or dialect.command != DETECTIONS:
        more = f"is {dialect.says}; {advice(dialect.command)}" if dialect else (
            f"row 1: no columns of boxes (found: {some(table.header, 8)}); expected animl's "
            "Detections.csv (category, conf, bbox1 to bbox4); a table of scores is given to: "
            "ecotone add scores"
        )
        raise FormatError(f"{path}: {more}.")
    problems = Problems(path)
    boxes: dict[str, list[FoundBox]] = {}
    for row, file in enumerate(table.column(table.find(("filepath", *PATH)))):
        if file:
            found = _box(table, row, problems)
            boxes.setdefault(file, []).extend([found] if found else [])
        else:
            problems.add("names no picture, left out", f"row {table.lines[row]}")
    images = [ImageResult(file, tuple(found)) for file, found in boxes.items()]
    return ResultFile(
        path, "animl detections", "animl", "", None, images,
        problems=[*table.problems, *problems.lines()],
    )


def _box(table: Table, row: int, problems: Problems) -> FoundBox | None:
    def cell(name: str) -> str:
        place = table.find((name,))
        return "" if place is None else table.rows[row][place].strip()

    where = f"row {table.lines[row]}"
    category = cell("category").removesuffix(".0")
    if category == NOTHING or not any(cell(name) for name in BOX):
        return None
    confidence = read_number(number(cell("conf")))
    if confidence is None or not 0 <= confidence <= 1:
        problems.add("conf is not a number in 0..1, box left out", where)
        return None
    values = [number(cell(name)) for name in BOX]
    box = read_box([None if v != v else v for v in values], where, problems)
    if box is None:
        return None
    kind = CATEGORIES.get(category) or category_of(category)
    return FoundBox(box, kind, confidence)
