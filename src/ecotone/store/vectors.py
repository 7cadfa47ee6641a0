"""Scores, embeddings and posteriors of detections: written in shards, read as aligned arrays.

N asked detections, S global classes, K local classes, D embedding dimensions. `folder` is the
project's folder of vectors. A detection that was written again has the values written last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy

from ecotone.errors import InputError, ProjectError
from ecotone.store import shards, views
from ecotone.store.compacting import compact
from ecotone.types import GlobalScores, Posteriors

if TYPE_CHECKING:
    from ecotone.store.catalog import Catalog

FLUSH_ROWS = 8192  # a writer flushes by itself when it holds as many rows


class _Writer(ABC):
    """What both writers share: rows wait in memory until `flush` makes a shard of them."""

    kind = ""

    def __init__(self, catalog: Catalog, folder: Path, model_name: str) -> None:
        self.catalog, self.folder, self.model_name = catalog, Path(folder), model_name
        # None: a set is begun (and an old one of the name dropped) with the first shard, not before
        self._set: shards.VectorSet | None = shards.find_set(catalog, self.kind, model_name)
        self._ids: list[str] = []
        shards.clean(catalog, self.folder, self.kind, model_name)

    def done_ids(self) -> set[str]:
        """Detections that this set holds, stored or waiting here."""
        stored = (
            set() if self._set is None
            else done_ids(self.catalog, self.folder, self.kind, self.model_name)
        )
        return stored | set(self._ids)

    @abstractmethod
    def _begin(self) -> shards.VectorSet:
        """The set of vectors that the first shard starts."""

    @abstractmethod
    def _arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the rows that wait."""

    def _clear(self) -> None:
        self._ids = []

    def flush(self) -> None:
        """Store what waits; after the return no kill can lose it."""
        if not self._ids:
            return
        with self.catalog.transaction():
            current = self._set or self._begin()
            shards.write_shard(self.catalog, self.folder, current, self._ids, self._arrays())
        self._set = current
        self._clear()

    def close(self) -> None:
        """Store what waits, and join small shards where there are many."""
        self.flush()
        if self.kind != "posteriors" and not self.catalog.connection.in_transaction:
            compact(self.catalog, self.folder, self.kind, self.model_name)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # On an error too: rows that are here are finished work.
        self.flush() if kind else self.close()


class ScoreWriter(_Writer):
    """Append scores of one global model.

    classes: S names. complete: rows hold whole distributions. A set with other classes under this
    name is begun anew, unless `extend`: then new classes are appended to the old.
    """

    kind = "scores"

    def __init__(
        self, catalog: Catalog, folder: Path, model_name: str, classes: Sequence[str],
        complete: bool = False, extend: bool = False,
    ) -> None:
        super().__init__(catalog, folder, model_name)
        self.classes = tuple(str(c) for c in classes)
        self.complete = bool(complete)
        self._parts: list[scipy.sparse.csr_matrix] = []
        self._columns = np.arange(len(self.classes))
        known = self._set
        if known is not None and extend:
            self._extend(known)
        elif known is not None and (known.classes, known.complete) != (self.classes, complete):
            self._set = None

    def _extend(self, known: shards.VectorSet) -> None:
        every = tuple(dict.fromkeys((*known.classes, *self.classes)))
        complete = self.complete and known.complete
        if (every, complete) != (known.classes, known.complete):
            shards.set_classes(self.catalog, known, every, complete)
        column = {name: i for i, name in enumerate(every)}
        self._columns = np.array([column[name] for name in self.classes], dtype=np.intp)

    def _begin(self) -> shards.VectorSet:
        return shards.make_set(
            self.catalog, self.kind, self.model_name, self.classes, 0, self.complete
        )

    def append(
        self, detection_ids: Sequence[str], values: np.ndarray | scipy.sparse.spmatrix
    ) -> None:
        """Add rows (n, S) of probabilities; they are stored when enough wait, or by `flush`."""
        rows = scipy.sparse.csr_matrix(values, dtype=np.float32)
        _check_rows("scores", detection_ids, rows.shape, len(self.classes))
        self._ids.extend(str(i) for i in detection_ids)
        self._parts.append(rows)
        if len(self._ids) >= FLUSH_ROWS:
            self.flush()

    def _arrays(self) -> dict[str, np.ndarray]:
        rows = scipy.sparse.vstack(self._parts, format="csr")
        return {
            "indptr": rows.indptr.astype(np.int64), "data": rows.data.astype(np.float32),
            "indices": self._columns[rows.indices].astype(np.int32),
        }

    def _clear(self) -> None:
        super()._clear()
        self._parts = []


class EmbeddingWriter(_Writer):
    """Append embeddings of one encoder, D = `dimension`; kept as float16.

    A set of another dimension under this name is begun anew.
    """

    kind = "embeddings"

    def __init__(
        self, catalog: Catalog, folder: Path, model_name: str, dimension: int
    ) -> None:
        super().__init__(catalog, folder, model_name)
        self.dimension = int(dimension)
        self._parts: list[np.ndarray] = []
        if self._set is not None and self._set.dimension != self.dimension:
            self._set = None

    def _begin(self) -> shards.VectorSet:
        return shards.make_set(
            self.catalog, self.kind, self.model_name, (), self.dimension, True
        )

    def append(self, detection_ids: Sequence[str], values: np.ndarray) -> None:
        """Add rows (n, D) float; they are stored when enough wait, or by `flush`."""
        rows = np.asarray(values, dtype=np.float32)
        _check_rows("embeddings", detection_ids, rows.shape, self.dimension)
        if not np.isfinite(rows).all():
            raise InputError(f"embeddings of {self.model_name!r}: NaN or infinity.")
        self._ids.extend(str(i) for i in detection_ids)
        limit = float(np.finfo(np.float16).max)
        self._parts.append(np.clip(rows, -limit, limit).astype(np.float16))
        if len(self._ids) >= FLUSH_ROWS:
            self.flush()

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"values": np.concatenate(self._parts)}

    def _clear(self) -> None:
        super()._clear()
        self._parts = []


def _check_rows(
    what: str, ids: Sequence[str], shape: tuple[int, ...], columns: int
) -> None:
    if len(shape) != 2 or shape != (len(ids), columns):
        raise InputError(
            f"{what} have shape {tuple(shape)}, expected {(len(ids), columns)}: one row a "
            "detection id, one column a class or dimension."
        )


def done_ids(catalog: Catalog, folder: Path, kind: str, model: str) -> set[str]:
    """Detections that a set ("scores" or "embeddings") of this model holds."""
    known = shards.find_set(catalog, kind, model)
    found: set[str] = set()
    for file in known.files if known else ():
        found.update(shards.load_ids(Path(folder), known, file))
    return found


def score_models(catalog: Catalog) -> dict[str, int]:
    """Global models with scores, oldest first -> detections in use that they have seen."""
    return _models(catalog, "scores")


def embedding_models(catalog: Catalog) -> dict[str, int]:
    """Encoders with embeddings, oldest first -> detections in use that they have seen."""
    return _models(catalog, "embeddings")


def _models(catalog: Catalog, kind: str) -> dict[str, int]:
    return {s.name: shards.count_rows(catalog, s) for s in shards.sets(catalog, kind) if s.rows}


def open_scores(
    catalog: Catalog, folder: Path, model: str, ids: Sequence[str]
) -> views.ScoreView:
    """Scores (N, S) of these detections that stay on the disk, to be read block by block; empty
    rows where the model has not seen one.

    Raises ProjectError when there are no scores of this model.
    """
    return views.open_scores(Path(folder), _need(catalog, "scores", model), ids)


def read_scores(
    catalog: Catalog, folder: Path, model: str, ids: Sequence[str]
) -> GlobalScores:
    """`open_scores`, read."""
    return open_scores(catalog, folder, model, ids).take(slice(None))


def open_embeddings(
    catalog: Catalog, folder: Path, model: str, ids: Sequence[str]
) -> views.RowView:
    """Embeddings (N, D) of these detections that stay on the disk as float16, to be read block by
    block as float32; `present` tells where there is one, the other rows are 0.

    Raises ProjectError when there are no embeddings of this model.
    """
    return views.open_rows(Path(folder), _need(catalog, "embeddings", model), ids)


def read_embeddings(
    catalog: Catalog, folder: Path, model: str, ids: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (N, D) float32 of these detections and (N,) bool: whether there is one.

    Raises ProjectError when there are no embeddings of this model.
    """
    view = open_embeddings(catalog, folder, model, ids)
    return view[:], view.present


class PosteriorWriter(_Writer):
    """Posteriors of a run, block by block; none of them is there for any reader before `finish`.

    classes: K names. size: rows that make a shard. What a killed command left is removed by
    `drop_unfinished_posteriors`.
    """

    kind = "posteriors"

    def __init__(
        self, catalog: Catalog, folder: Path, run_id: str, classes: Sequence[str],
        size: int = FLUSH_ROWS,
    ) -> None:
        super().__init__(catalog, folder, run_id)
        self.size = size
        self.classes = tuple(str(c) for c in classes)
        self._parts: list[np.ndarray] = []
        self._set = None

    def _begin(self) -> shards.VectorSet:
        return shards.make_set(
            self.catalog, self.kind, self.model_name, self.classes, len(self.classes), False
        )

    def append(self, detection_ids: Sequence[str], values: np.ndarray) -> None:
        """Add rows (n, K); they are written when enough wait."""
        rows = np.asarray(values, dtype=np.float32)
        _check_rows("posteriors", detection_ids, rows.shape, len(self.classes))
        self._ids.extend(detection_ids)
        self._parts.append(rows)
        if len(self._ids) >= self.size:
            self.flush()

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"values": np.concatenate(self._parts)}

    def _clear(self) -> None:
        super()._clear()
        self._parts = []

    def view(self) -> views.RowView:
        """What is written so far, in the order it was given."""
        return views.open_rows(
            self.folder, shards.find_set(self.catalog, self.kind, self.model_name), None
        )

    def finish(self) -> None:
        """From now on the posteriors are there; within a transaction, from its end on."""
        with self.catalog.transaction():
            self.flush()
            current = self._set or self._begin()
            shards.set_classes(self.catalog, current, self.classes, True)


def drop_unfinished_posteriors(catalog: Catalog, folder: Path) -> None:
    """Remove posteriors that were never finished. Under the write lock only."""
    for left in shards.sets(catalog, "posteriors"):
        if not left.complete:
            shards.drop_set(catalog, left.kind, left.name)
            shards.clean(catalog, Path(folder), left.kind, left.name)


def write_posteriors(
    catalog: Catalog, folder: Path, run_id: str, posteriors: Posteriors
) -> None:
    """Keep the posteriors (N, K) of a run, in one step: all of them or none."""
    with catalog.transaction():
        made = shards.make_set(
            catalog, "posteriors", run_id, posteriors.classes, len(posteriors.classes), True
        )
        arrays = {"values": posteriors.values}
        shards.write_shard(catalog, Path(folder), made, list(posteriors.id), arrays)
    shards.clean(catalog, Path(folder), "posteriors", run_id)


def open_posteriors(
    catalog: Catalog, folder: Path, run_id: str, ids: Sequence[str]
) -> views.RowView:
    """Posteriors (N, K) of these detections by a run that stay on the disk; rows of NaN where there
    are none.

    Raises ProjectError when there are none of this run.
    """
    return views.open_rows(Path(folder), _finished(catalog, run_id), ids, np.nan)


def lookup(catalog: Catalog, folder: Path, kind: str, name: str) -> views.Lookup:
    """A finished set that is asked for some detections after others.

    Raises ProjectError when there is none.
    """
    return views.Lookup(Path(folder), _need(catalog, kind, name))


def read_posteriors(catalog: Catalog, folder: Path, run_id: str = "latest") -> Posteriors:
    """The posteriors of a run, or those written last.

    Raises ProjectError when there are none.
    """
    known = _finished(catalog, run_id)
    ids, values = views.read_rows(Path(folder), known)
    return Posteriors(ids.astype(str).tolist(), values, known.classes)


def _finished(catalog: Catalog, run_id: str) -> shards.VectorSet:
    if run_id != "latest":
        return _need(catalog, "posteriors", run_id)
    every = posterior_runs(catalog)
    if not every:
        raise ProjectError("no posteriors in this project yet; run: ecotone fuse")
    return _need(catalog, "posteriors", every[-1])


def posterior_runs(catalog: Catalog) -> list[str]:
    """Runs that posteriors are kept of, oldest first."""
    return [s.name for s in shards.sets(catalog, "posteriors") if s.complete]


def _need(catalog: Catalog, kind: str, name: str) -> shards.VectorSet:
    every = {s.name: s for s in shards.sets(catalog, kind) if s.complete or kind != "posteriors"}
    known = every.get(name)
    if known is None:
        there = ", ".join(every) or "nothing yet"
        raise ProjectError(f"no {kind} of {name!r} in this project; there are: {there}.")
    if kind == "posteriors" and not known.files:
        raise ProjectError(f"the posteriors of {name} were damaged; run: ecotone fuse")
    return known


__all__ = [
    "EmbeddingWriter", "PosteriorWriter", "ScoreWriter", "done_ids", "drop_unfinished_posteriors",
    "embedding_models", "lookup", "open_embeddings", "open_posteriors", "open_scores",
    "posterior_runs", "read_embeddings", "read_posteriors", "read_scores", "score_models",
    "write_posteriors",
]
