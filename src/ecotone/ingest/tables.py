"""Tables in text: any delimiter, encoding and line end; columns found by the names people use."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ecotone.errors import FormatError
from ecotone.ingest.text import read_text, some

DELIMITERS = (",", ";", "\t", "|")
MOST_FILLED = 20_000_000  # cells that short rows may lack in one file
MISSING = frozenset({"", "na", "n/a", "nan", "null", "#n/a"})
PICTURE = re.compile(r"\.(jpe?g|jpe|png|tiff?|bmp|webp|gif|heic)$", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A table as read: header, rows of equal length, their line numbers in the file, and what was
    wrong with rows that are left out."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    problems: list[str] = field(default_factory=list)

    @cached_property
    def _places(self) -> dict[str, int]:
        keys = [key(h) for h in self.header]
        return {name: place for place, name in reversed(list(enumerate(keys)))}

    def find(self, names: Iterable[str]) -> int | None:
        """The column with the first of these names, None when there is none."""
        return next((self._places[n] for n in names if n in self._places), None)

    def find_pictures(self) -> int | None:
        """The first column that holds names of pictures, whatever it is called."""
        for index in range(len(self.header)):
            cells = [c for c in (row[index].strip() for row in self.rows[:100]) if c]
            if cells and sum(bool(PICTURE.search(c)) for c in cells) >= 0.8 * len(cells):
                return index
        return None

    def column(self, index: int | None) -> list[str]:
        """The cells of a column, missing values as ""; all "" for None."""
        if index is None:
            return [""] * len(self.rows)
        return [clean(row[index]) for row in self.rows]


def key(name: str) -> str:
    """A column's name without case, spaces and punctuation: "File Path" -> "filepath"."""
    return re.sub(r"[\W_]+", "", name).casefold()


def clean(cell: str) -> str:
    """A cell without outer blanks; "" for what stands for a missing value."""
    text = " ".join(cell.split())
    return "" if text.casefold() in MISSING else text


class _Lines:
    """The lines of a text; `ended` once more were asked for than there are."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        yield from self._lines
        self.ended = True


class RowStream:
    """The rows of a csv file one after the other, as (line number, cells as long as the header).

    Rows with more fields than the header are left out; `problems` tells them after the last row.
    """

    def __init__(self, path: Path, text: str | None = None) -> None:
        """text: of the file, where it has been read (or a part of it)."""
        text = read_text(path) if text is None else text
        first = text.split("\n", 1)[0].strip(" \r\ufeff")
        given = re.fullmatch(r'"?sep=(.)"?', first, re.IGNORECASE)  # Excel's own hint
        if given:
            text = text.split("\n", 1)[1] if "\n" in text else ""
        if text.lstrip()[:1] in ("{", "["):
            raise FormatError(f"{path}: looks like json, expected a csv table.")
        self.path = path
        self.delimiter = given.group(1) if given else sniff(text)
        self._bad: list[str] = []
        self._filled = 0
        self._rows = self._read(text, 1 if given else 0)
        self.header = [h.strip().strip("\ufeff") for h in next(self._rows, (0, []))[1]]
        while self.header and not self.header[-1]:  # a delimiter at the end of the line
            self.header.pop()
        _check_header(path, self.header)

    def _read(self, text: str, before: int) -> Iterator[tuple[int, list[str]]]:
        lines = _Lines(text)
        reader = csv.reader(lines, delimiter=self.delimiter)
        start = before + 1
        try:
            for row in reader:
                if lines.ended:  # the reader looked for the end of a cell beyond that of the file
                    raise csv.Error("the last cell goes on to the end of the file")
                line, start = start, before + reader.line_num + 1
                if any(cell.strip() for cell in row):
                    yield line, row
        except csv.Error as error:
            raise FormatError(
                f"{self.path}, row {start}: {error}; is there a quote that is never closed?"
            ) from error

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        width = len(self.header)
        for line, row in self._rows:
            if len(row) > width and any(cell.strip() for cell in row[width:]):
                self._bad.append(f"row {line} ({len(row)} fields)")
            elif len(row) < width:
                self._filled += width - len(row)
                if self._filled > MOST_FILLED:
                    raise FormatError(
                        f"{self.path}, row {line}: {len(row):,} of {width:,} fields, like most "
                        "rows before it; is the first row the header of this table?"
                    )
                yield line, row + [""] * (width - len(row))
            else:
                yield line, row[:width]

    @property
    def problems(self) -> list[str]:
        """What was left out so far, in one line."""
        if not self._bad:
            return []
        return [
            f"{self.path.name}: {len(self._bad):,} rows have more fields than the header "
            f"({len(self.header)}) and are left out: {some(self._bad)}; quote cells that hold a "
            f"{self.delimiter!r}."
        ]


def read_table(path: Path) -> Table:
    """A csv file in whatever way it was written.

    Raises FormatError when it is no table, has no header, or a quote is never closed.
    """
    stream = RowStream(path)
    lines, rows = [], []
    for line, row in stream:
        lines.append(line)
        rows.append(row)
    return Table(path, stream.header, rows, lines, stream.problems)


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not header:
        raise FormatError(f"{path}: holds no row.")
    if any(PICTURE.search(h) for h in header):
        raise FormatError(
            f"{path}, row 1: {some(list(header))} is data, expected column names; put a first row "
            "such as filePath,label."
        )


def sniff(text: str) -> str:
    """The delimiter of a table: the one that splits the first lines into most equal columns."""
    lines = [line for line in text[:65536].splitlines() if line.strip()][:20]
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        try:
            counts = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        except csv.Error:
            continue
        if not counts or counts[0] < 2:
            continue
        same = sum(c == counts[0] for c in counts) / len(counts)
        score = same * 1000 + counts[0]
        if score > best_score:
            best, best_score = delimiter, score
    return best


def number(cell: str) -> float:
    """A number as people write it, with a point or a comma; NaN when it is none."""
    text = cell.strip()
    try:
        return float(text)
    except ValueError:
        if text.count(",") == 1 and "." not in text:
            return number(text.replace(",", "."))
        return float("nan")
