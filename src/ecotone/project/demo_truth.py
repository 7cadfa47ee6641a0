"""How right the demo's predictions are: measured on pictures nobody labelled, by the truth that
the generator wrote down.

N detections with posteriors, K local classes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ecotone.evaluation.baselines import BY_NAMES, LOCAL_ONLY, MAP_ONLY, PREFERRED
from ecotone.project.records import write_json
from ecotone.simulate.species import BLANK

COUNTS = (10, 20, 40)  # labels of the learning curve, up to as many as the project has
SEEDS = 2
NOTE = (
    "the labels of this evaluation are the generator's truth of all detections; the fusion itself "
    "learned from the few labels of labels.csv alone"
)
OVERLAP = 0.3  # of box and animal (intersection over union), from which the box shows the animal


@dataclass(frozen=True)
class Score:
    """Accuracy of all test detections, and its mean over the classes that occur among them."""

    overall: float
    per_class: float


def true_labels(project: Any, truth_file: Path) -> tuple[np.ndarray, np.ndarray]:
    """The true local class and the event of every detection of the catalogue, (N,) str each.

    A box that shows none of the picture's animals is blank; a whole picture is what a person would
    call it.
    """
    truth = json.loads(Path(truth_file).read_text(encoding="utf-8"))
    media, detections = project.catalog.media(), project.catalog.detections()
    file_of = dict(zip(media.id, media.file_path, strict=True))
    labels, events = [], []
    for medium, box in zip(detections.media_id, detections.bbox, strict=True):
        known = truth[file_of[medium]]
        whole = bool(np.allclose(box, (0, 0, 1, 1), atol=1e-6))
        shows = whole or any(overlap(box, other) > OVERLAP for other in known["boxes"])
        labels.append(known["label"] if shows else BLANK)
        events.append(known["event"])
    return np.array(labels, dtype=object), np.array(events, dtype=object)


def overlap(a: np.ndarray | list[float], b: np.ndarray | list[float]) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(float(width), 0.0) * max(float(height), 0.0)
    return both / max(float(a[2] * a[3] + b[2] * b[3]) - both, 1e-12)


def compare(project: Any, truth_file: Path) -> tuple[dict[str, Score], int]:
    """The scores of the labels alone, of the global model alone, and of the project's posteriors,
    on the detections of events without any label; and how many those are.
    """
    from ecotone.project.gathering import gather
    from ecotone.store.vectors import read_posteriors

    gathered = gather(project)
    labels, events = true_labels(project, truth_file)
    place = {d: i for i, d in enumerate(project.catalog.detections().id)}
    rows = np.array([place[d] for d in gathered.detections.id])
    labels, events = labels[rows], events[rows]
    known = np.array([label is not None for label in gathered.labels])
    test = ~np.isin(events, np.unique(events[known]))
    posteriors = read_posteriors(project.catalog, project.vectors)
    at = {d: i for i, d in enumerate(posteriors.id)}
    values = posteriors.values[[at[d] for d in gathered.detections.id]]
    guesses = {name: np.array(posteriors.classes, dtype=object)[values.argmax(axis=1)][test]
               for name in ("fused",)}
    guesses |= _baselines(gathered, test)
    return {name: _score(labels[test], guess) for name, guess in guesses.items()}, int(test.sum())


def evaluate_on_truth(project: Any, truth_file: Path, progress: Any = None) -> None:
    """Learning curves on the truth of all detections, kept where `ecotone evaluate` keeps its own.

    A user's labels are too few to hold some out at each budget; the generator has them all.
    """
    from ecotone.evaluation.summary import flat_records, summarise, summarise_groups
    from ecotone.project.evaluating import evaluate, write_csv

    stand_in = SimpleNamespace(
        path=project.path, config=project.config,
        catalog=_CatalogWithTruth(project.catalog, true_labels(project, truth_file)[0]),
    )
    mine = len(project.catalog.current_labels())
    counts = sorted({count for count in COUNTS if count < mine} | {mine})
    result = evaluate(stand_in, counts=counts, seeds=SEEDS, progress=progress,
                      methods=(LOCAL_ONLY, BY_NAMES, MAP_ONLY, PREFERRED))
    # The curve ends at as many labels as the project has: what is beyond is not its own.
    records = [r for r in result.records if r["n_labels"] <= mine] or result.records
    record = json.loads(result.path.read_text(encoding="utf-8"))
    record.update(records=records, summary=summarise(records), groups=summarise_groups(records),
                  notes=[NOTE, *record["notes"]])
    write_json(result.path, record)
    write_csv(result.path.with_suffix(".csv"), flat_records(records))
    table = {key: [row[key] for row in record["summary"]] for key in record["summary"][0]}
    write_csv(result.path.with_name("summary.csv"), table)


class _CatalogWithTruth:
    """The project's catalogue, but every detection has its true label."""

    def __init__(self, catalog: Any, labels: np.ndarray) -> None:
        self._catalog, self._labels = catalog, labels

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def current_labels(self) -> dict[str, str]:
        """The true label of every detection."""
        return dict(zip(self._catalog.detections().id, self._labels, strict=True))


def _baselines(gathered: Any, test: np.ndarray) -> dict[str, np.ndarray]:
    """Predicted classes of the two references on the test rows."""
    from ecotone.evaluation.baselines import BASELINES
    from ecotone.evaluation.problem import Problem, project_rows
    from ecotone.taxonomy.relations import relate

    classes = gathered.local_classes
    index = {name: k for k, name in enumerate(classes)}
    features, _ = project_rows(gathered.embeddings, gathered.embeddings[:1])
    groups = np.unique(gathered.groups.astype(str), return_inverse=True)[1]
    weights = {name: relate(classes, scores.classes, gathered.taxonomy).weight
               for name, scores in gathered.scores.items()}
    problem = Problem(
        classes=classes, embeddings=gathered.embeddings, features=features, scores=gathered.scores,
        labels=np.array([index.get(label, -1) for label in gathered.labels]),
        test_embeddings=gathered.embeddings[test], test_features=features[test],
        test_scores={name: s.take(test) for name, s in gathered.scores.items()},
        name_weights=weights, groups=groups,
    )
    names = np.array(classes, dtype=object)
    return {name: names[BASELINES[name](problem).argmax(axis=1)]
            for name in (LOCAL_ONLY, BY_NAMES)}


def _score(truth: np.ndarray, guess: np.ndarray) -> Score:
    right = truth == guess
    each = [right[truth == name].mean() for name in np.unique(truth)]
    return Score(float(right.mean()), float(np.mean(each)))
