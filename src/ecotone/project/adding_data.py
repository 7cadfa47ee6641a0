"""`ecotone add data`: anything, recognised by its content and given to the `add` that knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone.errors import FormatError
from ecotone.ingest.dialects import advice
from ecotone.project.adding import AddReport, Progress
from ecotone.project.adding_study import StudyReport

if TYPE_CHECKING:
    from ecotone.ingest.recognise import Found

Report = AddReport | StudyReport


@dataclass(frozen=True)
class Added:
    """One path: what it was, and what adding it did."""

    path: Path
    kind: str
    says: str
    what: str
    report: Report
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What was done, for people."""
        head = f"{self.path}: {self.says}"
        if isinstance(self.report, StudyReport):
            return [head, *(f"  {line}" for line in self.report.lines())]
        r = self.report
        return [head, f"  {r.added:,} {self.what} added, {r.updated:,} updated, "
                      f"{r.skipped:,} already there"]


def add_data(
    project: Any, paths: Sequence[Path], time_zone: str | None = None,
    progress: Progress | None = None,
) -> list[Added]:
    """Add anything: pictures first, then studies, taxonomies, boxes, scores, labels, deployments.

    time_zone: of times in studies that have none.
    Raises FormatError, before anything is added, when a path is nothing that can be added.
    """
    order = list(COMMANDS)
    known = sorted(map(_known, paths), key=lambda k: order.index(k.command))
    once = {(k.command, k.path): k for k in known}  # several tables of one study mean its folder
    out = []
    for found in once.values():
        for what, add in COMMANDS[found.command]:
            report = add(project, found, time_zone, progress)
            if report is not None:
                problems = list(report.problems)
                out.append(Added(found.path, found.kind, found.says, what, report, problems))
    return out


def _known(path: Path) -> Found:
    """What a path is; a csv of places is told by its columns."""
    from ecotone.ingest.deployments_table import is_deployments
    from ecotone.ingest.recognise import Found, recognise

    places = Found("deployments csv", "", "deployments", "places and times of deployments", path)
    try:
        found = recognise(path)
    except FormatError:
        if path.is_file() and is_deployments(path):
            return places
        raise
    if not found.command and found.generation == "deployments":
        return places
    if found.command not in COMMANDS:
        more = f"; {advice(found.command)}" if found.command else ""
        raise FormatError(f"{path}: {found.says}, nothing that a project takes{more}.")
    return found


def _images(project: Any, found: Found, _: str | None, say: Progress | None) -> Report:
    return project.add_images(found.path, say)


def _study(project: Any, found: Found, zone: str | None, say: Progress | None) -> Report:
    return project.add_study(found.path, found.kind, zone, say)


def _taxonomy(project: Any, found: Found, _: str | None, __: Progress | None) -> Report:
    return project.add_taxonomy(found.path)


def _detections(project: Any, found: Found, _: str | None, say: Progress | None) -> Report:
    return project.add_detections(found.path, say)


def _boxes(project: Any, found: Found, _: str | None, say: Progress | None) -> Report | None:
    """The boxes of a file with scores: of json alone, and only where it has any."""
    from ecotone.ingest.results_file import read_results

    if found.kind not in ("megadetector", "speciesnet predictions"):
        return None
    return project.add_detections(found.path, say) if read_results(found.path).has_boxes else None


def _scores(project: Any, found: Found, _: str | None, say: Progress | None) -> Report:
    return project.add_scores(found.path, None, say)


def _labels(project: Any, found: Found, _: str | None, say: Progress | None) -> Report:
    return project.add_labels(found.path, progress=say)


def _deployments(project: Any, found: Found, _: str | None, say: Progress | None) -> Report:
    return project.add_deployments(found.path, say)


def _instances(project: Any, found: Found, _: str | None, say: Progress | None) -> Report:
    return project.add_instances(found.path, say)


# The command that takes it -> (what it adds, how), in the order in which things are added.
COMMANDS: dict[str, tuple[tuple[str, Callable[..., Report | None]], ...]] = {
    "images": (("pictures", _images),),
    "study": (("labels", _study),),
    "taxonomy": (("taxa", _taxonomy),),
    "detections": (("detections", _detections),),
    "scores": (("detections", _boxes), ("scores", _scores)),
    "labels": (("labels", _labels),),
    "deployments": (("deployments", _deployments),),
    "instances": (("deployments", _instances),),
}
