"""A small generated place for the tests of the five stages: embeddings, raw scores, labels before.

Eleven species, two of them birds; relatives look alike. SpeciesNet's seven tokens are the global
model's labels. A third of the animals have a sure species before, the rest is "animal", "mammal",
"blank" or a family.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ecotone.types import GlobalScores

SPECIES = (
    "mammalia;carnivora;canidae;vulpes;vulpes;red fox",
    "mammalia;carnivora;canidae;vulpes;lagopus;arctic fox",
    "mammalia;carnivora;canidae;canis;lupus;grey wolf",
    "mammalia;carnivora;felidae;lynx;lynx;eurasian lynx",
    "mammalia;artiodactyla;cervidae;cervus;elaphus;red deer",
    "mammalia;artiodactyla;cervidae;capreolus;capreolus;roe deer",
    "mammalia;artiodactyla;suidae;sus;scrofa;wild boar",
    "mammalia;rodentia;sciuridae;sciurus;vulgaris;red squirrel",
    "mammalia;lagomorpha;leporidae;lepus;europaeus;brown hare",
    "aves;passeriformes;corvidae;garrulus;glandarius;eurasian jay",
    "aves;passeriformes;turdidae;turdus;merula;common blackbird",
)
HIGHER = (
    "mammalia;;;;;mammal", "aves;;;;;bird", "mammalia;carnivora;;;;carnivore",
    "mammalia;carnivora;canidae;;;dog family", "mammalia;artiodactyla;cervidae;;;deer family",
    ";;;;;animal", ";;;;;blank",
)  # fmt: skip
LINES = tuple(f"{i:08x}-0000-4000-8000-000000000000;{text}"
              for i, text in enumerate((*SPECIES, *HIGHER)))
MAMMAL, BIRD, CARNIVORE, DOGS, DEER, ANIMAL, BLANK = LINES[len(SPECIES):]
COMMON = tuple(line.split(";")[6] for line in LINES[:len(SPECIES)])
LATIN = tuple(" ".join(line.split(";")[4:6]) for line in LINES[:len(SPECIES)])
BIRDS = (9, 10)
DIM = 32


@dataclass(frozen=True)
class Place:
    """embeddings (N, DIM); scores: top-5, N rows; truth (N,) species numbers; was, was_scores."""

    embeddings: np.ndarray
    scores: GlobalScores
    truth: np.ndarray
    was: np.ndarray
    was_scores: np.ndarray

    @property
    def names(self) -> np.ndarray:
        return np.array(COMMON, dtype=object)[self.truth]

    @property
    def latin(self) -> np.ndarray:
        return np.array(LATIN, dtype=object)[self.truth]

    def take(self, rows: np.ndarray) -> Place:
        return Place(self.embeddings[rows], self.scores.take(rows), self.truth[rows],
                     self.was[rows], self.was_scores[rows])


def species_means(rng: np.random.Generator) -> np.ndarray:
    """Means (species, DIM): one random step a rank, so that relatives look alike."""
    steps: dict[str, np.ndarray] = {}
    out = []
    for line in LINES[:len(SPECIES)]:
        tokens = line.split(";")
        mean = np.zeros(DIM)
        for depth in range(2, 7):
            name = ";".join(tokens[1:depth])
            mean = mean + steps.setdefault(name, rng.normal(size=DIM))
        out.append(mean)
    return np.array(out)


def make_place(n: int = 660, seed: int = 0, noise: float = 0.8) -> Place:
    """A place of n detections, every species as often as the others."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % len(SPECIES)
    embeddings = species_means(rng)[truth] + rng.normal(0, noise, (n, DIM))
    logits = rng.normal(0, 1.0, (n, len(LINES)))
    logits[np.arange(n), truth] += rng.uniform(1, 7, n)
    dense = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    order = np.argsort(-dense, axis=1)
    kept = np.zeros_like(dense)
    np.put_along_axis(kept, order[:, :5], np.take_along_axis(dense, order[:, :5], 1), 1)
    sure = (rng.random(n) < 0.34) & (order[:, 0] == truth)
    vague = np.array([ANIMAL, BLANK, "animal", "blank", MAMMAL, DOGS], dtype=object)
    was = vague[rng.integers(len(vague), size=n)]
    fitting = ~np.isin(truth, (0, 1, 2)) & (was == DOGS) | np.isin(truth, BIRDS) & (was == MAMMAL)
    was[fitting] = "animal"
    was[sure] = np.array(LINES, dtype=object)[truth[sure]]
    scores = GlobalScores(sparse.csr_matrix(kept), LINES, complete=False)
    return Place(embeddings.astype(np.float32), scores, truth, was, np.where(sure, 0.9, 0.6))
