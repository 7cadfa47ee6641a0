"""Clusters without labels: every reduction with every clustering, against known classes.

    python benchmarks/clusters.py                                  # photographs and two worlds
    python benchmarks/clusters.py --set my.npy --labels my.csv --column species
    python benchmarks/clusters.py --scale 200000                   # rows x 128, in one process

A set is "monkeys" (photographs, embedded by the shared network), a kind of world ("gaussian",
"heavy", "poor"), or a file: .npz with `embeddings` (and `labels`), or .npy with --labels, a csv
with one line a row in the same order. Plain recipes of scikit-learn run beside.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ecotone.discovery import Clusterer, cluster_grid, evaluate_clusters
from ecotone.discovery.cluster_metrics import ClusterReport, class_numbers
from ecotone.evaluation.summary import align
from ecotone.simulate.worlds import KINDS, make_world
from monkeys import CACHE, DATA, extract, read_labels

HEAD = ["", "classes", "found", "V", "hom.", "compl.", "AMI", "ARI", "rejected",
        "V", "hom.", "compl.", "AMI", "ARI", "s"]
RARE, RARE_ROWS = 5, 30


def load(name: str, folder: Path, rows: int, seed: int, labels: Path | None, column: str
         ) -> tuple[np.ndarray, list[str]]:
    """Embeddings (N, D) and the class names of a set."""
    if name == "monkeys":
        files, names = read_labels(folder / "monkeys")
        models = folder / "models"
        x, _ = extract(folder / "monkeys", files, models / "imagenet_mobilenet_v2.tflite",
                       models / "imagenet_labels.txt",
                       CACHE / "monkeys-imagenet_mobilenet_v2.npz")
        return x, names
    if name in KINDS:
        world = make_world(name, rows, 64, seed)
        return world.embeddings, [str(v) for v in world.labels]
    found = np.load(name, mmap_mode="r")
    x = found["embeddings"] if name.endswith(".npz") else found
    if labels is None:
        if not name.endswith(".npz") or "labels" not in found:
            raise SystemExit(f"{name}: no labels; give --labels FILE.csv.")
        return np.asarray(x), [str(v) for v in found["labels"]]
    with labels.open(encoding="utf-8", newline="") as handle:
        lines = list(csv.DictReader(handle))
    if not lines or column not in lines[0]:
        raise SystemExit(f"{labels}: no column {column!r}; give --column.")
    return np.asarray(x), [line[column] for line in lines]


def cells(name: str, known: bool, found: int, report: ClusterReport, seconds: float) -> list[str]:
    """One line of the table."""
    def five(of: object) -> list[str]:
        if of is None:
            return ["-"] * 5
        return [f"{getattr(of, k):.3f}" for k in ("v_measure", "homogeneity", "completeness",
                                                  "ami", "ari")]
    return [name, "known" if known else "", str(found), *five(report.kept),
            f"{100 * report.rejected:.1f} %", *five(report.singletons), f"{seconds:.1f}"]


def peers(k: int, seed: int) -> dict[tuple[str, bool], Callable[[np.ndarray], np.ndarray]]:
    """Plain recipes of scikit-learn."""
    from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
    from sklearn.preprocessing import normalize

    return {
        ("scikit-learn: k-means, unit rows", True): lambda x: KMeans(
            k, n_init=5, random_state=seed).fit_predict(normalize(x)),
        ("scikit-learn: Ward, unit rows", True): lambda x: AgglomerativeClustering(
            k).fit_predict(normalize(x)),
        ("scikit-learn: HDBSCAN, unit rows", False): lambda x: HDBSCAN(
            min_cluster_size=15, copy=True).fit_predict(normalize(x)),
    }


def grid_table(x: np.ndarray, names: list[str], given: argparse.Namespace) -> list[list[str]]:
    """The grid and the peers, a line each."""
    lines = [HEAD]
    results = cluster_grid(
        x, names, reductions=given.reductions and given.reductions.split(","),
        clusterings=given.clusterings and given.clusterings.split(","), uneven=given.uneven,
        random_state=given.seed,
        progress=lambda done, total, text: print(f"\r{done}/{total} {text}      ", end="",
                                                 file=sys.stderr))
    for one in results:
        title = f"{one.reduction} x {one.clustering}"
        if one.report is None:
            lines.append([title, one.note] + [""] * (len(HEAD) - 2))
        else:
            lines.append(cells(title, one.known, one.n_clusters, one.report, one.seconds))
    if given.no_peers:
        return lines
    classes = class_numbers(names)
    for (title, known), recipe in peers(len(set(classes[classes >= 0])), given.seed).items():
        started = time.perf_counter()
        labels = recipe(np.asarray(x, dtype=np.float32))
        lines.append(cells(title, known, int(labels.max()) + 1, evaluate_clusters(names, labels),
                           time.perf_counter() - started))
    return lines


def scale_set(n: int, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n rows of 60 classes with a long tail, 5 more of 30 rows each, as float16, shuffled."""
    rng = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, 61) ** 1.1
    sizes = [*(share / share.sum() * (n - RARE * RARE_ROWS)).astype(int), *[RARE_ROWS] * RARE]
    means = rng.normal(size=(len(sizes), dim))
    means *= 10.0 / np.linalg.norm(means, axis=1, keepdims=True)
    y = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    x = np.empty((len(y), dim), dtype=np.float16)
    for start in range(0, len(y), 20000):
        part = y[start : start + 20000]
        x[start : start + 20000] = means[part] + rng.normal(size=(len(part), dim))
    return x, y


def scale(n: int, dim: int, seed: int) -> None:
    """Seconds, peak memory and agreement at many rows; how many of the rare classes are found."""
    x, y = scale_set(n, dim, seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    started = time.perf_counter()
    model = Clusterer(random_state=seed).fit(x)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    report = evaluate_clusters(y, model.labels_)
    found = 0
    for k in range(60, 60 + RARE):
        own = model.labels_[y == k]
        best = np.bincount(own[own >= 0], minlength=1)
        cluster = int(best.argmax())
        found += best.max() >= RARE_ROWS / 2 and best.max() / (model.labels_ == cluster).sum() > 0.8
    print("\n".join(align([HEAD, cells(f"{n:,} x {dim}", False, model.n_clusters_, report,
                                       seconds)])))
    print(f"peak {peak:.2f} GB, {before:.2f} before; {found} of {RARE} classes with {RARE_ROWS} "
          f"rows found; {len(set(y))} classes in all")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ECOTONE_SHARED_DATA",
                                                                         DATA)))
    parser.add_argument("--set", action="append", help="default: monkeys, gaussian, heavy")
    parser.add_argument("--labels", type=Path, help="csv of the classes of a file's rows")
    parser.add_argument("--column", default="label")
    parser.add_argument("--rows", type=int, default=2000, help="of a world")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reductions", help="some of pca,tsne,umap,none")
    parser.add_argument("--clusterings", help="some of discriminant,hdbscan,dbscan,ward,gmm")
    parser.add_argument("--uneven", type=int, default=0, choices=(0, 1, 2),
                        help="HDBSCAN's clusters of 15, 100 or 150 rows at least")
    parser.add_argument("--sample", type=int, help="rows of each set that take part, at random")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--scale", type=int, help="rows; nothing else is run")
    parser.add_argument("--dim", type=int, default=128)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    given = arguments()
    if given.scale:
        scale(given.scale, given.dim, given.seed)
        return
    for name in given.set or ("monkeys", "gaussian", "heavy"):
        x, names = load(name, given.data, given.rows, given.seed, given.labels, given.column)
        if given.sample and given.sample < len(x):
            chosen = np.sort(np.random.default_rng(given.seed).permutation(len(x))[:given.sample])
            x, names = np.asarray(x[chosen]), [names[i] for i in chosen]
        table = grid_table(x, names, given)
        print(f"\n{name}: {len(x):,} rows, {len(set(names))} classes; figures without the rejected "
              "rows, then with each a cluster of its own\n")
        print("\n".join(align(table)))


if __name__ == "__main__":
    main()
