"""The bar on real photographs: few labels of ten monkey species, an ImageNet model, names only.

    python benchmarks/monkeys.py                       # ten splits, every baseline
    python benchmarks/monkeys.py --splits 3 --counts 10,20 --methods "local only,ecotone"

Pictures, scores and the pooled layer come through ecotone's own backends. Each split holds out a
quarter of all pictures; the labels are drawn at random from the rest, whose other pictures are
unlabelled. No map is made by hand: local classes are vernacular names, global ones WordNet lines.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecotone.engine.local import Failed, Job, run_jobs
from ecotone.evaluation.baselines import BASELINES, FUSED, FUSION, LOCAL_ONLY, PREFERRED, STUDENT
from ecotone.evaluation.curves import learning_curves
from ecotone.evaluation.fusion_method import fusion_method
from ecotone.evaluation.splits import duplicate_keys, link_rows
from ecotone.evaluation.summary import align, group_lines, summarise, summarise_groups, table_lines
from ecotone.taxonomy.relations import relate
from ecotone.types import GlobalScores

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CACHE = Path(__file__).resolve().parents[1] / "build" / "benchmarks"
COUNTS = (10, 20, 50, 100, 250, 1000)
# Points above the labels alone, overall and per class, at each number of labels.
BAR = {10: 30.0, 20: 15.0, 50: 5.0, 100: 1.5, 250: -0.3, 1000: -0.3}


def read_labels(folder: Path) -> tuple[list[str], list[str]]:
    """Files and vernacular names of the photographs."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [row["filePath"] for row in rows], [row["vernacularName"] for row in rows]


def extract(
    folder: Path, files: Sequence[str], model: Path, classes: Path, cache: Path
) -> tuple[np.ndarray, GlobalScores]:
    """Embeddings (N, D) and scores of whole pictures, kept in `cache` for the next time."""
    from ecotone.backends.base import open_backend

    backend = open_backend(str(model), classes=classes)
    if not cache.is_file():
        whole = np.array([[0.0, 0.0, 1.0, 1.0]], dtype=np.float32)
        jobs = [Job(name, folder / name, (name,), whole) for name in files]
        started, found = time.perf_counter(), []
        for item in run_jobs(jobs, backend):
            if isinstance(item, Failed):
                raise SystemExit(f"{item.media_id}: {item.reason}")
            found.append(item.outputs)
            done = sum(len(o.scores) for o in found)
            print(f"\r{done:,} of {len(jobs):,} pictures", end="", file=sys.stderr)
        print(f", {len(jobs) / (time.perf_counter() - started):.0f} a second", file=sys.stderr)
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            cache, embeddings=np.vstack([o.embeddings for o in found]),
            scores=np.vstack([o.scores for o in found]),
        )
    with np.load(cache) as kept:
        return kept["embeddings"], GlobalScores.from_dense(kept["scores"], backend.classes)


def bar_table(records: Sequence[dict], reference: str) -> tuple[list[str], bool]:
    """What is gained over `reference` beside the bar, and whether every line reaches it."""
    rows = summarise([r for r in records if r["method"] in (reference, PREFERRED)], reference)
    each = {(r["method"], r["n_labels"]): r for r in rows}
    counts = sorted({r["n_labels"] for r in rows})
    head = ["labels", f"overall: {reference}", PREFERRED, "gain", "sd", "worst",
            "per class", PREFERRED, "gain", "sd", "worst", "bar", ""]
    table, reached = [head], True
    for count in counts:
        ours, base = each[PREFERRED, count], each[reference, count]
        cells, gains = [f"{count:,}"], []
        for metric in ("accuracy", "per_class_accuracy"):
            gains.append(100 * ours[f"{metric}_gain"])
            cells += [f"{100 * base[metric]:.1f}", f"{100 * ours[metric]:.1f}", f"{gains[-1]:+.1f}",
                      f"{100 * ours[f'{metric}_gain_sd']:.1f}",
                      f"{100 * ours[f'{metric}_gain_worst']:+.1f}"]
        nearest = min(BAR, key=lambda known: abs(known - count))
        fine = min(gains) >= BAR[nearest]
        reached &= fine
        table.append([*cells, f"{BAR[nearest]:+.1f}", "reached" if fine else "missed"])
    return align(table), reached


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ECOTONE_SHARED_DATA",
                                                                         DATA)))
    parser.add_argument("--model", default="imagenet_mobilenet_v2.tflite")
    parser.add_argument("--classes", default="imagenet_labels.txt")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="seed of the first split")
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)))
    parser.add_argument("--methods", default=",".join([*BASELINES, *FUSION]))
    parser.add_argument("--cache", type=Path, default=None, help="file to keep embeddings in")
    parser.add_argument("--groups", action="store_true", help="also by group of classes")
    return parser.parse_args()


def main() -> None:
    """Measure and print; exit code 1 when the bar is missed."""
    given = arguments()
    folder = given.data / "monkeys"
    if not folder.is_dir():
        raise SystemExit(f"{folder}: no such folder; give --data or set ECOTONE_SHARED_DATA.")
    files, names = read_labels(folder)
    models = given.data / "models"
    cache = given.cache or CACHE / f"monkeys-{Path(given.model).stem}.npz"
    x, scores = extract(folder, files, models / given.model, models / given.classes, cache)
    classes = sorted(set(names))
    relations = relate(classes, scores.classes)
    methods = tuple(given.methods.split(","))
    started = time.perf_counter()
    records = learning_curves(
        x, scores, names, classes=classes, units=link_rows(len(x), duplicate_keys(x)),
        counts=[int(c) for c in given.counts.split(",")],
        seeds=range(given.first, given.first + given.splits), methods=methods,
        fit_fusion=fusion_method(), name_weights={"global": relations.weight},
        kinds=tuple(relations.kind),
        progress=lambda done, total, text: print(f"\r{done}/{total} {text}   ", end="",
                                                 file=sys.stderr),
    )
    print(f"\n{given.splits} splits of {len(x):,} pictures, {len(classes)} classes, "
          f"{time.perf_counter() - started:.0f} s\n")
    print("\n".join(table_lines(summarise(records))))
    if given.groups:
        print("\nper class, by group of classes")
        shown = [m for m in (LOCAL_ONLY, STUDENT, FUSED, PREFERRED) if m in methods]
        print("\n".join(group_lines(summarise_groups(records), shown)))
    if not {LOCAL_ONLY, PREFERRED} <= set(methods):
        return
    print(f"\nthe bar, against {LOCAL_ONLY!r} (principal components, tuned ridge)")
    lines, reached = bar_table(records, LOCAL_ONLY)
    print("\n".join(lines))
    if "default logistic regression" in methods:
        print("\nthe same, against scikit-learn's default ridge on unit embeddings")
        print("\n".join(bar_table(records, "default logistic regression")[0]))
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
