"""`ecotone add data`: anything, recognised by its content and given to the `add` that knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.errors import FormatError
from ecotone.project.adding import AddReport, Progress
from ecotone.project.adding_study import StudyReport

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
    from ecotone.ingest.recognise import recognise

    found = []
    for path in paths:
        known = recognise(path)
        if known.kind not in KINDS:
            raise FormatError(
                f"{path}: {known.says}, which is no data of a project; "
                + ELSEWHERE.get(known.kind, "see: ecotone add --help")
            )
        found.append((path, known))
    out = []
    for path, known in sorted(found, key=lambda f: list(KINDS).index(f[1].kind)):
        for what, add in KINDS[known.kind]:
            report = add(project, path, time_zone, progress)
            if report is not None:
                out.append(Added(path, known.kind, known.says, what, report, report.problems))
    return out


def _images(project: Any, path: Path, _: str | None, progress: Progress | None) -> Report:
    return project.add_images(path, progress)


def _study(kind: str) -> Callable[..., Report]:
    def add(project: Any, path: Path, zone: str | None, progress: Progress | None) -> Report:
        return project.add_study(path, kind, zone, progress)

    return add


def _taxonomy(project: Any, path: Path, _: str | None, __: Progress | None) -> Report:
    return project.add_taxonomy(path)


def _boxes(project: Any, path: Path, _: str | None, progress: Progress | None) -> Report | None:
    """A detector's boxes, when the file has any."""
    from ecotone.ingest.results_file import read_results

    return project.add_detections(path, progress) if read_results(path).has_boxes else None


def _scores(project: Any, path: Path, _: str | None, progress: Progress | None) -> Report | None:
    """A classifier's scores, when the file has any."""
    from ecotone.ingest.results_file import read_results

    return project.add_scores(path, None, progress) if read_results(path).has_scores else None


def _table(project: Any, path: Path, _: str | None, progress: Progress | None) -> Report:
    return project.add_scores(path, None, progress)


def _labels(project: Any, path: Path, _: str | None, progress: Progress | None) -> Report:
    return project.add_labels(path, progress=progress)


def _deployments(project: Any, path: Path, _: str | None, progress: Progress | None) -> Report:
    return project.add_deployments(path, progress)


def _instances(project: Any, path: Path, _: str | None, progress: Progress | None) -> Report:
    from ecotone.project.adding_deployments import add_instances

    with project.writing("add data"):
        return add_instances(project, path, progress)


# What is recognised -> (what it adds, how), in the order in which things are added.
KINDS: dict[str, tuple[tuple[str, Callable[..., Report | None]], ...]] = {
    "pictures": (("pictures", _images),),
    "camtrapdp": (("labels", _study("camtrapdp")),),
    "coco": (("labels", _study("coco")),),
    "wildlife insights": (("labels", _study("wildlife insights")),),
    "speciesnet taxonomy": (("taxa", _taxonomy),),
    "megadetector": (("detections", _boxes), ("scores", _scores)),
    "speciesnet predictions": (("detections", _boxes), ("scores", _scores)),
    "scores csv": (("scores", _table),),
    "labels csv": (("labels", _labels),),
    "deployments csv": (("deployments", _deployments),),
    "speciesnet instances": (("deployments", _instances),),
}
ELSEWHERE = {
    "speciesnet geofence": "give it to: ecotone refine --geofence",
}
