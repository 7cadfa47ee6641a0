"""`ecotone export`: every detection as one row of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.errors import InputError
from ecotone.project.gathering import score_names
from ecotone.project.modelling import class_rows
from ecotone.project.records import read_record

Progress = Callable[[int, int | None, str], None]
SOURCES = ("best", "fused", "local")


@dataclass(frozen=True)
class ExportResult:
    """What was written: the file, its rows, and the run whose probabilities they are."""

    path: Path
    rows: int
    run: str
    source: str


def export(
    project: Any, path: Path, format: str | None = None, source: str = "best",
    progress: Progress | None = None,
) -> ExportResult:
    """Write every detection: local class, probability, alternatives, global label, label, run.

    format: "csv" or "parquet", default by the file's ending. source: probabilities of the "fused"
    predictor, of the "local" model alone, or of the "best" of the two.
    Raises ProjectError when nothing was fused, InputError on another source or format.
    """
    from ecotone.export.tables import format_of, posterior_pieces, write_table
    from ecotone.store.vectors import read_posteriors, read_scores

    if source not in SOURCES:
        raise InputError(f"source is {source!r}, expected one of {', '.join(SOURCES)}.")
    form = format_of(path, format)
    record = read_record(project)
    run, catalog = record["run"], project.catalog
    name = run if source == "best" else f"{run}-{source}"
    detections = catalog.detections()
    pieces = posterior_pieces(
        detections, catalog.media(), read_posteriors(catalog, project.path / "vectors", name),
        labels=catalog.current_labels(),
        scores={
            model: read_scores(catalog, project.path / "vectors", model, detections.id)
            for model in score_names(catalog)
        },
        run_id=run,
        scientific_names=scientific_names(record["classes"], catalog.label_names()),
    )
    rows = write_table(path, _told(pieces, len(detections), progress), form)
    return ExportResult(path, rows, run, record["preferred"] if source == "best" else source)


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
