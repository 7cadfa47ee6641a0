"""`ecotone status`: what a project holds, and the one command to run next."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecotone.project.records import LATEST, REPORTED

MIN_LABELS = 5  # below, `evaluate` refuses


@dataclass(frozen=True)
class Status:
    """What a project holds.

    counts: rows by kind. scores and embeddings: detections that each model has seen. studies: one
    line a kept study; shifts: one line a corrected clock. questions: the queue of `suggest`;
    discovered: what `discover` proposes; accepted: what was kept of `accept`;
    networks: a line each. next: the command to run next; why: the reason.
    """

    project: Path
    counts: dict[str, int]
    classes: int
    scores: dict[str, int]
    embeddings: dict[str, int]
    taxonomy: int
    failures: list[str]
    unfinished: list[str]
    fused: str
    refined: str
    report: Path | None
    next: str
    why: str
    studies: list[str] = field(default_factory=list)
    shifts: list[str] = field(default_factory=list)
    questions: str = ""
    discovered: str = ""
    accepted: str = ""
    individuals: str = ""
    detectors: dict[str, int] = field(default_factory=dict)
    networks: list[str] = field(default_factory=list)

    def boxes_by(self) -> str:
        """Which detectors have looked at how many pictures, for people."""
        seen = [f"{name} on {n:,} pictures" for name, n in self.detectors.items()]
        return f" (boxes by {', '.join(seen)})" if seen else ""

    def lines(self) -> list[str]:
        """The status for people."""
        c = self.counts
        lines = [
            f"project      {self.project}",
            f"pictures     {c['media']:,} in {c['deployments']:,} deployments",
            f"detections   {c['detections']:,}{self.boxes_by()}",
            f"labels       {c['labels']:,} of {self.classes:,} classes",
            f"taxonomy     {self.taxonomy:,} taxa" if self.taxonomy else "taxonomy     none",
        ]
        lines += [f"study        {study}" for study in self.studies]
        lines += [f"clock        {shift}" for shift in self.shifts[:5]]
        if len(self.shifts) > 5:
            lines.append(f"  ... and {len(self.shifts) - 5:,} more (all with --json)")
        seen = [f"{name} ({n:,})" for name, n in self.scores.items()]
        lines.append(f"scores       {', '.join(seen) or 'none'}")
        seen = [f"{name} ({n:,})" for name, n in self.embeddings.items()]
        lines.append(f"embeddings   {', '.join(seen) or 'none'}")
        lines.append(f"fused        {self.fused or 'not yet'}")
        lines.append(f"refined      {self.refined or 'not yet'}")
        lines += [f"network      {network}" for network in self.networks]
        lines += [f"individuals  {self.individuals}"] if self.individuals else []
        lines += [f"questions    {self.questions}"] if self.questions else []
        lines += [f"discovered   {self.discovered}"] if self.discovered else []
        lines += [f"accepted     {self.accepted}"] if self.accepted else []
        lines.append(f"report       {self.report or 'not yet'}")
        if self.failures:
            lines.append(f"failed       {c['failures']:,} pictures, tried again next time")
            lines += [f"  {failure}" for failure in self.failures[:5]]
            if len(self.failures) > 5:
                lines.append(f"  ... and {len(self.failures) - 5:,} more (all with --json)")
        lines += [f"unfinished   {run}" for run in self.unfinished]
        return [*lines, "", f"next: {self.next}", f"      {self.why}"]


def status(project: Any) -> Status:
    """Look at a project without changing it."""
    from ecotone.project.networks import networks
    from ecotone.store.vectors import embedding_models, score_models

    catalog = project.catalog
    counts = dict(catalog.counts())
    scores, embeddings = dict(score_models(catalog)), dict(embedding_models(catalog))
    latest = catalog.note(LATEST) or {}
    report = project.path / "reports" / "report.html"
    table = catalog.newest_suggestions()
    asked, answered = len(table), int(table.answered.sum())
    evaluated = (project.path / "evaluation" / "records.json").is_file() and _came_after(
        catalog, "evaluate", latest)
    reported = report.is_file() and (
        catalog.note(REPORTED) or latest.get("run", "")) == latest.get("run", "")
    command, why = next_step(
        counts, scores, embeddings, bool(project.config.classes), latest,
        evaluated, reported, asked - answered,
    )
    return Status(
        project.path, counts, len(set(catalog.current_labels().values())), scores, embeddings,
        len(catalog.note("taxonomy") or ()), failures_of(catalog), unfinished_of(catalog),
        latest.get("run", ""), refined_by(catalog), report if report.is_file() else None, command,
        why, studies_of(catalog), shifts_of(catalog),
        f"{asked - answered:,} of {asked:,} open ({table.run[0]})" if asked else "",
        discovered_by(catalog), accepted_by(catalog, latest), individuals_of(catalog),
        detectors_of(catalog), [n.line() for n in networks(project)],
    )


def detectors_of(catalog: Any) -> dict[str, int]:
    """How many pictures each detector has looked at."""
    return catalog.detectors()


def individuals_of(catalog: Any) -> str:
    """How many individuals people named, and the newest match or catalogue; "" without both."""
    from ecotone.project.individual_labels import named_individuals
    from ecotone.store.individuals import read_runs

    people = len(set(named_individuals(catalog).individual.values()))
    run = next((r for r in reversed(read_runs(catalog.connection)) if not r.undone), None)
    said = [f"{people:,} named by people"] if people else []
    if run is not None:
        counts = run.summary.get("counts", {})
        what = {"known": "pictures matched", "new_individuals": "new individuals",
                "cannot_tell": "cannot tell"}
        told = [f"{counts[k]:,} {text}" for k, text in what.items() if k in counts]
        said.append(f"{run.run} ({', '.join(told) or 'catalogue'})")
    return "; ".join(said)


def studies_of(catalog: Any) -> list[str]:
    """The kept studies, the newest version of each: name, rows, and pictures that are here."""
    from ecotone.project.kept_rows import active_studies

    out = []
    for study in active_studies(catalog.studies()):
        counts = study.summary.get("counts", {})
        out.append(
            f"{study.summary.get('name', study.origin)} ({study.kind}): "
            f"{counts.get('media', 0):,} media, {study.summary.get('pictures', 0):,} with a "
            f"picture here, {counts.get('observations', 0):,} observations ({study.folder})"
        )
    return out


def shifts_of(catalog: Any) -> list[str]:
    """The clocks that are corrected now."""
    from ecotone.project.times import shift_text

    out = []
    for place, rows in catalog.time_shifts().items():
        now = rows[-1]
        if now.seconds or now.time_zone:
            said = [shift_text(now.seconds) if now.seconds else "", now.time_zone, now.reason]
            out.append(f"{place}: {', '.join(s for s in said if s)}")
    return out


def failures_of(catalog: Any) -> list[str]:
    """What could not be read or run, one line a picture and step."""
    return [f"{f.path}: {f.reason} ({f.step})" for f in catalog.failures()]


def unfinished_of(catalog: Any) -> list[str]:
    """The newest run of each command that did not come to its end."""
    newest = {run.command: run for run in catalog.runs()}
    return [
        f"ecotone {run.command} ({run.status}, started {run.started}); run it again to continue"
        for run in newest.values() if run.status != "done"
    ]


def refined_by(catalog: Any) -> str:
    """The refinement that counts, with its method and what it changed; "" when there is none."""
    run = next((r for r in reversed(catalog.refinement_runs()) if not r.undone), None)
    if run is None:
        return ""
    changed = run.summary.get("counts", {}).get("changed", 0)
    return f"{run.run} ({run.summary.get('method', '')}, {changed:,} detections changed)"


def discovered_by(catalog: Any) -> str:
    """What the newest discovery proposes, and how much of it is named; "" when there is none."""
    run = catalog.newest_discovery()
    found = next((r.summary for r in reversed(catalog.runs()) if r.id == run), None)
    if not run or found is None:
        return ""
    named = len({n.proposal for n in catalog.proposal_names() if n.run == run})
    return (f"{found['novel']:,} detections look new; {found['proposals']:,} proposals, {named:,} "
            f"named ({run})")


def accepted_by(catalog: Any, latest: dict[str, Any]) -> str:
    """What was kept of `accept`, "" when nothing was; said where a newer fusion outdated it."""
    from ecotone.project.accepted import NOTE

    kept = catalog.note(NOTE)
    if not kept:
        return ""
    text = f"at precision {kept['precision']:g} ({kept['run']})"
    if kept["fuse_run"] != latest.get("run"):
        return f"{text}; of an older fusion, so it no longer counts: ecotone accept --write"
    return text


def _came_after(catalog: Any, command: str, latest: dict[str, Any]) -> bool:
    """Whether a command was done after the newest fusion, in the order of runs, not of clocks."""
    for run in reversed(catalog.runs()):
        if run.id == latest.get("run"):
            return False
        if run.command == command and run.status == "done":
            return True
    return False


def next_step(
    counts: dict[str, int], scores: dict[str, int], embeddings: dict[str, int],
    classes_given: bool, latest: dict[str, Any], evaluated: bool, reported: bool,
    open_questions: int = 0,
) -> tuple[str, str]:
    """The one command to run next, and why."""
    total = counts["detections"]
    if not counts["media"]:
        return "ecotone add images PHOTOS", "there are no pictures yet"
    if not counts["labels"] and not classes_given:
        return (
            "ecotone add labels labels.csv", "a few labels say what the local classes are; which "
            "pictures to label tells: ecotone suggest -n 50 -o suggestions.csv",
        )
    if not scores and not embeddings:
        return (
            "ecotone classify --model model.onnx --classes labels.txt",
            "a global model gives scores and embeddings (its scores from elsewhere: "
            "ecotone add scores FILE); boxes of a detector first do better: "
            "ecotone detect --model detector.onnx",
        )
    if not embeddings:
        return "ecotone embed", "add --model encoder.onnx for a trained network: it does better"
    done = max(embeddings.values())
    now = state(counts, scores, embeddings)
    if latest.get("state") != now:
        changed = "something was added since the last fusion" if latest else "all is there"
        part = f"; {total - done:,} detections have no embedding yet" if done < total else ""
        return "ecotone fuse", changed + part
    if not evaluated and not reported and counts["labels"] >= MIN_LABELS:
        return "ecotone evaluate", "see what the fusion gains over the labels alone"
    if not reported:
        return "ecotone report", "the newest fusion has no report yet"
    more = (f"{open_questions:,} questions wait for labels" if open_questions else
            "more labels make it better: ecotone suggest")
    return ("ecotone export csv -o out.csv",
            f"all is done; {more}; what needs no eye tells ecotone accept, what no label names "
            "ecotone discover")


def state_of(project: Any) -> dict[str, Any]:
    """What a fusion of the project as it is now depends on."""
    from ecotone.store.vectors import embedding_models, score_models

    catalog = project.catalog
    return state(catalog.counts(), score_models(catalog), embedding_models(catalog))


def state(
    counts: dict[str, int], scores: dict[str, int], embeddings: dict[str, int]
) -> dict[str, Any]:
    """What a fusion depends on, small enough to be kept and compared."""
    rows = {name: counts[name] for name in ("media", "detections", "labels")}
    if counts.get("decisions"):  # one that is taken back and another that is made are a change too
        rows["decisions"] = counts["decisions"]
    return {**rows, "scores": dict(scores), "embeddings": dict(embeddings)}
