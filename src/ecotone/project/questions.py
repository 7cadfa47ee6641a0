"""The queue of questions: what `suggest` asked last, as rows for people and as a csv to fill in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.export.detections import BOX
from ecotone.labelling import Gain
from ecotone.store.suggestions import SuggestionTable

SHOWN = 20  # questions listed on a terminal


@dataclass(frozen=True)
class Question:
    """One question. rank: 1 is asked first. bbox: x, y, width, height in 0..1, None when it is the
    whole picture. answer: the label since, "" = open. species: that a hunt is for."""

    rank: int
    file_path: str
    deployment_id: str
    event_id: str
    timestamp: str
    reason: str
    expected_class: str
    score: float
    media_id: str
    detection_id: str
    bbox: tuple[float, ...] | None = None
    species: str = ""
    answer: str = ""


@dataclass(frozen=True)
class SuggestResult:
    """What `suggest` asks.

    mode: "cold" (nothing is known yet), "warm" or "hunt". gain: what answering all of them brings,
    None where it cannot be told; gain_from: where that is from, or why not. reach: share of the
    expected errors that lie near a label, before and after, None for a hunt. path: the csv file.
    """

    run: str
    mode: str
    detections: int
    labelled: int
    questions: list[Question]
    gain: Gain | None
    gain_from: str
    reach: tuple[float, float] | None
    path: Path | None
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The questions for people."""
        what = {"cold": "typical pictures, since nothing is known yet",
                "warm": "where a label brings most",
                "hunt": "most like the wanted species"}[self.mode]
        lines = [f"{len(self.questions):,} questions among {self.detections:,} detections "
                 f"({self.labelled:,} labelled): {what}"]
        lines += [
            f"{q.rank:4d}  {q.file_path}  {q.reason}"
            + (f": {q.expected_class}?" if q.expected_class and not q.species else "")
            for q in self.questions[:SHOWN]
        ]
        if len(self.questions) > SHOWN:
            lines.append(f"      ... and {len(self.questions) - SHOWN:,} more (-o suggestions.csv "
                         "or --json has all)")
        if self.mode == "warm" and self.reach is not None:
            lines.append(f"near a label lie {self.reach[0]:.0%} of the expected errors, with these "
                         f"{self.reach[1]:.0%}")
        if self.gain is not None:
            lines.append(f"expected gain of {self.gain} (90 % interval), {self.gain_from}")
        elif self.gain_from:
            lines.append(f"expected gain: not known; {self.gain_from}")
        if self.path is not None:
            lines.append(f"written to {self.path}; fill in the column label, then: "
                         f"ecotone add labels {self.path}")
        return lines


def questions_of(project: Any, run: str = "") -> list[Question]:
    """The questions of a run, default the newest, in the order of asking."""
    catalog = project.catalog
    table = catalog.suggestions(run) if run else catalog.newest_suggestions()
    if not len(table):
        return []
    media, boxes = _media_rows(project, table), _boxes(project, table)
    out = []
    for i in np.argsort(table.rank, kind="stable"):
        file, deployment, event, time = media[table.media_id[i]]
        out.append(Question(
            int(table.rank[i]), file, deployment, event, time, str(table.reason[i]),
            str(table.expected_class[i]), float(table.score[i]), str(table.media_id[i]),
            str(table.detection_id[i]), boxes.get(table.detection_id[i]), str(table.species[i]),
            str(table.answer[i]),
        ))
    return out


def _media_rows(project: Any, table: SuggestionTable) -> dict[str, tuple[str, str, str, str]]:
    media, wanted = project.catalog.media(), set(table.media_id.tolist())
    return {
        medium: (str(media.file_path[row]), str(media.deployment_id[row]),
                 str(media.event_id[row]), str(media.timestamp[row]))
        for row, medium in enumerate(media.id) if medium in wanted
    }


def _boxes(project: Any, table: SuggestionTable) -> dict[str, tuple[float, ...]]:
    """Boxes of the detections asked about that are not the whole picture."""
    detections, wanted = project.catalog.detections(), set(table.detection_id.tolist())
    found = {}
    for row, name in enumerate(detections.id):
        box = detections.bbox[row]
        if name in wanted and not np.array_equal(box, (0, 0, 1, 1)):
            found[name] = tuple(round(float(v), 5) for v in box)
    return found


def write_questions(path: Path, questions: Sequence[Question]) -> Path:
    """Write questions as csv: the column `label` is to be filled in, then the file goes to
    `ecotone add labels`.

    A question about a whole picture names no detection, so that its label stays with the picture
    when boxes come later.
    """
    from ecotone.export.tables import write_table

    boxes = [q.bbox or ("",) * 4 for q in questions]
    columns: dict[str, list[Any]] = {
        "filePath": [q.file_path for q in questions],
        "deploymentID": [q.deployment_id for q in questions],
        "eventID": [q.event_id for q in questions],
        "timestamp": [q.timestamp for q in questions],
        "reason": [q.reason for q in questions],
        "expectedClass": [q.expected_class for q in questions],
        "label": [q.answer for q in questions],
        "mediaID": [q.media_id for q in questions],
        "detectionID": [q.detection_id if q.bbox else "" for q in questions],
        **{name: [str(box[i]) for box in boxes] for i, name in enumerate(BOX)},
    }
    write_table(path, columns, "csv")
    return path
