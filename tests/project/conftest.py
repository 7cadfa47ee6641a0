"""A small project of made-up vectors: no pictures are read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ecotone.project import Project
from ecotone.store.tables import NewLabel, NewMedium
from ecotone.store.vectors import EmbeddingWriter, ScoreWriter

SPECIES = ("red deer", "grey fox", "wild boar")
GLOBAL = ("Cervus elaphus (Red Deer)", "gray fox, Urocyon cinereoargenteus", "hog, swine")
N, DIM = 90, 12


@pytest.fixture
def truth() -> np.ndarray:
    """The species of each of the 90 media."""
    return np.array([SPECIES[i % 3] for i in range(N)], dtype=object)


@pytest.fixture
def vectors(truth) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (90, 12) and global scores (90, 3) that tell of the truth with noise."""
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 1, (3, DIM))
    column = np.array([SPECIES.index(t) for t in truth])
    embeddings = centres[column] + rng.normal(0, 0.4, (N, DIM))
    scores = rng.dirichlet(np.ones(3), N) * 0.5
    scores[np.arange(N), column] += 0.5
    return embeddings.astype(np.float32), scores.astype(np.float32)


@pytest.fixture
def small_project(tmp_path, truth, vectors) -> Iterator[Project]:
    """Six deployments of 15 media, embeddings "enc", scores "world", four labels a species."""
    with Project.init(tmp_path / "my-reserve") as project:
        media = [
            NewMedium(
                id=f"m{i:02d}", root=str(tmp_path), file_path=f"cam{i % 6}/{i:02d}.jpg",
                deployment_id=f"cam{i % 6}", timestamp=f"2024-05-01T06:{i % 60:02d}:00",
                content_hash=f"hash{i}", width=100, height=80,
            )
            for i in range(N)
        ]
        catalog = project.catalog
        catalog.add_media(media)
        ids = [f"m{i:02d}:0" for i in range(N)]
        with EmbeddingWriter(catalog, project.vectors, "enc", DIM) as writer:
            writer.append(ids, vectors[0])
        with ScoreWriter(catalog, project.vectors, "world", GLOBAL, True) as writer:
            writer.append(ids, vectors[1])
        labelled = list(range(12))
        catalog.add_labels([NewLabel(f"m{i:02d}", truth[i]) for i in labelled], author="test")
        yield project
