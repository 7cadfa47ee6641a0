"""The own tables of a study, kept in the project as they came: `sources/<n>-<kind>/`.

They are copied under a temporary name, put in place, and only then recorded in the catalogue; what
is not recorded is no study, and the next call clears it away.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from ecotone.errors import FormatError, InputError, ProjectError
from ecotone.ingest.camtrapdp_cells import TIMES
from ecotone.ingest.camtrapdp_package import FREE, SWELL, open_package, safe_name
from ecotone.ingest.zones import find_zone, zoned
from ecotone.store.tables import KeptStudy
from ecotone.study import Row, Study

SOURCES = "sources"
BLOCK = 1 << 20
_KEPT = re.compile(r"\d+-[a-z-]+")
# kind -> (module, function, whether it takes a time zone)
READERS = {
    "camtrapdp": ("ecotone.ingest.camtrapdp", "read_camtrapdp", True),
    "coco": ("ecotone.ingest.coco", "read_coco", False),
    "wildlife insights": ("ecotone.ingest.wildlife_insights", "read_wildlife_insights", False),
}
Files = dict[str, Callable[[], Any]]  # name below the study's folder -> opens its bytes, for `with`


@dataclass(frozen=True)
class Tables:
    """What a study consists of. files: its own tables. main: what a reader opens, "" for the whole
    folder. base: the folder that its file paths are relative to."""

    files: Files
    main: str
    base: Path


@dataclass(frozen=True)
class Copy:
    """A study's tables under a temporary name, with the hash of their names and bytes."""

    folder: Path
    content_hash: str

    def put_in_place(self, target: Path) -> None:
        """Give the folder its name; after the return it is on the disk.

        Raises InputError when that cannot be.
        """
        try:
            if target.exists():  # its record is here, its files are damaged or of a lost study
                shutil.rmtree(target)
            os.replace(self.folder, target)
            _sync(target.parent)
        except OSError as error:
            raise InputError(f"{target}: cannot be written ({error.strerror}).") from error


def find_study(path: Path) -> tuple[str, Path]:
    """The kind of the study at a path, and what to read: for one of its tables the folder.

    Raises FormatError when it is no study, and says what it is.
    """
    from ecotone.ingest.recognise import recognise

    found = recognise(path)
    if found.kind not in READERS or found.command != "study":
        raise FormatError(
            f"{path}: {found.says}, expected a Camtrap DP (folder, datapackage.json or zip), COCO "
            "Camera Traps json or a Wildlife Insights download; for others use: ecotone add data"
        )
    return found.kind, found.path


def read_study(kind: str, path: Path, time_zone: str | None = None) -> Study:
    """Read a study of a known kind; times without a zone get `time_zone`."""
    module, name, takes_zone = READERS[kind]
    read = getattr(import_module(module), name)
    if takes_zone:
        return read(path, time_zone=time_zone)
    zone = find_zone(time_zone or "")
    study = read(path)
    return study if zone is None else replace(
        study, **{table: _Zoned(getattr(study, table), TIMES[table], zone) for table in TIMES}
    )


class _Zoned:
    """Rows whose local times get a zone's offset."""

    def __init__(self, rows: Iterable[Row], columns: Iterable[str], zone: tzinfo) -> None:
        self._rows, self._columns, self._zone = rows, tuple(columns), zone

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            yield {**row, **{c: zoned(row[c], self._zone) for c in self._columns if row.get(c)}}


def read_kept(project: Any, study: KeptStudy) -> Study:
    """A kept study, read again from the project's own copy.

    Raises ProjectError when the copy is missing.
    """
    folder = project.path / study.folder
    main = folder / study.summary.get("main", "")
    if not main.exists():
        raise ProjectError(
            f"{main}: the kept copy of {study.origin} is missing; restore it, or add it again: "
            f"ecotone add study {study.origin}"
        )
    return read_study(study.kind, main, study.summary.get("time_zone") or None)


def tables_of(kind: str, path: Path) -> Tables:
    """The own tables of a study, where they lie."""
    find = {"camtrapdp": _package, "coco": _single, "wildlife insights": _insights}[kind]
    return find(path)


def _single(path: Path) -> Tables:
    return Tables(_in_folder(path.parent, [path.name]), path.name, path.parent)


def _package(path: Path) -> Tables:
    """The descriptor of a data package and the files that it names."""
    package = open_package(path)
    where = package.where(package.name)
    names = [package.name]
    listed = package.descriptor.get("resources")
    for resource in listed if isinstance(listed, list) else ():
        given = resource.get("path") if isinstance(resource, dict) else None
        for name in given if isinstance(given, list) else [given]:
            if isinstance(name, str) and "://" not in name:
                names.append(safe_name(name, where))
    names += [f"{table}.csv" for table in ("deployments", "media", "observations")]
    if package.path.is_dir():
        there = [n for n in dict.fromkeys(names) if (package.path / n).is_file()]
        return Tables(_in_folder(package.path, there), package.name, package.path)
    inside = {package.base + n: n for n in dict.fromkeys(names)}
    return Tables(_in_zip(package.path, inside), package.name, package.path.parent)


def _insights(path: Path) -> Tables:
    """The csv tables of a Wildlife Insights download: a folder, one of its files, or a zip."""
    from ecotone.ingest.wildlife_insights_files import names_in, tables_among

    where = path.parent if path.suffix.lower() == ".csv" else path
    names = [n for found in tables_among(names_in(where)).values() for n in found]
    if where.is_dir():
        below = {n.rpartition("/")[0] for n in names}
        folder = where / (below.pop() if len(below) == 1 else "")
        return Tables(_in_folder(folder, [n.rpartition("/")[2] for n in names]), "", where)
    return Tables(_in_zip(where, {n: n.rpartition("/")[2] for n in names}), "", where.parent)


def _in_folder(folder: Path, names: Iterable[str]) -> Files:
    return {name: partial((folder / name).open, "rb") for name in names}


def _in_zip(path: Path, inside: Mapping[str, str]) -> Files:
    """Members of a zip: name inside -> name in the copy."""
    with zipfile.ZipFile(path) as archive:
        there = {n.replace("\\", "/"): n for n in archive.namelist()}
    return {
        name: partial(_member, path, there[inner]) for inner, name in inside.items()
        if inner in there
    }


@contextmanager
def _member(path: Path, name: str) -> Iterator[BinaryIO]:
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
        if info.file_size > max(FREE, SWELL * info.compress_size):
            raise FormatError(
                f"{path / name}: unpacks to far more than its packed size; unpack it yourself if "
                "you trust it, and give the folder."
            )
        with archive.open(info) as handle:
            yield handle  # type: ignore[misc]


@contextmanager
def copied(project: Any, tables: Tables) -> Iterator[Copy]:
    """The study's tables, copied under a temporary name, which is gone when the block ends.

    Raises InputError when a file cannot be read or the project cannot be written.
    """
    home = project.path / SOURCES
    try:
        home.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".adding-", dir=home))
    except OSError as error:
        raise InputError(f"{home}: cannot be written ({error.strerror}).") from error
    try:
        yield Copy(folder, _copy_all(tables.files, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_all(files: Files, folder: Path) -> str:
    """Copy files to the disk; the hash of their names and bytes."""
    digest = hashlib.blake2b(digest_size=16)
    name = ""
    try:
        for name in sorted(files):
            digest.update(f"{name}\0".encode())
            digest.update(_copy(files[name], folder / name))
        folder.chmod(0o755)  # mkdtemp's folders are for one user alone
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{name}: cannot be copied into the project ({reason}).") from error
    return digest.hexdigest()


def hash_of_copy(folder: Path) -> str:
    """The hash of the names and bytes of a kept study, as it was told when it was copied; "" when
    it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        for name in names:
            digest.update(f"{name}\0".encode())
            part = hashlib.blake2b(digest_size=16)
            with (folder / name).open("rb") as handle:
                while block := handle.read(BLOCK):
                    part.update(block)
            digest.update(part.digest())
    except OSError:
        return ""
    return digest.hexdigest()


def _copy(source: Callable[[], Any], target: Path) -> bytes:
    """Copy a file to the disk; the hash of its bytes."""
    digest = hashlib.blake2b(digest_size=16)
    target.parent.mkdir(parents=True, exist_ok=True)
    with source() as reader, target.open("wb") as writer:
        while block := reader.read(BLOCK):
            digest.update(block)
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.digest()


def _sync(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def folder_name(number: int, kind: str) -> str:
    """Where a study is kept, below the project's folder."""
    return f"{SOURCES}/{number}-{kind.replace(' ', '-')}"


def clean_sources(project: Any) -> None:
    """Clear away what a call that was killed left behind. Call under the project's lock."""
    home = project.path / SOURCES
    if not home.is_dir():
        return
    known = {Path(study.folder).name for study in project.catalog.studies()}
    for folder in home.iterdir():
        lost = _KEPT.fullmatch(folder.name) and folder.name not in known
        if folder.is_dir() and (lost or folder.name.startswith(".adding-")):
            shutil.rmtree(folder, ignore_errors=True)
