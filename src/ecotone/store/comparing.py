"""The catalogue and its journal side by side: whose rows are missing or not as they were said."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.store.checksums import text_sum
from ecotone.store.journal import COLUMNS, END, ROOTS, SCHEMA, TABLES, read_end, split


@dataclass
class Marks:
    """Number, checksum and columns of each row of one table in the journal, 20 bytes a row."""

    n: array = field(default_factory=lambda: array("q"))
    sums: array = field(default_factory=lambda: array("Q"))
    version: array = field(default_factory=lambda: array("i"))

    def newest(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three as arrays in the order of numbers, the last line of each number."""
        n = np.frombuffer(self.n, dtype=np.int64) if self.n else np.empty(0, np.int64)
        order = np.argsort(n, kind="stable")
        last = np.r_[n[order][1:] != n[order][:-1], np.ones(min(1, len(n)), bool)]
        keep = order[last]
        return (n[keep], np.array(self.sums, np.uint64)[keep],
                np.array(self.version, np.int64)[keep])


@dataclass(frozen=True)
class Difference:
    """Numbers of the rows of a table that only the journal has (lost), that differ (changed), and
    that only the catalogue has although the journal is past them (unkept)."""

    table: str
    lost: list[int]
    changed: list[int]
    unkept: list[int]


def read_lines(path: Path) -> Iterator[tuple[str, str, str] | None]:
    """Kind, values as json and checksum of each line; None for one that is torn or damaged."""
    try:
        with path.open("rb") as handle:
            for line in handle:
                if line.strip():
                    yield split(line.rstrip(b"\n"))
    except FileNotFoundError:
        return


def compare(connection: sqlite3.Connection, path: Path) -> list[Difference]:
    """How the rows of people's words differ; tables that agree are left out.

    Raises sqlite3.DatabaseError when the catalogue cannot be read, OSError when the journal cannot.
    """
    end = read_end(path)[0]  # first: another command may append meanwhile
    marks, columns = _read_marks(path)
    out = []
    for table, key in TABLES.items():
        found = _compare_table(connection, table, key, marks[table], columns, end.get(table, 0))
        if found.lost or found.changed or found.unkept:
            out.append(found)
    return out


def _read_marks(path: Path) -> tuple[dict[str, Marks], list[dict[str, list[str]]]]:
    marks = {table: Marks() for table in TABLES}
    columns: list[dict[str, list[str]]] = [{}]
    for line in read_lines(path):
        if line is None:
            continue
        kind, values, found = line
        if kind == COLUMNS:
            columns.append(json.loads(values))
        elif kind in marks:
            marks[kind].n.append(int(values[1:].partition(",")[0]))
            marks[kind].sums.append(int(found, 16))
            marks[kind].version.append(len(columns) - 1)
    return marks, columns


def _compare_table(
    connection: sqlite3.Connection, table: str, key: str, marks: Marks,
    columns: list[dict[str, list[str]]], end: int,
) -> Difference:
    numbers, sums, versions = marks.newest()
    place = 0
    here = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    lost: list[int] = []
    changed: list[int] = []
    unkept: list[int] = []
    for row in connection.execute(f"SELECT * FROM {table} ORDER BY {key}"):
        n = row[0]
        while place < len(numbers) and numbers[place] < n:
            lost.append(int(numbers[place]))
            place += 1
        if place < len(numbers) and numbers[place] == n:
            names = columns[versions[place]].get(table, here)
            values = row if names == here else [
                dict(zip(here, row, strict=True)).get(name) for name in names]
            if _sum(table, values) != int(sums[place]):
                changed.append(n)
            place += 1
        elif n <= end:
            unkept.append(n)
    lost += [int(n) for n in numbers[place:]]
    return Difference(table, lost, changed, unkept)


def _sum(table: str, values: Any) -> int:
    try:
        text = json.dumps(list(values), ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError):  # a text became bytes
        return -1
    return int(text_sum(table + text), 16)


@dataclass(frozen=True)
class Kept:
    """What a journal holds. rows: table -> number -> its cells by column. boxes: drawn boxes by
    decision, cells as `journal.BOX_COLUMNS`. roots: folders of pictures. schema: the newest list of
    tables with their first pages, {} when it has none. end: how far the tables had grown."""

    rows: dict[str, dict[int, dict[str, Any]]]
    boxes: dict[int, list[Any]]
    roots: list[str]
    schema: dict[str, Any]
    end: dict[str, int]


def read_kept(path: Path) -> Kept:
    """All whole lines of a journal; the last one of a number counts."""
    rows: dict[str, dict[int, dict[str, Any]]] = {table: {} for table in TABLES}
    boxes: dict[int, list[Any]] = {}
    roots: dict[str, None] = {}
    schema: dict[str, Any] = {}
    columns: dict[str, list[str]] = {}
    for line in read_lines(path):
        if line is None or line[0] == END:
            continue
        kind, values = line[0], json.loads(line[1])
        if kind == COLUMNS:
            columns = values
        elif kind == SCHEMA:
            schema = values
        elif kind == ROOTS:
            roots[values[0]] = None
        elif kind in rows and kind in columns:
            rows[kind][values[0]] = dict(zip(columns[kind], values, strict=False))
        elif kind not in rows:
            boxes[values[0]] = values
    return Kept(rows, boxes, list(roots), schema, read_end(path)[0])


def count_damaged(path: Path) -> int:
    """Lines that are torn or damaged; one that a kill tore is followed by its rows again."""
    return sum(line is None for line in read_lines(path))
