"""Seconds of matching queries against a large gallery, beside a bare blocked product with top-k.

    python benchmarks/matching.py                         # 10,000 against 100,000 x 2,152
    python benchmarks/matching.py --queries 2000 --gallery 20000
    python benchmarks/matching.py --queries 2000 --gallery 20000 --identifier   # all of predict

The gallery lies on disk as float16, as embeddings are kept. The peer multiplies blocks of the same
size, of rows that are already of length 1 and float32, takes each block's top k with argpartition,
and sorts them at the end: no checks, no ties, no reading. The two take turns, several rounds.
--identifier measures `ReIdentifier.predict` (search, probabilities, known or new, names for new
ones) on made-up individuals of five pictures, and says how long its `fit` took.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ecotone import ReIdentifier
from ecotone.evaluation.summary import align
from ecotone.reid.search import GALLERY_BLOCK, QUERY_BLOCK, top_k

BLOCK = 10_000


def make_gallery(path: Path, rows: int, dimensions: int) -> np.ndarray:
    """A float16 memory map of random rows."""
    rng = np.random.default_rng(0)
    out = np.lib.format.open_memmap(path, "w+", np.float16, (rows, dimensions))
    for start in range(0, rows, BLOCK):
        count = min(BLOCK, rows - start)
        out[start : start + count] = rng.standard_normal((count, dimensions), dtype=np.float32)
    out.flush()
    return np.load(path, mmap_mode="r")


def bare(queries: np.ndarray, gallery: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Top k of unit float32 rows by blocks, with NumPy alone."""
    index, value = [], []
    for first in range(0, len(queries), QUERY_BLOCK):
        part = queries[first : first + QUERY_BLOCK]
        places, values = [], []
        for start in range(0, len(gallery), GALLERY_BLOCK):
            product = part @ gallery[start : start + GALLERY_BLOCK].T
            best = np.argpartition(product, -k, axis=1)[:, -k:]
            places.append(best + start)
            values.append(np.take_along_axis(product, best, axis=1))
        place, found = np.hstack(places), np.hstack(values)
        order = np.argsort(-found, axis=1)[:, :k]
        index.append(np.take_along_axis(place, order, axis=1))
        value.append(np.take_along_axis(found, order, axis=1))
    return np.vstack(index), np.vstack(value)


def unit(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def identifier(queries: int, gallery: int, dimensions: int) -> float:
    """Print seconds of fit and predict, and of the bare product; the ratio of the latter two."""
    rng = np.random.default_rng(0)
    people = max(gallery // 5, 1)
    centre = rng.standard_normal((people, dimensions), dtype=np.float32)

    def pictures(who: np.ndarray) -> np.ndarray:
        noise = rng.standard_normal((len(who), dimensions), dtype=np.float32)
        return centre[who] + 1.5 * noise

    who = np.arange(gallery) % people
    known, asked = pictures(who), pictures(rng.integers(0, people, queries))
    started = time.perf_counter()
    reid = ReIdentifier(head=None).fit(known, [f"i{w}" for w in who])
    fitted = time.perf_counter()
    reid.predict(asked)
    ours, start = time.perf_counter() - fitted, time.perf_counter()
    bare(unit(asked), unit(known), reid.shortlist)
    peer = time.perf_counter() - start
    print("\n".join(align([
        ["fit, s", "predict, s", "bare product with top-k, s", "ratio"],
        [f"{fitted - started:.1f}", f"{ours:.1f}", f"{peer:.1f}", f"{ours / peer:.2f}"]])))
    return ours / peer


def main() -> None:
    """Measure and print; exit code 1 when the ratio is above the bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--gallery", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=2152)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--bar", type=float, default=1.5)
    parser.add_argument("--identifier", action="store_true")
    given = parser.parse_args()
    if given.identifier:
        ratio = identifier(given.queries, given.gallery, given.dimensions)
        sys.exit(0 if ratio <= given.bar else 1)
    with tempfile.TemporaryDirectory() as folder:
        stored = make_gallery(Path(folder) / "gallery.npy", given.gallery, given.dimensions)
        queries = np.random.default_rng(1).standard_normal(
            (given.queries, given.dimensions), dtype=np.float32
        )
        table = [["round", "ecotone, s", "bare product with top-k, s", "ratio", "same best"]]
        ratios = []
        for number in range(given.rounds):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            started = time.perf_counter()
            found = top_k(queries, stored, given.k)
            ours = time.perf_counter() - started
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            if number == 0:
                print(f"memory of the search: {grown / 1e6:.2f} GB more than before, the pages of "
                      "the gallery's file among it", file=sys.stderr)
            a, b = unit(queries), unit(stored)
            started = time.perf_counter()
            index, _ = bare(a, b, given.k)
            peer = time.perf_counter() - started
            ratios.append(ours / peer)
            table.append([str(number + 1), f"{ours:.1f}", f"{peer:.1f}", f"{ratios[-1]:.2f}",
                          f"{(index[:, 0] == found.index[:, 0]).mean():.4f}"])
            del a, b
    print("\n".join(align(table)))
    sys.exit(0 if np.mean(ratios) <= given.bar else 1)


if __name__ == "__main__":
    main()
