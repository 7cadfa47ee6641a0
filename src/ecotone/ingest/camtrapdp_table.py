"""One table of a data package as rows of text, read anew from its files in every loop.

Delimiter, quotes and encoding are those of the resource; what it leaves out is found in the file.
Source: Tabular Data Resource 1 and CSV Dialect, https://specs.frictionlessdata.io/.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from ecotone.errors import FormatError
from ecotone.ingest.camtrapdp_log import Log
from ecotone.ingest.camtrapdp_package import Package, safe_name
from ecotone.ingest.tables import key, sniff
from ecotone.ingest.text import some
from ecotone.study import Row

MISSING = ("", "NA", "NaN", "nan")  # as the table schemas of Camtrap DP say
LONGEST_LINE = 4 << 20  # characters
NO_ENCODING = ("punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7")
Placed = tuple[str, int, Row]  # file, line, row


@dataclass(frozen=True)
class _Part:
    """A file of the table. names: what each of its columns is called here, None to leave it out."""

    name: str
    encoding: str
    dialect: Mapping[str, Any]
    names: tuple[str | None, ...]
    header: bool


class PackageTable:
    """The rows of a resource, with all of `columns` and what else the files hold.

    Every loop gives (file, line, row) and tells `log` of rows that are longer or shorter than the
    header. Raises FormatError when the files are missing or are no such table.
    """

    def __init__(
        self, package: Package, resource: Mapping[str, Any], columns: Sequence[str], log: Log
    ) -> None:
        self.name = str(resource.get("name"))
        self.package = package
        self.columns = tuple(columns)
        self._missing = _missing(resource)
        self._data = None
        self._parts: tuple[_Part, ...] = ()
        if resource.get("data") is not None and not resource.get("path"):
            where = f"{package.where(package.name)}, resource {self.name}"
            self._data = _inline(resource["data"], columns, where)
            self._names = _names(self._data[0], self.columns, where, self.name, log)
        else:
            self._parts = _parts(package, resource, self.columns, log)
            self._names = self._parts[0].names
        present = set(self._names)
        self.unknown = tuple(dict.fromkeys(
            n for n in self._names if n is not None and n not in self.columns
        ))
        absent = [c for c in self.columns if c not in present]
        if absent:
            log.note(f"{self.name}: columns that are missing, taken as empty: {some(absent, 6)}")

    @property
    def label(self) -> str:
        """Its first file, for messages."""
        return self._parts[0].name if self._parts else self.package.name

    def rows(self, log: Log) -> Iterator[Placed]:
        """All rows, from the first file to the last."""
        empty = dict.fromkeys((*self.columns, *self.unknown), "")
        missing = self._missing - {""}
        for file, line, names, cells in self._cells():
            if len(cells) != len(names):
                if len(cells) > len(names) and any(cells[len(names) :]):
                    log.problem(
                        self.name, f"more cells than the header ({len(cells)}, not {len(names)}), "
                        "left out; quote cells that hold the delimiter", file, line,
                    )
                    continue
                if len(cells) < len(names):
                    log.repair(self.name, "fewer cells than the header, filled with empty ones",
                               file, line, str(len(cells)), str(len(names)))
                    cells = [*cells, *[""] * (len(names) - len(cells))]
            if not missing.isdisjoint(cells):
                cells = ["" if c in missing else c for c in cells]
            row = empty.copy()
            row.update(zip(names, cells, strict=False))
            if None in row:
                del row[None]
            yield file, line, row

    def _cells(self) -> Iterator[tuple[str, int, tuple[str | None, ...], list[str]]]:
        if self._data is not None:
            for number, cells in enumerate(self._data[1:], start=1):
                if any(cells):
                    yield self.package.name, number, self._names, cells
        for part in self._parts:
            with self.package.open(part.name) as handle, _text(handle, part.encoding) as text:
                where = self.package.where(part.name)
                first = part.header
                for line, cells in records(text, where, part.dialect):
                    if first:
                        first = False
                    else:
                        yield part.name, line, part.names, cells


def _text(handle: BinaryIO, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(handle, encoding, "replace", newline="")


def records(
    text: io.TextIOBase, where: str, dialect: Mapping[str, Any]
) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of a csv stream, without empty lines.

    Raises FormatError on bytes that are no text, endless lines and quotes that are never closed.
    """
    lines = _Lines(text, where, dialect.get("comment"))
    options = {k: v for k, v in dialect.items() if k != "comment"}
    line = 1
    try:
        reader = csv.reader(lines, **options)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{where}: the dialect in the descriptor cannot be used ({error}).") \
            from error
    try:
        for cells in reader:
            if lines.ended:
                raise FormatError(
                    f"{where}, row {line}: a quote is opened and never closed; close it, or copy "
                    "the file again if it is cut off."
                )
            if cells and (len(cells) > 1 or cells[0].strip()):
                yield line, cells
            line = lines.number + 1
            lines.held = 0
    except csv.Error as error:
        raise FormatError(f"{where}, row {line}: {error}; is there a quote that is never closed?") \
            from error


class _Lines:
    """The lines of a stream, bounded; knows whether more were asked for than there are."""

    def __init__(self, text: io.TextIOBase, where: str, comment: str | None) -> None:
        self._text, self._where, self._comment = text, where, comment
        self.number = 0
        self.held = 0  # characters since the last row, which a quote may have opened
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        where, comment, read = self._where, self._comment, self._text.readline
        while line := read(LONGEST_LINE):
            self.number += 1
            if "\0" in line:
                raise FormatError(f"{where}, row {self.number}: holds bytes of value 0, expected "
                                  "text; is it a spreadsheet or cut off?")
            self.held += len(line)
            if self.held >= LONGEST_LINE:
                raise FormatError(f"{where}, row {self.number}: is longer than {LONGEST_LINE:,} "
                                  "characters; is a quote never closed, or a line never ended?")
            if comment and line.startswith(comment):
                continue
            yield line
        self.ended = True


def _missing(resource: Mapping[str, Any]) -> frozenset[str]:
    schema = resource.get("schema")
    own = schema.get("missingValues") if isinstance(schema, dict) else None
    if not isinstance(own, list):
        return frozenset(MISSING)
    return frozenset(v for v in own if isinstance(v, str)) | {""}


def _parts(
    package: Package, resource: Mapping[str, Any], columns: Sequence[str], log: Log
) -> tuple[_Part, ...]:
    where = f"{package.where(package.name)}, resource {resource.get('name')}"
    path = resource.get("path")
    paths = path if isinstance(path, list) else [path]
    if not paths:
        raise FormatError(f"{where}: names no file; give its path.")
    names = [safe_name(p, where) for p in paths]
    dialect = _dialect(resource, where)
    has_header = dialect.pop("header")
    first: list[str] | None = None if has_header else _fields(resource, columns)
    out: list[_Part] = []
    table = str(resource.get("name"))
    for name in names:
        at = package.where(name)
        encoding = _encoding(package, name, resource.get("encoding"), log)
        own = dict(dialect)
        with package.open(name) as handle, _text(handle, encoding) as text:
            sample = text.read(1 << 16)
        top = _first(sample, at, own)
        found = _delimiter(top, sample, own.get("delimiter", ","), columns) if has_header else ""
        if found and found != own.get("delimiter", ","):
            log.note(f"{table}: cells are parted by {found!r}, which the descriptor does not say")
            own["delimiter"] = found
            top = _first(sample, at, own)
        if not top and first is None:
            raise FormatError(f"{at}: holds no row, expected column names such as "
                              f"{some(list(columns))}.")
        header = has_header and (first is None or top == first)
        first = first or top
        out.append(_Part(name, encoding, own, (), header))
    names_here = _names(first or [], columns, package.where(names[0]), table, log)
    return tuple(_Part(p.name, p.encoding, p.dialect, names_here, p.header) for p in out)


def _first(sample: str, where: str, dialect: Mapping[str, Any]) -> list[str]:
    return next(records(io.StringIO(sample, newline=""), where, dialect), (1, []))[1]


def _dialect(resource: Mapping[str, Any], where: str) -> dict[str, Any]:
    given = resource.get("dialect") or {}
    if not isinstance(given, dict):
        raise FormatError(f"{where}: dialect is {given!r}, expected an object such as "
                          '{"delimiter": ";"}.')
    out: dict[str, Any] = {
        "header": given.get("header") is not False, "quotechar": given.get("quoteChar") or '"',
        "doublequote": given.get("doubleQuote") is not False,
        "skipinitialspace": given.get("skipInitialSpace") is True,
    }
    for here, there in (("escapechar", "escapeChar"), ("comment", "commentChar"),
                        ("delimiter", "delimiter")):
        if given.get(there):
            out[here] = given[there]
    if resource.get("format") == "tsv" and "delimiter" not in out:
        out["delimiter"] = "\t"
    for name in ("quotechar", "escapechar", "delimiter", "comment"):
        if name in out and (not isinstance(out[name], str) or len(out[name]) != 1
                            or out[name] in "\r\n\0"):
            raise FormatError(f"{where}: dialect {name} is {out[name]!r}, expected one character.")
    return out


def _fields(resource: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    schema = resource.get("schema")
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(fields, list):
        return list(columns)
    return [str(f.get("name")) for f in fields if isinstance(f, dict)]


def _delimiter(top: Sequence[str], sample: str, stated: str, columns: Sequence[str]) -> str:
    """The delimiter as stated where it finds a column in the first row, else as the file shows."""
    if any(cell.strip(' "\ufeff') in columns for cell in top):
        return stated
    return sniff(sample)


def _encoding(package: Package, name: str, stated: Any, log: Log) -> str:
    """The encoding in which all of a file can be read: as stated, else UTF-8, else Windows."""
    given = str(stated or "utf-8")
    try:
        given = codecs.lookup(given).name
        "".encode(given)
    except (LookupError, ValueError):
        given = "utf-8"
    given = "utf-8" if given in NO_ENCODING else given
    with package.open(name) as handle:
        start = handle.read(4)
    marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    marked = next((e for mark, e in marks.items() if start.startswith(mark)), "")
    for encoding in dict.fromkeys((marked or given, "utf-8", "cp1252")):
        if _decodes(package, name, encoding):
            if codecs.lookup(encoding).name not in (given, "utf-8-sig"):
                log.note(f"{name}: read as {encoding}, not {stated or 'utf-8'} as stated")
            return encoding
    log.note(f"{name}: read as latin-1, not {stated or 'utf-8'} as stated")
    return "latin-1"


def _decodes(package: Package, name: str, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with package.open(name) as handle:
        while block := handle.read(1 << 20):
            try:
                decoder.decode(block)
            except UnicodeError:
                return False
    return True  # a character that is cut off at the very end is no other encoding


def _inline(data: Any, columns: Sequence[str], where: str) -> list[list[str]]:
    """Rows of data that stands in the descriptor itself, a header first."""
    if not data:
        return [list(columns)]
    if isinstance(data, str):
        return [cells for _, cells in records(io.StringIO(data, newline=""), where, {})]
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        names = list(dict.fromkeys(str(name) for row in data for name in row))
        return [names, *([cell_text(row.get(n)) for n in names] for row in data)]
    if isinstance(data, list) and all(isinstance(row, list) for row in data):
        return [[cell_text(v) for v in row] for row in data]
    raise FormatError(f"{where}: data is {type(data).__name__}, expected a list of rows.")


def cell_text(value: Any) -> str:
    """A json value as the cell of a table: "" for null, true, 1.5; objects stay json."""
    if isinstance(value, str):
        return value.replace("\0", "")
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _names(
    header: Iterable[str], columns: Sequence[str], where: str, table: str, log: Log
) -> tuple[str | None, ...]:
    """What each column of a file is called here; other spellings of the standard's are mended."""
    header = [h.strip().strip("\ufeff") for h in header]
    spelled = {key(c): c for c in columns if c not in header}
    out: list[str | None] = []
    for position, name in enumerate(header, start=1):
        meant = name if name in columns else spelled.get(key(name), name)
        if meant in out or not name:
            what = f"stands twice: {name}" if name else f"{position} has no name"
            log.note(f"{table}: column {what}; left out", problem=True)
            out.append(None)
            continue
        if meant != name:
            log.note(f"{table}: column {name} read as {meant}")
        out.append(meant)
    known = [n for n in out if n in columns]
    if not known:
        raise FormatError(f"{where}, row 1: columns are {some(header, 6) or 'none'}, expected "
                          f"those of {table}: {some(list(columns), 4)}.")
    return tuple(out)
