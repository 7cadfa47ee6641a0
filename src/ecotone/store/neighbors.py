"""A gallery on disk: float16 vectors and their ids, searched for the nearest of a query.

M stored vectors, N queries, D embedding dimensions, k neighbours. The folder holds `vectors.npy`
(M, D) float16, unit rows, `ids.npy` (M,) and, where faiss is used, `faiss.index`. The folder is
written beside and renamed, so that it is there whole or not at all; it is never changed.

Up to a million vectors the search is exact, blocked NumPy on a memory map: recall 1, and memory
that does not grow with M. Past that, and with faiss installed (pip install "ecotone[faiss]"), an
inverted file finds candidates, which are compared exactly; a neighbour may then be missed.
Sources: Johnson, Douze and Jegou 2021, arXiv:1702.08734 (faiss).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import InputError, MissingExtraError, ProjectError
from ecotone.reid.inputs import check_matrix, unit_block
from ecotone.reid.search import Neighbors, top_k

VECTORS, IDS, FAISS = "vectors.npy", "ids.npy", "faiss.index"
FAISS_FROM = 1_000_000
PROBES = 64  # cells of the inverted file that a query looks into
MORE = 4  # candidates from faiss for each neighbour that is asked for
METHODS = ("auto", "exact", "faiss")
CHUNK = 8192


@dataclass(frozen=True, eq=False)
class Found:
    """The k nearest of each query, best first.

    ids: (N, k) str, "" where there is no further one. similarity: (N, k) float32 cosine, NaN there.
    index: (N, k) int64, rows of the index, -1 there.
    """

    ids: np.ndarray
    similarity: np.ndarray
    index: np.ndarray


class NeighborIndex:
    """Vectors of a folder, opened as a memory map.

        write_index(folder, ids, blocks, dimension=2152)
        found = NeighborIndex(folder).search(queries, k=20)

    ids: (M,) str; vectors: (M, D) float16 memory map, unit rows.
    Raises ProjectError when the folder is missing or broken.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.ids = np.load(self.folder / IDS).astype(str)
            kept = np.load(self.folder / VECTORS, mmap_mode="r" if len(self.ids) else None)
        except (OSError, ValueError, EOFError) as error:
            raise ProjectError(
                f"{self.folder}: no index of vectors can be read here ({error}); build it again."
            ) from error
        if kept.ndim != 2 or len(kept) != len(self.ids):
            raise ProjectError(f"{self.folder}: {len(self.ids)} ids and vectors of shape "
                               f"{kept.shape}; build the index again.")
        self.vectors = kept

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, queries: np.ndarray, k: int = 20, method: str = "auto") -> Found:
        """The k stored vectors most similar to each query (N, D).

        method: "exact"; "faiss"; or "auto", which is faiss past a million vectors where it is
        installed. Equal similarities stand in the order of the index.
        Raises InputError for other shapes and values, MissingExtraError without faiss.
        """
        if method not in METHODS:
            raise InputError(f"method {method!r} is none of {METHODS}.")
        use = method == "faiss" or (
            method == "auto" and len(self) > FAISS_FROM and find_spec("faiss") is not None
        )
        queries = check_matrix(queries, "queries", self.vectors.shape[1])
        found = self._faiss(queries, k) if use and len(self) else top_k(queries, self.vectors, k)
        names = np.append(self.ids, "").astype(object)
        return Found(names[found.index], found.similarity, found.index)

    def _faiss(self, queries: np.ndarray, k: int) -> Neighbors:
        faiss = _import_faiss()
        index = self._faiss_index(faiss)
        index.nprobe = min(PROBES, index.nlist)
        out = Neighbors(np.full((len(queries), k), -1, dtype=np.int64),
                        np.full((len(queries), k), np.nan, dtype=np.float32))
        for start in range(0, len(queries), CHUNK):
            block = unit_block(queries[start : start + CHUNK], "queries", start)
            _, places = index.search(block, min(MORE * k, len(self)))
            for row, candidates in enumerate(places, start=start):
                rows = np.unique(candidates[candidates >= 0])  # ascending: ties keep their order
                best = top_k(block[row - start][None], self.vectors, k, rows=rows)
                out.index[row], out.similarity[row] = best.index[0], best.similarity[0]
        return out

    def _faiss_index(self, faiss: Any) -> Any:
        """The inverted file of the folder; it is built on first use, and again when it is torn."""
        path = self.folder / FAISS
        if path.is_file():
            try:
                index = faiss.read_index(str(path))
                if index.ntotal == len(self) and index.d == self.vectors.shape[1]:
                    return index
            except RuntimeError:
                pass
        index = self._build_faiss(faiss)
        try:
            temporary = path.with_name(f".{FAISS}-{os.getpid()}.tmp")
            faiss.write_index(index, str(temporary))
            os.replace(temporary, path)
        except (OSError, RuntimeError):  # a folder that cannot be written to: keep it in memory
            temporary.unlink(missing_ok=True)
        return index

    def _build_faiss(self, faiss: Any) -> Any:
        cells = int(max(1, min(4 * np.sqrt(len(self)), len(self) // 39)))
        kind = f"IVF{cells},SQfp16"
        index = faiss.index_factory(self.vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        sample = np.linspace(0, len(self) - 1, min(len(self), 64 * cells)).astype(np.int64)
        index.train(np.asarray(self.vectors[np.unique(sample)], dtype=np.float32))
        for start in range(0, len(self), CHUNK):
            index.add(np.asarray(self.vectors[start : start + CHUNK], dtype=np.float32))
        return index


def write_index(
    folder: str | Path, ids: Sequence[str], blocks: Iterable[np.ndarray], dimension: int
) -> NeighborIndex:
    """Store vectors for search; an index that is there is replaced.

    ids: M different ones. blocks: the vectors in that order, arrays (n, D) of any size, so that not
    all must be in memory; D = `dimension`.
    Raises InputError when ids repeat, when their number is not that of the vectors, for NaN and
    rows of zeros, and where the folder cannot be written.
    """
    names = np.array([str(i) for i in ids], dtype=str)
    _check_ids(names)
    folder = Path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".tmp", dir=folder.parent))
        work.chmod(0o755)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}).") from error
    try:
        _write_vectors(work / VECTORS, len(names), blocks, int(dimension))
        with (work / IDS).open("wb") as handle:
            np.save(handle, names)
            handle.flush()
            os.fsync(handle.fileno())
        _swap(work, folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return NeighborIndex(folder)


def _check_ids(names: np.ndarray) -> None:
    found, count = np.unique(names, return_counts=True)
    if len(found) and count.max() > 1:
        name = found[int(count.argmax())]
        raise InputError(f"ids: {str(name)!r} is given {count.max()} times; give each once.")
    if (names == "").any():
        raise InputError("ids: one is empty; give every vector an id.")


def _write_vectors(path: Path, rows: int, blocks: Iterable[np.ndarray], dimension: int) -> None:
    if not rows:
        np.save(path, np.zeros((0, dimension), dtype=np.float16))
    out = (np.lib.format.open_memmap(path, "w+", np.float16, (rows, dimension)) if rows else None)
    done = 0
    for block in blocks:
        values = check_matrix(block, "vectors", dimension)
        if done + len(values) > rows:
            raise InputError(f"more vectors than the {rows} ids; give one id a vector.")
        for start in range(0, len(values), CHUNK):
            part = unit_block(values[start : start + CHUNK], "vectors", done)
            out[done : done + len(part)] = part
            done += len(part)
    if done < rows:
        raise InputError(f"{done} vectors, {rows} ids; give one id a vector.")
    if out is not None:
        out.flush()


def _swap(work: Path, folder: Path) -> None:
    """Put `work` in the place of `folder`; an old index there goes."""
    if not folder.exists():
        os.replace(work, folder)
        return
    if any(p.name not in (VECTORS, IDS, FAISS) for p in folder.iterdir()):
        raise InputError(f"{folder}: holds other files; name a folder for the index alone.")
    old = folder.with_name(f".{folder.name}-{os.getpid()}.old")
    os.replace(folder, old)
    os.replace(work, folder)
    shutil.rmtree(old, ignore_errors=True)


def _import_faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("approximate search of many vectors", "faiss") from error
    return faiss


__all__ = ["FAISS_FROM", "Found", "NeighborIndex", "write_index"]
