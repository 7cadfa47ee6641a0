"""What a network is taught in `benchmarks/network.py`: pictures, few labels, pseudo-labels.

    python benchmarks/network_targets.py monkeys --out build/benchmarks/network-monkeys.npz
    python benchmarks/network_targets.py scenes --out build/benchmarks/network-scenes.npz

One file holds all draws of one problem, so that the networks can be trained on another machine.
monkeys: ten species of real photographs, the ImageNet model of the shared data as the global one;
each seed holds out a quarter of the pictures. scenes: a generated reserve of day and infrared
pictures, the demo's global model; each seed holds out two of its eight cameras. Pseudo-labels are
of the training pictures only, from models that never saw a held-out picture. N pictures, K classes.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ecotone import FusionClassifier
from ecotone.evaluation.map_baselines import name_map
from ecotone.evaluation.problem import Problem
from ecotone.evaluation.splits import draw_labels, duplicate_keys, link_rows, split_units
from ecotone.media.preprocess import Preprocessing
from ecotone.taxonomy.relations import relate
from ecotone.types import GlobalScores
from monkeys import CACHE, DATA, extract, read_labels

COUNTS = (20, 50, 100)
JPEG_QUALITY = 95
SCENES, LESSONS = 1800, 60
HELD_CAMERAS = 2


@dataclass(eq=False)
class Pool:
    """All pictures of a problem. truth: (N,) columns of `classes`. group: (N,) rows of a burst or
    of the same picture. location: (N,) cameras, "" where there are none. night: (N,) bool."""

    classes: tuple[str, ...]
    pictures: np.ndarray
    truth: np.ndarray
    embeddings: np.ndarray
    scores: GlobalScores
    group: np.ndarray
    location: np.ndarray
    night: np.ndarray
    aliases: dict[str, str] = field(default_factory=dict)
    taxonomy: object = None


def monkeys(args: argparse.Namespace) -> Pool:
    """The photographs, whole."""
    folder, models = args.data / "monkeys", args.data / "models"
    files, names = read_labels(folder)
    model, labels = models / "imagenet_mobilenet_v2.tflite", models / "imagenet_labels.txt"
    x, scores = extract(folder, files, model, labels, CACHE / f"monkeys-{model.stem}.npz")
    classes = tuple(sorted(set(names)))
    whole = np.array([[0.0, 0.0, 1.0, 1.0]])
    way = Preprocessing(args.size, args.size, "uint8", "NHWC", interpolation="bilinear")
    pictures = np.concatenate([way.prepare(folder / name, whole) for name in files])
    none = np.full(len(x), "", dtype=object)
    return Pool(classes, pictures, np.array([classes.index(n) for n in names]), x, scores,
                link_rows(len(x), duplicate_keys(x)), none, np.zeros(len(x), bool))


def scenes(args: argparse.Namespace) -> Pool:
    """Boxes of a generated reserve, as `ecotone demo` makes it."""
    from ecotone.project import Project
    from ecotone.project.demo import GENERATED, run_demo
    from ecotone.project.demo_truth import true_labels
    from ecotone.project.gathering import gather

    def say(done: int, total: int | None, text: str) -> None:
        print(f"\r{text} {done}/{total or '?'}    ", end="", file=sys.stderr)

    with tempfile.TemporaryDirectory() as spare:
        home = args.reserve or Path(spare) / "reserve"
        run_demo(home, args.pictures, args.reserve_seed, say, lessons=LESSONS)
        with Project(home) as project:
            found = gather(project)
            names, events = true_labels(project, home / GENERATED / "truth.json")
            place = {d: i for i, d in enumerate(project.catalog.detections().id)}
            rows = [place[d] for d in found.detections.id]
            media = project.catalog.media()
            path = dict(zip(media.id, media.path, strict=True))
            way = Preprocessing(args.size, args.size, "uint8", "NHWC", interpolation="bilinear")
            pictures = np.concatenate([
                way.prepare(Path(path[m]), box[None]) for m, box in
                zip(found.detections.media_id, found.detections.bbox, strict=True)])
    names, events = names[rows], events[rows]
    classes = found.local_classes
    truth = np.array([classes.index(n) for n in names])
    camera = np.array([str(e).split(" ")[0] for e in events], dtype=object)
    scores = max(found.scores.values(), key=lambda s: len(s.classes))  # not the detector's
    return Pool(classes, pictures, truth, found.embeddings, scores, link_rows(len(truth), events),
                camera, np.ptp(pictures.astype(int), axis=3).mean(axis=(1, 2)) < 3.0,
                found.aliases, found.taxonomy)


def held_out(pool: Pool, seed: int) -> np.ndarray:
    """The test rows (N,) bool: a quarter of the pictures, or whole cameras."""
    test = np.zeros(len(pool.truth), bool)
    cameras = sorted(set(pool.location) - {""})
    if cameras:
        chosen = np.random.default_rng([seed, 8]).permutation(cameras)[:HELD_CAMERAS]
        return np.isin(pool.location, chosen)
    test[split_units(pool.group, 0.25, seed)[1]] = True
    return test


def targets(pool: Pool, test: np.ndarray, seed: int, count: int) -> dict[str, np.ndarray]:
    """labels (N,) int, -1 where there is none; "argmax", "mapped" (N,) int: the best class of the
    global model by names alone, -1 where it names none, and of the learned map; "fused" (N, K)."""
    train = np.flatnonzero(~test)
    chosen = draw_labels(train, count, seed)
    labels = np.full(len(test), -1)
    labels[chosen] = pool.truth[chosen]
    scores = pool.scores.take(train)
    given = [pool.classes[k] if k >= 0 else None for k in labels[train]]
    model = FusionClassifier(list(pool.classes), list(scores.classes), taxonomy=pool.taxonomy,
                             random_state=seed, aliases=pool.aliases)
    groups = [str(g) for g in pool.group[train]]
    model.fit(pool.embeddings[train], scores, given, groups=groups)
    order = [list(model.classes_).index(name) for name in pool.classes]
    related = relate(pool.classes, scores.classes, pool.taxonomy).weight
    x = np.zeros((len(train), 1), np.float32)
    problem = Problem(pool.classes, x, x, {"global": scores}, labels[train], x, x,
                      {"global": scores}, {"global": related})
    by_name = name_map(problem, "global", test=False)
    named = np.ptp(by_name, axis=1) > 1e-6
    out = {"labels": labels, "argmax": np.full(len(test), -1), "mapped": np.full(len(test), -1),
           "fused": np.zeros((len(test), len(pool.classes)), np.float16)}
    out["argmax"][train] = np.where(named, by_name.argmax(axis=1), -1)
    out["mapped"][train] = model.map_proba(scores)[:, order].argmax(axis=1)
    out["fused"][train] = model.pseudo_labels_[:, order]
    right = {k: (out[k][train] == pool.truth[train]).mean() for k in ("argmax", "mapped")}
    right["fused"] = (out["fused"][train].argmax(axis=1) == pool.truth[train]).mean()
    print(f"seed {seed}, {count} labels: training pictures right " + ", ".join(
        f"{name} {100 * value:.1f} %" for name, value in right.items()), flush=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problem", choices=("monkeys", "scenes"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)))
    parser.add_argument("--pictures", type=int, default=SCENES, help="of the reserve")
    parser.add_argument("--reserve-seed", type=int, default=0)
    parser.add_argument("--reserve", type=Path, help="folder to keep the reserve in")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    pool = monkeys(args) if args.problem == "monkeys" else scenes(args)
    counts = [int(c) for c in args.counts.split(",")]
    seeds = range(args.first, args.first + args.seeds)
    arrays: dict[str, np.ndarray] = {
        "classes": np.array(pool.classes), "truth": pool.truth, "night": pool.night,
        "location": pool.location.astype(str), "seeds": np.array(list(seeds)),
        "counts": np.array(counts), **packed(pool.pictures),
    }
    for seed in seeds:
        arrays[f"test-{seed}"] = test = held_out(pool, seed)
        for count in counts:
            for name, values in targets(pool, test, seed, count).items():
                arrays[f"{name}-{seed}-{count}"] = values
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out, **arrays)
    print(f"{args.out}: {len(pool.truth):,} pictures, {args.out.stat().st_size / 1e6:.1f} MB")


def packed(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Pictures (N, H, W, 3) uint8 as JPEG bytes in one array, and where each ends."""
    from PIL import Image

    found = []
    for picture in pictures:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY)
        found.append(np.frombuffer(buffer.getvalue(), np.uint8))
    return {"jpeg": np.concatenate(found), "ends": np.cumsum([len(f) for f in found])}


def unpacked(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The pictures (N, H, W, 3) uint8 of `packed`."""
    from PIL import Image

    starts = np.r_[0, arrays["ends"][:-1]]
    return np.stack([
        np.asarray(Image.open(io.BytesIO(arrays["jpeg"][a:b].tobytes())).convert("RGB"))
        for a, b in zip(starts, arrays["ends"], strict=True)])


if __name__ == "__main__":
    main()
