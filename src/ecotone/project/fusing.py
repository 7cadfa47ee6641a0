"""`ecotone fuse`: from the project's arrays to posteriors, a local model and a run record."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.project.chosen import chosen_rows, label_weight_of
from ecotone.project.contextual import CONTEXT, add_context
from ecotone.project.gathering import Gathered, gather, need_classes
from ecotone.project.known_classes import compare_known
from ecotone.project.records import (
    LATEST,
    make_record,
    read_record,
    recorded_run,
    write_json,
)
from ecotone.project.status import state_of
from ecotone.types import Posteriors

Progress = Callable[[int, int | None, str], None]
CHUNK = 65536  # rows predicted at once


@dataclass(frozen=True)
class FuseResult:
    """What a fusion left behind.

    run: its id. scores: out-of-fold accuracy, per_class_accuracy, log_loss and ece of the chosen
    predictor on the labelled rows (empty when there were too few labels); where labels were chosen
    by `suggest`, weighted to stand for all detections, and `unweighted` on the labels as they are.
    chosen_labels: how many these are. known_classes: where there are classes that the fusion before
    did not have, how good the others were then and are now, see `known_classes`. notes: what to
    know.
    """

    run: str
    model: Path
    detections: int
    labelled: int
    classes: tuple[str, ...]
    preferred: str
    chosen: str
    scores: dict[str, float]
    notes: list[str]
    chosen_labels: int = 0
    unweighted: dict[str, float] = field(default_factory=dict)
    known_classes: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)


def fuse(
    project: Any,
    classes: Sequence[str] | None = None,
    embedding_model: str | None = None,
    score_models: Sequence[str] | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    use_context: bool | None = None,
) -> FuseResult:
    """Map, co-train and select on everything the project holds.

    Writes posteriors, `models/<run>`, `models/latest` and `runs/<run>.json`. Without embeddings the
    weight-free encoder runs first. seed, use_context: default from the settings. With context the
    run's posteriors are those of place, time and neighbours too, where that is better out of fold.
    Raises ProjectError when there are no pictures, or neither labels nor local classes.
    """
    say = progress or (lambda done, total, text: None)
    if project.catalog.counts()["media"]:
        need_classes(project, project.catalog.current_labels(), classes)
    notes = ensure_embeddings(project, embedding_model, progress)
    gathered = gather(project, classes, embedding_model, score_models)
    seed = project.config.random_state if seed is None else seed
    context = project.config.use_context if use_context is None else use_context
    settings = {
        **project.config.as_dict(), "classes": list(gathered.local_classes), "random_state": seed,
        "use_context": context,
        "embedding_model": gathered.embedding_model, "score_models": list(gathered.scores),
    }
    with recorded_run(project.catalog, "fuse", settings, seed) as (run, summary):
        say(0, None, f"fusing {len(gathered):,} detections, {len(gathered.local_classes)} classes")
        record, model = _learn(project, run, gathered, settings, notes, say)
        summary.update(scores=record["scores"], counts=record["counts"])
    return FuseResult(
        run, model, len(gathered), record["counts"]["labelled"], gathered.local_classes,
        record["preferred"], record["selection"]["chosen"], record["scores"],
        record["notes"] + record["unresolved"], record["counts"]["chosen_labels"],
        record["scores_unweighted"], record["known_classes"], record["context"],
    )


def _learn(project: Any, run: str, gathered: Gathered, settings: dict[str, Any],
           notes: list[str], say: Progress) -> tuple[dict[str, Any], Path]:
    """Fit, predict and store; the record of the run and the folder of its model."""
    started, seed = time.perf_counter(), settings["random_state"]
    weight = label_weight_of(project, gathered, seed)
    classifier = fit(gathered, seed, weight)
    sets = posteriors_of(classifier, gathered)
    record = make_record(run, gathered, classifier, settings, seed, weight)
    record["counts"]["chosen_labels"] = int(chosen_rows(project, gathered).sum())
    record["notes"] = notes + gathered.notes
    record["context"] = (
        add_context(project, gathered, sets, record, seed) if settings["use_context"]
        else {"used": False}
    )
    record["known_classes"] = _compare_before(project, record)
    record["seconds"] = round(time.perf_counter() - started, 2)
    say(0, None, "writing posteriors and the local model")
    return record, _store(project, run, gathered, classifier, sets, record)


def _compare_before(project: Any, record: dict[str, Any]) -> dict[str, Any]:
    """Known classes before and after, where this fusion has new ones; {} else."""
    try:
        before = read_record(project)
    except ProjectError:  # none, or its file is gone
        return {}
    return compare_known(before, record)


def ensure_embeddings(
    project: Any, embedding_model: str | None, progress: Progress | None
) -> list[str]:
    """Run the weight-free encoder when the project has no embeddings; what to tell the user."""
    from ecotone.store.vectors import embedding_models

    if embedding_model or project.config.embedding_model or embedding_models(project.catalog):
        return []
    if not project.catalog.counts()["media"]:
        return []
    from ecotone.project.inference import embed

    embed(project, "handcrafted", progress=progress)
    return [
        "no embeddings were here, so the weight-free encoder 'handcrafted' made them; a trained "
        "network does better: ecotone embed --model model.onnx"
    ]


def fit(gathered: Gathered, seed: int, label_weight: np.ndarray | None = None) -> Any:
    """The fitted FusionClassifier of gathered arrays; label_weight as in its `fit`."""
    from ecotone import FusionClassifier

    names = {name: s.classes for name, s in gathered.scores.items()}
    classifier = FusionClassifier(
        list(gathered.local_classes), names or None, taxonomy=gathered.taxonomy,
        random_state=seed, aliases=gathered.aliases,
    )
    labelled = np.array([label is not None for label in gathered.labels])
    several = len(set(gathered.groups[labelled])) > 1
    classifier.fit(
        gathered.embeddings, gathered.scores or None, gathered.labels,
        groups=gathered.groups if several else None, label_weight=label_weight,
    )
    return classifier


def posteriors_of(classifier: Any, gathered: Gathered) -> dict[str, np.ndarray]:
    """Probabilities (N, K) float32 of the "fused" predictor and of the "local" model alone."""
    n, k = len(gathered), len(classifier.classes_)
    fused = np.empty((n, k), dtype=np.float32)
    local = np.empty((n, k), dtype=np.float32)
    for start in range(0, n, CHUNK):
        rows = np.arange(start, min(start + CHUNK, n))
        x = gathered.embeddings[rows]
        scores = {name: s.take(rows) for name, s in gathered.scores.items()}
        fused[rows] = classifier.predict_proba(x, scores or None)
        local[rows] = classifier.local_model_.predict_proba(x)
    return {"fused": fused, "local": local}


def _store(
    project: Any, run: str, gathered: Gathered, classifier: Any, sets: dict[str, np.ndarray],
    record: dict[str, Any],
) -> Path:
    from ecotone.bundle.files import point_latest
    from ecotone.project.modelling import save_model
    from ecotone.store.vectors import write_posteriors

    ids, classes = gathered.detections.id, tuple(str(c) for c in classifier.classes_)
    model = save_model(project, run, classifier.local_model_, gathered, record)
    write_json(project.path / "runs" / f"{run}.json", record)
    # The preferred set is written last: it is the one that "latest" means.
    for name, key in ((f"{run}-fused", "fused"), (f"{run}-local", "local"),
                      (run, CONTEXT if CONTEXT in sets else record["preferred"])):
        values = Posteriors(ids, sets[key], classes)
        write_posteriors(project.catalog, project.path / "vectors", name, values)
    point_latest(model)
    project.catalog.set_note(LATEST, {
        "run": run, "state": state_of(project), "time": time.time(),
    })
    return model
