"""`ecotone run`: the whole job in one call, every step as the single commands do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.errors import InputError, ProjectError

Progress = Callable[[int, int | None, str], None]


@dataclass
class RunResult:
    """What `run` did: one line a step, the fusion, and the report's path."""

    steps: list[str] = field(default_factory=list)
    fusion: Any = None
    report: Path | None = None


def run(
    project: Any,
    pictures: Path,
    labels: Path,
    detections: Path | None = None,
    scores: Path | None = None,
    model: str | None = None,
    classes: Path | None = None,
    taxonomy: Path | None = None,
    seed: int | None = None,
    preprocessing: Any = None,
    progress: Progress | None = None,
    detector: str | None = None,
) -> RunResult:
    """Add pictures and labels, run a detector, run or read a global model, fuse, evaluate, report.

    Started again after an interruption it continues. Without scores and model the weight-free
    encoder and the labels alone do the work, which is said in the steps.
    Raises InputError when nothing could be added, and whatever the single steps raise.
    """
    if detector is not None and detections is not None:
        raise InputError("boxes come from --detector or from --detections; give one of them.")
    result = RunResult()
    added = project.add_images(pictures, progress=progress)
    _tell(result, "pictures", added, f"{pictures}: no pictures in this folder")
    if taxonomy is not None:
        _tell(result, "taxa", project.add_taxonomy(taxonomy), f"{taxonomy}: no taxa in this file")
    if detections is not None:
        added = project.add_detections(detections, progress=progress)
        _tell(result, "detections", added, f"{detections}: no row fits a picture")
    if detector is not None:
        _detect(project, result, detector, progress)
    added = project.add_labels(labels, progress=progress)
    _tell(result, "labels", added, f"{labels}: no row fits a picture")
    if scores is not None:
        added = project.add_scores(scores, progress=progress)
        _tell(result, "scores", added, f"{scores}: no row fits a picture")
    _models(project, result, model, classes, preprocessing, scores is not None, progress)
    result.fusion = project.fuse(seed=seed, progress=progress)
    _evaluate(project, result, progress)
    result.report = project.report(progress=progress)
    return result


def _tell(result: RunResult, what: str, added: Any, empty: str) -> None:
    if not added.added + added.updated + added.skipped:
        raise InputError(added.problems[0] if added.problems else empty)
    text = f"{added.added:,} {what} added, {added.skipped:,} already there"
    if added.problems:
        text += f"; {len(added.problems):,} not used, the first: {added.problems[0]}"
    result.steps.append(text)


def _detect(project: Any, result: RunResult, detector: str, progress: Progress | None) -> None:
    found = project.detect(detector, progress=progress)
    failed = f", {len(found.failed):,} pictures failed" if found.failed else ""
    result.steps.append(
        f"{found.boxes:,} boxes by {found.detector}, {found.blank:,} pictures without one{failed}"
    )


def _models(
    project: Any, result: RunResult, model: str | None, classes: Path | None, preprocessing: Any,
    has_scores: bool, progress: Progress | None,
) -> None:
    if model is not None:
        options = {} if preprocessing is None else {"preprocessing": preprocessing}
        done = project.classify(model, classes, progress=progress, **options)
        failed = f", {len(done.failed):,} pictures failed" if done.failed else ""
        result.steps.append(f"{done.done:,} detections classified by {done.model}{failed}")
    elif not has_scores:
        result.steps.append(
            "no scores and no model were given: the labels alone do the work, on the weight-free "
            "encoder; a global model does better (--model or --scores)"
        )


def _evaluate(project: Any, result: RunResult, progress: Progress | None) -> None:
    try:
        project.evaluate(seeds=min(3, project.config.evaluation_seeds), progress=progress)
    except ProjectError as error:
        result.steps.append(f"no learning curve: {error}")
    else:
        result.steps.append("learning curves measured on the labels")
