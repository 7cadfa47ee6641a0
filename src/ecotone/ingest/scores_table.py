"""Scores of a global model in a csv or parquet table.

Wide: one column a class (zamba).  Long: columns of a class name and of its score, one or more rows
a picture (DeepFaune, animl, pybioclip, MEWC).  R rows, S classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ecotone.errors import FormatError, MissingExtraError
from ecotone.ingest.dialects import SCORES, Dialect, advice, dialect_of
from ecotone.ingest.dialects_scores import (
    NAME,
    RANKED,
    SCORE,
    divisors,
    long_pairs,
    mewc_crops,
)
from ecotone.ingest.labels import DETECTION_ID, LABEL, MEDIA_ID, PATH
from ecotone.ingest.results import Problems
from ecotone.ingest.tables import RowStream, Table, key, number
from ecotone.ingest.text import some

BOXES = (("bbox1", "bbox2", "bbox3", "bbox4"), ("bboxx", "bboxy", "bboxwidth", "bboxheight"),
         ("x", "y", "w", "h"))
NO_CLASS = frozenset(
    {*PATH, *MEDIA_ID, *DETECTION_ID, "", "unnamed0", "index", "id", "row", "width", "height",
     "size", "frame", "framenumber", "x1", "y1", "x2", "y2", "x", "y", "w", "h", "latitude",
     "longitude", "lat", "lon", "year", "month", "day", "hour", "count", "seqnum", "sequence",
     "conf", "maxdetectionconf", "detectionconf", "humancount", "timestamp", "datetime", "date",
     "deploymentid", "deployment", "location", "site", "station", "camera", "category",
     "extension", "createdate", "filemodifydate", "split", "fold", "modelversion", "runid",
     "entropy", "uncertainty", "detectioncategory", "detectionconfidence", "detectionscore",
     "bboxconf", "bboxconfidence", "framerate", "filesize", "seed", "area", *SCORE,
     *(name for box in BOXES for name in box)}
)
SMALL = 1e-5  # probabilities below are not kept
HIGHEST = 1e6  # above any score that could be meant
CHUNK = 2048
Chunk = tuple[list[int], list[list[str]], np.ndarray]  # line numbers, cells of texts, scores


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Rows of scores. text: (R,) the path or id a row names, id_kind "path", "media" or
    "detection". values: (R, S) CSR. bbox: (R, 4) x y width height in 0..1 or NaN, or None."""

    path: Path
    text: list[str]
    id_kind: str
    classes: tuple[str, ...]
    values: sparse.csr_matrix
    complete: bool
    bbox: np.ndarray | None = None
    problems: list[str] = field(default_factory=list)


def read_score_table(path: Path) -> ScoreTable:
    """Scores in a csv or parquet file.

    Raises FormatError when the table is of another command, no column names the picture, none holds
    scores, or a value is no probability; MissingExtraError for parquet without pyarrow.
    """
    problems = Problems(path)
    if path.suffix.casefold() in (".parquet", ".pq"):
        texts, classes, chunks = open_parquet(path)
        left_out: RowStream | None = None
    else:
        left_out = RowStream(path)
        texts, classes, chunks = _open_csv(left_out)
    lines: list[int] = []
    rows: list[list[str]] = []
    parts = []
    for more_lines, cells, block in chunks:
        lines += more_lines
        rows += cells
        block[block < SMALL] = 0
        parts.append(sparse.csr_matrix(block, dtype=np.float32))
    table = Table(path, texts, rows, lines, left_out.problems if left_out else [])
    dialect = dialect_of(table.header)
    kind, column = _id_column(table)
    text, boxes, told = table.column(column), _boxes(table), list(table.problems)
    if dialect is not None and dialect.kind == "mewc csv":
        text, boxes, more = mewc_crops(table)
        told += more
    if classes:
        values = sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix(
            (0, len(classes)), dtype=np.float32
        )
        values, complete = _as_probabilities(table, values, problems)
    else:
        (classes, values), complete = _long(table, dialect, problems), False
    return ScoreTable(
        path, text, kind, classes, values, complete, boxes, [*told, *problems.lines()]
    )


def _id_column(table: Table) -> tuple[str, int]:
    for kind, names in (
        ("detection", ("detectionid",)), ("path", PATH), ("media", MEDIA_ID),
        ("detection", DETECTION_ID),
    ):
        column = table.find(names)
        if column is not None:
            return kind, column
    pictures = table.find_pictures()
    if pictures is not None:
        return "path", pictures
    raise FormatError(
        f"{table.path}, row 1: no column names the picture (found: {some(table.header, 8)}); "
        "expected a column filePath and one column a class."
    )


def _is_long(path: Path, header: Sequence[str]) -> bool:
    """Whether classes stand in rows.

    Raises FormatError when a table holds no scores but something that another command takes.
    """
    dialect = dialect_of(header)
    if dialect is not None and dialect.command != SCORES:
        raise FormatError(f"{path}: is {dialect.says}; {advice(dialect.command)}.")
    if dialect is not None:
        return bool(dialect.names)
    names = {key(h) for h in header}
    return bool(names & set(NAME)) and bool(names & set(SCORE))


def _need_classes(path: Path, header: Sequence[str], classes: Sequence[str]) -> None:
    if not classes:
        said = {key(h) for h in header} & set(LABEL)
        more = "; for labels that people gave use: ecotone add labels" if said else ""
        raise FormatError(
            f"{path}, row 1: no column of scores (found: {some(list(header), 8)}); expected one "
            f"column a class with probabilities{more}."
        )
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice:
        raise FormatError(f"{path}, row 1: the column {twice[0]!r} is there twice.")


def _open_csv(stream: RowStream) -> tuple[list[str], tuple[str, ...], Iterator[Chunk]]:
    """Header of the texts, class names (none for a long table), and the rows in chunks."""
    rows = iter(stream)
    head = list(islice(rows, 200))
    _id_column(Table(stream.path, stream.header, [row for _, row in head], []))
    columns: list[int] = []
    if not _is_long(stream.path, stream.header):
        columns = [
            c for c, name in enumerate(stream.header)
            if key(name) not in NO_CLASS and not RANKED.fullmatch(key(name))
            and _is_numeric([row[c] for _, row in head])
        ]
        _need_classes(stream.path, stream.header, [stream.header[c] for c in columns])
    others = [c for c in range(len(stream.header)) if c not in set(columns)]

    classes = tuple(stream.header[c] for c in columns)
    chunks = _csv_chunks(stream, chain(head, rows), columns, others)
    return [stream.header[c] for c in others], classes, chunks


def _csv_chunks(
    stream: RowStream, rows: Iterator[tuple[int, list[str]]], columns: Sequence[int],
    others: Sequence[int],
) -> Iterator[Chunk]:
    names = [stream.header[c] for c in columns]
    while chunk := list(islice(rows, CHUNK)):
        lines = [line for line, _ in chunk]
        cells = [[row[c] or "0" for c in columns] for _, row in chunk]
        block = _numbers(cells)
        _check(stream.path, lines, names, block, lambda r, c, cells=cells: cells[r][c])
        yield lines, [[row[c] for c in others] for _, row in chunk], block


def open_parquet(path: Path) -> tuple[list[str], tuple[str, ...], Iterator[Chunk]]:
    """As `_open_csv`, of a parquet file.

    Raises MissingExtraError without pyarrow, FormatError when it is no parquet file.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("reading parquet", "parquet") from error
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise FormatError(f"{path}: not a parquet file that can be read ({first}).") from error
    names = file.schema_arrow.names
    classes: tuple[str, ...] = ()
    if not _is_long(path, names):
        number_like = {
            f.name for f in file.schema_arrow
            if pyarrow.types.is_floating(f.type) or pyarrow.types.is_integer(f.type)
        }
        classes = tuple(n for n in names if n in number_like and key(n) not in NO_CLASS)
        _need_classes(path, names, classes)
    others = [n for n in names if n not in set(classes)]
    return others, classes, _parquet_chunks(path, file, others, classes)


def _parquet_chunks(
    path: Path, file: Any, others: Sequence[str], classes: Sequence[str]
) -> Iterator[Chunk]:
    start = 1
    for batch in file.iter_batches(batch_size=CHUNK):
        lines = list(range(start, start + batch.num_rows))
        start += batch.num_rows
        cells = [
            ["" if v is None else str(v) for v in batch.column(n).to_pylist()] for n in others
        ]
        block = np.zeros((batch.num_rows, len(classes)))
        for c, name in enumerate(classes):
            block[:, c] = batch.column(name).fill_null(0).to_numpy(zero_copy_only=False)
        _check(path, lines, classes, block, lambda r, c, block=block: f"{block[r, c]:g}")
        yield lines, [list(row) for row in zip(*cells, strict=True)], block


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether the first filled cells are numbers; one that is none further down is an error."""
    filled = [cell for cell in cells if cell.strip()][:20]
    good = sum(not np.isnan(number(cell)) for cell in filled)
    return bool(filled) and good >= max(1, 0.9 * len(filled))


def _numbers(cells: list[list[str]]) -> np.ndarray:
    try:
        return np.array(cells, dtype=np.float64).reshape(len(cells), -1)
    except ValueError:  # decimal commas, blanks, or no numbers at all
        return np.array([[number(c) if c.strip() else 0.0 for c in row] for row in cells])


def _check(
    path: Path, lines: Sequence[int], names: Sequence[str], block: np.ndarray,
    cell: Callable[[int, int], str],
) -> None:
    wrong = ~np.isfinite(block) | (block < 0) | (block > HIGHEST)
    if wrong.any():
        row, column = (int(v[0]) for v in np.nonzero(wrong))
        advice = "apply a softmax first" if block[row, column] < 0 else "mend the cell"
        raise FormatError(
            f"{path}, row {lines[row]}, column {names[column]!r}: {cell(row, column)!r}, expected "
            f"a probability 0..1; {advice}."
        )


def _as_probabilities(
    table: Table, values: sparse.csr_matrix, problems: Problems
) -> tuple[sparse.csr_matrix, bool]:
    """Rows that sum to at most 1: per cent are divided by 100, sums over 1 are scaled and told."""
    total = np.asarray(values.sum(axis=1)).ravel()
    some_mass = total[total > 0]
    if not len(some_mass):
        return sparse.csr_matrix(values, dtype=np.float32), False
    highest = values.data.max()
    if highest > 1.001:
        if not (highest <= 100.5 and 90 <= np.median(some_mass) <= 110):
            row = int(np.argmax(values.max(axis=1).toarray().ravel()))
            raise FormatError(
                f"{table.path}, row {table.lines[row]}: a score of {highest:g}, expected "
                "probabilities 0..1; apply a softmax first."
            )
        values, total = values / 100, total / 100
        problems.add("scores are per cent, divided by 100", f"row {table.lines[0]} on")
    over = np.flatnonzero(total > 1.05)
    for row in over:
        problems.add("scores sum to more than 1, scaled to 1", f"row {table.lines[row]}")
    scaled = sparse.diags(1 / np.maximum(total, 1.0)) @ values
    complete = bool((total[total > 0] > 0.97).all()) and not len(over)
    return sparse.csr_matrix(scaled, dtype=np.float32), complete


def _long(
    table: Table, dialect: Dialect | None, problems: Problems
) -> tuple[tuple[str, ...], sparse.csr_matrix]:
    pairs = long_pairs(table, dialect)
    scores = [[number(v) if v else float("nan") for v in texts] for _, texts in pairs]
    top = max((v for column in scores for v in column if np.isfinite(v)), default=0.0)
    scale = 100.0 if 1.001 < top <= 100 else 1.0
    by = divisors(table, dialect)
    classes = tuple(sorted({n for names, _ in pairs for n in names if n}))
    place = {n: i for i, n in enumerate(classes)}
    rows, columns, values = [], [], []
    for (names, _), column in zip(pairs, scores, strict=True):
        for row, (name, score) in enumerate(zip(names, column, strict=True)):
            score = score / scale / by[row]
            if not name or not 0 <= score <= 1.001:
                problems.add("no class or no score in 0..1, left out", f"row {table.lines[row]}")
                continue
            rows.append(row)
            columns.append(place[name])
            values.append(min(score, 1.0))
    shape = (len(table.rows), len(classes))
    return classes, sparse.csr_matrix((values, (rows, columns)), shape=shape, dtype=np.float32)


def _boxes(table: Table) -> np.ndarray | None:
    """Boxes of the rows: x y width height in 0..1, NaN where there is none; None without any.

    Corners in pixels (zamba) are left out: the picture's size may not be known here.
    """
    for names in BOXES:
        found = [table.find((n,)) for n in names]
        if all(c is not None for c in found):
            cells = [[number(v) if v else np.nan for v in table.column(c)] for c in found]
            boxes = np.array(cells, dtype=np.float64).T.reshape(-1, 4)
            wrong = ~((boxes >= -0.01) & (boxes <= 1.01)).all(axis=1) | (boxes[:, 2] <= 0)
            boxes[wrong] = np.nan
            return boxes if not wrong.all() else None
    return None
