"""Reading tables of a flatbuffer by field number, and nothing more.

Source: flatbuffers' internals document. All offsets are little-endian and relative to where they
stand; a table starts with the signed distance back to its vtable, which holds the place of each
field, 0 for one that is absent.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Table:
    """A table at a place in a buffer. Absent fields read as None or empty."""

    data: bytes
    place: int

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The outermost table of a buffer."""
        return cls(data, _unsigned(data, 0))

    def slot(self, field: int) -> int | None:
        """Where a field is stored, None when it is absent."""
        vtable = self.place - struct.unpack_from("<i", self.data, self.place)[0]
        size = struct.unpack_from("<H", self.data, vtable)[0]
        entry = 4 + 2 * field
        if entry >= size:
            return None
        offset = struct.unpack_from("<H", self.data, vtable + entry)[0]
        return self.place + offset if offset else None

    def number(self, field: int, kind: str = "i", default: int = 0) -> int:
        """A scalar field of a struct format letter."""
        slot = self.slot(field)
        return default if slot is None else struct.unpack_from(f"<{kind}", self.data, slot)[0]

    def table(self, field: int) -> Table | None:
        """A field that is a table (or the table of a union)."""
        slot = self.slot(field)
        return None if slot is None else Table(self.data, _follow(self.data, slot))

    def text(self, field: int) -> str:
        """A string field."""
        return bytes(self.array(field, "u1")).decode("utf-8", errors="replace")

    def array(self, field: int, kind: str) -> np.ndarray:
        """A vector of numbers, `kind` as NumPy writes it ("i4", "f4", "u1")."""
        start, count = self._vector(field)
        return np.frombuffer(self.data, dtype=f"<{kind}", count=count, offset=start)

    def tables(self, field: int) -> Iterator[Table]:
        """A vector of tables."""
        start, count = self._vector(field)
        for i in range(count):
            yield Table(self.data, _follow(self.data, start + 4 * i))

    def _vector(self, field: int) -> tuple[int, int]:
        slot = self.slot(field)
        if slot is None:
            return 0, 0
        place = _follow(self.data, slot)
        return place + 4, _unsigned(self.data, place)


def _unsigned(data: bytes, place: int) -> int:
    return struct.unpack_from("<I", data, place)[0]


def _follow(data: bytes, slot: int) -> int:
    return slot + _unsigned(data, slot)
