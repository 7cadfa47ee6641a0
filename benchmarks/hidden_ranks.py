"""Problems for hierarchical re-classification: true species hidden behind a higher label.

The label before of every detection that is not trusted is its true class rolled up at random to
its genus, family, class or "animal", whichever of these stand above it. In the generated worlds
three orders in ten are birds, three in ten of what would be "animal" are "blank", and where the
global model is sure of a species, that is the label before, right or wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ecotone.hierarchy.tree import ClassTree
from ecotone.simulate.worlds import make_world
from ecotone.taxonomy.tree import Taxonomy
from ecotone.types import GlobalScores

SURE = 0.8  # a species with such a score is the label before
BIRDS, BLANK = 0.3, 0.3
RANKS = ("genus", "family", "class", "kingdom")
FAMILIES = {
    "Alouatta palliata": "Atelidae", "Aotus nigriceps": "Aotidae", "Cacajao calvus": "Pitheciidae",
    "Cebuella pygmaea": "Callitrichidae", "Cebus capucinus": "Cebidae",
    "Erythrocebus patas": "Cercopithecidae", "Macaca fuscata": "Cercopithecidae",
    "Mico argentatus": "Callitrichidae", "Saimiri sciureus": "Cebidae",
    "Trachypithecus johnii": "Cercopithecidae",
}


@dataclass(frozen=True, eq=False)
class Problem:
    """N detections. labels: of trusted rows, None elsewhere. was: the label before; was_scores: how
    sure a global model is of it, NaN where it is rolled up. truth: the true class. hidden: rows to
    be re-classified. tree: all true classes in the tree."""

    name: str
    embeddings: np.ndarray
    scores: GlobalScores
    labels: np.ndarray
    was: np.ndarray
    was_scores: np.ndarray
    truth: np.ndarray
    hidden: np.ndarray
    taxonomy: Taxonomy
    tree: ClassTree


def hide(name: str, embeddings: np.ndarray, scores: GlobalScores, truth: np.ndarray,
         trusted: np.ndarray, taxonomy: Taxonomy, rng: np.random.Generator) -> Problem:
    """A problem of these rows, of which those `trusted` keep their labels."""
    classes = tuple(sorted(set(truth)))
    tree = ClassTree.build(classes, taxonomy)
    rolled = np.array([_roll_up(tree, classes.index(t), rng) for t in truth], dtype=object)
    labels = np.full(len(truth), None, dtype=object)
    labels[trusted] = truth[trusted]
    hidden = np.ones(len(truth), dtype=bool)
    hidden[trusted] = False
    was = np.where(hidden, rolled, truth)
    unsure = np.full(len(truth), np.nan)
    return Problem(name, embeddings, scores, labels, was, unsure, truth, hidden, taxonomy, tree)


def _roll_up(tree: ClassTree, k: int, rng: np.random.Generator) -> str:
    above = tree.above(int(tree.class_node[k]))[1:]
    names = [tree.nodes[n] for n in above if tree.rank[n] in RANKS]
    return str(names[rng.integers(len(names))]) if names else ""


def monkeys(data: Path, seed: int, each: int = 10) -> Problem:
    """The photographs of ten monkeys, `each` trusted pictures a species."""
    sys.path.insert(0, str(Path(__file__).parent))
    from monkeys import CACHE, extract, read_labels

    folder, models = data / "monkeys", data / "models"
    files, names = read_labels(folder)
    latin = _latin_names(folder)
    model = models / "imagenet_mobilenet_v2.tflite"
    x, scores = extract(folder, files, model, models / "imagenet_labels.txt",
                        CACHE / f"monkeys-{model.stem}.npz")
    truth = np.array([latin[name] for name in names], dtype=object)
    rng = np.random.default_rng(seed)
    trusted = np.concatenate([
        rng.permutation(np.flatnonzero(truth == c))[:each] for c in sorted(set(truth))
    ])
    common = {v: k for k, v in latin.items()}
    rows = [
        {"scientificName": name, "vernacularName": common[name], "class": "Mammalia",
         "order": "Primates", "family": family, "genus": name.split()[0], "species": name}
        for name, family in FAMILIES.items()
    ]
    return hide("monkeys", x, scores, truth, trusted, Taxonomy.from_rows(rows), rng)


def _latin_names(folder: Path) -> dict[str, str]:
    import csv

    with (folder / "labels.csv").open(encoding="utf-8", newline="") as handle:
        return {r["vernacularName"]: r["scientificName"] for r in csv.DictReader(handle)}


def world(kind: str, seed: int, n: int = 4000, trusted: int = 300) -> Problem:
    """A generated world, `trusted` detections drawn at random, scores cut to the top five."""
    made = make_world(kind, n, 64, seed, top_k=5)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(n)[:trusted]
    taxonomy = Taxonomy.from_rows(with_birds(made.taxonomy, rng))
    truth = np.asarray(made.labels, dtype=object)
    problem = hide(kind, made.embeddings, made.scores, truth, rows, taxonomy, rng)
    blank = (problem.was == "animal") & (rng.random(n) < BLANK) & problem.hidden
    was = np.where(blank, "blank", problem.was)
    top = np.asarray(made.scores.values.max(axis=1).todense()).ravel()
    said = np.asarray(made.scores.classes, dtype=object)[
        np.asarray(made.scores.values.argmax(axis=1)).ravel()]
    sure = problem.hidden & (top >= SURE) & np.array([" " in s and "sp." not in s for s in said])
    return replace(
        problem, was=np.where(sure, said, was), was_scores=np.where(sure, top, np.nan),
        hidden=problem.hidden & ~sure,
    )


def with_birds(rows: Sequence[dict[str, str]], rng: np.random.Generator) -> list[dict[str, str]]:
    """Rows of a taxonomy in which some of the orders are birds."""
    orders = sorted({row["order"] for row in rows if row.get("order")})
    birds = {order for order in orders if rng.random() < BIRDS}
    return [{**row, "class": "Aves"} if row.get("order") in birds else row for row in rows]
