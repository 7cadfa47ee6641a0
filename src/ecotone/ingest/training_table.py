"""The csv files of the SpeciesNet fine-tuning recipe: which picture shows what, and other names.

    pictures:   filename, category, location    a row a label; a picture may stand in several rows
    or:         input, output                   input is a picture, output its class
    names:      input, output                   input is a category, output what it is called here

Of names, an empty output leaves a category as it is, "remove" leaves its pictures out, and other
columns (such as count) say nothing; each input stands once and is looked up once.
Source: the formats of agentmorris/speciesnet-fine-tuning (README, Apache-2.0).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.folder import deployment_of
from ecotone.ingest.labels import PATH
from ecotone.ingest.tables import PICTURE, Table, read_table
from ecotone.ingest.text import some
from ecotone.media import location as places

INPUT, OUTPUT = ("input",), ("output",)
CATEGORY = ("category", "label", "species", "class")
LOCATION = ("location", "deploymentid", "deployment", "locationid", "site", "camera")
REMOVE = "remove"
PICTURES, NAMES = "pictures", "names"
EXPECTED = ("expected filename,category,location (a row a labelled picture), or input,output "
            "(other names of categories)")


@dataclass(frozen=True)
class LabelledFile:
    """A picture of the table. path: of the file, or its URL; file: as the table writes it;
    categories: its classes, one or more, each once; location: the camera, "" where not told."""

    path: str | Path
    file: str
    categories: tuple[str, ...]
    location: str


@dataclass(frozen=True)
class LabelledFiles:
    """The pictures of a table, in its order, and what was left out."""

    rows: list[LabelledFile]
    problems: list[str] = field(default_factory=list)

    def renamed(self, names: Mapping[str, str]) -> LabelledFiles:
        """The pictures by other names of their categories, see `read_names_table`.

        Raises FormatError when no picture is left.
        """
        kept: list[LabelledFile] = []
        gone: dict[str, int] = defaultdict(int)
        for row in self.rows:
            new = [names.get(c, c) for c in row.categories]
            for old, now in zip(row.categories, new, strict=True):
                gone[old] += now == REMOVE
            left = tuple(dict.fromkeys(c for c in new if c != REMOVE))
            if left:
                kept.append(LabelledFile(row.path, row.file, left, row.location))
        if not kept:
            raise FormatError("the names leave no picture: every category is removed.")
        there = {c for row in self.rows for c in row.categories}
        idle = [name for name in names if name not in there]
        told = [f"{name}: removed, {n:,} pictures" for name, n in sorted(gone.items()) if n]
        told += [f"names for {len(idle):,} categories that no picture has: {some(sorted(idle))}"
                 ] if idle else []
        return LabelledFiles(kept, [*self.problems, *told])


def kind_of_table(path: str | Path) -> str:
    """What a csv of the recipe is: "pictures" or "names".

    Raises FormatError when it has other columns, or is no table.
    """
    return _kind(read_table(Path(path)))


def read_labelled_files(path: str | Path, pictures: str | Path | None = None) -> LabelledFiles:
    """The labelled pictures of a table.

    A filename is absolute, a URL, or relative to `pictures` or to the table's folder. Without a
    column location the picture's folder is its location. A picture in rows of several categories
    has all of them. Raises FormatError on other columns, on a picture at two locations, and when no
    picture is there.
    """
    path = Path(path)
    table = read_table(path)
    if _kind(table) == NAMES:
        raise FormatError(f"{path}: its inputs are names of categories, not pictures; give the "
                          "table of pictures (filename,category,location) beside it.")
    where = table.find(LOCATION)
    columns = (table.column(_picture_column(table)), table.column(_category_column(table)),
               table.column(where))
    merged, problems = _merged(path, zip(table.lines, *columns, strict=True))
    folders = [Path(pictures)] if pictures else []
    rows, missing = [], []
    for file, (categories, location) in merged.items():
        place = _found(file, [*folders, path.resolve().parent])
        if place is None:
            missing.append(file)
            continue
        at = location if where is not None else deployment_of(file, "root")[0]
        rows.append(LabelledFile(place, file, tuple(categories), at))
    if not rows:
        base = pictures or path.parent
        raise FormatError(
            f"{path}: none of its {len(merged):,} pictures is in {base}; the first is "
            f"{some(missing, 1)}; say where they are: --pictures FOLDER." if merged else
            f"{path}: no row with a picture and a category in it.")
    if missing:
        problems.append(f"{path.name}: {len(missing):,} pictures are not there: {some(missing)}")
    if where is None:
        problems.append(f"{path.name}: no column location, so folders count as locations")
    return LabelledFiles(rows, [*table.problems, *problems])


def read_names_table(path: str | Path) -> dict[str, str]:
    """Category -> its name here, or "remove"; categories that stay as they are are left out.

    Raises FormatError on other columns, an empty input, or one that stands twice.
    """
    path = Path(path)
    table = read_table(path)
    if _kind(table) != NAMES:
        raise FormatError(f"{path}: its rows are pictures, expected input,output: names of "
                          "categories.")
    found: dict[str, tuple[int, str]] = {}
    columns = (table.column(table.find(INPUT)), table.column(table.find(OUTPUT)))
    for line, given, new in zip(table.lines, *columns, strict=True):
        if not given:
            raise FormatError(f"{path}, row {line}: input is empty; name a category.")
        if given in found:
            raise FormatError(f"{path}, row {line}: input {given!r} stands in row "
                              f"{found[given][0]} too; name each category once.")
        found[given] = line, REMOVE if new.casefold() == REMOVE else new
    return {name: new for name, (_, new) in found.items() if new}


def _kind(table: Table) -> str:
    if table.find(PATH) is not None and table.find(CATEGORY) is not None:
        return PICTURES
    if table.find(INPUT) is None or table.find(OUTPUT) is None:
        raise FormatError(f"{table.path}, row 1: columns {some(table.header, 6)}; {EXPECTED}.")
    if not table.rows:
        raise FormatError(f"{table.path}: holds a header and no rows.")
    names = [c for c in table.column(table.find(INPUT)) if c]
    pictures = sum(bool(PICTURE.search(name)) for name in names)
    return PICTURES if names and pictures >= 0.8 * len(names) else NAMES


def _picture_column(table: Table) -> int | None:
    found = table.find(PATH)
    return table.find(INPUT) if found is None or table.find(CATEGORY) is None else found


def _category_column(table: Table) -> int | None:
    found = table.find(CATEGORY)
    return table.find(OUTPUT) if found is None or table.find(PATH) is None else found


def _merged(
    path: Path, rows: Iterable[tuple[int, str, str, str]]
) -> tuple[dict[str, tuple[list[str], str]], list[str]]:
    """Picture -> its categories and location, and what to tell of the rows."""
    found: dict[str, tuple[list[str], str]] = {}
    first: dict[str, int] = {}
    bare: list[str] = []
    twice: list[str] = []
    for line, file, category, location in rows:
        file = file.replace("\\", "/")
        if not file or not category:
            bare.append(f"row {line}")
            continue
        if file not in found:
            found[file], first[file] = ([category], location), line
            continue
        categories, known = found[file]
        if location != known:
            raise FormatError(f"{path}, row {line}: {file} is at location {location!r}, in row "
                              f"{first[file]} at {known!r}; a picture has one location.")
        if category in categories:
            twice.append(f"row {line}")
        else:
            categories.append(category)
    told = [f"{path.name}: {len(rows):,} rows {what}: {some(rows)}" for rows, what in (
        (bare, "lack a picture or a category and are left out"),
        (twice, "say what another row says and count once")) if rows]
    several = sum(len(categories) > 1 for categories, _ in found.values())
    if several:
        told.append(f"{path.name}: {several:,} pictures have several categories, each of them an "
                    "equal share")
    return found, told


def _found(file: str, folders: Iterable[Path]) -> str | Path | None:
    """The file of a picture, by the first folder that has it; a URL is taken as it is."""
    file = places.location(file)
    if places.is_url(file):
        return file
    tries = [Path(file)] if Path(file).is_absolute() else [folder / file for folder in folders]
    return next((place for place in tries if place.is_file()), None)


__all__ = ["LabelledFile", "LabelledFiles", "NAMES", "PICTURES", "REMOVE", "kind_of_table",
           "read_labelled_files", "read_names_table"]
