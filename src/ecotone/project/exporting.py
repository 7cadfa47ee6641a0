"""`ecotone export`: the project in the formats of other programs.

    a table of detections       csv, parquet
    a whole study               camtrapdp, coco, wildlife-insights, camtrapr, geojson
    a detector's results        megadetector, timelapse, speciesnet
    the local model             addaxai
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import InputError, ProjectError
from ecotone.export.written import Written
from ecotone.project.answers import SOURCES, answers_of
from ecotone.project.gathering import score_names
from ecotone.project.modelling import class_rows
from ecotone.project.records import LATEST, read_record
from ecotone.project.times import zoned_times
from ecotone.study import Row, Study

Progress = Callable[[int, int | None, str], None]
STEP = 5000  # rows between two words about progress
TABLES = ("csv", "parquet")
# format -> (module, function)
STUDIES = {
    "camtrapdp": ("ecotone.export.camtrapdp", "write_camtrapdp"),
    "coco": ("ecotone.export.coco", "write_coco"),
    "wildlife-insights": ("ecotone.export.wildlife_insights", "write_wildlife_insights"),
    "camtrapr": ("ecotone.export.camtrapr", "write_record_table"),
    "geojson": ("ecotone.export.geojson", "write_geojson"),
}
RESULTS = {
    "megadetector": ("ecotone.export.megadetector", "write_megadetector"),
    "timelapse": ("ecotone.export.timelapse", "write_timelapse"),
    "speciesnet": ("ecotone.export.speciesnet", "write_speciesnet"),
}
MODELS = {"addaxai": ("ecotone.export.addaxai", "write_addaxai")}
FORMATS = (*TABLES, *STUDIES, *RESULTS, *MODELS)


@dataclass(frozen=True)
class ExportResult:
    """What was written: the file or folder, its rows, the run whose probabilities they are ("" for
    none) and of which predictor; counts by kind, and what the format could not hold."""

    path: Path
    rows: int
    run: str
    source: str
    format: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The result for people."""
        if self.format in TABLES:
            return [f"{self.rows:,} detections written to {self.path}"]
        counts = ", ".join(f"{n:,} {what}" for what, n in self.counts.items())
        return [f"{self.format}: {counts or 'done'}, written to {self.path}",
                *(f"note: {warning}" for warning in self.warnings)]


@dataclass(frozen=True)
class Asked:
    """What a study should hold. machine, people: observations by whom; None = by both. events:
    also one machine observation an event. incomplete: "refuse" or "skip" rows that lack what the
    format requires. time_zone: of times that have none."""

    machine: bool | None = None
    people: bool | None = None
    events: bool = False
    incomplete: str = "refuse"
    time_zone: str | None = None


def export(
    project: Any, path: Path, format: str | None = None, source: str = "best",
    progress: Progress | None = None, **asked: Any,
) -> ExportResult:
    """Write the project in a format of `FORMATS`, default by the ending of `path` (csv, parquet).

    source: probabilities of the "fused" predictor, of the "local" model alone, or of the "best" of
    the two. asked: the fields of `Asked`, for formats of whole studies.
    Raises ProjectError when nothing was fused and the format needs it, InputError on another source
    or format, or when the path cannot be written.
    """
    if source not in SOURCES:
        raise InputError(f"source is {source!r}, expected one of {', '.join(SOURCES)}.")
    wanted = Asked(**asked)
    if format in STUDIES:
        return _study(project, path, format, source, wanted, progress)
    if wanted != Asked():
        raise InputError(
            f"{format or path}: people's and machine rows, events and time zones are told apart in "
            f"{', '.join(STUDIES)} alone; leave these options out."
        )
    if format in RESULTS:
        return _results(project, path, format, source, progress)
    if format in MODELS:
        return _model(project, path, format)
    return _table(project, path, format, source, progress)


def _writer(table: Mapping[str, tuple[str, str]], format: str) -> Callable[..., Written]:
    module, name = table[format]
    return getattr(import_module(module), name)


def _study(
    project: Any, path: Path, format: str, source: str, asked: Asked, progress: Progress | None
) -> ExportResult:
    from ecotone.project.study import study_of

    machine, people = asked.machine is not False, asked.people is not False
    study = study_of(project, source, machine=machine, people=people, events=asked.events)
    write = _writer(STUDIES, format)
    offered = {
        "machine": machine, "incomplete": asked.incomplete,
        "time_zone": asked.time_zone or project.config.time_zone or None,
    }
    takes = inspect.signature(write).parameters
    for name in ("incomplete", "time_zone"):
        if getattr(asked, name) != getattr(Asked(), name) and name not in takes:
            raise InputError(f"{format} knows no --{name.replace('_', '-')}; leave it out.")
    written = write(
        _watched(study, progress), path, **{k: v for k, v in offered.items() if k in takes}
    )
    run = (project.catalog.note(LATEST) or {}).get("run", "") if machine else ""
    warnings = [*study.problems, *written.warnings]
    return ExportResult(written.path, sum(written.counts.values()), run, source, format,
                        dict(written.counts), list(dict.fromkeys(warnings)))


def _results(
    project: Any, path: Path, format: str, source: str, progress: Progress | None
) -> ExportResult:
    from ecotone.project.image_results import ImageResults, descriptions_of

    answers = answers_of(project, source=source)
    images = ImageResults(project, answers, progress)
    if not len(images):
        raise ProjectError("no pictures in this project yet; add some: ecotone add images FOLDER")
    write = _writer(RESULTS, format)
    offered = {
        "detector": _detector(project), "classifier": answers.by if answers else "",
        "descriptions": descriptions_of(answers, speciesnet_lines(project)),
        "threshold": project.config.detection_threshold,
    }
    takes = inspect.signature(write).parameters
    written = write(images, path, **{k: v for k, v in offered.items() if k in takes})
    warnings = list(written.warnings)
    if answers is None:
        warnings.append("nothing fused yet: boxes alone (run: ecotone fuse)")
    return ExportResult(
        written.path, written.counts.get("images", len(images)), answers.run if answers else "",
        answers.source if answers else source, format, dict(written.counts), warnings,
    )


def _detector(project: Any) -> str:
    """The detectors that gave the boxes."""
    return ", ".join(dict.fromkeys(d for d in project.catalog.media().detector if d))


def speciesnet_lines(project: Any) -> tuple[str, ...]:
    """Labels of seven tokens among the classes of the global models."""
    from ecotone.store import shards

    sets = shards.sets(project.catalog, "scores")
    return tuple(c for s in sets for c in s.classes if c.count(";") == 6)


def _model(project: Any, path: Path, format: str) -> ExportResult:
    record = read_record(project)
    written = _writer(MODELS, format)(project.models / "latest", path)
    return ExportResult(written.path, sum(written.counts.values()), record["run"], "local", format,
                        dict(written.counts), list(written.warnings))


def _table(
    project: Any, path: Path, format: str | None, source: str, progress: Progress | None
) -> ExportResult:
    """Every detection: local class, probability, alternatives, global label, label, run."""
    from ecotone.export.tables import format_of, posterior_pieces, write_table
    from ecotone.store.vectors import read_posteriors, read_scores

    form = format_of(path, format)
    record = read_record(project)
    run, catalog = record["run"], project.catalog
    name = run if source == "best" else f"{run}-{source}"
    detections, media = catalog.detections(), catalog.media()
    media = replace(media, timestamp=zoned_times(media, project.config.time_zone))
    pieces = posterior_pieces(
        detections, media, read_posteriors(catalog, project.path / "vectors", name),
        labels=catalog.current_labels(),
        scores={
            model: read_scores(catalog, project.path / "vectors", model, detections.id)
            for model in score_names(catalog)
        },
        run_id=run,
        scientific_names=scientific_names(record["classes"], catalog.label_names()),
    )
    rows = write_table(path, _told(pieces, len(detections), progress), form)
    return ExportResult(path, rows, run, record["preferred"] if source == "best" else source, form,
                        {"detections": rows})


def scientific_names(
    classes: Iterable[str], names: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    """Local class -> its scientific name: as people gave it, else as the class itself says it."""
    return {row["label"]: row["scientificName"] for row in class_rows(classes, names, None)}


def _told(
    pieces: Iterator[dict[str, np.ndarray]], total: int, progress: Progress | None
) -> Iterator[dict[str, np.ndarray]]:
    done = 0
    for piece in pieces:
        yield piece
        done += len(piece["detectionID"])
        if progress is not None:
            progress(done, total, "writing")


class _Watched:
    """Rows that tell how many of them have been gone through."""

    def __init__(self, rows: Iterable[Row], text: str, progress: Progress) -> None:
        self._rows, self._text, self._progress = rows, text, progress

    def __iter__(self) -> Iterator[Row]:
        for done, row in enumerate(self._rows):
            if done % STEP == 0:
                self._progress(done, None, self._text)
            yield row


def _watched(study: Study, progress: Progress | None) -> Study:
    if progress is None:
        return study
    return replace(
        study, media=_Watched(study.media, "media", progress),
        observations=_Watched(study.observations, "observations", progress),
    )
