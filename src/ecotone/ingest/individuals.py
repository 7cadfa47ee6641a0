"""Which individual a picture shows, from a csv file or from the `individualID` of a Camtrap DP.

    a picture:     filePath | filename | RelativePath + File | path ...
    an individual: individualID | individual | identity | name
    beside:        viewpoint | side | flank | orientation, scientificName | species,
                   bboxX, bboxY, bboxWidth, bboxHeight (0..1), theta (radians),
                   eventID | encounter, split
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.labels import PATH, SCIENTIFIC, VERNACULAR
from ecotone.ingest.tables import Table, number, read_table
from ecotone.ingest.text import some

INDIVIDUAL = ("individualid", "individual", "identity", "identityid", "annotationindividual",
              "annotname", "individualname", "name", "animalid")
VIEWPOINT = ("viewpoint", "side", "flank", "orientation", "position", "view")
SPECIES = (*SCIENTIFIC, "species", *VERNACULAR, "label")
ENCOUNTER = ("eventid", "encounter", "encounterid", "sequenceid", "occurrence", "date",
             "timestamp", "eventstart")
SPLIT = ("split", "subset", "fold")
BOX = ("bboxx", "bboxy", "bboxwidth", "bboxheight")
WHOLE = (0.0, 0.0, 1.0, 1.0)
UNKNOWN = frozenset({"unknown", "unidentified", "____", "?", "none"})
_TAG = re.compile(r"(?:viewpoint|side)\s*[:=]\s*([\w -]+)", re.IGNORECASE)


@dataclass(frozen=True)
class IndividualRow:
    """One picture of a known individual. path: absolute; bbox: x, y, width, height in 0..1; theta:
    the box's turn in radians; viewpoint, species, encounter, split: "" where not told."""

    path: Path
    individual: str
    viewpoint: str = ""
    species: str = ""
    bbox: tuple[float, float, float, float] = WHOLE
    theta: float = 0.0
    encounter: str = ""
    split: str = ""


@dataclass(frozen=True)
class IndividualFile:
    """The rows that name an individual, and what was left out."""

    rows: list[IndividualRow]
    problems: list[str]


def read_individuals(path: str | Path, pictures: str | Path | None = None) -> IndividualFile:
    """The individuals of a csv file, or of a Camtrap DP (folder, datapackage.json or zip).

    pictures: the folder that relative paths start from, default that of the table.
    Raises FormatError when nothing names a picture or an individual.
    """
    path = Path(path)
    if path.is_dir() or path.suffix.lower() in (".json", ".zip"):
        return _from_package(path, Path(pictures) if pictures else None)
    table = read_table(path)
    columns = _columns(table)
    base = Path(pictures) if pictures else path.parent
    found = _rows(zip(table.lines, *columns.values(), strict=True), base, path.name)
    return IndividualFile(found.rows, [*table.problems, *found.problems])


def _columns(table: Table) -> dict[str, list[str]]:
    picture, individual = table.find(PATH), table.find(INDIVIDUAL)
    picture = table.find_pictures() if picture is None else picture
    for column, what, expected in (
        (picture, "picture", "filePath or filename"),
        (individual, "individual", "individualID, individual or identity"),
    ):
        if column is None:
            raise FormatError(
                f"{table.path}, row 1: no column names the {what} (found: "
                f"{some(table.header, 8)}); expected {expected}."
            )
    paths = table.column(picture)
    folder, file = table.find(("relativepath", "directory")), table.find(("file", "filename"))
    if folder is not None and file is not None and folder != file:
        pairs = zip(table.column(folder), table.column(file), strict=True)
        paths = [f"{d}/{f}" if d and "/" not in f else f or d for d, f in pairs]
    boxes = [table.column(table.find((name,))) for name in BOX]
    return {
        "path": paths, "individual": table.column(individual),
        "viewpoint": table.column(table.find(VIEWPOINT)),
        "species": table.column(table.find(SPECIES)),
        "bbox": list(zip(*boxes, strict=True)),
        "theta": table.column(table.find(("theta", "rotation"))),
        "encounter": table.column(table.find(ENCOUNTER)),
        "split": table.column(table.find(SPLIT)),
    }


def _from_package(path: Path, pictures: Path | None) -> IndividualFile:
    from ecotone.ingest.camtrapdp import read_camtrapdp

    study = read_camtrapdp(path)
    base = pictures or (path if path.is_dir() else path.parent)
    files = {row["mediaID"]: row.get("filePath") or row.get("fileName", "") for row in study.media}
    cells = []
    for place, row in enumerate(study.observations, 2):
        if not row.get("individualID", "").strip():
            continue
        tags = _TAG.search(row.get("observationTags", ""))
        viewpoint = row.get("viewpoint", "") or (tags.group(1).strip() if tags else "")
        box = tuple(row.get(n, "") for n in ("bboxX", "bboxY", "bboxWidth", "bboxHeight"))
        cells.append((place, files.get(row.get("mediaID", ""), ""), row["individualID"], viewpoint,
                      row.get("scientificName", ""), box, "", row.get("eventID", ""), ""))
    if not cells:
        raise FormatError(
            f"{path}: no observation has an individualID; there is nothing to learn individuals "
            "from."
        )
    return _rows(cells, base, "observations.csv")


def _rows(cells: Iterable[tuple], base: Path, where: str) -> IndividualFile:
    rows, unknown, lost, odd = [], [], [], []
    for line, path, individual, viewpoint, species, box, theta, encounter, split in cells:
        name = individual.strip()
        if not name or name.casefold() in UNKNOWN:
            unknown.append(str(line))
            continue
        if not path:
            lost.append(str(line))
            continue
        bbox = _box(box)
        if bbox is None:
            odd.append(str(line))
            bbox = WHOLE
        turn = number(theta) if theta else 0.0
        file = Path(path.replace("\\", "/"))
        rows.append(IndividualRow(
            file if file.is_absolute() else base / file, name, viewpoint.strip().casefold(),
            species.strip(), bbox, turn if turn == turn else 0.0, encounter, split.strip()))
    problems = [
        f"{where}: {len(lines):,} rows {says}: row {some(lines)}"
        for lines, says in ((unknown, "name no individual"), (lost, "name no picture"),
                            (odd, "have a box that is none; the whole picture is taken"))
        if lines
    ]
    return IndividualFile(rows, problems)


def _box(cells: tuple[str, ...]) -> tuple[float, float, float, float] | None:
    """The box of four cells; the whole picture where all are empty, None where they are no box."""
    if not any(cells):
        return WHOLE
    x, y, width, height = (number(c) if c else float("nan") for c in cells)
    inside = -0.01 <= x <= 1 and -0.01 <= y <= 1 and 0 < width <= 1.01 and 0 < height <= 1.01
    return (x, y, width, height) if inside else None


__all__ = ["IndividualFile", "IndividualRow", "read_individuals"]
