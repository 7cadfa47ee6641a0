"""Exact search for what looks alike: cosine over stored embeddings, one shard in memory at a time.

N detections of a set, D embedding dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecotone.errors import ProjectError
from ecotone.store import shards
from ecotone.store.vectors import read_embeddings

if TYPE_CHECKING:
    from ecotone.store.catalog import Catalog


def nearest(
    catalog: Catalog, folder: Path, model: str, like: Sequence[str], n: int
) -> tuple[list[str], np.ndarray]:
    """The n detections nearest to the mean direction of some (themselves included), and the cosine
    of each, nearest first; ties by id.

    Raises ProjectError when there are no embeddings of this model, or none of these detections.
    """
    values, present = read_embeddings(catalog, folder, model, like)
    if not present.any():
        raise ProjectError(
            f"{like[0]}: no embedding of {model!r} yet; run: ecotone embed --model {model}"
        )
    query = _unit(values[present]).mean(axis=0)
    query = _unit(query[None])[0]
    known = shards.find_set(catalog, "embeddings", model)
    best: list[tuple[float, str]] = []
    seen: set[str] = set()  # a detection that was written again has the values written last
    for file in reversed(known.files if known else ()):
        ids, stored = shards.load_shard(Path(folder), known, file, "ids", "values")
        names = ids.astype(str).tolist()
        cosine = _unit(stored.astype(np.float32)) @ query
        fresh = (i for i in np.argsort(-cosine, kind="stable") if names[i] not in seen)
        best += [(-float(cosine[i]), names[i]) for i in islice(fresh, n)]
        best = sorted(best)[:n]
        seen.update(names)
    return [name for _, name in best], np.array([-c for c, _ in best], dtype=np.float32)


def _unit(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1.0)
