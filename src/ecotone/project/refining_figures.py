"""How good a refinement is, on people's labels that it has not seen.

n usable detections. Labels are hidden place by place (or burst by burst) in turns, everything is
learned again from what is left, and the answers for the hidden ones are compared with what people
said. Counted are detections whose label before is above species: the others are not refined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ecotone.errors import ProjectError
from ecotone.evaluation.splits import duplicate_keys, link_rows, stratified_folds
from ecotone.hierarchy.before import Before
from ecotone.hierarchy.five_stage_settings import FiveStageSettings, ablations
from ecotone.hierarchy.metrics import hierarchical_scores
from ecotone.hierarchy.results import Refinement
from ecotone.hierarchy.tree import ClassTree
from ecotone.project.refining_input import RefineInput
from ecotone.project.refining_methods import learn, sample
from ecotone.project.refining_settings import RefineSettings
from ecotone.project.trusting import fewer, trust
from ecotone.report.svg import wilson

Progress = Callable[[int, "int | None", str], None]
FOLDS, FOLDS_FIVE = 5, 10  # of climb; of the five stages, which need enough crops of each class
MANY = 300  # hidden labels from which half as many folds do
CURVE = "curve="
LEAST = 12  # hidden labels whose label before is above species; below, figures would say nothing
MOST_FREE = 2000  # detections without a trusted label that take part in a fold
MOST_HIDDEN = 3000  # labels by people that are hidden in all
ALPHAS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
SCALES = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)  # of the five stages' largest distances


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Hidden detections. rows: (m,) numbers of usable detections; truth: (m,) what people said;
    fold: (m,). units: (n,) what must stay together. tree: of all trusted classes."""

    rows: np.ndarray
    truth: np.ndarray
    fold: np.ndarray
    units: np.ndarray
    tree: ClassTree


def measure(
    data: RefineInput, settings: RefineSettings, say: Progress
) -> tuple[dict[str, Any], list[str]]:
    """Figures for the run record, and notes.

    Figures: "labels" counted, "scores" of the method with the interval of its accuracy, "curve" of
    coverage against accuracy over alpha or distance, and the "ablation" of the five stages, with
    the method itself in the last row. All empty, with a note that says why, where there are too few
    labels.
    """
    names = fewer(data.trusted, data.embeddings, settings.seed)
    data = data.narrow(sample(data, names, MOST_FREE, settings.seed))
    climbs = settings.method == "climb"
    held, why = hold_out(data, settings.seed, FOLDS if climbs else FOLDS_FIVE)
    if held is None:
        return {}, [f"no figures of how good this is: {why}"]
    try:
        found = _scored(data, settings, held, _curve if climbs else _five_curve, say)
        ablation = {k: v for k, v in found.items() if k and not k.startswith(CURVE)}
        if climbs:
            five = replace(settings, method="five-stage")
            again, _ = hold_out(data, settings.seed, FOLDS_FIVE)
            ablation = _scored(data, five, again or held, _stages, say)
    except ProjectError as error:
        return {}, [f"no figures of how good this is: {error}"]
    rows = [{**row, "name": name} for name, row in ablation.items()]
    return {
        "labels": len(held.rows), "folds": len(np.unique(held.fold)), "method": settings.method,
        "scores": found[""],
        "curve": [{**row, "at": float(name.removeprefix(CURVE))} for name, row in found.items()
                  if name.startswith(CURVE)],
        "ablation": [*rows, {**found[""], "name": "climb"}] if climbs else rows,
    }, []


Variants = Callable[[RefineInput, np.ndarray, RefineSettings], Iterable[tuple[str, Refinement]]]


def _scored(
    data: RefineInput, settings: RefineSettings, held: HeldOut, variants: Variants, say: Progress
) -> dict[str, dict[str, Any]]:
    """Scores of each variant, by name, over all folds."""
    folds = np.unique(held.fold)
    answers: dict[str, list[Refinement]] = {}
    for done, fold in enumerate(folds):
        say(done, len(folds), f"checking {settings.method} on hidden labels")
        rows = held.rows[held.fold == fold]
        hidden = np.flatnonzero(np.isin(held.units, held.units[rows]))
        for name, answer in variants(hide(data, hidden, settings), rows, settings):
            answers.setdefault(name, []).append(answer)
    truth = np.concatenate([held.truth[held.fold == f] for f in folds])
    return {name: scores_of(join(parts), truth, held.tree) for name, parts in answers.items()}


def hold_out(data: RefineInput, seed: int, folds: int) -> tuple[HeldOut | None, str]:
    """The labels to hide, in folds (fewer where labels are many); None and the reason where there
    are too few."""
    labels = data.said
    rows = np.flatnonzero(data.trusted.by_people & ~settled(data.before_usable))
    if len(rows) > MOST_HIDDEN:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_HIDDEN])
    if len(rows) < LEAST:
        return None, (f"{len(rows)} labels by people on detections whose label before is above "
                      f"species, {LEAST} are needed")
    kinds = sorted(set(labels[rows]))
    if len(kinds) < 2:
        return None, f"all labels on such detections say {kinds[0]!r}, two kinds are needed"
    same = duplicate_keys(data.embeddings)
    units = link_rows(len(data), data.groups, data.bursts, same)
    if len(np.unique(units[rows])) < 3:
        units = link_rows(len(data), data.bursts, same)
    if len(np.unique(units[rows])) < 2:
        return None, "all labels are of one burst"
    folds = folds if len(rows) < MANY else max(folds // 2, 3)
    fold = stratified_folds(labels[rows], units[rows], folds, seed)
    others = sorted({name for name in data.trusted.names if name is not None} - {*kinds})
    tree = ClassTree.build([*kinds, *others], data.taxonomy, aliases=data.aliases)
    return HeldOut(rows, labels[rows], fold, units, tree), ""


def settled(before: Before) -> np.ndarray:
    """(N,) bool: labels before that are not refined: a species, a person, a vehicle."""
    people = np.array([w in ("human", "vehicle") for w in before.special], dtype=bool)
    return (before.species | people)[before.code]


def hide(data: RefineInput, rows: np.ndarray, settings: RefineSettings) -> RefineInput:
    """The same project without people's labels of some usable detections."""
    labels = data.labels.copy()
    labels[data.rows[rows]] = None
    trusted = trust(labels[data.usable], data.before_usable, data.was_score[data.usable],
                    data.taxonomy, settings.five, data.aliases)
    return replace(data, labels=labels, trusted=trusted)


def _curve(
    data: RefineInput, rows: np.ndarray, settings: RefineSettings
) -> Iterable[tuple[str, Refinement]]:
    """Answers of climbing for `rows`, as it is set and for other values of alpha."""
    look = np.flatnonzero(np.isin(data.bursts, data.bursts[rows]))
    place = np.searchsorted(look, rows)
    method = learn(data, settings, MOST_FREE)
    yield "", part(method.answer(data, look), place)
    for alpha in ALPHAS:
        method.at(alpha)
        yield f"{CURVE}{alpha}", part(method.answer(data, look), place)


def _five_curve(
    data: RefineInput, rows: np.ndarray, settings: RefineSettings
) -> Iterable[tuple[str, Refinement]]:
    """Answers of the five stages, for other largest distances, and without each stage."""
    scaled = {f"{CURVE}{scale}": _scaled(settings.five, scale) for scale in SCALES}
    yield from _stages(data, rows, settings, {"": settings.five, **scaled})


def _stages(
    data: RefineInput, rows: np.ndarray, settings: RefineSettings,
    more: Mapping[str, FiveStageSettings] = MappingProxyType({}),
) -> Iterable[tuple[str, Refinement]]:
    known: dict[FiveStageSettings, Refinement] = {}
    for name, five in {**more, **ablations(settings.five)}.items():
        if five not in known:
            method = learn(data, replace(settings, five=five))
            known[five] = method.answer(data, rows)
        yield name, known[five]


def _scaled(settings: FiveStageSettings, scale: float) -> FiveStageSettings:
    """The same settings with all largest distances, and how far from a class, times `scale`."""
    names = [f"{rank}_distance" for rank in ("species", "genus", "family", "order", "class")]
    changed = {name: min(getattr(settings, name) * scale, 2.0) for name in names}
    return replace(settings, deviations=settings.deviations * scale, **changed)


def part(answer: Refinement, rows: np.ndarray) -> Refinement:
    """Some rows of answers."""
    return replace(answer, **{
        name: getattr(answer, name)[rows] for name in answer.__dataclass_fields__
        if name != "notes"
    })


def join(parts: list[Refinement]) -> Refinement:
    """Answers one after the other."""
    return replace(parts[0], **{
        name: np.concatenate([getattr(p, name) for p in parts])
        for name in parts[0].__dataclass_fields__ if name != "notes"
    })


def scores_of(answer: Refinement, truth: np.ndarray, tree: ClassTree) -> dict[str, Any]:
    """`HierarchicalScores` as plain values (None where there is nothing to count), with the 95 %
    interval of the hierarchical accuracy and the number of changed detections.

    An answer below what people said ("red deer" where they said "deer") is neither right nor wrong:
    such rows are counted as "finer" and nowhere else.
    """
    true = np.array([tree.node_of(str(t)) for t in truth])
    node = np.array([tree.node_of(str(n)) for n in answer.node])
    finer = answer.changed & tree.holds(true, node) & (true != node)
    answer, truth = part(answer, ~finer), truth[~finer]
    found = asdict(hierarchical_scores(answer, truth, tree))
    changed = int(answer.changed.sum())
    right = 0 if not changed else round(found["hierarchical_accuracy"] * changed)
    low, high = (round(v, 9) for v in wilson(right, changed))  # 1 is 1 when all are right
    values = {k: None if v != v else v for k, v in found.items()}
    return {**values, "changed": changed, "right": right, "low": low, "high": high,
            "finer": int(finer.sum())}
