"""Individuals in exports: columns of a table of detections, cells of machine observations.

n detections. People's individualID stands in their own rows; a run's stands in machine rows, with
its probability, decision and run among the tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import ecotone
from ecotone.project.animals import species_of
from ecotone.project.individual_runs import PEOPLE, Identified
from ecotone.project.machine_rows import PIECE, unused
from ecotone.project.modelling import class_rows
from ecotone.project.own_rows import OBSERVATIONS, OwnRows, box_cells
from ecotone.study import Row, blank_row

COLUMNS = ("individualID", "individualProbability", "individualDecision")


def with_individuals(
    pieces: Iterator[dict[str, np.ndarray]], found: Mapping[str, Identified]
) -> Iterator[dict[str, np.ndarray]]:
    """Pieces of a table with the columns of `COLUMNS`, by their detectionID."""
    none = Identified("", "", float("nan"), float("nan"), [], "")
    for piece in pieces:
        rows = [found.get(i, none) for i in piece["detectionID"]]
        yield {
            **piece, "individualID": _objects([r.individual for r in rows]),
            "individualProbability": np.array([r.probability for r in rows], dtype=np.float32),
            "individualDecision": _objects([r.decision for r in rows]),
        }


def add_individual(row: Row, found: Mapping[str, Identified], detection: str) -> None:
    """Put what a run said of an animal into its machine observation."""
    said = found.get(detection)
    if said is None or said.decision == PEOPLE:
        return
    row["individualID"] = said.individual
    row["observationTags"] = " | ".join(t for t in (row.get("observationTags", ""), *_tags(said))
                                        if t)


def _tags(said: Identified) -> list[str]:
    sure = f"individualProbability:{said.probability:.4f}" if said.probability == said.probability \
        else ""
    return [sure, f"individualDecision:{said.decision}", f"individualRun:{said.run}"]


class IndividualRows:
    """Machine observations of animals that a run identified and that no other machine row has.

    found: who they are. answers: of the run whose rows are written as well, None without one.
    """

    def __init__(self, own: OwnRows, found: Mapping[str, Identified], answers: Any) -> None:
        self.own, self.found, self.answers = own, found, answers

    def rows(self) -> Iterator[Row]:
        """One row an animal, in the order of the pictures."""
        d = self.own.catalog.detections()
        seen = {m for m, by in zip(self.own.media.id, self.own.media.detector, strict=True) if by}
        names = {r["label"]: r for r in class_rows(
            sorted(set(self.own.labels.label)), self.own.catalog.label_names(), None)}
        for start in range(0, len(d), PIECE):
            part = [n for n in range(start, min(start + PIECE, len(d)))
                    if d.id[n] in self.found and self.found[d.id[n]].decision != PEOPLE]
            if self.answers is not None and part:
                known = self.answers.of(d.id[part]).known
                part = [n for n, k in zip(part, known, strict=True) if not k]
            species = species_of(self.own.project, d.id[part])
            for n, kind in zip(part, species, strict=True):
                row = self._row(d.id[n], d.media_id[n], kind or "", names)
                if d.media_id[n] in seen:
                    row.update(box_cells(d.bbox[n]))
                    row["detectionConfidence"] = f"{d.confidence[n]:.4g}"
                yield row

    def _row(self, detection: str, medium: str, kind: str, names: Mapping[str, Any]) -> Row:
        place, said = self.own.place(medium), self.found[detection]
        about = names.get(kind, {})
        latin = about.get("scientificName", "")
        row = blank_row(
            OBSERVATIONS, observationID=unused(detection, self.own.known.observations),
            deploymentID=place.deployment, mediaID=place.medium, eventID=place.event,
            eventStart=place.start, eventEnd=place.end, observationLevel="media",
            observationType="animal", scientificName=latin,
            vernacularName=about.get("vernacularName", ""), label=kind if kind != latin else "",
            classificationMethod="machine",
            classifiedBy=f"ecotone {ecotone.__version__} ({said.run})",
        )
        add_individual(row, self.found, detection)
        return row


def _objects(values: list[str]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
