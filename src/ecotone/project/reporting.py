"""`ecotone report`: collect what a project knows and write it as one html page."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.project.asked_report import collect_acceptance, collect_questions
from ecotone.project.discover_report import collect_discovery
from ecotone.project.gathering import DETECTOR
from ecotone.project.individual_report import collect_individuals
from ecotone.project.network_report import collect_networks
from ecotone.project.overview import collect_overview
from ecotone.project.records import LATEST, REPORTED, read_record
from ecotone.project.refined_report import collect_refinement
from ecotone.report import (
    Counts,
    Failure,
    Gallery,
    GlobalMap,
    HeldOut,
    ReportData,
    Run,
    render,
)

Progress = Callable[[int, "int | None", str], None]


def build_report(
    project: Any, output: str | Path | None = None, progress: Progress | None = None
) -> Path:
    """Write the report of a project as far as it has come, and return its path.

    output: default reports/report.html in the project. The old report stays until the new one is
    whole. Raises ProjectError when a record is broken or the file cannot be written.
    """
    path = Path(output) if output else project.path / "reports" / "report.html"
    page = render(collect(project, progress))
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # File names may hold bytes that are no text; they must not cost the report.
        with temporary.open("w", encoding="utf-8", errors="replace") as handle:
            handle.write(page)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise ProjectError(f"{path}: cannot be written ({error.strerror}).") from error
    if output is None:
        catalog = project.catalog
        catalog.set_note(REPORTED, (catalog.note(LATEST) or {}).get("run", ""))
    return path


def report(
    project: Any, path: str | Path | None = None, progress: Progress | None = None
) -> Path:
    """The same as `build_report`; what `Project.report` calls."""
    return build_report(project, path, progress)


def collect(project: Any, progress: Progress | None = None) -> ReportData:
    """Everything the page shows, from catalogue, run record, posteriors and evaluation.

    Raises ProjectError when the record of the newest run or of the evaluation is broken.
    """
    from ecotone.project.evaluating import read_evaluation

    catalog = project.catalog
    media, detections = catalog.media(), catalog.detections()
    labels = catalog.current_labels()
    record = read_record(project) if catalog.note(LATEST) else {}
    classes = tuple(record.get("classes") or sorted(set(labels.values())))
    given = Counter(labels.values())
    found, galleries, missing = _named(project, record, media, detections, progress)
    evaluation = read_evaluation(project) or {}
    places = {str(d) for d in media.deployment_id if d}
    acceptance = collect_acceptance(project, record)
    return ReportData(
        title=project.config.name or project.path.name,
        created=_day(datetime.now(timezone.utc).isoformat()),
        counts=Counts(len(media), len(detections), len(labels), len(places),
                      dict(Counter(str(c) for c in detections.category))),
        run=_run(record),
        classes=classes,
        label_counts=np.array([given.get(c, 0) for c in classes], dtype=np.int64),
        found=found,
        held_out=_held_out(record, classes),
        evaluation=tuple(evaluation.get("records", ())),
        maps=_maps(record),
        galleries=galleries,
        failures=_failures(catalog, media),
        unresolved=tuple(record.get("unresolved", ())),
        notes=tuple(dict.fromkeys([
            *missing, *_stale(record, given), *record.get("notes", ()),
            *evaluation.get("notes", ()),
        ])),
        refinement=collect_refinement(project, media, detections, progress),
        acceptance=acceptance,
        questions=collect_questions(project, media, detections, progress),
        overview=collect_overview(project, media, detections, labels, acceptance),
        discovery=collect_discovery(project, media, detections, record, progress),
        individuals=collect_individuals(project, media, detections, progress),
        networks=collect_networks(project),
    )


def _named(
    project: Any, record: Mapping[str, Any], media: Any, detections: Any,
    progress: Progress | None,
) -> tuple[np.ndarray | None, tuple[Gallery, ...], list[str]]:
    """Expected numbers of detections (K,), the galleries, and what to say when there are none."""
    if not record:
        return None, (), []
    from ecotone.project.galleries import make_galleries, read_shown
    from ecotone.store.vectors import read_posteriors

    try:
        posteriors = read_posteriors(project.catalog, project.path / "vectors", record["run"])
    except ProjectError as error:
        return None, (), [f"no probabilities to choose pictures by: {error}"]
    shown = read_shown(project, posteriors, record, media, detections)
    found = shown.posteriors.values.sum(axis=0, dtype=np.float64)
    return found, make_galleries(project, shown, progress), []


def _failures(catalog: Any, media: Any) -> tuple[Failure, ...]:
    """Failures with paths as in the picture folder: where it lies is nobody else's business."""
    files = dict(zip(media.id, media.file_path, strict=True))
    roots = dict(zip(media.id, media.root, strict=True))
    result = []
    for f in catalog.failures():
        reason = f.reason
        for private in (f.path, roots.get(f.media_id, "")):
            if private:
                reason = reason.replace(f"{private}/", "").replace(private, files[f.media_id])
        result.append(Failure(str(files.get(f.media_id, f.path)), f.step, reason))
    return tuple(result)


def _run(record: Mapping[str, Any]) -> Run | None:
    if not record:
        return None
    selection = record.get("selection", {})
    return Run(
        id=str(record["run"]), created=_day(record.get("created", "")),
        seconds=record.get("seconds"), seed=record.get("seed"),
        chosen=str(selection.get("chosen", "")), preferred=str(record.get("preferred", "")),
        embedding_model=str(record.get("embedding_model", "")),
        score_models=tuple(record.get("score_models", ())),
        candidates=tuple(selection.get("table", ())),
        settings=record.get("settings", {}), versions=record.get("versions", {}),
    )


def _held_out(record: Mapping[str, Any], classes: tuple[str, ...]) -> HeldOut | None:
    held = record.get("out_of_fold", {})
    column = {name: k for k, name in enumerate(classes)}
    rows = [i for i, label in enumerate(held.get("labels", ())) if label in column]
    if not rows:
        return None
    proba = np.asarray(held["proba"], dtype=np.float64)[rows]
    # Stored with five digits: the rows are made to sum to 1 again.
    proba /= np.maximum(proba.sum(axis=1, keepdims=True), 1e-12)
    weight = held.get("weight")
    return HeldOut(
        np.array([column[held["labels"][i]] for i in rows]), proba,
        None if weight is None else np.asarray(weight, dtype=np.float64)[rows],
        record.get("counts", {}).get("chosen_labels", 0),
    )


def _maps(record: Mapping[str, Any]) -> tuple[GlobalMap, ...]:
    found = [
        GlobalMap(
            name, dict(m.get("kind", {})),
            {c: tuple((str(g), float(w)) for g, w in links)
             for c, links in m.get("explain", {}).items()},
            tuple(m.get("notes", ())),
        )
        for name, m in record.get("mapping", {}).items()
    ]
    return tuple(sorted(found, key=lambda m: m.model == DETECTOR))


def _stale(record: Mapping[str, Any], given: Mapping[str, int]) -> list[str]:
    """Whether the labels are others than those of the run, in words."""
    then = record.get("label_counts")
    more = 0 if then is None else sum(given.values()) - sum(then.values())
    if more <= 0:
        return []
    words = "1 label is" if more == 1 else f"{more:,} labels are"
    return [f"{words} not part of this run: added since, or of pictures that could not be used. "
            "To learn from new ones: ecotone fuse"]


def _day(text: str) -> str:
    """An ISO time as "21 November 2026, 07:30 UTC"; another text as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{when.day} {when:%B %Y, %H:%M} {when.tzname() or ''}".strip()
