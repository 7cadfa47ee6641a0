"""`ecotone fuse`: from the project's arrays to posteriors, a local model and a run record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.project.chosen import chosen_rows, label_weight_of
from ecotone.project.contextual import add_context
from ecotone.project.fusing_networks import hold_out_networks
from ecotone.project.gathering import Gathered, gather, need_classes
from ecotone.project.known_classes import compare_known
from ecotone.project.networks import lost_network
from ecotone.project.records import (
    LATEST,
    make_record,
    read_record,
    recorded_run,
    write_json,
)
from ecotone.project.status import state_of
from ecotone.project.video_pooling import pool_videos

if TYPE_CHECKING:
    from ecotone.store.views import RowView

Progress = Callable[[int, int | None, str], None]
CHUNK = 16384  # rows predicted, and written, at once


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
    notes = ensure_embeddings(project, embedding_model, progress) + lost_network(project)
    gathered = gather(
        project, classes, embedding_model, score_models, stored=True, networks=True)
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
    from ecotone.store.vectors import drop_unfinished_posteriors

    started, seed = time.perf_counter(), settings["random_state"]
    drop_unfinished_posteriors(project.catalog, project.vectors)
    weight = label_weight_of(project, gathered, seed)
    classifier = fit(gathered, seed, weight)
    record = make_record(run, gathered, classifier, settings, seed, weight)
    record["counts"]["chosen_labels"] = int(chosen_rows(project, gathered).sum())
    record["notes"] = notes + gathered.notes
    hold_out_networks(project, gathered, record, seed, weight)
    made = FusedSets(project, run, gathered, classifier, say)
    context = None
    if settings["use_context"]:
        record["context"], context = add_context(
            project, gathered, made.read(record["preferred"]), record, seed
        )
    else:
        record["context"] = {"used": False}
    record["known_classes"] = _compare_before(project, record)
    say(0, None, "writing the local model")
    found = made.read(record["preferred"]) if context is None else context
    made.add_preferred(pool_videos(found, gathered.detections, record))
    record["seconds"] = round(time.perf_counter() - started, 2)
    return record, _store(project, run, gathered, classifier, made, record)


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


class FusedSets:
    """Posteriors of a run, written block by block; none of them counts before `finish`.

    Those of the "fused" predictor and of the "local" model alone are made at once.
    """

    def __init__(
        self, project: Any, run: str, gathered: Gathered, classifier: Any, say: Progress
    ) -> None:
        self._project, self._run, self._ids = project, run, gathered.detections.id
        self._classes = tuple(str(c) for c in classifier.classes_)
        fused, local = (self._writer(f"{run}-{key}") for key in ("fused", "local"))
        self._writers = [fused, local]
        for part in _parts(len(gathered)):
            say(part.start, len(gathered), "predicting")
            x = gathered.embeddings[part]
            scores = {name: s.take(part) for name, s in gathered.scores.items()}
            fused.append(self._ids[part], classifier.predict_proba(x, scores or None))
            local.append(self._ids[part], classifier.local_model_.predict_proba(x))
        for writer in self._writers:
            writer.flush()

    def _writer(self, name: str) -> Any:
        from ecotone.store.vectors import PosteriorWriter

        return PosteriorWriter(
            self._project.catalog, self._project.vectors, name, self._classes, CHUNK
        )

    def read(self, key: str) -> RowView:
        """Posteriors (N, K) of "fused" or "local", on the disk."""
        return self._writers[("fused", "local").index(key)].view()

    def add_preferred(self, values: RowView | np.ndarray) -> None:
        """The posteriors (N, K) that the run is known by: written last, as they are what "latest"
        means."""
        writer = self._writer(self._run)
        for part in _parts(len(self._ids)):
            writer.append(self._ids[part], values[part])
        writer.flush()
        self._writers.append(writer)

    def finish(self) -> None:
        """From the end of the transaction on, all of them are there."""
        for writer in self._writers:
            writer.finish()


def _parts(n: int) -> Iterator[slice]:
    for start in range(0, n, CHUNK):
        yield slice(start, min(start + CHUNK, n))


def _store(
    project: Any, run: str, gathered: Gathered, classifier: Any, made: FusedSets,
    record: dict[str, Any],
) -> Path:
    """Write model and record, and switch to the new run in one transaction."""
    from ecotone.bundle.files import point_latest
    from ecotone.project.modelling import save_model

    model = save_model(project, run, classifier.local_model_, gathered, record)
    write_json(project.path / "runs" / f"{run}.json", record)
    with project.catalog.transaction():
        made.finish()
        project.catalog.set_note(LATEST, {
            "run": run, "state": state_of(project), "time": time.time(),
        })
    point_latest(model)
    return model
