"""Arrays inside a stored .npz file as memory maps: nothing is read before it is asked for.

`numpy.savez` stores its members uncompressed, one after the other, so that each is a stretch of the
file. Source: PKWARE's APPNOTE.TXT 4.3.7 (the local file header), NumPy's NEP 1 (the .npy header).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

_LOCAL = 30  # bytes of a local file header before the name


@dataclass(frozen=True)
class Member:
    """Where an array lies in its file: offset in bytes, type, shape, order "C" or "F"."""

    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]
    order: str

    def map(self, path: Path) -> np.ndarray:
        """The array, mapped read-only. Raises OSError or ValueError when the file is not as it
        was."""
        if not np.prod(self.shape):  # nothing cannot be mapped
            return np.empty(self.shape, self.dtype)
        return np.memmap(path, self.dtype, "r", self.offset, self.shape, self.order)


def members(path: Path) -> dict[str, Member]:
    """The arrays of a file by name; those that are compressed are left out.

    Raises OSError, ValueError or zipfile.BadZipFile when it is missing or damaged.
    """
    with path.open("rb") as handle, zipfile.ZipFile(handle) as archive:
        return {
            entry.filename.removesuffix(".npy"): _member(handle, entry)
            for entry in archive.infolist()
            if entry.compress_type == zipfile.ZIP_STORED and entry.filename.endswith(".npy")
        }


def _member(handle: BinaryIO, entry: zipfile.ZipInfo) -> Member:
    handle.seek(entry.header_offset)
    header = handle.read(_LOCAL)
    if len(header) < _LOCAL or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"no member {entry.filename!r} where it should be")
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    handle.seek(entry.header_offset + _LOCAL + lengths)
    version = np.lib.format.read_magic(handle)
    read = (np.lib.format.read_array_header_1_0 if version == (1, 0)
            else np.lib.format.read_array_header_2_0)
    shape, fortran, dtype = read(handle)
    if dtype.hasobject:
        raise ValueError(f"member {entry.filename!r} holds Python objects")
    return Member(handle.tell(), dtype, shape, "F" if fortran else "C")
