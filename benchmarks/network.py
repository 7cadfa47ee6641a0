"""A network of one's own from few labels: what the pseudo-labels are worth, and each part of it.

    python benchmarks/network_targets.py monkeys --out monkeys.npz    # once; no torch needed
    python benchmarks/network.py monkeys.npz --out monkeys.jsonl      # trains; goes on when stopped
    python benchmarks/network.py monkeys.npz --out parts.jsonl --parts --count 20

The same small network from scratch is trained on the same pictures by: the labels alone; the labels
and the hard arg-max of the global model by names; the labels and the hard answer of the learned
map; the labels and the soft fused pseudo-labels; all true labels. Right on held-out pictures, over
all and as the mean over classes. `--parts` leaves out one part of the training at a time. Needs the
extra `torch`. Settings were tried on seed 0 of the monkeys; reported are others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from network_targets import unpacked

LABELS, ARGMAX, MAPPED, FUSED, TRUE = (
    "labels only", "labels + hard arg-max of the global model", "labels + hard mapped",
    "labels + soft fused", "all true labels")
METHODS = (LABELS, ARGMAX, MAPPED, FUSED, TRUE)
HARD = "labels + hard fused"
NETWORK, EPOCHS = "resnet10t", 40
STEPS = 30  # an epoch has at least as many batches, so that few labels train as long
# What is left out -> the settings that do so; the target is the soft fused one.
PARTS: dict[str, dict[str, object]] = {
    "everything": {},
    "without confidence weights": {"confidence_power": 0.0},
    "without the curriculum": {"curriculum": False},
    "the curriculum from 40 % on": {"curriculum_start": 0.4},
    "without logit adjustment": {"logit_adjustment": 0.0},
    "without the teacher": {"teacher": 0.0},
    "without the teacher and the mean of weights": {"teacher": 0.0, "ema": 0.0},
    "without mixup": {"mixup": 0.0},
    "without augmentation": {"augment": 0.0},
}


def taught(arrays: dict[str, np.ndarray], method: str, seed: int, count: int) -> tuple:
    """Rows that train, their targets (n, K) and which of them people labelled."""
    k = len(arrays["classes"])
    one = np.eye(k, dtype=np.float32)
    train = ~arrays[f"test-{seed}"].astype(bool)
    if method == TRUE:
        return np.flatnonzero(train), one[arrays["truth"][train]], np.ones(train.sum(), bool)
    labels = arrays[f"labels-{seed}-{count}"]
    labelled = labels >= 0
    if method == LABELS:
        target = np.zeros((len(labels), k), np.float32)
    elif method in (FUSED, HARD):
        target = arrays[f"fused-{seed}-{count}"].astype(np.float32)
        target /= np.maximum(target.sum(axis=1, keepdims=True), 1e-9)
        if method == HARD:
            target = one[target.argmax(axis=1)]
    else:
        best = arrays[f"{'argmax' if method == ARGMAX else 'mapped'}-{seed}-{count}"]
        target = np.where((best >= 0)[:, None], one[best], 0.0).astype(np.float32)
    target[labelled] = one[labels[labelled]]
    rows = np.flatnonzero(train & (target.sum(axis=1) > 0))
    return rows, target[rows], labelled[rows]


def shrunk(pictures: np.ndarray, size: int) -> np.ndarray:
    """Pictures (N, H, W, 3) as (N, size, size, 3), by the mean over areas; 0 leaves them."""
    from PIL import Image

    if not size or size == pictures.shape[1]:
        return pictures
    return np.stack([np.asarray(Image.fromarray(p).resize((size, size), Image.Resampling.BOX))
                     for p in pictures])


def train_one(arrays: dict[str, np.ndarray], job: dict, args: argparse.Namespace) -> dict:
    """Train, predict the held-out pictures, and count."""
    from ecotone.training.classifier import predict, train_classifier
    from ecotone.training.pictures import LabelledPictures
    from ecotone.training.soft_settings import SoftLabelSettings

    started = time.perf_counter()
    seed, pictures = job["seed"], shrunk(unpacked(arrays), args.size)
    rows, target, labelled = taught(arrays, job["method"], seed, job["count"])
    classes = tuple(str(c) for c in arrays["classes"])
    data = LabelledPictures.from_arrays(pictures[rows], classes, target, labelled,
                                        location=arrays["location"][rows])
    settings = SoftLabelSettings.from_dict({
        "backbone": args.network, "image_size": pictures.shape[1], "epochs": args.epochs,
        "seed": seed, "workers": args.workers, "min_steps": STEPS, **args.more, **job["settings"]})
    with tempfile.TemporaryDirectory() as folder:
        made = train_classifier(data, Path(folder) / "network", settings, device=args.device)
    test = np.flatnonzero(arrays[f"test-{seed}"])
    none = np.zeros((len(test), len(classes)), np.float32)
    proba = predict(made, LabelledPictures.from_arrays(pictures[test], classes, none),
                    device=args.device)[0]
    right = proba.argmax(axis=1) == arrays["truth"][test]
    truth, night = arrays["truth"][test], arrays["night"][test].astype(bool)
    return {
        **job, "accuracy": float(right.mean()),
        "classes": {classes[k]: float(right[truth == k].mean()) for k in np.unique(truth)},
        "day": float(right[~night].mean()) if (~night).any() else None,
        "infrared": float(right[night].mean()) if night.any() else None,
        "rows": len(rows), "tested": len(test), "epochs": len(made.history),
        "seconds": round(time.perf_counter() - started, 1),
    }


def jobs_of(args: argparse.Namespace, arrays: dict[str, np.ndarray]) -> list[dict]:
    """Everything to train, in the order it is printed."""
    seeds = [int(s) for s in arrays["seeds"]][: args.seeds]
    counts = [args.count] if args.count else [int(c) for c in arrays["counts"]]
    if args.parts:
        rows = [(FUSED, name, more) for name, more in PARTS.items()]
        rows += [(HARD, HARD, {}), (LABELS, LABELS, {})]
    else:
        rows = [(method, method, {}) for method in METHODS]
    jobs = []
    for method, name, more in rows:
        for count in counts if method != TRUE else counts[:1]:
            jobs += [{"name": name, "method": method, "count": count, "seed": seed,
                      "settings": more} for seed in seeds]
    return jobs


def key(job: dict) -> tuple:
    return job["name"], job["count"], job["seed"]


def read(path: Path) -> list[dict]:
    """Finished trainings; a line cut off by a kill is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def table(records: list[dict]) -> list[str]:
    """Means over seeds, and against the labels alone: overall, per class, the worst class."""
    from ecotone.evaluation.summary import align

    by = {}
    for record in records:
        by.setdefault((record["count"], record["name"]), {})[record["seed"]] = record
    lines = [["labels", "trained on", "overall", "sd", "per class", "gain", "per class",
              "worst class", "day", "infrared", "s"]]
    for count in sorted({c for c, _ in by}):
        base = by.get((count, LABELS))
        for (at, name), found in by.items():
            if at != count:
                continue
            value = [100 * r["accuracy"] for r in found.values()]
            each = mean_classes(found)
            cells = [str(count) if name != TRUE else "all", name, f"{np.mean(value):.1f}",
                     f"{np.std(value):.1f}", f"{100 * np.mean(list(each.values())):.1f}"]
            if base and name != LABELS and set(found) <= set(base):
                was = mean_classes({s: base[s] for s in found})
                gain = np.mean([100 * (found[s]["accuracy"] - base[s]["accuracy"]) for s in found])
                diff = {c: 100 * (each[c] - was[c]) for c in each}
                worst = min(diff, key=diff.get)
                cells += [f"{gain:+.1f}", f"{np.mean(list(diff.values())):+.1f}",
                          f"{diff[worst]:+.1f} {worst}"]
            else:
                cells += ["", "", ""]
            for part in ("day", "infrared"):
                some = [100 * r[part] for r in found.values() if r[part] is not None]
                cells.append(f"{np.mean(some):.1f}" if some else "")
            lines.append([*cells, f"{np.mean([r['seconds'] for r in found.values()]):.0f}"])
    return align(lines)


def mean_classes(found: dict[int, dict]) -> dict[str, float]:
    """Accuracy of every class, the mean over seeds."""
    names = sorted({name for r in found.values() for name in r["classes"]})
    return {name: float(np.mean([r["classes"][name] for r in found.values()
                                 if name in r["classes"]])) for name in names}


def work_through(jobs: list[dict], args: argparse.Namespace) -> None:
    """Train what is not there yet, several processes side by side."""
    done = {key(r) for r in read(args.out)}
    waiting, running = [j for j in jobs if key(j) not in done], []
    total = len(waiting)
    command = [sys.executable, __file__, *sys.argv[1:]]
    while waiting or running:
        while waiting and len(running) < args.jobs:
            job = json.dumps(waiting.pop(0))
            running.append(subprocess.Popen([*command, "--job", job]))
        for process in [p for p in running if p.poll() is not None]:
            running.remove(process)
            if process.returncode:
                print(f"a training ended with exit code {process.returncode}", file=sys.stderr)
            print(f"\r{total - len(waiting) - len(running)} of {total} trainings", end="",
                  file=sys.stderr, flush=True)
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problem", type=Path, help="what network_targets.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="results, a line a training")
    parser.add_argument("--parts", action="store_true", help="leave out one part at a time")
    parser.add_argument("--count", type=int, default=0, help="only this number of labels")
    parser.add_argument("--seeds", type=int, default=99)
    parser.add_argument("--network", default=NETWORK)
    parser.add_argument("--size", type=int, default=0, help="pixels, default as in the file")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--device", default="")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--workers", type=int, default=1, help="threads of one process")
    parser.add_argument("--set", nargs="*", default=[], help="settings, name=json")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    args = parser.parse_args()
    pairs = [text.split("=", 1) for text in args.set]
    args.more = {name: json.loads(value) for name, value in pairs}
    with np.load(args.problem, allow_pickle=False) as file:
        arrays = dict(file)
    if args.job:
        line = json.dumps(train_one(arrays, json.loads(args.job), args))
        with args.out.open("a", encoding="utf-8") as file:
            file.write(line + "\n")  # one write: lines of several processes do not mix
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    jobs = jobs_of(args, arrays)
    work_through(jobs, args)
    wanted = {key(j): i for i, j in enumerate(jobs)}
    records = sorted((r for r in read(args.out) if key(r) in wanted), key=lambda r: wanted[key(r)])
    print("\n" + "\n".join(table(records)))


if __name__ == "__main__":
    main()
