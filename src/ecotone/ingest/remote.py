"""Pictures that are named by a list or lie in an object storage: which there are, and where."""

from __future__ import annotations

import csv
import io
import posixpath
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ecotone.errors import FormatError, InputError, MissingExtraError
from ecotone.ingest.folder import ENDINGS, SKIPPED_FOLDERS
from ecotone.media.location import WEB, filesystem, is_url, join, location
from ecotone.media.patience import patient_open, read_whole

LISTS = (".txt", ".csv", ".tsv", ".parquet")
COLUMNS = ("filePath", "url", "uri", "path", "location", "file", "filename", "image")


@dataclass(frozen=True)
class Root:
    """Pictures below one root, a folder or URL.

    files: paths relative to it (posix, sorted). state: what a storage says of them, size in bytes
    and time of the last change in ns (0 where it does not say); empty where it was not asked.
    """

    root: str
    files: list[str]
    state: dict[str, tuple[int, int]] = field(default_factory=dict)


def is_list(path: str | Path) -> bool:
    """Whether a file is a list of pictures by its ending."""
    return posixpath.splitext(location(path))[1].casefold() in LISTS


def is_picture(path: str | Path) -> bool:
    """Whether a location has the ending of a picture."""
    text = location(path)
    text = urlsplit(text).path if urlsplit(text).scheme in WEB else text
    return posixpath.splitext(text)[1].casefold() in ENDINGS


def find_roots(given: str | Path) -> list[Root]:
    """The pictures that a URL or a list of paths and URLs means.

    Raises InputError (nothing there, a web address that is no picture), FormatError.
    """
    where = location(given)
    if is_list(where):
        return roots_of(read_list(where))
    if is_picture(where):
        return roots_of([where])
    if not is_url(where):
        raise InputError(f"{given}: expected a folder, a picture, or a list ({', '.join(LISTS)}).")
    if urlsplit(where).scheme in WEB:
        raise InputError(
            f"{where}: a web server does not list its files; give a text file of URLs instead."
        )
    return [_listed(where.rstrip("/"))]


def _listed(url: str) -> Root:
    from pyarrow.fs import FileSelector, FileType

    storage, path = filesystem(url)
    path = path.rstrip("/")
    try:
        found = storage.get_file_info(FileSelector(path, recursive=True, allow_not_found=False))
    except OSError as error:
        why = "nothing is there" if isinstance(error, FileNotFoundError) else error
        raise InputError(f"{url}: cannot be listed ({why}).") from error
    state = {}
    for info in found:
        file = info.path.lstrip("/").removeprefix(path.lstrip("/")).lstrip("/")
        parts = file.split("/")
        hidden = any(p.startswith(".") or p.casefold() in SKIPPED_FOLDERS for p in parts)
        if info.type == FileType.File and is_picture(file) and not hidden:
            state[file] = info.size or 0, info.mtime_ns or 0
    return Root(url, sorted(state), state)


def read_list(file: str | Path) -> list[str]:
    """The locations in a text file (one a line), csv or parquet (a column such as filePath or
    url); relative ones are relative to the list.

    Raises FormatError when it has no such column, InputError when it is empty.
    """
    where = location(file)
    if is_url(where):
        raise InputError(f"{where}: the list itself must lie on this machine.")
    path = Path(where)
    ending = path.suffix.casefold()
    if ending == ".parquet":
        texts = _parquet(path)
    elif ending in (".csv", ".tsv"):
        texts = _csv(path)
    else:
        text = read_whole(path).decode("utf-8-sig", errors="surrogateescape")
        texts = [line.strip() for line in text.splitlines()]
        texts = [line for line in texts if line and not line.startswith("#")]
    texts = [str(t).strip() for t in texts if t is not None and str(t).strip()]
    if not texts:
        raise InputError(f"{file}: no picture in this list; give one path or URL a line.")
    base = str(path.resolve().parent)
    return [location(t) if is_url(t) else join(base, location(t)) for t in texts]


def _csv(path: Path) -> list[Any]:
    with io.TextIOWrapper(patient_open(path), encoding="utf-8-sig", newline="") as handle:
        head = handle.readline()
        delimiter = max("\t;,", key=head.count)
        handle.seek(0)
        rows = csv.DictReader(handle, delimiter=delimiter)
        name = _column(rows.fieldnames or (), path)
        return [row[name] for row in rows]


def _parquet(path: Path) -> list[Any]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtraError(f"{path}", "parquet") from None
    try:
        with parquet.ParquetFile(path) as file:
            name = _column(file.schema_arrow.names, path)
            return file.read(columns=[name]).column(0).to_pylist()
    except ArrowException as error:
        raise FormatError(f"{path}: not a parquet file ({error}).") from error


def _column(names: Iterable[str], path: Path) -> str:
    there = {name.casefold(): name for name in names if name}
    for name in COLUMNS:
        if name.casefold() in there:
            return there[name.casefold()]
    raise FormatError(
        f"{path}: no column filePath or url; there are: {', '.join(there.values()) or 'none'}."
    )


def roots_of(locations: Iterable[str]) -> list[Root]:
    """Locations by storage, each below the deepest folder that holds all of them."""
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for where in locations:
        where = location(where)
        parts = urlsplit(where) if is_url(where) else None
        key = (parts.scheme, parts.netloc) if parts else ("", "")
        groups[key].add(where if parts else str(Path(where).resolve()))
    roots = []
    for key in sorted(groups):
        files = sorted(groups[key])
        if key == ("", ""):
            files = [Path(f).as_posix() for f in files]
        common = posixpath.commonpath([posixpath.dirname(f) for f in files]) if len(
            files) > 1 else posixpath.dirname(files[0])
        common = location(common)
        roots.append(Root(common, [f[len(common.rstrip("/")) + 1 :] for f in files]))
    return roots


__all__ = ["LISTS", "Root", "find_roots", "is_list", "is_picture", "read_list", "roots_of"]
