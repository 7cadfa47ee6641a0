"""`ecotone accept`: which detections need no eye, and what else held-out labels tell.

n labelled detections with out-of-fold predictions of the newest fusion, N without a label, K local
classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecotone.confidence import (
    AcceptRule,
    ConformalSets,
    cross_fit_sets,
    estimate_prevalence,
    find_label_errors,
    risk_coverage,
    top_class,
)
from ecotone.confidence.checks import check_share
from ecotone.errors import InputError
from ecotone.project.accepted import store_rule
from ecotone.project.held_labels import HeldLabels, held_labels
from ecotone.project.records import recorded_run
from ecotone.types import Posteriors

Progress = Callable[[int, "int | None", str], None]
CHUNK = 65536
COVERAGES = (0.5, 0.8, 0.9, 1.0)
MOST_CELLS, MOST_ROWS = 2_000_000, 20_000  # of the posteriors that shares are estimated from


@dataclass(frozen=True)
class SpeciesRow:
    """One class. called: detections without a label that are called so; accepted: of these, those
    that need no eye. labels: held-out labels (bursts or places) called so. threshold, bound, note,
    missing: as `confidence.AcceptRow`."""

    name: str
    called: int
    accepted: int
    threshold: float | None
    bound: float | None
    labels: int
    missing: int | None
    note: str


@dataclass(frozen=True)
class AcceptResult:
    """What `accept` found.

    run: of the acceptance, "" when it is not stored. fuse_run: whose predictions these are. sets:
    of prediction sets: alpha, coverage and mean_size by cross-fitting, classes (name, labels,
    coverage, basis), mean_size_unlabelled. risk: aurc, excess, and points (coverage, accuracy,
    threshold). prevalence: rows of share, low, high and predicted, of detections without a label.
    label_errors: suspects, the worst first.
    """

    run: str
    fuse_run: str
    precision: float
    confidence: float
    groups: str
    labels: int
    detections: int
    accepted: int
    species: list[SpeciesRow]
    sets: dict[str, Any]
    risk: dict[str, Any]
    prevalence: list[dict[str, Any]]
    label_errors: list[dict[str, Any]]
    noise: float
    notes: list[str] = field(default_factory=list)


def accept(
    project: Any, precision: float = 0.95, confidence: float = 0.9, pool_rare: bool = False,
    by: str = "event", alpha: float = 0.1, write: bool = False, seed: int | None = None,
    progress: Progress | None = None,
) -> AcceptResult:
    """Which detections need no eye, by out-of-fold predictions of the newest fusion.

    precision: the share of accepted detections that has to be right, for each class; confidence: of
    its bound, for each class. pool_rare: classes with too few labels share a threshold. by: what
    counts as one piece of evidence, "event" (burst) or "deployment". alpha: share of prediction
    sets that may miss the truth. write: keep the thresholds for exports and the report.
    Raises InputError for numbers out of range, ProjectError when nothing was fused or no label was
    held out.
    """
    check_share(precision, "--precision", 0.95)
    check_share(confidence, "--confidence", 0.9)
    check_share(alpha, "--alpha", 0.1)
    say = progress or (lambda done, total, text: None)
    held = held_labels(project, by)
    free = held.unlabelled(project)
    seed = project.config.random_state if seed is None else seed
    say(0, None, f"looking at {len(held):,} held-out labels")
    rule = AcceptRule(precision, 1.0 - confidence, pool_rare=pool_rare).fit(
        held.proba, held.target, held.classes, held.groups
    )
    species = species_rows(rule, free, say)
    sets = sets_of(held, free, alpha, seed)
    shares, notes = shares_of(project, held, free, seed, say)
    errors = find_label_errors(held.proba, held.target)
    run = _store(project, held, rule, precision, confidence, pool_rare, seed) if write else ""
    return AcceptResult(
        run, held.run, precision, confidence, by, len(held), len(free.id),
        sum(row.accepted for row in species), species, sets, risk_of(held), shares,
        suspects_of(held, errors), errors.noise, [*held.notes, *notes],
    )


def blocks(free: Posteriors) -> Iterator[np.ndarray]:
    """The probabilities of detections without a label, some rows at a time."""
    for start in range(0, len(free.id), CHUNK):
        yield normal(free.values[start : start + CHUNK])


def normal(values: np.ndarray) -> np.ndarray:
    """Rows that sum to 1, as float64: they were stored with few digits."""
    rows = np.asarray(values, dtype=np.float64)
    return rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-12)


def species_rows(rule: AcceptRule, free: Posteriors, say: Progress) -> list[SpeciesRow]:
    """One row a class, those with most detections first."""
    accepted = np.zeros(len(rule.table_), dtype=np.int64)
    left, done = np.zeros_like(accepted), 0
    for values in blocks(free):
        counts = rule.counts(values)
        accepted += counts["accepted"]
        left += counts["left"]
        done += len(values)
        say(done, len(free.id), "counting what needs no eye")
    rows = [
        SpeciesRow(row.name, int(a + b), int(a), row.threshold, row.bound, row.n, row.missing,
                   row.note)
        for row, a, b in zip(rule.table_, accepted, left, strict=True)
    ]
    return sorted(rows, key=lambda row: (-row.called, row.name))


def sets_of(held: HeldLabels, free: Posteriors, alpha: float, seed: int) -> dict[str, Any]:
    """Prediction sets: coverage by class and mean size on labels that did not set the thresholds,
    and the mean size on detections without a label."""
    sets = ConformalSets(alpha)
    try:
        found = cross_fit_sets(sets, held.proba, held.target, held.groups, random_state=seed)
    except InputError:  # all labels are of one burst or place
        return {}
    sets.fit(held.proba, held.target)
    inside = sum(int(sets.predict_set(values).sum()) for values in blocks(free))
    classes = [
        {"name": name, "labels": int(sets.n_[k]),
         "coverage": None if np.isnan(found.class_coverage[k]) else float(found.class_coverage[k]),
         "basis": str(sets.basis_[k])}
        for k, name in enumerate(held.classes)
    ]
    return {
        "alpha": alpha, "coverage": found.coverage, "macro_coverage": found.macro_coverage,
        "mean_size": found.mean_size, "single": found.single, "classes": classes,
        "mean_size_unlabelled": inside / len(free.id) if len(free.id) else None,
    }


def risk_of(held: HeldLabels) -> dict[str, Any]:
    """The risk-coverage curve: its area, and the accuracy of the surest parts."""
    sure, right = top_class(held.proba, held.target)
    curve = risk_coverage(sure, right)
    return {
        "aurc": curve.aurc, "excess": curve.excess,
        "points": [{"coverage": c, "accuracy": curve.accuracy_at(c)} for c in COVERAGES],
        "curve": {"coverage": curve.coverage.tolist(), "risk": curve.risk.tolist(),
                  "threshold": curve.threshold.tolist()},
    }


def shares_of(
    project: Any, held: HeldLabels, free: Posteriors, seed: int, say: Progress
) -> tuple[list[dict[str, Any]], list[str]]:
    """The share of each class among detections without a label, the commonest first, and notes.

    Places are resampled whole where there are five or more, else bursts. Many rows are drawn from.
    """
    n = len(free.id)
    if not n:
        return [], []
    most = max(min(MOST_ROWS, MOST_CELLS // len(held.classes)), 1)
    rows, notes = np.arange(n), []
    if n > most:
        rows = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
        notes.append(f"shares of species are estimated from {most:,} of {n:,} detections, drawn "
                     "at random")
    say(0, None, "estimating how common each species is")
    weight = held.weight
    source = np.average(held.proba, axis=0, weights=weight) + 1e-6
    found = estimate_prevalence(
        normal(free.values[rows]), source, groups=held.places(project, free.id[rows]),
        random_state=seed,
    )
    if not found.converged:
        notes.append("the shares of species did not settle; take them as rough")
    order = np.argsort(-found.share, kind="stable")
    return [
        {"name": held.classes[k], "share": float(found.share[k]), "low": float(found.low[k]),
         "high": float(found.high[k]), "predicted": float(found.predicted[k])}
        for k in order
    ], notes


def suspects_of(held: HeldLabels, errors: Any) -> list[dict[str, Any]]:
    """Suspect labels with their pictures, the worst first."""
    return [
        {"filePath": held.files[row["row"]], "label": row["given"],
         "suggested": row["suggested"], "score": round(row["score"], 4),
         "probabilityOfLabel": round(row["self_confidence"], 4),
         "detectionID": str(held.ids[row["row"]])}
        for row in errors.rows(held.classes)
    ]


def _store(
    project: Any, held: HeldLabels, rule: AcceptRule, precision: float, confidence: float,
    pool_rare: bool, seed: int,
) -> str:
    settings = {"precision": precision, "confidence": confidence, "pool_rare": pool_rare,
                "fuse_run": held.run}
    with recorded_run(project.catalog, "accept", settings, seed) as (run, summary):
        store_rule(project, run, settings, rule)
        summary.update(settings)
    return run


def write_suspects(path: Path, result: AcceptResult) -> Path:
    """Write suspect labels as csv, the worst first: the column `label` is empty, to be filled in
    where the label was wrong, and the file goes to `ecotone add labels`."""
    from ecotone.export.tables import write_table

    rows = result.label_errors
    write_table(path, {
        "filePath": [r["filePath"] for r in rows],
        "detectionID": [r["detectionID"] for r in rows],
        "labelBefore": [r["label"] for r in rows],
        "suggested": [r["suggested"] for r in rows],
        "doubt": [round(1.0 - r["score"], 4) for r in rows],
        "label": [""] * len(rows),
    }, "csv")
    return path
