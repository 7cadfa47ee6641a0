"""`--int8`: a network in 8 bits for this project, and what that costs in accuracy.

The network is calibrated on a seeded sample of the project's own detections, compared with the
original on others and on those with labels, and kept in the project's cache under the fingerprint
of the original. Delete it there to calibrate again.
n detections, S global classes, D embedding dimensions.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import BackendError, ProjectError

CALIBRATED, COMPARED, LABELLED = 64, 128, 300  # detections at most
FOLDS, LEAST = 3, 12  # labelled rows below which no accuracy is measured
ENDING = "-int8"  # of the name of the results


@dataclass(frozen=True)
class Int8Report:
    """What 8 bits cost.

    calibrated, compared: detections, others where there is more than one. agreement: part with the
    same top class, None without classes. cosine, lowest: of embeddings, the mean and the 5th
    percentile, None without. labelled: rows whose classes a logistic regression on the embeddings
    predicts out of fold: accuracy by the original's and int8 by the other's, None where there are
    too few. speed: pictures a second of the processor, times the original.
    """

    file: str
    calibrated: int
    compared: int
    agreement: float | None
    cosine: float | None
    lowest: float | None
    labelled: int
    accuracy: float | None
    int8: float | None
    speed: float

    def lines(self) -> list[str]:
        """For people."""
        said = []
        if self.agreement is not None:
            said.append(f"the same top class on {self.agreement:.1%}")
        if self.cosine is not None:
            said.append(f"cosine of embeddings {self.cosine:.3f} (5th percentile "
                        f"{self.lowest:.3f})")
        lines = [f"8 bits, calibrated on {self.calibrated:,} detections, {self.speed:.1f} times as "
                 f"fast; on {self.compared:,} others: {'; '.join(said)}"]
        if self.accuracy is None:
            return [*lines, "what that costs on labels is not known: too few of them"]
        change = self.int8 - self.accuracy
        return [*lines, f"on {self.labelled:,} labelled detections, out of fold: {self.int8:.1%} "
                        f"right by 8-bit embeddings, {self.accuracy:.1%} by the original's "
                        f"({100 * change:+.1f} points)"]


def int8_model(
    project: Any, model: str, classes: str | Path | None, options: dict[str, Any]
) -> tuple[str, dict[str, Any], Int8Report]:
    """The 8-bit network of a model file: its path, the options to open it with, and its cost.

    Raises BackendError when it cannot be quantised, ProjectError without readable pictures.
    """
    from ecotone.backends.base import open_backend
    from ecotone.backends.onnx import OnnxBackend

    where = Path(classes) if classes else None
    if Path(model).suffix.lower() != ".onnx":  # before anything is opened or fetched
        raise BackendError(f"{model}: only .onnx networks can be quantised; leave --int8 out.")
    backend = open_backend(model, where, **options)
    if not isinstance(backend, OnnxBackend):
        raise BackendError(f"{model}: only .onnx networks can be quantised; leave --int8 out.")
    calibrated, compared, labelled, names = _samples(project)
    folder = project.path / "cache" / "int8" / _key(backend, project.config.random_state)
    file, kept = folder / "model.onnx", folder / "report.json"
    opened = {**options, "preprocessing": backend.preprocessing}
    if not options.get("embedding"):
        opened.pop("embedding", None)
    known = _known(kept, file)
    if known is not None and (known.accuracy is not None or len(names) < LEAST):
        return str(file), opened, known
    if known is None:
        from ecotone.backends.quantise import quantise

        folder.mkdir(parents=True, exist_ok=True)
        pictures, _ = _inputs(project, backend, calibrated)
        quantise(Path(backend.path), file, pictures)
    count = len(pictures) if known is None else known.calibrated
    small = open_backend(str(file), where, **opened)
    report = _compared(project, backend, small, str(file), count, compared, labelled, names)
    kept.write_text(json.dumps(dataclasses.asdict(report), indent=1), encoding="utf-8")
    return str(file), opened, report


def _samples(project: Any) -> tuple[list[int], list[int], list[int], list[str]]:
    """Rows of detections to calibrate on, to compare on, with a label, and those labels."""
    everything = project.catalog.detections()
    if not len(everything):
        raise ProjectError("no pictures in this project yet; add some: ecotone add images FOLDER")
    rng = np.random.default_rng(project.config.random_state)
    order = rng.permutation(np.argsort(everything.id, kind="stable")).tolist()
    label = project.catalog.current_labels()
    some = min(CALIBRATED, max(1, len(order) // 2))
    calibrated, rest = order[:some], order[some:]
    # Calibration sees no labels; its own pictures come last here.
    labelled = [row for row in rest + calibrated if everything.id[row] in label][:LABELLED]
    names = [label[everything.id[row]] for row in labelled]
    return calibrated, (rest or order)[:COMPARED], labelled, names


def _known(kept: Path, file: Path) -> Int8Report | None:
    """What was made before, None when it was not, or not to the end."""
    try:
        found = Int8Report(**json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return dataclasses.replace(found, file=str(file)) if file.is_file() else None


def _key(backend: Any, seed: int) -> str:
    """What decides the network: the original and the seed of the sample. Pictures that are added
    later do not change it, or all results of before would be those of another model."""
    from ecotone.backends.fingerprint import fingerprints

    text = json.dumps([fingerprints(backend), seed, CALIBRATED])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _inputs(project: Any, backend: Any, rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Prepared pictures (m, *shape) of the rows that can be read, and which (n,) bool these are."""
    from ecotone.engine.local import ThreadRunner, prepare_job
    from ecotone.project.inference import jobs_of

    everything, media = project.catalog.detections(), project.catalog.media()
    path_of = dict(zip(media.id, media.path, strict=True))
    wanted = np.zeros(len(everything), dtype=bool)
    wanted[rows] = True
    found: dict[str, np.ndarray] = {}
    jobs = jobs_of(path_of, everything, wanted, set(media.id[media.is_video]))
    for one in ThreadRunner(project.config.workers).map(
            lambda job: prepare_job(job, backend.preprocessing), jobs):
        found.update(zip(one.detection_ids, one.inputs, strict=False))
    good = np.array([everything.id[row] in found for row in rows], dtype=bool)
    if rows and not good.any():
        raise ProjectError("none of the pictures to calibrate on can be read; see ecotone status.")
    ready = [found[everything.id[row]] for row, ok in zip(rows, good, strict=True) if ok]
    shape = backend.preprocessing.shape
    return np.stack(ready) if ready else np.zeros((0, *shape), np.float32), good


def _compared(
    project: Any, backend: Any, small: Any, file: str, calibrated: int, compared: list[int],
    labelled: list[int], names: list[str],
) -> Int8Report:
    from ecotone.backends.base import can_classify, can_encode, run_backend

    if can_encode(backend) != can_encode(small):
        raise BackendError(f"{backend.path}: in 8 bits its embedding is lost; leave --int8 out.")
    pictures, _ = _inputs(project, backend, compared)
    (one, slow), (other, fast) = (_timed(b, pictures) for b in (backend, small))
    agreement = cosine = lowest = accuracy = after = None
    if can_classify(backend):
        agreement = float((one.scores.argmax(1) == other.scores.argmax(1)).mean())
    if can_encode(backend):
        values = _cosine(one.embeddings, other.embeddings)
        cosine, lowest = float(values.mean()), float(np.percentile(values, 5))
        pictures, good = _inputs(project, backend, labelled)
        kept = np.array(names, dtype=object)[good]
        if len(kept):
            pair = [run_backend(b, pictures, scores=False).embeddings for b in (backend, small)]
            accuracy, after = (_out_of_fold(x, kept) for x in pair)
    return Int8Report(file, calibrated, len(compared), agreement, cosine, lowest, len(names),
                      accuracy, after, slow / max(fast, 1e-9))


def _timed(backend: Any, pictures: np.ndarray) -> tuple[Any, float]:
    """The outputs, and the processor's seconds."""
    from ecotone.backends.base import run_backend

    run_backend(backend, pictures[:4])  # the first run of a session is slow
    start = time.process_time()
    outputs = run_backend(backend, pictures)
    return outputs, time.process_time() - start


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.maximum(norms, 1e-12)


def _out_of_fold(x: np.ndarray, labels: np.ndarray) -> float | None:
    """The accuracy of a logistic regression on embeddings (n, D), None with too few labels."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    names, y, counts = np.unique(labels.astype(str), return_inverse=True, return_counts=True)
    keep = counts[y] >= FOLDS
    x, y = x[keep], y[keep]
    if len(y) < LEAST or len(np.unique(y)) < 2:
        return None
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    right = np.zeros(len(y), dtype=bool)
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x, y):
        fitted = LogisticRegression(C=100.0, max_iter=1000).fit(x[train], y[train])
        right[test] = fitted.predict(x[test]) == y[test]
    return float(right.mean())


__all__ = ["ENDING", "Int8Report", "int8_model"]
