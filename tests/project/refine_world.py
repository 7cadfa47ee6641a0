"""A made-up reserve for refinements: six species, SpeciesNet's scores that are often unsure, boxes.

N = 96 pictures in bursts of two at six places. What the global model is sure of, and where it
stops at a family or at animal, follows from `truth` and the seed alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

from ecotone.project import Project
from ecotone.store.tables import Box, NewLabel, NewMedium
from ecotone.store.vectors import EmbeddingWriter, ScoreWriter
from ecotone.taxonomy.rollup import BLANK

LINES = {
    "red deer": "d1;mammalia;artiodactyla;cervidae;cervus;elaphus;red deer",
    "roe deer": "d2;mammalia;artiodactyla;cervidae;capreolus;capreolus;european roe deer",
    "wild boar": "d3;mammalia;artiodactyla;suidae;sus;scrofa;wild boar",
    "red fox": "d4;mammalia;carnivora;canidae;vulpes;vulpes;red fox",
    "lynx": "d5;mammalia;carnivora;felidae;lynx;lynx;eurasian lynx",
    "mallard": "d6;aves;anseriformes;anatidae;anas;platyrhynchos;mallard",
}
ABSENT = "d7;mammalia;carnivora;felidae;puma;concolor;puma"
CLASSES = (*LINES.values(), ABSENT, BLANK)
SPECIES = tuple(LINES)
N, DIM, PLACES = 96, 12, 6


def truth_of(n: int = N) -> np.ndarray:
    """The species of each picture: both of a burst show the same."""
    return np.array([SPECIES[(i // 2) % 6] for i in range(n)], dtype=object)


def place_of(i: int) -> str:
    """The place of a picture: every species is seen at every one."""
    burst = i // 2
    return f"place{(burst // 6 + burst) % PLACES}"


def vectors(truth: np.ndarray, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (N, 12) and scores (N, 8): sure in a third of the pictures, else shared with the
    nearest relative, else with everything."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1, (6, DIM))
    column = np.array([SPECIES.index(t) for t in truth])
    embeddings = centres[column] + rng.normal(0, 0.35, (len(truth), DIM))
    scores = np.zeros((len(truth), len(CLASSES)))
    relative = {0: 1, 1: 0, 2: 0, 3: 4, 4: 6, 5: 2}
    for i, k in enumerate(column):
        kind = (i // 12 + k) % 3
        if kind == 0:
            scores[i, [k, relative[k]]] = 0.9, 0.05
        elif kind == 1:
            scores[i, [k, relative[k]]] = 0.45, 0.45
        else:
            scores[i, :7] = rng.dirichlet(np.ones(7)) * 0.5
    return embeddings.astype(np.float32), scores.astype(np.float32)


def make_project(folder: Path, labels: int = 4, boxes: bool = True) -> Project:
    """The reserve as a project with `labels` labels a species, spread over the places."""
    truth = truth_of()
    embeddings, scores = vectors(truth)
    project = Project.init(folder)
    catalog = project.catalog
    catalog.add_media([
        NewMedium(f"m{i:03d}", str(folder), f"{place_of(i)}/{i:03d}.jpg", place_of(i),
                  timestamp=f"2024-05-01T06:{i // 6:02d}:00", content_hash=f"hash{i}",
                  width=96, height=72)
        for i in range(N)
    ])
    catalog.set_events({f"m{i:03d}": f"event{i // 2}" for i in range(N)})
    ids = [f"m{i:03d}:0" for i in range(N)]
    if boxes:
        catalog.replace_boxes({
            f"m{i:03d}": [Box((0.0, 0.0, 1.0, 1.0), "animal", 0.9)] for i in range(N)}, "md")
    with EmbeddingWriter(catalog, project.vectors, "enc", DIM) as writer:
        writer.append(ids, embeddings)
    with ScoreWriter(catalog, project.vectors, "speciesnet", CLASSES) as writer:
        writer.append(ids, sparse.csr_matrix(scores))
    given = {species: 0 for species in SPECIES}
    chosen = []
    for i in np.random.default_rng(1).permutation(N):
        if given[truth[i]] < labels:
            given[truth[i]] += 1
            chosen.append(NewLabel(f"m{i:03d}", truth[i]))
    catalog.add_labels(chosen, author="test")
    return project
