"""What the report shows of `suggest` and `accept`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecotone.errors import ProjectError
from ecotone.labelling import Gain
from ecotone.project.accepted import NOTE
from ecotone.project.accepting import AcceptResult, accept
from ecotone.project.questions import questions_of
from ecotone.project.shots import Shots
from ecotone.report.acceptance import AcceptanceData, SpeciesLine
from ecotone.report.questions import QuestionPicture, QuestionsData
from ecotone.types import Detections

Progress = Callable[[int, "int | None", str], None]
SHOWN = 12  # pictures of questions


def collect_questions(
    project: Any, media: Any, detections: Detections, progress: Progress | None = None
) -> QuestionsData | None:
    """The newest queue; None when nobody asked, or all is answered."""
    questions = questions_of(project)
    waiting = [q for q in questions if not q.answer]
    if not waiting:
        return None
    run = str(project.catalog.newest_suggestions().run[0])
    first = waiting[:SHOWN]
    shots = Shots(project, media, detections, [q.detection_id for q in first])
    pictures = []
    for done, q in enumerate(first, start=1):
        pictures.append(QuestionPicture(
            prediction=q.expected_class, probability=0.0, rank=q.rank, reason=q.reason,
            **shots.of(q.detection_id),
        ))
        if progress is not None:
            progress(done, len(first), "pictures of questions")
    return QuestionsData(
        run, len(questions), len(questions) - len(waiting), _gain(project, run),
        questions[0].species, tuple(pictures),
    )


def _gain(project: Any, run: str) -> str:
    """The expected gain that a run recorded, in words."""
    summary = next((r.summary for r in reversed(project.catalog.runs()) if r.id == run), {})
    told = summary.get("gain")
    return f"{Gain(**told)}, a 90 % interval" if told else ""


def collect_acceptance(project: Any, record: dict[str, Any]) -> AcceptanceData | None:
    """What needs no eye by the newest fusion: at the kept precision, else at 95 %; None where no
    label was held out."""
    if not record.get("out_of_fold", {}).get("ids"):
        return None
    kept = project.catalog.note(NOTE) or {}
    same = kept.get("fuse_run") == record["run"]
    names = ("precision", "confidence", "pool_rare") if same else ()
    try:
        found = accept(project, **{name: kept[name] for name in names})
    except ProjectError:  # the labels of then are gone or are of no class now
        return None
    return _data(found, same)


def _data(found: AcceptResult, kept: bool) -> AcceptanceData:
    covered = {row["name"]: row["coverage"] for row in found.sets.get("classes", ())}
    species = tuple(
        SpeciesLine(row.name, row.called, row.accepted, row.labels, row.threshold, row.bound,
                    row.missing, covered.get(row.name), row.note)
        for row in found.species
    )
    return AcceptanceData(
        found.precision, found.confidence, kept, found.labels, found.detections, found.accepted,
        species, found.sets, found.risk["curve"], tuple(found.prevalence),
        tuple(found.label_errors), tuple(found.notes),
    )
