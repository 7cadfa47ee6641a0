"""What ecotone says of each detection: one class with its probability, of a run and a source.

The one place that exports ask; n detections, K local classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import ecotone
from ecotone.errors import InputError, ProjectError
from ecotone.export.detections import class_columns
from ecotone.ingest.results import Scores
from ecotone.project.accepted import accepted_of
from ecotone.project.modelling import class_rows
from ecotone.project.records import LATEST, read_record
from ecotone.types import Posteriors

SOURCES = ("best", "fused", "local", "refined", "novel")
TYPES = ("human", "vehicle", "blank", "unknown")
LEAST = 1e-3  # scores below it are not written


@dataclass(frozen=True, eq=False)
class Answers:
    """Columns of n detections, in the order they were asked.

    known: (n,) bool, whether the run has the detection. label (local class), scientific_name,
    vernacular_name, type (as observationType), alternatives ("fox:0.2100 | hare:0.0400", also
    "accepted:precision 0.95" where it needs no eye): (n,) str.
    probability: (n,) float, NaN where nothing is known.
    """

    known: np.ndarray
    label: np.ndarray
    scientific_name: np.ndarray
    vernacular_name: np.ndarray
    type: np.ndarray
    probability: np.ndarray
    alternatives: np.ndarray


class Answerer:
    """Answers of one run.

    run, created: its id and time. by: what Camtrap DP calls classifiedBy. classes: one row a local
    class with its names and ranks.
    """

    def __init__(self, project: Any, record: dict[str, Any], source: str) -> None:
        from ecotone.project.gathering import taxonomy_of
        from ecotone.store.vectors import read_posteriors

        self.run, self.created = str(record["run"]), str(record.get("created", ""))
        name = self.run if source in ("best", "novel") else f"{self.run}-{source}"
        self.posteriors: Posteriors = read_posteriors(
            project.catalog, project.path / "vectors", name
        )
        self.source = record.get("preferred", source) if source == "best" else source
        self.by = classified_by(record, self.source)
        self.row_of = {d: row for row, d in enumerate(self.posteriors.id.tolist())}
        self.classes = class_rows(
            self.posteriors.classes, project.catalog.label_names(),
            taxonomy_of(project.catalog, {}),
        )
        self.accepted = accepted_of(project, self.run, self.posteriors.classes) \
            if source == "best" else None
        self.labelled = set(project.catalog.current_labels()) if self.accepted else set()
        self.types = np.array([*map(type_of, self.posteriors.classes), ""], dtype=object)

    def __len__(self) -> int:
        return len(self.row_of)

    def of(self, ids: Sequence[str]) -> Answers:
        """What is said of some detections."""
        values = self._values(ids)
        names, safe = self.posteriors.classes, [tag(c) for c in self.posteriors.classes]
        latin = ["" if t == "blank" else row["scientificName"]
                 for row, t in zip(self.classes, self.types, strict=False)]
        columns = class_columns(values, safe, latin)
        known = np.isfinite(values).all(axis=1) & (len(names) > 0)
        column = np.full(len(values), len(names))
        if known.any():
            column[known] = values[known].argmax(axis=1)
        return Answers(
            known, _objects([*names, ""])[column], columns["scientificName"],
            _objects([*(row["vernacularName"] for row in self.classes), ""])[column],
            self.types[column], columns["classificationProbability"],
            self._tagged(columns["alternatives"], values, ids),
        )

    def _tagged(
        self, alternatives: np.ndarray, values: np.ndarray, ids: Sequence[str]
    ) -> np.ndarray:
        """The alternatives, and that a detection which nobody labelled needs no eye."""
        if self.accepted is None:
            return alternatives
        fine = self.accepted.of(values)
        return _objects([
            " | ".join(filter(None, (text, self.accepted.tag)))
            if ok and str(i) not in self.labelled else text
            for text, ok, i in zip(alternatives, fine, ids, strict=True)
        ])

    def scores(self, ids: Sequence[str], most: int = 5) -> list[Scores]:
        """The most probable classes of some detections with their probabilities, best first; ()
        where nothing is known."""
        out: list[Scores] = []
        for row in self._values(ids):
            order = np.argsort(-row, kind="stable")[:most] if np.isfinite(row).all() else ()
            out.append(tuple(
                (self.posteriors.classes[k], float(row[k])) for i, k in enumerate(order)
                if not i or row[k] >= LEAST
            ))
        return out

    def mass(self, ids: Sequence[str], kind: str) -> np.ndarray:
        """The probability (n,) that a detection is of a type ("blank"), NaN where unknown."""
        return self._values(ids)[:, self.types[:-1] == kind].sum(axis=1)

    def _values(self, ids: Sequence[str]) -> np.ndarray:
        """Probabilities (n, K), NaN where the run has no such detection."""
        at = np.array([self.row_of.get(str(i), -1) for i in ids], dtype=np.intp)
        values = np.full((len(at), len(self.posteriors.classes)), np.nan, dtype=np.float32)
        values[at >= 0] = self.posteriors.values[at[at >= 0]]
        return values


def answers_of(project: Any, run: str | None = None, source: str = "best") -> Any:
    """The answers of a run, default the newest: an Answerer, or what has its methods; None when
    there is nothing and no run is asked.

    source "refined": of the refinement that counts. "novel": of the newest discovery, with "none of
    these". "best" is the fusion, else the refinement.
    Raises InputError on another source, ProjectError when there is no such run.
    """
    if source not in SOURCES:
        raise InputError(f"source is {source!r}, expected one of {', '.join(SOURCES)}.")
    if source == "novel":
        from ecotone.project.discovered import novel_record

        return Answerer(project, novel_record(project), source)
    nothing = run is None and not project.catalog.note(LATEST)
    if source == "refined" or (nothing and source == "best"):
        from ecotone.project.refined import refined_of
        from ecotone.project.refined_answers import RefinedAnswers

        refined = refined_of(project, run if source == "refined" else None)
        if refined is not None:
            return RefinedAnswers(project, refined)
        if source == "refined":
            raise ProjectError("no refinement counts here; run: ecotone refine")
    if nothing:
        return None
    return Answerer(project, read_record(project, run or "latest"), source)


def classified_by(record: dict[str, Any], source: str) -> str:
    """Who classified: this program with its version, the run, and the global models."""
    models = [tag(m) for m in record.get("score_models", ())]
    what = ", ".join(models) if models and source != "local" else "local model"
    version = record.get("versions", {}).get("ecotone", ecotone.__version__)
    return f"ecotone {version} ({record['run']}; {what})"


def type_of(label: str) -> str:
    """The observationType of a class."""
    from ecotone.taxonomy.names import parse_label

    special = parse_label(label).special
    return special if special in TYPES else "animal"


def tag(text: str) -> str:
    """A name that may stand in `key:value | key:value`."""
    return " ".join(text.replace("|", "/").replace(":", " ").split())


def _objects(values: Sequence[str]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array
