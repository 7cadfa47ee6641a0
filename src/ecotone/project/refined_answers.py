"""What a refinement says of each detection, in the form that exports ask for (see `answers`).

n detections. Rows that people labelled have no answer here: they are not a machine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import ecotone
from ecotone.ingest.results import Scores
from ecotone.project.answers import Answers, tag, type_of
from ecotone.project.gathering import taxonomy_of
from ecotone.project.modelling import class_rows
from ecotone.project.refined import PEOPLE, Refined, read_refine_record
from ecotone.report.names import short_name

SOURCE = "refined"


class RefinedAnswers:
    """Answers of one refinement; the attributes and methods of `answers.Answerer`."""

    source = SOURCE

    def __init__(self, project: Any, refined: Refined) -> None:
        record = read_refine_record(project, refined.run)
        self.refined, self.run = refined, refined.run
        self.created = str(record.get("created", ""))
        models = [tag(m) for m in record.get("settings", {}).get("score_models", ())]
        what = ", ".join([str(record.get("method", "")), *models])
        version = record.get("versions", {}).get("ecotone", ecotone.__version__)
        self.by = f"ecotone {version} ({refined.run}; {what})"
        self.row_of = {d: row for row, d in enumerate(refined)}
        shown = sorted({refined.shown(label) for label in set(refined.table.became)})
        names = {label: (latin, "") for label, latin in shown}
        self.classes = class_rows(names, {**project.catalog.label_names(), **names},
                                  taxonomy_of(project.catalog, {}))
        self._common = {row["label"]: row["vernacularName"] for row in self.classes}

    def __len__(self) -> int:
        return len(self.row_of)

    def of(self, ids: Sequence[str]) -> Answers:
        """What is said of some detections; alternatives tell the stage and the label before."""
        found = [self.refined.get(str(i)) for i in ids]
        known = [f is not None and f.stage != PEOPLE for f in found]
        rows = [f if k else None for f, k in zip(found, known, strict=True)]
        kinds = ["" if f is None else type_of(f.label) for f in rows]
        return Answers(
            np.array(known, dtype=bool), _objects(["" if f is None else f.label for f in rows]),
            _objects(["" if f is None or kind == "blank" else f.scientific_name
                      for f, kind in zip(rows, kinds, strict=True)]),
            _objects(["" if f is None else self._common.get(f.label, "") for f in rows]),
            _objects(kinds),
            np.array([np.nan if f is None else f.probability for f in rows], dtype=np.float64),
            _objects(["" if f is None else _tags(f.stage, f.was) for f in rows]),
        )

    def scores(self, ids: Sequence[str], most: int = 5) -> list[Scores]:
        """The answer with its probability; () where there is none, or no probability."""
        found = self.of(ids)
        return [
            ((label, float(p)),) if known and p == p else ()
            for label, p, known in zip(found.label, found.probability, found.known, strict=True)
        ]

    def mass(self, ids: Sequence[str], kind: str) -> np.ndarray:
        """1 where the answer is of a type ("blank"), 0 where not, NaN where there is none."""
        found = self.of(ids)
        return np.where(found.known, (found.type == kind).astype(float), np.nan)


def _tags(stage: str, was: str) -> str:
    return f"stage:{tag(stage)}" + (f" | labelBefore:{tag(short_name(was))}" if was else "")


def _objects(values: list[str]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
