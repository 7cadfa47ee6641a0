"""Classes that nobody listed: how well each score finds them when they are held out.

    python benchmarks/novelty.py                                 # every species, and pairs; worlds
    python benchmarks/novelty.py --sets monkeys --labels 50 --seeds 2

Every run hides classes from the labels and from the list of classes, fits FusionClassifier on what
is left (names and few labels; the hidden rows lie in its unlabelled pool), and ranks the rows that
were never labelled. Beside the detector stand its single scores; the largest softmax alone, the
distance to the 10th neighbour, and scikit-learn's LocalOutlierFactor and IsolationForest on the
same labelled rows. With --pool, the reference of Mahalanobis and kNN is also the whole pool with
the classifier's labels, which is what not to do.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from ecotone import FusionClassifier
from ecotone.discovery import NoveltyDetector
from ecotone.discovery.hold_out import (
    COMBINED,
    HoldOutFigures,
    Predict,
    evaluate_novelty,
    lineages_of,
    novelty_figures,
    summarise_novelty,
)
from ecotone.discovery.novelty_scores import knn_novelty, mahalanobis_novelty
from ecotone.evaluation.summary import align
from ecotone.simulate.worlds import make_world
from ecotone.taxonomy.tree import Taxonomy
from ecotone.types import GlobalScores
from monkeys import CACHE, DATA, extract, read_labels

SOFTMAX = "softmax"
MARGIN = 1.0  # points of AUROC that pass for noise
# Families of the ten species, as the name alone does not tell them.
FAMILIES = {
    "mantled howler": "Atelidae", "patas monkey": "Cercopithecidae", "bald uakari": "Pitheciidae",
    "japanese macaque": "Cercopithecidae", "pygmy marmoset": "Callitrichidae",
    "white headed capuchin": "Cebidae", "silvery marmoset": "Callitrichidae",
    "common squirrel monkey": "Cebidae", "black headed night monkey": "Aotidae",
    "nilgiri langur": "Cercopithecidae",
}


@dataclass(frozen=True, eq=False)
class Case:
    """One data set: rows, scores, names, and what the names mean."""

    x: np.ndarray
    scores: GlobalScores
    names: np.ndarray
    taxonomy: Taxonomy | None
    lineages: dict[str, dict[str, str]]

    def predict(self, seed: int) -> Predict:
        """FusionClassifier on the classes that stay; out of fold on labelled rows."""
        classes = np.array(sorted(set(self.names)), dtype=object)

        def proba(labels: np.ndarray, stay: np.ndarray) -> np.ndarray:
            given = [classes[k] if k >= 0 else None for k in labels]
            clf = FusionClassifier(list(classes[stay]), list(self.scores.classes), self.taxonomy,
                                   random_state=seed).fit(self.x, self.scores, given)
            out = clf.predict_proba(self.x, self.scores).astype(np.float64)
            held = clf.selection_.oof_proba
            rows = np.flatnonzero((labels >= 0) & np.isfinite(held).all(axis=1))
            out[rows] = held[rows]
            return out

        return proba


def monkeys(folder: Path) -> Case:
    """The photographs."""
    files, names = read_labels(folder / "monkeys")
    models = folder / "models"
    x, scores = extract(folder / "monkeys", files, models / "imagenet_mobilenet_v2.tflite",
                        models / "imagenet_labels.txt",
                        CACHE / "monkeys-imagenet_mobilenet_v2.npz")
    lineages = {name: {"family": FAMILIES[name.lower().replace("-", " ")]} for name in set(names)}
    return Case(x, scores, np.array(names, dtype=object), None, lineages)


def world(kind: str, seed: int, rows: int) -> Case:
    """A generated world with 31 long-tailed classes."""
    w = make_world(kind, rows, 64, seed)
    taxonomy = Taxonomy.from_rows(w.taxonomy)
    return Case(w.embeddings, w.scores, w.labels, taxonomy,
                lineages_of(w.local_classes, taxonomy))


def local_outlier_factor(known: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """scikit-learn's, on rows of length 1."""
    from sklearn.neighbors import LocalOutlierFactor
    from sklearn.preprocessing import normalize

    model = LocalOutlierFactor(n_neighbors=min(20, len(known) - 1), novelty=True)
    return -model.fit(normalize(known)).score_samples(normalize(new))


def isolation_forest(known: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """scikit-learn's, on rows of length 1."""
    from sklearn.ensemble import IsolationForest
    from sklearn.preprocessing import normalize

    model = IsolationForest(random_state=0).fit(normalize(known))
    return -model.score_samples(normalize(new))


def tenth_neighbour(known: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The distance to the 10th nearest labelled row, however few there are a class."""
    return knn_novelty(new, known, 10)


PEERS = {"peer: 10th neighbour": tenth_neighbour, "peer: LocalOutlierFactor": local_outlier_factor,
         "peer: IsolationForest": isolation_forest}


def held_sets(names: np.ndarray, count: int, pairs: int, seed: int) -> list[list[str]]:
    """What a seed hides: `count` single classes and `pairs` pairs, of those with 20 rows."""
    kept = [c for c in sorted(set(names)) if c != "blank" and (names == c).sum() >= 20]
    rng = np.random.default_rng(seed)
    one = [[c] for c in rng.permutation(kept)[:count].tolist()]
    both = list(combinations(kept, 2))
    return one + [list(both[i]) for i in rng.permutation(len(both))[:pairs]]


def pool_reference(case: Case, held: Sequence[str], n_labels: int, seed: int) -> dict[str, float]:
    """AUROC of Mahalanobis and kNN when the pool's own answers are the reference."""
    away = np.isin(case.names, held)
    classes = np.array(sorted(set(case.names)), dtype=object)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(~away))[:n_labels]
    labels = np.full(len(case.x), -1)
    labels[rows] = np.searchsorted(classes, case.names[rows])
    stay = np.flatnonzero(~np.isin(classes, held))
    said = case.predict(seed)(labels, stay).argmax(axis=1)
    test = np.setdiff1d(np.arange(len(case.x)), rows)
    said[rows] = np.searchsorted(stay, labels[rows])
    out = {}
    for name, ref in (("labelled rows", rows), ("pool", np.arange(len(case.x)))):
        far = mahalanobis_novelty(case.x[test], case.x[ref], said[ref], relative=True)
        near = knn_novelty(case.x[test], case.x[ref], 10 if name == "pool" else 2)
        out[f"mahalanobis, {name}"] = novelty_figures(away[test], far)["auroc"]
        out[f"knn, {name}"] = novelty_figures(away[test], near)["auroc"]
    return out


def report(title: str, records: list[HoldOutFigures]) -> bool:
    """Print one data set; whether the combination holds against every single score."""
    rows = summarise_novelty(records)
    table = [["", "relation", "AUROC", "sd", "AUPR", "FPR95", "flagged: known", "novel"]]
    for row in rows:
        cells = [f"{100 * row[m]:.1f}" for m in ("auroc", "auroc_sd", "aupr", "fpr95")]
        flags = [f"{100 * row[m]:.1f}" if row["score"] == COMBINED else ""
                 for m in ("false_alarm", "found")]
        table.append([str(row["score"]), str(row["relation"]), *cells, *flags])
    print(f"\n{title}, {rows[0]['runs']} runs")
    print("\n".join(align(table)))
    area = {r["score"]: 100 * r["auroc"] for r in rows if r["relation"] == "all"}
    ours = area.pop(COMBINED)
    best = max(area, key=area.__getitem__)
    fine = ours >= area[best] - MARGIN and ours >= area[SOFTMAX]
    print(f"combined {ours:.1f}; best single {best} {area[best]:.1f} ({ours - area[best]:+.1f}), "
          f"softmax {area[SOFTMAX]:.1f} ({ours - area[SOFTMAX]:+.1f}); errors against softmax x "
          f"{(100 - ours) / max(100 - area[SOFTMAX], 1e-9):.2f}")
    return fine


def speed(n: int, dim: int = 768, known: int = 3000, classes: int = 30) -> None:
    """Processor seconds of a fit on labelled rows and of scoring n others."""
    rng = np.random.default_rng(0)
    means = 0.3 * rng.normal(size=(classes, dim))

    def rows(size: int) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(0, classes, size)
        x = rng.standard_normal((size, dim), dtype=np.float32)
        return x + means[y].astype(np.float32), y

    started = time.process_time()
    detector = NoveltyDetector().fit(*rows(known))
    fitted = time.process_time() - started
    new, _ = rows(n)
    started = time.process_time()
    detector.score(new)
    print(f"{known:,} labelled rows x {dim}: fit {fitted:.1f} s; {n:,} rows scored in "
          f"{time.process_time() - started:.1f} s of processor time")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ECOTONE_SHARED_DATA",
                                                                         DATA)))
    parser.add_argument("--sets", default="monkeys,gaussian,heavy,poor")
    parser.add_argument("--labels", default="50,200")
    parser.add_argument("--rows", type=int, default=3000, help="of a generated world")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--singles", type=int, default=4, help="classes hidden one at a time")
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--speed", type=int, help="rows to score; nothing else is run")
    parser.add_argument("--pool", action="store_true", help="also with the pool as reference")
    return parser.parse_args()


def main() -> None:
    """Measure and print; exit code 1 when the combination falls behind anywhere on average."""
    given = arguments()
    if given.speed:
        speed(given.speed)
        return
    everything: list[HoldOutFigures] = []
    for name in given.sets.split(","):
        if name == "monkeys" and not (given.data / "monkeys").is_dir():
            print(f"{given.data / 'monkeys'}: no such folder, left out; give --data.")
            continue
        for count in map(int, given.labels.split(",")):
            records, pools, started = [], [], time.perf_counter()
            for seed in range(given.first, given.first + given.seeds):
                case = monkeys(given.data) if name == "monkeys" else world(name, seed, given.rows)
                sets = held_sets(case.names, given.singles, given.pairs, seed)
                print(f"{name}, {count} labels, seed {seed}", file=sys.stderr, flush=True)
                records += evaluate_novelty(
                    case.x, case.names, held=sets, n_labels=count, predict=case.predict(seed),
                    lineages=case.lineages, peers=PEERS, seeds=[seed],
                )
                if given.pool:
                    pools.append(pool_reference(case, sets[0], count, seed))
            report(f"{name}, {count} labels ({time.perf_counter() - started:.0f} s)", records)
            for key in pools[0] if pools else ():
                print(f"  {key}: AUROC {100 * np.mean([p[key] for p in pools]):.1f}")
            everything += records
            sys.stdout.flush()
    sys.exit(0 if everything and report("all sets", everything) else 1)


if __name__ == "__main__":
    main()
