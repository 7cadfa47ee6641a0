"""A data package as a folder, a json file or a zip: its descriptor, and its files as bytes.

Nothing is unpacked on disk: members of a zip are read where they lie, and only those that the
descriptor names. Names that lead out of the package are refused, and so is data that swells to
more than `SWELL` times its packed size.
Source: Data Package 1, https://specs.frictionlessdata.io/data-package/.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ecotone.errors import FormatError
from ecotone.ingest.text import looks_like, some
from ecotone.media.patience import patient_open

DESCRIPTOR = "datapackage.json"
SWELL = 200  # tables of camera traps pack to a tenth or so; deflate reaches 1,000 on zeros
FREE = 64 << 20  # bytes that may come out of anything
LONGEST_DESCRIPTOR = 256 << 20
DEEPEST = 100  # levels of nesting
_NOTHING = object()  # NaN and numbers beyond a double, which json has no place for
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError)
_BAD_ZIP = (*_BROKEN, RuntimeError, ValueError, OverflowError, struct.error)  # names, versions


@dataclass(frozen=True)
class Package:
    """path: the folder or zip; base: where the descriptor lies inside a zip, "" or "top/";
    notes: what was odd in the descriptor, one line each."""

    path: Path
    base: str
    name: str
    descriptor: dict[str, Any]
    notes: tuple[str, ...] = ()

    def where(self, name: str) -> str:
        """A file of the package, for messages."""
        return f"{self.path / self.base / name}"

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """The bytes of a file of the package, unpacked; `name` is relative to the descriptor.

        Raises FormatError, also while reading, when it is missing, broken or swells too much.
        """
        where = self.where(name)
        with ExitStack() as stack:
            try:
                if self.path.is_dir():
                    raw, packed = _file(self.path / name, stack)
                else:
                    raw, packed = _member(self.path, self.base + name, stack)
                if raw.peek(2)[:2] == b"\x1f\x8b":  # type: ignore[attr-defined]
                    unpacked = stack.enter_context(gzip.GzipFile(fileobj=raw))
                    raw = io.BufferedReader(_Limited(unpacked, where, packed), 1 << 20)
                yield raw
            except _BROKEN as error:
                raise FormatError(f"{where}: cannot be read ({_reason(error)}).") from error


class _Limited(io.RawIOBase):
    """Bytes of an unpacked stream, up to what its packed size makes likely."""

    def __init__(self, raw: Any, where: str, packed: int) -> None:
        self._raw, self._where, self._packed = raw, where, packed
        self._left = max(FREE, SWELL * packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._raw.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise _swollen(self._where, f"more than {SWELL} times", self._packed)
        return count


def _swollen(where: str, size: str, packed: int) -> FormatError:
    return FormatError(
        f"{where}: unpacks to {size} its packed size ({packed:,} bytes), which no table of camera "
        "traps does; unpack it yourself if you trust it, and give the folder."
    )


def _file(path: Path, stack: ExitStack) -> tuple[BinaryIO, int]:
    if not path.is_file():  # a pipe would wait for ever
        beside = sorted(p.name for p in path.parent.glob("*.*")) if path.parent.is_dir() else []
        raise FormatError(f"{path}: no such file; {_holds(beside)}.")
    return stack.enter_context(patient_open(path)), path.stat().st_size


def _member(path: Path, name: str, stack: ExitStack) -> tuple[BinaryIO, int]:
    archive = stack.enter_context(_archive(path))
    names = _members(archive)
    if name not in names:
        raise FormatError(f"{path / name}: is not in the zip; {_holds(list(names))}.")
    info = names[name]
    if info.file_size > max(FREE, SWELL * info.compress_size):
        raise _swollen(str(path / name), f"{info.file_size:,} bytes, far more than",
                       info.compress_size)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(f"{path / name}: is packed in an unusual way; pack the zip again.")
    if info.flag_bits & 0x1:
        raise FormatError(f"{path / name}: needs a password; unpack it and give the folder.")
    try:
        raw = stack.enter_context(archive.open(info))
    except _BAD_ZIP as error:
        raise FormatError(f"{path / name}: cannot be read ({_reason(error)}).") from error
    return io.BufferedReader(raw, 1 << 20), info.compress_size  # type: ignore[arg-type]


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(patient_open(path))
    except _BAD_ZIP as error:
        raise FormatError(f"{path}: is no zip that can be read ({_reason(error)}).") from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Members by name with forward slashes, without those whose names lead out of the zip."""
    names = {i.filename.replace("\\", "/"): i for i in archive.infolist()}
    return {
        name: info for name, info in names.items()
        if name and name[-1] != "/" and not _leads_out(name) and not name.startswith("__MACOSX/")
    }


def _holds(names: list[str]) -> str:
    return f"it holds {some(sorted(names))}" if names else "it holds no file"


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def open_package(path: Path) -> Package:
    """The package in a folder, a descriptor or a zip.

    Raises FormatError when there is none, or its descriptor is no json object with resources.
    """
    if path.is_dir():
        return _from_folder(path)
    if not path.is_file():
        raise FormatError(f"{path}: no such file or folder; give a folder, {DESCRIPTOR} or zip.")
    if path.suffix.lower() == ".json":
        return _described(path.parent, "", path.name)
    try:
        is_zip = zipfile.is_zipfile(path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({_reason(error)}).") from error
    if is_zip:
        return _from_zip(path)
    raise FormatError(
        f"{path}: is no data package; give the folder that holds {DESCRIPTOR}, that file, or a zip."
    )


def _from_folder(folder: Path) -> Package:
    if (folder / DESCRIPTOR).is_file():
        return _described(folder, "", DESCRIPTOR)
    below = sorted(folder.glob(f"*/{DESCRIPTOR}"))
    if len(below) == 1:
        return _described(below[0].parent, "", DESCRIPTOR)
    if below:
        raise FormatError(f"{folder}: holds {some([str(b) for b in below])}; give one of them.")
    raise FormatError(f"{folder}: holds no {DESCRIPTOR}; give the folder of a data package.")


def _from_zip(path: Path) -> Package:
    with _archive(path) as archive:
        names = list(_members(archive))
    found = sorted((n for n in names if n.rpartition("/")[2] == DESCRIPTOR),
                   key=lambda n: (n.count("/"), n))
    if not found:
        raise FormatError(f"{path}: holds no {DESCRIPTOR}; {_holds(names)}.")
    if len(found) > 1 and found[0].count("/") == found[1].count("/"):
        raise FormatError(f"{path}: holds {some(found)}; give one package a zip.")
    return _described(path, found[0][: -len(DESCRIPTOR)], DESCRIPTOR)


def _described(path: Path, base: str, name: str) -> Package:
    bare = Package(path, base, name, {})
    where = bare.where(name)
    with bare.open(name) as handle:
        data = handle.read(LONGEST_DESCRIPTOR + 1)
    if len(data) > LONGEST_DESCRIPTOR:
        raise FormatError(f"{where}: is longer than {LONGEST_DESCRIPTOR >> 20} MiB; put the data "
                          "in csv files.")
    value, notes = parse_descriptor(data, where)
    return Package(path, base, name, value, tuple(notes))


def parse_descriptor(data: bytes, where: str) -> tuple[dict[str, Any], list[str]]:
    """The descriptor, and what was odd in it: keys that stand twice, numbers that are none.

    Raises FormatError with the line where it stops being json, or saying what else it is.
    """
    twice: list[str] = []
    lost: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(items)
        if len(out) < len(items):
            counts = Counter(name for name, _ in items)
            twice.extend(n for n, count in counts.items() if count > 1)
        return out

    def number(text: str) -> Any:
        value = float(text)
        if value - value == 0:
            return value
        lost.append(text)
        return _NOTHING

    value = _parsed(data, where, pairs, number)
    if not isinstance(value, dict):
        raise FormatError(f"{where}: is {looks_like(value)}, expected a data package's descriptor.")
    _without_nothing(value, where)
    notes = [f"{len(twice):,} keys stand twice, the last is used: {some(twice)}"] if twice else []
    if lost:
        notes.append(f"{len(lost):,} values that json does not know are left out: {some(lost)}")
    return value, notes


def _parsed(data: bytes, where: str, pairs: Any, number: Any) -> Any:
    try:
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    try:
        return json.loads(
            text.lstrip("\ufeff"), object_pairs_hook=pairs, parse_float=number,
            parse_constant=number,
        )
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{where}: not valid json: {error.msg.lower()} at line {error.lineno}, column "
            f"{error.colno}; mend it there, or copy the file again if it is cut off."
        ) from error
    except ValueError as error:  # more digits than Python turns into a number
        raise FormatError(f"{where}: holds a number that is too long ({error}).") from error
    except RecursionError as error:
        raise FormatError(f"{where}: not valid json: nested too deeply.") from error


def _without_nothing(value: dict[str, Any], where: str) -> None:
    """Takes out what stands for no number, and checks the depth, without recursion."""
    stack: list[tuple[Any, int]] = [(value, 1)]
    while stack:
        at, depth = stack.pop()
        if depth > DEEPEST:
            raise FormatError(f"{where}: nested more than {DEEPEST} levels deep.")
        if isinstance(at, dict):
            for name in [n for n, v in at.items() if v is _NOTHING]:
                del at[name]
            stack.extend((v, depth + 1) for v in at.values() if isinstance(v, (dict, list)))
        else:
            at[:] = [None if v is _NOTHING else v for v in at]
            stack.extend((v, depth + 1) for v in at if isinstance(v, (dict, list)))


def _leads_out(name: str) -> bool:
    parts = name.split("/")
    return name.startswith(("/", "~")) or ".." in parts or "\0" in name or bool(
        re.match(r"[A-Za-z]:", name)
    )


def safe_name(name: Any, where: str) -> str:
    """A file's name in a package as it may be opened: relative, forward slashes, no "..".

    Raises FormatError on anything else, and on a web address.
    """
    if not isinstance(name, str) or not name.strip():
        raise FormatError(f"{where}: path is {name!r}, expected the name of a file.")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", name):
        raise FormatError(
            f"{where}: path {name!r} is a web address; download the file, put it beside the "
            "descriptor and name it there."
        )
    clean = name.replace("\\", "/")
    if _leads_out(clean):
        raise FormatError(
            f"{where}: path {name!r} leads outside the package; put the file beside the descriptor "
            "and name it by a relative path."
        )
    return "/".join(p for p in clean.split("/") if p not in ("", "."))
