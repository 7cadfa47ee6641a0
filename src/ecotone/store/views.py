"""Rows of a set of vectors that stay on the disk: read block by block, in the order asked for.

N asked detections, S global classes, D columns. A view is indexed like an array, and takes memory
only for what it gives; the pages of its maps are the system's, to be dropped when it wants.
"""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy

from ecotone.store import shards
from ecotone.store.locate import Index, as_bytes, locate
from ecotone.store.npz_maps import Member, members
from ecotone.types import GlobalScores

OPEN = 24  # arrays mapped at once: each holds a file open, and its pages count as memory
BLOCK = 16384


class Shelf:
    """The shards of one set, opened when asked for, few at a time."""

    def __init__(self, folder: Path, vector_set: shards.VectorSet) -> None:
        self.folder, self.set = Path(folder), vector_set
        self._members: dict[str, dict[str, Member]] = {}
        self._open: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()

    def ids(self) -> tuple[np.ndarray, np.ndarray]:
        """All ids (M,) bytes, shard by shard, and the first place of each shard and the end."""
        parts = [as_bytes(shards.load_shard(self.folder, self.set, f, "ids")[0])
                 for f in self.set.files]
        starts = np.cumsum([0, *(len(p) for p in parts)])
        return (np.concatenate(parts) if parts else np.empty(0, dtype="S1")), starts

    def array(self, number: int, name: str) -> np.ndarray:
        """One array of a shard, mapped where the file allows it, else read.

        Raises ProjectError when the file is missing or damaged.
        """
        file = self.set.files[number]
        found = self._open.pop((file, name), None)
        if found is None:
            found = self._map(file, name)
        self._open[file, name] = found
        while len(self._open) > OPEN:
            self._open.popitem(last=False)
        return found

    def _map(self, file: str, name: str) -> np.ndarray:
        if not file.endswith(shards.SUFFIX):
            return shards.load_shard(self.folder, self.set, file, name)[0]
        path = shards.set_folder(self.folder, self.set.kind, self.set.name) / file
        try:
            if file not in self._members:
                self._members[file] = members(path)
            there = self._members[file].get(name)
            if there is not None:
                return there.map(path)
        except (OSError, ValueError, zipfile.BadZipFile):
            pass  # what is wrong with it tells the reader of whole shards
        return shards.load_shard(self.folder, self.set, file, name)[0]


class _View:
    """What views share: which stored row each asked detection has."""

    def __init__(self, shelf: Shelf, place: np.ndarray, starts: np.ndarray) -> None:
        self._shelf, self._place, self._starts = shelf, place, starts

    def __len__(self) -> int:
        return len(self._place)

    @property
    def present(self) -> np.ndarray:
        """(N,) bool: whether the set holds the detection."""
        return self._place >= 0

    def _numbers(self, rows: slice | np.ndarray) -> np.ndarray:
        return self._place[rows if isinstance(rows, slice) else np.asarray(rows)]

    def _by_shard(self, place: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(shard, rows asked, rows in the shard) of places; those of -1 are left out."""
        shard = np.searchsorted(self._starts, place, side="right") - 1
        order = np.argsort(shard, kind="stable")
        edges = np.flatnonzero(np.diff(shard[order])) + 1
        for mine in np.split(order, edges) if len(order) else ():
            number = int(shard[mine[0]])
            if number >= 0:
                yield number, mine, place[mine] - self._starts[number]


class RowView(_View):
    """Rows (N, D) float32 of embeddings or posteriors.

    shape, dtype, len, slices, numbers and masks as of an array; `fill` where there is no row.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(
        self, shelf: Shelf, place: np.ndarray, starts: np.ndarray, fill: float = 0.0
    ) -> None:
        super().__init__(shelf, place, starts)
        self._fill = fill

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        return len(self), self._shelf.set.dimension

    def __getitem__(self, rows: slice | np.ndarray | int) -> np.ndarray:
        if isinstance(rows, (int, np.integer)):
            return self[np.array([rows])][0]
        place = self._numbers(rows)
        out = np.full((len(place), self.shape[1]), self._fill, dtype=np.float32)
        for number, mine, theirs in self._by_shard(place):
            stored = self._shelf.array(number, "values")
            out[_run(mine)] = stored[_run(theirs)]
        return out

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The values of some rows, numbers or a mask."""
        return self[rows]

    def subset(self, rows: np.ndarray) -> RowView:
        """A view of some rows, numbers or a mask; nothing is read."""
        return RowView(self._shelf, self._numbers(rows), self._starts, self._fill)

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[slice, np.ndarray]]:
        """(rows, values), block after block."""
        for start in range(0, len(self), size):
            part = slice(start, min(start + size, len(self)))
            yield part, self[part]

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        out = self[:]
        return out if dtype is None else out.astype(dtype, copy=False)


class ScoreView(_View):
    """Scores (N, S) of one global model, as `GlobalScores` gives them row by row.

    classes: S names. complete: as of `GlobalScores`.
    """

    def __init__(self, shelf: Shelf, place: np.ndarray, starts: np.ndarray) -> None:
        super().__init__(shelf, place, starts)
        self.classes, self.complete = shelf.set.classes, shelf.set.complete

    def take(self, rows: slice | np.ndarray) -> GlobalScores:
        """The scores of some rows: numbers, a mask or a slice."""
        place = self._numbers(rows)
        parts = list(self._by_shard(place))
        length = np.zeros(len(place), dtype=np.int64)
        for number, mine, theirs in parts:
            indptr = self._shelf.array(number, "indptr")
            length[mine] = indptr[theirs + 1] - indptr[theirs]
        indptr = np.concatenate([[0], np.cumsum(length)])
        indices, data = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
        for number, mine, theirs in parts:
            begin = self._shelf.array(number, "indptr")[theirs]
            to, of = _spread(indptr[mine], length[mine]), _spread(begin, length[mine])
            indices[to] = self._shelf.array(number, "indices")[_run(of)]
            data[to] = self._shelf.array(number, "data")[_run(of)]
        shape = (len(place), len(self.classes))
        values = scipy.sparse.csr_matrix((data, indices, indptr), shape=shape)
        return GlobalScores(values, self.classes, self.complete)

    def subset(self, rows: np.ndarray) -> ScoreView:
        """A view of some rows, numbers or a mask; nothing is read."""
        return ScoreView(self._shelf, self._numbers(rows), self._starts)


def _run(rows: np.ndarray) -> slice | np.ndarray:
    """Numbers that follow each other as a slice, which copies faster."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _spread(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """start_i, start_i + 1, ... for `length_i` numbers of each i."""
    ends = np.cumsum(length)
    return np.repeat(start - (ends - length), length) + np.arange(ends[-1] if len(ends) else 0)


class Lookup:
    """A set that is asked for some detections after others."""

    def __init__(self, folder: Path, vector_set: shards.VectorSet) -> None:
        self._shelf = Shelf(folder, vector_set)
        stored, self._starts = self._shelf.ids()
        self._index = Index(stored)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the columns, () for embeddings."""
        return self._shelf.set.classes

    def rows(self, ids: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """Rows (n, D) float32 of detections, `fill` where there is none."""
        return RowView(self._shelf, self._index.find(as_bytes(ids)), self._starts, fill)[:]

    def scores(self, ids: np.ndarray) -> GlobalScores:
        """Scores (n, S) of detections."""
        place = self._index.find(as_bytes(ids))
        return ScoreView(self._shelf, place, self._starts).take(slice(None))


def open_rows(
    folder: Path, vector_set: shards.VectorSet, ids: np.ndarray | None, fill: float = 0.0
) -> RowView:
    """A view of the rows of detections; of all that the set holds, in its order, without `ids`."""
    shelf = Shelf(folder, vector_set)
    return RowView(shelf, *_places(shelf, ids), fill)


def read_rows(folder: Path, vector_set: shards.VectorSet) -> tuple[np.ndarray, np.ndarray]:
    """All ids (M,) bytes of a set, and their rows (M, D) float32."""
    shelf = Shelf(folder, vector_set)
    ids, starts = shelf.ids()
    return ids, RowView(shelf, np.arange(len(ids)), starts)[:]


def open_scores(folder: Path, vector_set: shards.VectorSet, ids: np.ndarray | None) -> ScoreView:
    """As `open_rows`, of scores."""
    shelf = Shelf(folder, vector_set)
    return ScoreView(shelf, *_places(shelf, ids))


def _places(shelf: Shelf, ids: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    stored, starts = shelf.ids()
    place = np.arange(len(stored)) if ids is None else locate(as_bytes(ids), stored)
    return place, starts
