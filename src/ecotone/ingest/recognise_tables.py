"""What a text table is, by its header and first rows."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.camtrapdp_package import DESCRIPTOR
from ecotone.ingest.deployments_table import DEPLOYMENT, LATITUDE, LONGITUDE
from ecotone.ingest.deployments_table import NAME as NAMED
from ecotone.ingest.dialects import DEPLOYMENTS, LABELS, NOTHING, STUDY, Dialect, dialect_of
from ecotone.ingest.dialects_scores import NAME, SCORE
from ecotone.ingest.labels import (
    DETECTION_ID,
    INDIVIDUAL,
    LABEL,
    MEDIA_ID,
    PATH,
    SCIENTIFIC,
    VERNACULAR,
)
from ecotone.ingest.recognise_results import Named
from ecotone.ingest.scores_table import NO_CLASS
from ecotone.ingest.tables import RowStream, Table, key, number
from ecotone.ingest.taxonomy_file import is_header
from ecotone.ingest.text import some
from ecotone.ingest.wildlife_insights_files import names_in, tables_among

ROWS = 100  # that are looked at


def name_of_table(path: Path, text: str, whole: bool) -> Named:
    """The kind of a table. text: its beginning, the last line cut off unless it is `whole`.

    Raises FormatError when it is of no known kind, and says what it looks like.
    """
    if not whole:
        text = text.rpartition("\n")[0] or text
    first = next((line for line in text.splitlines() if line.strip()), "").strip()
    if first.count(";") == 6 and not is_header(first):
        return Named("speciesnet taxonomy", "", "taxonomy", "SpeciesNet's labels or taxonomy")
    stream = RowStream(path, _without_comments(text))
    dialect = dialect_of(stream.header)
    if dialect is not None:
        return _of_dialect(path, dialect)
    return _other(Table(path, stream.header, _rows(stream), []))


def _without_comments(text: str) -> str:
    """The text without lines of # before the header."""
    lines = text.split("\n")
    while len(lines) > 1 and lines[0].startswith("#"):
        del lines[0]
    return "\n".join(lines)


def _rows(stream: RowStream) -> list[list[str]]:
    rows: list[list[str]] = []
    with suppress(FormatError):  # a quote that the end of the text cuts, or one for the reader
        for _, row in islice(stream, ROWS):
            rows.append(row)
    return rows


def _of_dialect(path: Path, dialect: Dialect) -> Named:
    if dialect.command != STUDY:
        return Named(dialect.kind, dialect.generation, dialect.command, dialect.says)
    folder = path.parent
    if dialect.kind == "camtrapdp":
        if (folder / DESCRIPTOR).is_file():
            return Named(dialect.kind, dialect.generation, STUDY, dialect.says, folder)
        command = {"observations": LABELS, "deployments": DEPLOYMENTS}.get(dialect.generation,
                                                                           NOTHING)
        return Named(dialect.kind, dialect.generation, command,
                     f"{dialect.says}, without a {DESCRIPTOR} beside")
    if tables_among([n for n in names_in(folder) if "/" not in n]):
        return Named(dialect.kind, dialect.generation, STUDY, dialect.says, folder)
    command = DEPLOYMENTS if dialect.generation == "deployments" else NOTHING
    return Named(dialect.kind, dialect.generation, command,
                 f"{dialect.says}, without images.csv beside")


def _other(table: Table) -> Named:
    """A table of no tool's: labels, scores or a taxonomy."""
    find = table.find
    names = [n for n in (find(LABEL), find(SCIENTIFIC), find(VERNACULAR), find(("genus",)),
                         find(("observationtype",))) if n is not None]
    picture = next((p for p in (find(PATH), find(MEDIA_ID), find(DETECTION_ID),
                                table.find_pictures()) if p is not None), None)
    shown = f"a csv table of {len(table.header):,} columns ({some([h[:40] for h in table.header])})"
    if picture is None:
        if all(find(n) is not None for n in (DEPLOYMENT + NAMED, LATITUDE, LONGITUDE)):
            return Named("deployments csv", "", DEPLOYMENTS, "places and times of deployments")
        if any(find((n,)) is not None for n in ("genus", *SCIENTIFIC)):
            return Named("taxonomy csv", "", "taxonomy", "names of taxa with their ranks")
        raise FormatError(f"{table.path}: looks like {shown}; expected a column that names the "
                          "pictures, such as filePath, or names of taxa.")
    scored = find(SCORE)
    if scored is not None and find(NAME) is not None and _shares(table, scored):
        return Named("scores csv", "long", "scores", "a model's classes and scores in rows")
    if names:
        return Named("labels csv", "", LABELS, f"labels in the column {table.header[names[0]]}")
    who = find(INDIVIDUAL)
    if who is not None:
        return Named("labels csv", "", LABELS, f"individuals in the column {table.header[who]}")
    wide = [h for c, h in enumerate(table.header)
            if c != picture and key(h) not in NO_CLASS and _shares(table, c)]
    if wide:
        return Named("scores csv", "wide", "scores",
                     f"a model's scores in columns ({some([h[:40] for h in wide])})")
    raise FormatError(f"{table.path}: looks like {shown} with pictures but neither labels nor "
                      "scores; expected a column such as label, or one column a class.")


def _shares(table: Table, column: int) -> bool:
    values = [number(v) for v in table.column(column) if v]
    return bool(values) and all(v == v and 0 <= v <= 100.5 for v in values)
