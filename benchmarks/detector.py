"""Trains a small detector on generated camera-trap scenes and measures the whole path with it.

    python benchmarks/detector.py train      # draws, trains on one thread, writes generated.onnx
    python benchmarks/detector.py measure    # precision, recall, AP50 at cameras never seen
    python benchmarks/detector.py path       # detect, classify, fuse against whole pictures

`train` needs the extra `torch`; the others do not. The scenes of training (112 cameras), of the
choice of the threshold (16) and of the figures (32) share no camera. --folder: where scenes and
model lie; --model: another one.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from detector_scenes import CHOOSE, HELD_OUT, NAMES, TRAIN, Scene, scenes
from ecotone.backends.detector import open_detector
from ecotone.detection import Boxes, DetectionScore, score_detections
from ecotone.engine.detecting import Look, detect_pictures

PICTURES = 90  # of each reserve to learn on
TESTED = 75  # pictures of each reserve to choose and to measure on
MODEL = "generated.onnx"
THRESHOLDS = np.round(np.arange(0.1, 0.71, 0.05), 2)


def train_part(folder: Path) -> None:
    """Draw, train, choose the threshold with the best F1, write the model."""
    from detector_network import export, train

    lessons = scenes(folder, TRAIN, PICTURES)
    started = time.process_time()
    network = train(lessons)
    print(f"{len(lessons)} pictures, {time.process_time() - started:.0f} s of one core, "
          f"{sum(p.numel() for p in network.parameters()):,} parameters")
    path = export(network, folder / MODEL, 0.2)
    choice = scenes(folder, CHOOSE, TESTED)
    found = look(path, choice)
    f1 = {t: harmonic(score(found, choice, threshold=t)) for t in THRESHOLDS}
    best = max(f1, key=f1.get)
    export(network, folder / MODEL, float(best))
    print(f"threshold {best} of F1 {f1[best]:.3f} on the cameras of the choice; {path} has "
          f"{path.stat().st_size:,} bytes")


def look(model: Path, pictures: list[Scene]) -> list[Boxes]:
    """What a detector finds on pictures."""
    detector = open_detector(model, threads=1)
    looks = [Look(str(i), scene.path) for i, scene in enumerate(pictures)]
    found = [one for batch in detect_pictures(looks, detector) for one in batch]
    assert not any(one.failure for one in found)
    return [one.boxes[0][1] for one in found]


def score(found: list[Boxes], pictures: list[Scene], kind: str = "", threshold: float = 0.2,
          enough: float = 0.5, night: bool | None = None) -> DetectionScore:
    """Scores of one category ("" for all as one), of day or night pictures or of all."""
    rows = [i for i, s in enumerate(pictures) if night is None or s.infrared == night]
    boxes, sure, true = [], [], []
    for i in rows:
        mine = np.ones(len(found[i]), bool) if not kind else found[i].category == kind
        boxes.append(found[i].bbox[mine])
        sure.append(found[i].confidence[mine])
        names = np.array(NAMES)[pictures[i].classes]
        true.append(pictures[i].boxes[np.ones(len(names), bool) if not kind else names == kind])
    return score_detections(boxes, sure, true, threshold, enough)


def harmonic(found: DetectionScore) -> float:
    """F1 of precision and recall, 0 where nothing was found."""
    total = found.precision + found.recall
    return 2 * found.precision * found.recall / total if total > 0 else 0.0


def measure_part(folder: Path, model: Path) -> None:
    """Precision, recall and average precision at held-out cameras, by day, by night, by class."""
    pictures = scenes(folder, HELD_OUT, TESTED)
    threshold = open_detector(model).threshold
    started = time.perf_counter()
    found = look(model, pictures)
    rate = len(pictures) / (time.perf_counter() - started)
    cameras = len({s.camera for s in pictures})
    print(f"{len(pictures)} pictures of {cameras} cameras that nothing was learned or chosen on; "
          f"threshold {threshold:g}; {rate:.0f} pictures a second on one thread\n")
    print("| | true boxes | precision | recall | AP50 | AP75 |\n|---|--:|--:|--:|--:|--:|")
    rows = [("all", "", None), ("day", "", False), ("infrared", "", True),
            ("animals", "animal", None), ("people", "human", None)]
    for name, kind, night in rows:
        at50 = score(found, pictures, kind, threshold, 0.5, night)
        at75 = score(found, pictures, kind, threshold, 0.75, night)
        print(f"| {name} | {at50.true} | {100 * at50.precision:.1f} | {100 * at50.recall:.1f} | "
              f"{100 * at50.average_precision:.1f} | {100 * at75.average_precision:.1f} |")
    empty = [b for b, s in zip(found, pictures, strict=True) if not len(s.boxes)]
    full = [b for b, s in zip(found, pictures, strict=True) if len(s.boxes)]
    said = [sum((b.confidence >= threshold).any() for b in part) for part in (empty, full)]
    print(f"\npictures: {said[1]} of {len(full)} with an animal or a person have a box, "
          f"{said[0]} of {len(empty)} empty ones have one")


def path_part(folder: Path, model: Path, seeds: int, pictures: int, lessons: int) -> None:
    """detect -> classify -> fuse on generated reserves, against whole pictures and other boxes."""
    from detector_path import compare_ways

    rows = [compare_ways(folder, model, seed, pictures, lessons) for seed in range(seeds)]
    print(f"pictures of events without a label named right, percent, mean of {seeds} reserves of "
          f"{pictures} pictures\n")
    print("| what is classified | right | per class |\n|---|--:|--:|")
    for way in rows[0]:
        means = np.mean([row[way] for row in rows], axis=0)
        print(f"| {way} | " + " | ".join(f"{100 * v:.1f}" for v in means) + " |")


def main() -> None:
    """Run one part, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["train", "measure", "path"])
    parser.add_argument("--folder", type=Path, default=Path("detector-scenes"))
    parser.add_argument("--seeds", type=int, default=2, help="of path")
    parser.add_argument("--pictures", type=int, default=300, help="of each reserve of path")
    parser.add_argument("--lessons", type=int, default=40, help="of a class of the global model")
    parser.add_argument("--model", type=Path, default=None, help="default: the one trained")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    model = options.model or options.folder / MODEL
    if options.part == "train":
        train_part(options.folder)
    elif options.part == "measure":
        measure_part(options.folder, model)
    else:
        path_part(options.folder, model, options.seeds, options.pictures, options.lessons)


if __name__ == "__main__":
    main()
