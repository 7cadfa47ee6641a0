"""What 8 bits gain and cost: the shared MobileNetV2 as ONNX on the shared photographs of monkeys.

    python benchmarks/int8.py                              # 1,301 photographs of 10 species
    python benchmarks/int8.py --model net.onnx --classes classes.txt --pictures P --labels L.csv

Makes a project, runs `classify` with and without `--int8`, fuses both with 100 labels and prints
the accuracy on all other labels, beside what the command tells its user. Needs the extra `int8`.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from ecotone.evaluation.summary import align

SHARED = Path(os.environ.get("ECOTONE_SHARED_DATA",
                             Path(__file__).resolve().parents[2] / "shared" / "data"))


def split(labels: Path, folder: Path, count: int, seed: int) -> tuple[Path, dict[str, str]]:
    """A table of `count` rows drawn at random, and name by file of the others."""
    with labels.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    order = np.random.default_rng(seed).permutation(len(rows))
    out = folder / "given.csv"
    with out.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, ["filePath", "scientificName"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows[i] for i in order[:count])
    rest = {Path(rows[i]["filePath"]).name: rows[i]["scientificName"] for i in order[count:]}
    return out, rest


def fused(project, name: str, truth: dict[str, str]) -> float:
    """Accuracy of the fusion of one model's scores and embeddings on the rows of `truth`."""
    from ecotone.store.vectors import read_posteriors

    project.fuse(score_models=[name], embedding_model=name)
    posteriors = read_posteriors(project.catalog, project.vectors)
    media = project.catalog.media()
    file_of = {m: Path(p).name for m, p in zip(media.id, media.path, strict=True)}
    found = project.catalog.detections()
    shot = dict(zip(found.id, (file_of[m] for m in found.media_id), strict=True))
    said = {shot[i]: posteriors.classes[k]
            for i, k in zip(posteriors.id, posteriors.values.argmax(axis=1), strict=True)}
    return float(np.mean([said[file] == label for file, label in truth.items() if file in said]))


def main() -> None:
    """Both ways, and the table."""
    from ecotone.project import Project

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--classes", type=Path)
    parser.add_argument("--pictures", type=Path, default=SHARED / "monkeys" / "images")
    parser.add_argument("--labels", type=Path, default=SHARED / "monkeys" / "labels.csv")
    parser.add_argument("--count", type=int, default=100, help="labels that the fusion gets")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = given.model
        if model is None:
            from mobilenet_onnx import save_onnx

            source = SHARED / "models" / "imagenet_mobilenet_v2.tflite"
            model = save_onnx(folder / "mobilenet.onnx", source,
                              source.with_name("imagenet_labels.txt"))
        labels, truth = split(given.labels, folder, given.count, given.seed)
        table = [["", "classify, processor s", "fused, right"]]
        with Project.init(folder / "project") as project:
            project.add_images(given.pictures)
            project.add_labels(labels)
            for int8 in (False, True):
                start = time.process_time()
                done = project.classify(str(model), given.classes, int8=int8)
                spent = time.process_time() - start
                if int8:  # the second time it is made already
                    print("\n".join(done.notes))
                right = fused(project, done.model, truth)
                table.append(["8 bits (and making it)" if int8 else "single precision",
                              f"{spent:.1f}", f"{100 * right:.1f} %"])
    print("\n".join(align(table)))
    print(f"{given.count} labels; right on the {len(truth):,} others; "
          f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
