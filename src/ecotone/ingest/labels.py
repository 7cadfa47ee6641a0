"""Labels that people gave, from csv files with whatever columns people use.

    a picture:  filePath | filename | RelativePath + File | Directory + FileName | mediaID |
                observationID
    a name:     label | category | observed, scientificName (or genus + species), vernacularName
    a place:    deploymentID | location | site | station | camera
    who it is:  individualID | identity, viewpoint | side | flank
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.dialects import LABELS, STUDY, advice, dialect_of
from ecotone.ingest.events import iso_time
from ecotone.ingest.tables import Table, clean, key, number, read_table
from ecotone.ingest.text import some

PATH = (
    "filepath", "path", "imagepath", "mediapath", "relativepath", "sourcefile", "file",
    "filename", "imagename", "imagefile", "image", "img", "photo", "picture", "media", "rawname",
    "originalfilename",
)
MEDIA_ID = ("mediaid", "imageid", "id")
DETECTION_ID = ("detectionid", "observationid")
LABEL = (
    "correctedlabel", "label", "class", "category", "species", "observed", "groundtruth", "truth",
    "annotation", "categoryname", "classname", "taxon", "animal", "tag", "target", "y", "name",
)
SCIENTIFIC = ("scientificname", "latinname", "latin", "binomial", "taxonname")
VERNACULAR = ("vernacularname", "commonname", "common", "vernacular", "englishname")
LOCATION = (
    "deploymentid", "deployment", "location", "locationid", "locationname", "site", "siteid",
    "station", "stationid", "placename", "camera", "cameraid",
)
INDIVIDUAL = ("individualid", "individual", "identity", "individualname", "animalid")
VIEWPOINT = ("viewpoint", "side", "flank")
NOBODY = frozenset({"unknown", "unidentified", "none", "na", "nan", "null", "-", "?"})
TIME = ("timestamp", "datetime", "datetimeoriginal", "dateandtime", "eventstart", "date")
SCORE = ("conf", "confidence", "score", "probability", "maxdetectionconf")
MACHINE = ("prediction", "predicted", "top1", "predictionbase")
COMPUTER = re.compile(r"computer[ _-]?vision.*", re.IGNORECASE)  # identified_by, of models
KINDS = {"human": "human", "vehicle": "vehicle", "blank": "blank"}


@dataclass(frozen=True)
class LabelRow:
    """One row: where it stands, which picture it means, and what it says of it."""

    line: int
    path: str = ""
    media_id: str = ""
    detection_id: str = ""
    label: str = ""
    scientific_name: str = ""
    vernacular_name: str = ""
    location: str = ""
    timestamp: str = ""
    individual: str = ""
    viewpoint: str = ""
    bbox: tuple[float, float, float, float] | None = None

    @property
    def named(self) -> bool:
        """Whether the row names a class."""
        return bool(self.label or self.scientific_name or self.vernacular_name)

    @property
    def said(self) -> bool:
        """Whether the row names a class or an individual at all."""
        return self.named or bool(self.individual)


@dataclass(frozen=True)
class LabelFile:
    """The rows with a label, and what was left out."""

    rows: list[LabelRow]
    problems: list[str]


def read_labels(path: Path) -> LabelFile:
    """The labels of a csv file.

    Raises FormatError when it is no table, names no picture, or holds no labels by people.
    """
    table = read_table(path)
    dialect = dialect_of(table.header)
    # A table that holds people's word beside a model's has a column for it.
    if dialect is not None and dialect.command not in (LABELS, STUDY) and (
        table.find(("correctedlabel",)) is None
    ):
        raise FormatError(f"{path}: is {dialect.says}; {advice(dialect.command)}.")
    columns = _columns(table, only_label=dialect is not None and dialect.kind == "ecotone csv")
    rows = [LabelRow(line, **values) for line, values in _values(table, columns)]
    problems = list(table.problems)
    rows, left_out = _by_people(table, rows)
    problems += left_out
    silent = [str(row.line) for row in rows if not row.said]
    if silent:
        problems.append(f"{path.name}: {len(silent):,} rows have no label: row {some(silent)}")
    lost = [str(r.line) for r in rows if r.said and not (r.path or r.media_id or r.detection_id)]
    if lost:
        problems.append(f"{path.name}: {len(lost):,} rows name no picture: row {some(lost)}")
    good = [r for r in rows if r.said and (r.path or r.media_id or r.detection_id)]
    return LabelFile(_resolve_media(path, good), problems)


def _columns(table: Table, only_label: bool = False) -> dict[str, list[str]]:
    find = table.find
    path, media, detection = find(PATH), find(MEDIA_ID), find(DETECTION_ID)
    if path is None and media is None and detection is None:
        path = table.find_pictures()
    if path is None and media is None and detection is None:
        raise FormatError(
            f"{table.path}, row 1: no column names the picture (found: {some(table.header, 8)}); "
            "expected filePath, filename, mediaID or observationID."
        )
    ranks = find(("genus",)) is not None
    label, scientific, vernacular, kind = _name_columns(table, ranks)
    if only_label:  # the other names are a model's
        scientific = vernacular = kind = None
        ranks = False
    who = None if only_label else find(INDIVIDUAL)
    out = {
        "path": table.column(path), "media_id": table.column(media),
        "detection_id": table.column(detection), "label": table.column(label),
        "scientific_name": table.column(scientific), "vernacular_name": table.column(vernacular),
        "location": [_place(v) for v in table.column(find(LOCATION))],
        "timestamp": [iso_time(v) for v in table.column(find(TIME))],
        "individual": [_somebody(v) for v in table.column(who)],
        "viewpoint": [v.casefold() for v in table.column(find(VIEWPOINT))],
    }
    folder, file = find(("relativepath", "directory")), find(("file", "filename"))
    if folder is not None and file is not None and path in (folder, file):  # Timelapse, camtrapR
        parts = zip(table.column(folder), table.column(file), strict=True)
        out["path"] = [f"{d}/{f}" if d and "/" not in f else f or d for d, f in parts]
    if ranks and scientific is None:
        out["scientific_name"] = _from_ranks(table)
    if kind is None and not only_label:
        out["label"] = _with_blanks(table, out)
    if kind is not None:
        kinds = [KINDS.get(v.casefold(), "") for v in table.column(kind)]
        names = zip(out["label"], out["scientific_name"], kinds, strict=True)
        out["label"] = [label or ("" if name else k) for label, name, k in names]
    return out


def _with_blanks(table: Table, columns: Mapping[str, list[str]]) -> list[str]:
    """The labels, "blank" where the table's is_blank says so and there is no name."""
    place = table.find(("isblank",))
    if place is None:
        return columns["label"]
    names = zip(columns["label"], columns["scientific_name"], columns["vernacular_name"],
                strict=True)
    return [
        "blank" if said.casefold() in ("true", "1") and not any(row) else row[0]
        for said, row in zip(table.column(place), names, strict=True)
    ]


def _name_columns(table: Table, ranks: bool) -> tuple[int | None, ...]:
    """The columns of label, scientific name, vernacular name and kind of observation."""
    find = table.find
    # In a model's output these columns hold what the model said, or its numbers of classes.
    vague = {"class", "species"} if ranks else set()
    if find(SCORE) is not None:
        vague |= {"category", "class", "species", "categoryname", "classname", "name", "y", "tag"}
    found = (
        find([n for n in LABEL if n not in vague]), find(SCIENTIFIC), find(VERNACULAR),
        find(("observationtype",)),
    )
    if ranks or any(column is not None for column in (*found, find(INDIVIDUAL))):
        if found[0] is None and found[3] is None:
            _no_scores(table)
        return found
    machine = find(MACHINE)
    more = "" if machine is None else (
        f"; {table.header[machine]!r} is what a model said: use ecotone add scores"
    )
    raise FormatError(
        f"{table.path}, row 1: no column holds labels (found: {some(table.header, 8)}); "
        f"expected label, category, scientificName or vernacularName{more}."
    )


def _no_scores(table: Table) -> None:
    """Refuses names beside a column of probabilities, which are what a model said."""
    column = table.find(SCORE)
    values = [number(v) for v in table.column(column) if v]
    if values and all(0 <= v <= 1 for v in values) and any(v % 1 for v in values):
        raise FormatError(
            f"{table.path}, row 1: {table.header[column]!r} holds numbers from 0 to 1 as a model "
            "gives them: use ecotone add scores; if people gave these names, take the column out."
        )


def _somebody(text: str) -> str:
    return "" if text.casefold() in NOBODY else text


def _place(text: str) -> str:
    return "" if "://" in text else text  # Wildlife Insights keeps a web address in `location`


def _from_ranks(table: Table) -> list[str]:
    ranks = [table.column(table.find((r,))) for r in ("class", "order", "family")]
    pairs = zip(
        table.column(table.find(("genus",))), table.column(table.find(("species",))), *ranks,
        strict=True,
    )
    out = []
    for genus, species, *higher in pairs:
        text = f"{genus} {species.split()[-1]}" if genus and species else genus
        out.append(text or next((h for h in reversed(higher) if h), ""))
    return out


def _values(table: Table, columns: Mapping[str, Sequence[str]]) -> list[tuple[int, dict]]:
    names = list(columns)
    boxes = _boxes(table)
    cells = zip(*columns.values(), strict=True)
    return [
        (line, {**dict(zip(names, row, strict=True)), "bbox": box})
        for line, row, box in zip(table.lines, cells, boxes, strict=True)
    ]


def _boxes(table: Table) -> list[tuple[float, float, float, float] | None]:
    found = [table.find((n,)) for n in ("bboxx", "bboxy", "bboxwidth", "bboxheight")]
    if any(c is None for c in found):
        return [None] * len(table.rows)
    out: list[tuple[float, float, float, float] | None] = []
    for cells in zip(*(table.column(c) for c in found), strict=True):
        x, y, width, height = (number(c) if c else float("nan") for c in cells)
        good = all(0 <= v <= 1 for v in (x, y, width, height))
        out.append((x, y, width, height) if good else None)
    return out


def _by_people(table: Table, rows: list[LabelRow]) -> tuple[list[LabelRow], list[str]]:
    """Without the rows that a machine gave or that speak of an event, not of a picture."""
    out, machine, event = [], 0, 0
    method = _methods(table)
    level = [v.casefold() for v in table.column(table.find(("observationlevel",)))]
    for row, how, what in zip(rows, method, level, strict=True):
        if what == "event" and not row.media_id and not row.path:
            event += 1
        elif how == "machine":
            machine += 1
        else:
            out.append(row)
    problems = []
    name = table.path.name
    if machine:
        problems.append(f"{name}: {machine:,} rows were given by a machine, left out")
    if event:
        problems.append(f"{name}: {event:,} rows speak of an event, not of a picture, left out")
    return out, problems


def _methods(table: Table) -> list[str]:
    """Who named each row: "human", "machine" or "", where the table says so."""
    who = table.find(("identifiedby",))
    if who is None or table.find(("genus",)) is None:
        return [v.casefold() for v in table.column(table.find(("classificationmethod",)))]
    # Wildlife Insights: a row that no person has confirmed is empty or names computer vision.
    return ["machine" if not v or COMPUTER.fullmatch(v) else "human" for v in table.column(who)]


def _resolve_media(path: Path, rows: list[LabelRow]) -> list[LabelRow]:
    """Paths for rows that only have a mediaID, from the `media.csv` of a Camtrap DP beside."""
    beside = path.with_name("media.csv")
    if all(r.path for r in rows) or beside == path or not beside.is_file():
        return rows
    table = read_table(beside)
    ids = table.column(table.find(MEDIA_ID))
    paths = [_place(v) for v in table.column(table.find(("filepath",)))]
    names = table.column(table.find(("filename",)))
    path_of = {i: p or n for i, p, n in zip(ids, paths, names, strict=True)}
    return [
        r if r.path or not path_of.get(r.media_id) else _with_path(r, path_of[r.media_id])
        for r in rows
    ]


def _with_path(row: LabelRow, path: str) -> LabelRow:
    from dataclasses import replace

    return replace(row, path=path)


def class_names(
    rows: Sequence[LabelRow], known: Mapping[str, tuple[str, str]]
) -> list[str]:
    """The class of each row, one name a thing throughout the project.

    The label column; else the vernacular name; else the scientific name. What the project already
    calls by another of its names keeps that class, and spellings that differ in case are one.
    known: class -> (scientific name, vernacular name).
    """
    spelling = {_same(name): name for name in known}
    known_names = frozenset(spelling)
    by_science = _classes_by_science(known)
    fresh: dict[str, set[str]] = {}
    for row in rows:
        if row.scientific_name and row.vernacular_name and not row.label:
            fresh.setdefault(key(row.scientific_name), set()).add(row.vernacular_name)
    out = []
    for row in rows:
        science = key(row.scientific_name)
        name = row.label or row.vernacular_name
        if not name:
            here = by_science.get(science) or fresh.get(science) or set()
            name = next(iter(here)) if len({key(h) for h in here}) == 1 else row.scientific_name
        elif not row.label and _same(name) not in known_names and science in known_names and (
            len(fresh.get(science, ())) == 1
        ):
            name = row.scientific_name  # so far the project knows it by this name alone
        out.append(spelling.setdefault(_same(name), clean(name)))
    return out


def _same(name: str) -> str:
    return key(name) or name  # a name of signs alone stays what it is


def _classes_by_science(known: Mapping[str, tuple[str, str]]) -> dict[str, set[str]]:
    out: dict[str, set[str]] = {}
    for name, (scientific, _) in known.items():
        if scientific:
            out.setdefault(key(scientific), set()).add(name)
    return out
