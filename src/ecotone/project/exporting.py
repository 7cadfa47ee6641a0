"""`ecotone export`: the project in the formats of other programs.

    a table of detections       csv, parquet
    a whole study               camtrapdp, coco, wildlife-insights, camtrapr, geojson
    a detector's results        megadetector, timelapse, speciesnet
    the local model             addaxai
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import InputError, ProjectError
from ecotone.export.written import Written
from ecotone.project.accepted import accepted_of
from ecotone.project.answers import SOURCES, answers_of
from ecotone.project.discovered import discovered_of, novel_record
from ecotone.project.gathering import score_names, taxonomy_of
from ecotone.project.individual_exports import with_individuals
from ecotone.project.individual_runs import Identifications
from ecotone.project.modelling import class_rows
from ecotone.project.people_first import people_first
from ecotone.project.records import LATEST, read_record
from ecotone.project.refined import refined_of
from ecotone.project.times import zoned_times
from ecotone.study import Row, Study
from ecotone.types import Posteriors

Progress = Callable[[int, int | None, str], None]
STEP = 5000  # rows between two words about progress
TABLES = ("csv", "parquet")
ONE_VOICE = ("camtrapr", "geojson")  # they do not say who named an animal
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
    progress: Progress | None = None, network: str = "", **asked: Any,
) -> ExportResult:
    """Write the project in a format of `FORMATS`, default by the ending of `path` (csv, parquet).

    source: probabilities of the "fused" predictor, of the "local" model alone, or of the "best" of
    the two; "novel": these with "none of these", by the newest discovery. asked: the fields of
    `Asked`, for formats of whole studies. network: a trained network instead of the local model,
    for "addaxai".
    Raises ProjectError when nothing was fused and the format needs it, InputError on another source
    or format, or when the path cannot be written.
    """
    if source not in SOURCES:
        raise InputError(f"source is {source!r}, expected one of {', '.join(SOURCES)}.")
    wanted = Asked(**asked)
    if network and format not in MODELS:
        raise InputError(f"{format or path}: --network is for {', '.join(MODELS)}.")
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
        return MODELS[format](project, path, network)
    return _table(project, path, format, source, progress)


def _study(
    project: Any, path: Path, format: str, source: str, asked: Asked, progress: Progress | None
) -> ExportResult:
    from ecotone.project.study import study_of

    if format != "camtrapdp" and (asked.incomplete, asked.time_zone) != ("refuse", None):
        raise InputError(f"{format}: --incomplete and --time-zone are for camtrapdp alone.")
    asked = replace(
        asked, machine=asked.machine is not False, people=asked.people is not False,
        time_zone=asked.time_zone or project.config.time_zone or None,
    )
    study = study_of(project, source, machine=bool(asked.machine), people=bool(asked.people),
                     events=asked.events)
    if format in ONE_VOICE:
        study = people_first(study)
    written = STUDIES[format](_watched(study, progress), path, asked)
    run = (project.catalog.note(LATEST) or {}).get("run", "") if asked.machine else ""
    return ExportResult(
        written.path, sum(written.counts.values()), run, source, format, dict(written.counts),
        list(dict.fromkeys([*study.problems, *written.warnings])),
    )


def _camtrapdp(study: Study, path: Path, asked: Asked) -> Written:
    from ecotone.export.camtrapdp import write_camtrapdp

    return write_camtrapdp(study, path, time_zone=asked.time_zone, incomplete=asked.incomplete)


def _coco(study: Study, path: Path, asked: Asked) -> Written:
    from ecotone.export.coco import write_coco

    return write_coco(study, path, machine=bool(asked.machine))


def _wildlife_insights(study: Study, path: Path, asked: Asked) -> Written:
    from ecotone.export.wildlife_insights import write_wildlife_insights

    return write_wildlife_insights(study, path, machine=bool(asked.machine))


def _camtrapr(study: Study, path: Path, asked: Asked) -> Written:
    from ecotone.export.camtrapr import write_record_table

    return write_record_table(study, path, machine=bool(asked.machine))


def _geojson(study: Study, path: Path, asked: Asked) -> Written:
    from ecotone.export.geojson import write_geojson

    return write_geojson(study, path, machine=bool(asked.machine))


STUDIES: dict[str, Callable[[Study, Path, Asked], Written]] = {
    "camtrapdp": _camtrapdp, "coco": _coco, "wildlife-insights": _wildlife_insights,
    "camtrapr": _camtrapr, "geojson": _geojson,
}


def _results(
    project: Any, path: Path, format: str, source: str, progress: Progress | None
) -> ExportResult:
    from ecotone.project.image_results import ImageResults, descriptions_of

    answers = answers_of(project, source=source)
    images = ImageResults(project, answers, format != "speciesnet", progress)
    if not len(images):
        raise ProjectError("no pictures in this project yet; add some: ecotone add images FOLDER")
    about = {
        "classifier": answers.by if answers else "",
        "descriptions": descriptions_of(answers, speciesnet_lines(project)),
    }
    written = RESULTS[format](project, images, path, about)
    warnings = [*written.warnings, *images.notes]
    if answers is None:
        warnings.append("nothing fused yet: boxes alone (run: ecotone fuse)")
    return ExportResult(
        written.path, written.counts.get("images", len(images)), answers.run if answers else "",
        answers.source if answers else source, format, dict(written.counts), warnings,
    )


def _megadetector(project: Any, images: Any, path: Path, about: dict[str, Any]) -> Written:
    from ecotone.export.megadetector import write_megadetector

    return write_megadetector(images, path, **about, **_boxes_by(project, images))


def _timelapse(project: Any, images: Any, path: Path, about: dict[str, Any]) -> Written:
    from ecotone.export.timelapse import write_timelapse

    return write_timelapse(images, path, root=images.root, **about, **_boxes_by(project, images))


def _speciesnet(_: Any, images: Any, path: Path, about: dict[str, Any]) -> Written:
    from ecotone.export.speciesnet import write_speciesnet

    return write_speciesnet(images, path, source="ecotone", **about)


def _boxes_by(project: Any, images: Any) -> dict[str, Any]:
    """Who gave the boxes, and from which confidence on they count."""
    detectors = ", ".join(dict.fromkeys(d for d in images.media.detector if d))
    return {"detector": detectors, "threshold": project.config.detection_threshold}


RESULTS: dict[str, Callable[..., Written]] = {
    "megadetector": _megadetector, "timelapse": _timelapse, "speciesnet": _speciesnet,
}


def speciesnet_lines(project: Any) -> tuple[str, ...]:
    """Labels of seven tokens among the classes of the global models."""
    from ecotone.store import shards

    sets = shards.sets(project.catalog, "scores")
    return tuple(c for s in sets for c in s.classes if c.count(";") == 6)


def _addaxai(project: Any, path: Path, network: str) -> ExportResult:
    from ecotone.export.addaxai import write_addaxai
    from ecotone.project.networks import find_network

    if network:
        file, name = find_network(project, network)
        written = write_addaxai(file, path)
        return ExportResult(written.path, sum(written.counts.values()), name, "network", "addaxai",
                            dict(written.counts), list(written.warnings))
    record = read_record(project)
    written = write_addaxai(project.models / "latest", path)
    return ExportResult(written.path, sum(written.counts.values()), record["run"], "local",
                        "addaxai", dict(written.counts), list(written.warnings))


MODELS: dict[str, Callable[[Any, Path, str], ExportResult]] = {"addaxai": _addaxai}


def _table(
    project: Any, path: Path, format: str | None, source: str, progress: Progress | None
) -> ExportResult:
    """Every detection: local class, probability, alternatives, global label, label, run, and what
    the refinement that counts calls it."""
    from ecotone.export.tables import format_of, write_table

    form, catalog = format_of(path, format), project.catalog
    if source == "refined":
        raise InputError("a table has columns of its own for the refined labels; leave --of out.")
    refined, individuals = refined_of(project), Identifications(project)
    fused = (refined is None and not individuals) or bool(catalog.note(LATEST))
    record = {"run": "", "classes": [], "preferred": ""}
    if source == "novel" or fused:
        record = novel_record(project) if source == "novel" else read_record(project)
    run = record["run"]
    name = run if source in ("best", "novel") else f"{run}-{source}"
    discovered = discovered_of(project)
    accepted = accepted_of(project, run, record["classes"]) if source == "best" else None
    pieces = _pieces(
        project, name if fused else None,
        labels=catalog.current_labels(),
        run_id=run,
        scientific_names=scientific_names(catalog, record["classes"]),
        refined=refined, accepted=None if accepted is None else accepted.of,
        more=None if discovered is None else discovered.columns,
    )
    if individuals:
        pieces = with_individuals(pieces, individuals)
    total = catalog.counts()["detections"]
    rows = write_table(path, _told(pieces, total, progress), form)
    return ExportResult(path, rows, run, record["preferred"] if source == "best" else source, form,
                        {"detections": rows})


def _pieces(project: Any, name: str | None, **about: Any) -> Iterator[dict[str, np.ndarray]]:
    """The table in pieces, each from a block of the catalogue; name: of the posteriors."""
    from ecotone.export.tables import posterior_pieces
    from ecotone.store.vectors import lookup

    catalog, folder = project.catalog, project.vectors
    known = None if name is None else lookup(catalog, folder, "posteriors", name)
    scores = {model: lookup(catalog, folder, "scores", model) for model in score_names(catalog)}
    written = False
    for detections, media in catalog.blocks():
        if written and not len(detections):
            continue
        media = replace(media, timestamp=zoned_times(media, project.config.time_zone))
        ids, written = detections.id, True
        yield from posterior_pieces(
            detections, media,
            None if known is None else Posteriors(ids, known.rows(ids), known.classes),
            scores={model: found.scores(ids) for model, found in scores.items()}, **about,
        )


def scientific_names(catalog: Any, classes: Iterable[str]) -> dict[str, str]:
    """Local class -> its scientific name, "" where nobody knows it; see `class_rows`."""
    rows = class_rows(classes, catalog.label_names(), taxonomy_of(catalog, {}))
    return {row["label"]: row["scientificName"] for row in rows}


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


FORMATS = (*TABLES, *STUDIES, *RESULTS, *MODELS)
