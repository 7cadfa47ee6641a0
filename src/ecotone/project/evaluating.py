"""`ecotone evaluate`: learning curves on the project's own labels, against the baselines."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import InputError, ProjectError
from ecotone.evaluation.baselines import LOCAL_ONLY, PREFERRED, USUAL, without_scores
from ecotone.evaluation.curves import Study, cross_validate, hold_out, make_study
from ecotone.evaluation.fusion_method import fusion_method
from ecotone.evaluation.splits import duplicate_keys, make_units
from ecotone.evaluation.summary import (
    flat_records,
    group_lines,
    summarise,
    summarise_groups,
    table_lines,
)
from ecotone.fusion.threads import one_blas_thread
from ecotone.project.gathering import DETECTOR, Gathered, gather, with_scores_read
from ecotone.project.records import read_json, versions, write_json

Progress = Callable[[int, int | None, str], None]

MIN_LABELS = 5
HOLD_OUT_FROM = 100  # labels; with fewer, a quarter of them would be too small a test
TEST_FRACTION = 0.25
MAX_REPEATS = 3  # of cross-validation, which fits once a fold
KINDS = ("exact", "merged", "split", "genus", "relative", "special", "unknown")
FOLDER = "evaluation"


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    run: its id. mode: "hold-out" or "cross-validation". split: "location", "event" or "random".
    records: one dict a method and split; summary and groups: their tables. path: the json file.
    """

    run: str
    mode: str
    split: str
    labelled: int
    path: Path
    summary: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    records: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The result as people read it: the table, the groups of classes, the notes."""
        methods = [m for m in (LOCAL_ONLY, PREFERRED) if any(r["method"] == m for r in self.groups)]
        some = [r for r in self.groups if r["method"] in methods]
        lines = [*table_lines(self.summary), ""]
        lines += ["accuracy per class, by group of classes:", *group_lines(some, methods), ""]
        return [*lines, *self.notes, f"written to {self.path}"]


@one_blas_thread
def evaluate(
    project: Any,
    counts: Sequence[float] | None = None,
    seeds: int | None = None,
    methods: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    embedding_model: str | None = None,
    score_models: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure every method on the labels of this project and keep the records for the report.

    With at least `HOLD_OUT_FROM` labels a quarter of them is held out (whole locations where
    labels come from five or more, always whole events and copies of a picture), and `counts`
    labels (below 1: fractions) are drawn from the rest; with fewer labels, repeated stratified
    cross-validation. counts and seeds default to the settings, methods to the usual ones.

    Writes evaluation/records.json, records.csv and summary.csv. Raises ProjectError when there are
    too few labels, InputError for an unknown method or count.
    """
    gathered = with_scores_read(
        gather(project, classes, embedding_model, score_models, stored=True))
    _check(gathered, counts)
    config = project.config
    study, notes = _study(project, gathered, methods, progress)
    repeats = list(range(seeds or config.evaluation_seeds))
    settings = {
        **config.as_dict(), "evaluation_counts": list(counts or config.evaluation_counts),
        "evaluation_seeds": len(repeats), "embedding_model": gathered.embedding_model,
        "score_models": list(gathered.scores), "methods": list(study.methods),
    }
    run = project.catalog.start_run("evaluate", settings, repeats[0])
    try:
        mode, records, more = _measure(study, settings["evaluation_counts"], repeats)
        result = Evaluation(
            run, mode, study.split, int((study.labels >= 0).sum()),
            project.path / FOLDER / "records.json", summarise(records), summarise_groups(records),
            records, [*gathered.notes, *notes, *more],
        )
        _write(result, study, gathered, settings)
    except BaseException as error:
        status = "failed" if isinstance(error, Exception) else "interrupted"
        project.catalog.finish_run(run, status, {"error": str(error)})
        raise
    project.catalog.finish_run(run, "done", {"mode": mode, "summary": result.summary})
    return result


def _check(gathered: Gathered, counts: Sequence[float] | None) -> None:
    labelled = sum(label is not None for label in gathered.labels)
    if labelled < MIN_LABELS:
        raise ProjectError(
            f"{labelled} labelled detections with an embedding, at least {MIN_LABELS} are needed "
            "to evaluate; add labels: ecotone add labels labels.csv"
        )
    wrong = [c for c in counts or () if c <= 0]
    if wrong:
        raise InputError(f"count {wrong[0]}: expected numbers of labels, or fractions below 1.")


def _study(
    project: Any, gathered: Gathered, methods: Sequence[str] | None, progress: Progress | None
) -> tuple[Study, list[str]]:
    units, split = split_units_of(project, gathered)
    weights, kinds = _relations(gathered)
    chosen = tuple(methods or USUAL)
    if not gathered.scores:
        chosen = without_scores(chosen)
    study = make_study(
        gathered.embeddings, gathered.scores, list(gathered.labels),
        classes=gathered.local_classes, units=units, split=split, methods=chosen,
        fit_fusion=fusion_method(gathered.taxonomy), name_weights=weights, kinds=kinds,
        groups=units if len(set(units)) < len(units) else None, progress=progress,
    )
    words = {
        "location": "splits keep whole locations on one side",
        "event": "splits keep events (bursts) and copies of a picture on one side; there are too "
                 "few labelled locations to hold whole ones out",
        "random": "splits are random over pictures; copies of a picture stay on one side",
    }
    return study, [words[split]]


def split_units_of(project: Any, gathered: Gathered) -> tuple[np.ndarray, str]:
    media = project.catalog.media()
    row_of = {medium: row for row, medium in enumerate(media.id)}
    rows = np.array([row_of[m] for m in gathered.detections.media_id], dtype=np.intp)
    by = project.config.group_by
    locations = np.asarray(media.deployment_id, dtype=object)[rows]
    options = {"min_locations": 2} if by == "deployment" else {}
    return make_units(
        len(gathered), locations=None if by == "event" else locations,
        events=np.asarray(media.event_id, dtype=object)[rows],
        duplicates=[
            gathered.detections.media_id, np.asarray(media.content_hash, dtype=object)[rows],
            duplicate_keys(gathered.embeddings),
        ],
        labelled=np.array([label is not None for label in gathered.labels]), **options,
    )


def _relations(gathered: Gathered) -> tuple[dict[str, np.ndarray], tuple[str, ...] | None]:
    """Name weights (K, S) by model, and the closest kind of each local class over the models."""
    from ecotone.taxonomy.relations import relate

    weights: dict[str, np.ndarray] = {}
    kinds: list[tuple[str, ...]] = []
    for name, scores in gathered.scores.items():
        found = relate(gathered.local_classes, scores.classes, gathered.taxonomy)
        weights[name] = np.asarray(found.weight)
        if name != DETECTOR or len(gathered.scores) == 1:
            kinds.append(tuple(str(k) for k in found.kind))
    if not kinds:
        return weights, None
    rank = {kind: place for place, kind in enumerate(KINDS)}
    closest = (min(each, key=lambda k: rank.get(k, 0)) for each in zip(*kinds, strict=True))
    return weights, tuple(closest)


def _measure(
    study: Study, counts: Sequence[float], repeats: Sequence[int]
) -> tuple[str, list[dict[str, Any]], list[str]]:
    labelled = study.labels[study.labels >= 0]
    free = len(study.labels) - len(labelled)
    notes = []
    if free > study.max_unlabelled:
        notes.append(
            f"each fit uses {study.max_unlabelled:,} of the {free:,} unlabelled detections, "
            "drawn at random, to bound the time; `ecotone fuse` uses all of them"
        )
    if len(labelled) >= HOLD_OUT_FROM:
        return "hold-out", list(hold_out(study, counts, None, repeats, TEST_FRACTION)), notes
    records = list(cross_validate(study, repeats[:MAX_REPEATS]))
    shown = sorted({r["n_labels"] for r in records})
    singles = sum(n == 1 for n in Counter(labelled.tolist()).values())
    notes.append(
        f"{len(labelled)} labels are too few to hold out a test part, so this is cross-validation, "
        f"repeated {min(len(repeats), MAX_REPEATS)} times: every label is predicted by fits on "
        f"{' or '.join(f'about {n}' for n in shown)} of the others; expect wide errors, and see "
        f"learning curves from {HOLD_OUT_FROM} labels on"
    )
    if singles:
        notes.append(
            f"{singles} classes have a single label: held out, it leaves none to learn from"
        )
    return "cross-validation", records, notes


def _write(
    result: Evaluation, study: Study, gathered: Gathered, settings: dict[str, Any]
) -> None:
    labelled = study.labels[study.labels >= 0]
    counts = np.bincount(labelled, minlength=len(study.classes))
    folder = result.path.parent
    write_json(result.path, {
        "run": result.run, "command": "evaluate",
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": versions(), "settings": settings, "mode": result.mode, "split": result.split,
        "classes": list(study.classes), "kinds": list(study.kinds or ()),
        "label_counts": dict(zip(study.classes, counts.tolist(), strict=True)),
        "labelled": result.labelled, "detections": len(gathered), "notes": result.notes,
        "summary": result.summary, "groups": result.groups, "records": result.records,
    })
    write_csv(folder / "records.csv", flat_records(result.records))
    summary = {key: [row[key] for row in result.summary] for key in result.summary[0]}
    write_csv(folder / "summary.csv", summary)


def write_csv(path: Path, columns: dict[str, list[Any]]) -> None:
    """Write columns as a csv file, replaced in one step."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row])
    os.replace(temporary, path)


def read_evaluation(project: Any) -> dict[str, Any] | None:
    """The newest evaluation of a project as written by `evaluate`, or None when there is none.

    Raises ProjectError when its file is broken.
    """
    path = project.path / FOLDER / "records.json"
    if not path.is_file():
        return None
    try:
        return read_json(path)
    except ProjectError as error:
        raise ProjectError(f"{error}; make it again: ecotone evaluate") from error
