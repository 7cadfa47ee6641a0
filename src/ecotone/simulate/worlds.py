"""Generated worlds of vectors with known truth: embeddings, global scores, labels, names, tree.

N detections, D dimensions, K local classes, S global classes.

Species stand on a random tree (order, family, genus), their means are sums of one random step a
rank, so that relatives look alike. A detection is its species' mean plus noise and a small shift of
its camera. The global model is the Bayes classifier of another region: the same species, moved a
little and seen with other noise, under other names. A local class is known to it exactly, by two of
its species (merged), only together with another local class (split), or not at all (unknown).

Kinds of worlds: "gaussian" (moderate shift), "heavy" (heavy tails; day and night are two modes),
"poor" (a global model that is wrong more often than right).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.types import GlobalScores

KINDS = ("gaussian", "heavy", "poor")
COUNTS: Mapping[str, int] = {"exact": 14, "merged": 4, "split": 6, "unknown": 6}
STEPS = {"order": 0.75, "family": 0.6, "genus": 0.5, "species": 0.55}  # of the tree, per dimension
NOISE = 1.0  # sd of a detection around its mean, per dimension of signal
SIGNAL = 24  # dimensions that tell species apart; the rest is noise
CAMERA = 0.25
SHIFT = {"gaussian": 0.4, "heavy": 0.3, "poor": 0.7}  # of the other region's means
BLUR = {"gaussian": 0.7, "heavy": 0.5, "poor": 1.2}  # noise that only the global model sees
SHARPNESS = 1.4  # > 1: the global model is surer than it should be
ZIPF = 1.3
SYLLABLES = tuple("bacedifogulameniporusateviozadu"[i : i + 2] for i in range(0, 30, 2))
RANKS = {"order": (0.8, "ia"), "family": (0.6, "idae"), "genus": (0.0, "us")}  # kept old, ending


@dataclass(frozen=True, eq=False)
class World:
    """One generated world.

    embeddings: (N, D) float32. scores: N rows, S classes. labels: (N,) str, the true local class.
    local_classes: K names; kinds: (K,) str, what the global model knows of each. global_classes: S
    names. taxonomy: rows for `Taxonomy.from_rows`. groups: (N,) str, the camera.
    """

    embeddings: np.ndarray
    scores: GlobalScores
    labels: np.ndarray
    local_classes: tuple[str, ...]
    kinds: np.ndarray
    global_classes: tuple[str, ...]
    taxonomy: tuple[dict[str, str], ...]
    groups: np.ndarray

    def some_labels(self, count: int, seed: int = 0) -> np.ndarray:
        """Labels (N,) of objects: `count` random rows keep theirs, the others are None."""
        labels = np.full(len(self.labels), None, dtype=object)
        rows = np.random.default_rng(seed).permutation(len(labels))[:count]
        labels[rows] = self.labels[rows]
        return labels


@dataclass(frozen=True, eq=False)
class _Nature:
    """The species of a world: rows of the tree, local and global names, which make up which."""

    rows: list[dict[str, str]]
    means: np.ndarray  # (species, SIGNAL)
    local_names: list[str]
    local_species: list[list[int]]
    kinds: list[str]
    global_names: list[str]
    global_species: list[list[int]]


def make_world(
    kind: str = "gaussian",
    n: int = 4000,
    dim: int = 64,
    seed: int = 0,
    *,
    cameras: int = 20,
    elsewhere: int = 60,
    top_k: int | None = None,
) -> World:
    """A world of n detections with 30 local classes and a blank.

    kind: one of `KINDS`. cameras: places, which are the groups. elsewhere: global classes that do
    not live here. top_k: keep only the k largest scores of a row, as SpeciesNet writes them.

    Raises InputError on an unknown kind or impossible sizes.
    """
    if kind not in KINDS:
        raise InputError(f"world {kind!r}: expected one of {', '.join(KINDS)}.")
    if n < 1 or dim < SIGNAL or cameras < 1:
        raise InputError(
            f"world: n={n}, dim={dim}, cameras={cameras}; expected n >= 1, dim >= {SIGNAL}, "
            "cameras >= 1."
        )
    rng = np.random.default_rng(seed)
    nature = _nature(rng, elsewhere)
    truth, species = _population(nature, n, rng)
    camera = rng.integers(cameras, size=n)
    signal = _signal(kind, nature.means[species], species, camera, cameras, rng)
    embeddings = _embed(signal, dim, rng)
    dense = _global_scores(kind, nature, signal, rng)
    return World(
        embeddings=embeddings,
        scores=_truncate(dense, tuple(nature.global_names), top_k),
        labels=np.array(nature.local_names, dtype=object)[truth],
        local_classes=tuple(nature.local_names),
        kinds=np.array(nature.kinds, dtype=object),
        global_classes=tuple(nature.global_names),
        taxonomy=tuple(nature.rows),
        groups=np.array([f"camera {c:02d}" for c in camera], dtype=object),
    )


def _population(nature: _Nature, n: int, rng: np.random.Generator
                ) -> tuple[np.ndarray, np.ndarray]:
    """Local class and species of each detection, (n,) int each; few classes make up most."""
    k = len(nature.local_names)
    prevalence = rng.permutation(1.0 / np.arange(1, k + 1) ** ZIPF)
    truth = rng.choice(k, size=n, p=prevalence / prevalence.sum())
    members = [nature.local_species[t] for t in truth]
    return truth, np.array([m[rng.integers(len(m))] for m in members])


def _name(rng: np.random.Generator, used: set[str], ending: str) -> str:
    while True:
        name = "".join(rng.choice(SYLLABLES, size=3)) + ending
        if name not in used:
            used.add(name)
            return name


class _Tree:
    """Grows species: a new genus goes into an old family four times in five, and so on up."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.used = rng, set[str]()
        self.rows: list[dict[str, str]] = []
        self.means: list[np.ndarray] = []
        self.places: dict[str, list[tuple[dict[str, str], np.ndarray]]] = {r: [] for r in RANKS}

    def genus(self) -> tuple[dict[str, str], np.ndarray]:
        """A new genus: its lineage and its mean."""
        lineage: dict[str, str] = {"kingdom": "Animalia", "class": "Mammalia"}
        mean = np.zeros(SIGNAL)
        for rank, (keep, ending) in RANKS.items():
            old = [p for p in self.places[rank] if lineage.items() <= p[0].items()]
            if old and self.rng.random() < keep:
                lineage, mean = old[self.rng.integers(len(old))]
                continue
            name = _name(self.rng, self.used, ending).capitalize()
            lineage = {**lineage, rank: name}
            mean = mean + self.rng.normal(0, STEPS[rank], SIGNAL)
            self.places[rank].append((lineage, mean))
        return lineage, mean

    def species(self, genus: tuple[dict[str, str], np.ndarray]) -> int:
        """A new species of a genus: its index."""
        lineage, mean = genus
        epithet = _name(self.rng, self.used, "is")
        self.rows.append({
            "scientificName": f"{lineage['genus']} {epithet}",
            "vernacularName": " ".join(_name(self.rng, self.used, e) for e in "nr"),
            **lineage,
        })
        self.means.append(mean + self.rng.normal(0, STEPS["species"], SIGNAL))
        return len(self.means) - 1


def _nature(rng: np.random.Generator, elsewhere: int) -> _Nature:
    tree = _Tree(rng)
    local: list[tuple[str, list[int], str]] = []
    outer: list[tuple[str, list[int]]] = []
    for _ in range(COUNTS["exact"]):
        s = tree.species(tree.genus())
        local.append((tree.rows[s]["vernacularName"], [s], "exact"))
        outer.append((tree.rows[s]["scientificName"], [s]))
    for _ in range(COUNTS["merged"]):
        genus = tree.genus()
        pair = [tree.species(genus), tree.species(genus)]
        local.append((f"{genus[0]['genus']} sp.", pair, "merged"))
        outer.extend((tree.rows[s]["scientificName"], [s]) for s in pair)
    for _ in range(COUNTS["split"] // 2):
        genus = tree.genus()
        pair = [tree.species(genus), tree.species(genus)]
        local.extend((tree.rows[s]["vernacularName"], [s], "split") for s in pair)
        outer.append((f"{genus[0]['genus']} sp.", pair))
    for _ in range(COUNTS["unknown"]):
        s = tree.species(tree.genus())
        local.append((tree.rows[s]["vernacularName"], [s], "unknown"))
    for _ in range(elsewhere):
        s = tree.species(tree.genus())
        outer.append((tree.rows[s]["scientificName"], [s]))
    blank = len(tree.means)
    tree.means.append(rng.normal(0, 1.2, SIGNAL))
    local.append(("blank", [blank], "exact"))
    outer.append(("blank", [blank]))
    order = rng.permutation(len(outer))
    return _Nature(
        rows=tree.rows,
        means=np.array(tree.means),
        local_names=[name for name, _, _ in local],
        local_species=[species for _, species, _ in local],
        kinds=[kind for _, _, kind in local],
        global_names=[outer[i][0] for i in order],
        global_species=[outer[i][1] for i in order],
    )


def _signal(
    kind: str,
    means: np.ndarray,
    species: np.ndarray,
    camera: np.ndarray,
    cameras: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """What can be seen of each detection, (N, SIGNAL)."""
    noise = rng.normal(0, NOISE, means.shape)
    if kind == "heavy":
        tail = np.sqrt(rng.chisquare(4, size=(len(means), 1)) / 4)
        noise = noise / tail
        night = rng.random(len(means)) < 0.5
        offset = rng.normal(0, 0.8, SIGNAL)  # infrared changes all species alike,
        own = rng.normal(0, 0.5, (species.max() + 1, SIGNAL))  # and each in its own way
        noise = noise + night[:, None] * (offset + own[species])
    return means + noise + rng.normal(0, CAMERA, (cameras, SIGNAL))[camera]


def _embed(signal: np.ndarray, dim: int, rng: np.random.Generator) -> np.ndarray:
    """The signal turned into D dimensions among noise."""
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    rest = rng.normal(0, 0.5, (len(signal), dim - SIGNAL))
    return (np.concatenate([signal, rest], axis=1) @ turn).astype(np.float32)


def _global_scores(
    kind: str, nature: _Nature, signal: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Probabilities (N, S) of the other region's Bayes classifier, surer than it should be."""
    foreign = nature.means + rng.normal(0, SHIFT[kind], nature.means.shape)
    seen = signal + rng.normal(0, BLUR[kind], signal.shape)
    variance = NOISE**2 + BLUR[kind] ** 2
    distance = (seen**2).sum(1)[:, None] - 2 * seen @ foreign.T + (foreign**2).sum(1)
    logits = -SHARPNESS * distance / (2 * variance)
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    dense = np.stack([weight[:, s].sum(axis=1) for s in nature.global_species], axis=1)
    return dense / np.maximum(dense.sum(axis=1, keepdims=True), 1e-300)


def _truncate(dense: np.ndarray, classes: tuple[str, ...], top_k: int | None) -> GlobalScores:
    if top_k is None or top_k >= dense.shape[1]:
        return GlobalScores.from_dense(dense, classes)
    cut = np.sort(dense, axis=1)[:, -top_k][:, None]
    kept = GlobalScores.from_dense(np.where(dense >= cut, dense, 0), classes)
    return GlobalScores(kept.values, classes, complete=False)
