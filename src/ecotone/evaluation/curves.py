"""Learning curves: every method on the same splits and the same labels, as flat records.

A record is {method, n_labels, fraction, seed, split, test_rows, accuracy, per_class_accuracy,
macro_f1, log_loss, ece, groups}: one method, one split. `summary.py` makes tables of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.errors import InputError
from ecotone.evaluation.baselines import BASELINES, FUSION
from ecotone.evaluation.groups import class_groups, group_accuracy
from ecotone.evaluation.metrics import measure
from ecotone.evaluation.problem import (
    Problem,
    as_scores,
    label_columns,
    make_problem,
    project_rows,
)
from ecotone.evaluation.splits import draw_labels, split_units, stratified_folds
from ecotone.types import GlobalScores, is_stored

Progress = Callable[[int, "int | None", str], None]
FitFusion = Callable[[Problem], Mapping[str, np.ndarray]]
Record = dict[str, Any]

COUNTS = (10, 20, 50, 100, 250, 1000)


@dataclass(frozen=True, eq=False)
class Study:
    """All rows and what is compared on them.

    embeddings: (N, D). scores: by global model. labels: (N,) int, -1 where nobody labelled.
    units: (N,) int, rows that stay together in a split. kinds: (K,) relation of each class to the
    global model, or None. methods: names in `BASELINES` and `FUSION`. groups: what methods fold by.
    max_unlabelled: rows that nobody labelled, drawn at random, which take part in a fit.
    """

    classes: tuple[str, ...]
    embeddings: np.ndarray
    scores: Mapping[str, GlobalScores]
    labels: np.ndarray
    units: np.ndarray
    split: str
    methods: tuple[str, ...]
    fit_fusion: FitFusion | None = None
    name_weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    kinds: tuple[str, ...] | None = None
    groups: np.ndarray | None = None
    max_unlabelled: int = 10_000
    progress: Progress | None = None

    def report(self, done: int, total: int, text: str) -> None:
        """Tell the caller how far it is."""
        if self.progress is not None:
            self.progress(done, total, text)


def make_study(
    embeddings: np.ndarray,
    scores: GlobalScores | Mapping[str, GlobalScores] | None,
    labels: Sequence[str | None],
    *,
    classes: Sequence[str] | None = None,
    units: np.ndarray | None = None,
    split: str = "random",
    methods: Sequence[str] | None = None,
    **options: Any,
) -> Study:
    """A checked Study of arrays.

    labels: N class names, None where unlabelled. classes: default the labels in use, sorted.
    units: see `splits.make_units`; default every row on its own. options: further fields of Study.

    Raises InputError for unknown labels or methods, and for arrays of different lengths.
    """
    if not is_stored(embeddings):
        embeddings = np.asarray(embeddings, dtype=np.float32)
    n = len(embeddings)
    if classes is None:
        classes = sorted({str(v) for v in labels if v is not None and v == v and v != ""})
    columns = label_columns(labels, classes)
    by_model = as_scores(scores)
    units = np.arange(n) if units is None else np.asarray(units)
    for name, length in [("labels", len(columns)), ("units", len(units))] + [
        (f"scores of {name!r}", len(s)) for name, s in by_model.items()
    ]:
        if length != n:
            raise InputError(f"{name}: {length} rows, embeddings have {n}; give one length.")
    known = [*BASELINES, *FUSION]
    if methods is None:
        methods = known if options.get("fit_fusion") else list(BASELINES)
    unknown = sorted(set(methods) - set(known))
    if unknown:
        raise InputError(f"unknown method {unknown[0]!r}; known are: {', '.join(known)}.")
    return Study(
        tuple(str(c) for c in classes), embeddings, by_model, columns, units, split,
        tuple(methods), **options,
    )


def learning_curves(
    embeddings: np.ndarray,
    scores: GlobalScores | Mapping[str, GlobalScores] | None,
    labels: Sequence[str | None],
    *,
    counts: Sequence[float] = COUNTS,
    fractions: Sequence[float] | None = None,
    seeds: int | Sequence[int] = 5,
    test_fraction: float = 0.25,
    **options: Any,
) -> list[Record]:
    """Hold-out learning curves over numbers of labels.

    Every seed splits the labelled rows into a test part (whole units) and a rest; of the rest,
    `counts` labels (or `fractions` of them, in 0..1) are drawn at random and given to every
    method, which trains on all rows that share no unit with the test part. Draws are nested.
    options: see `make_study`.

    Raises InputError when nothing can be split.
    """
    study = make_study(embeddings, scores, labels, **options)
    return list(hold_out(study, counts, fractions, _seeds(seeds), test_fraction))


def hold_out(
    study: Study,
    counts: Sequence[float],
    fractions: Sequence[float] | None,
    seeds: Sequence[int],
    test_fraction: float = 0.25,
) -> Iterator[Record]:
    """The records of `learning_curves`, one by one."""
    known = np.flatnonzero(study.labels >= 0)
    done = 0
    for seed in seeds:
        kept, held = split_units(study.units[known], test_fraction, seed)
        pool, test = known[kept], known[held]
        train = _train_rows(study, test, seed)
        features = project_rows(study.embeddings[train], study.embeddings[test], seed=seed)
        budgets = label_budgets(len(pool), counts, fractions)
        for count in budgets:
            text = f"{count} labels, split {seed}"
            study.report(done, len(seeds) * len(budgets), text)
            shown = draw_labels(pool, count, seed)
            problem = _problem(study, train, test, shown, features, seed)
            frequency = np.bincount(study.labels[pool], minlength=len(study.classes))
            for method, proba in predict_all(study, problem):
                yield _record(
                    study, method, proba, study.labels[test], problem.counts, frequency,
                    n_labels=int(count), fraction=count / len(pool), seed=int(seed),
                    split=study.split,
                )
            done += 1
            study.report(done, len(seeds) * len(budgets), text)


def label_budgets(
    available: int, counts: Sequence[float], fractions: Sequence[float] | None = None
) -> list[int]:
    """The numbers of labels of a curve: those of `counts` that are there, and all there are.

    A count below 1 is a fraction of those available, like `fractions`, which stand alone.
    """
    if fractions is not None:
        shares = [f for f in fractions if 0 < f <= 1]
        wanted = {max(1, round(f * available)) for f in shares}
    else:
        absolute = {round(c * available) if c < 1 else int(c) for c in counts}
        wanted = {max(1, c) for c in absolute if c < available} | {available}
    if not wanted:
        raise InputError(f"fractions {list(fractions or ())}: none is above 0 and at most 1.")
    return sorted(wanted)


def cross_validate(
    study: Study, seeds: Sequence[int], folds: Sequence[int] = (2, 5)
) -> Iterator[Record]:
    """Repeated stratified cross-validation, for projects with too few labels to hold out a part.

    Each repeat predicts every labelled row once, from the labels of the other folds, and is
    measured once over all of them: 2 folds tell of half of the labels, 5 of four fifths.
    """
    known = np.flatnonzero(study.labels >= 0)
    plans = []
    for seed in seeds:
        for wanted in folds:
            fold = stratified_folds(study.labels[known], study.units[known], wanted, seed)
            if not any(np.array_equal(fold, f) and s == seed for s, f in plans):
                plans.append((seed, fold))
    total = sum(int(fold.max()) + 1 for _, fold in plans)
    done = 0
    for seed, fold in plans:
        parts: dict[str, np.ndarray] = {}
        shown_counts: list[np.ndarray] = []
        for number in range(int(fold.max()) + 1):
            study.report(done, total, f"{fold.max() + 1} folds, repeat {seed}")
            problem = _fold_problem(study, known, fold == number, seed)
            shown_counts.append(problem.counts)
            for method, proba in predict_all(study, problem):
                whole = parts.setdefault(method, np.zeros((len(known), len(study.classes))))
                whole[fold == number] = proba
            done += 1
            study.report(done, total, f"{fold.max() + 1} folds, repeat {seed}")
        labels = study.labels[known]
        frequency = np.bincount(labels, minlength=len(study.classes))
        shown = np.mean([c.sum() for c in shown_counts])
        for method, proba in parts.items():
            yield _record(
                study, method, proba, labels, np.min(shown_counts, axis=0), frequency,
                n_labels=round(shown), fraction=shown / len(known), seed=int(seed),
                split="cross-validation",
            )


def predict_all(study: Study, problem: Problem) -> Iterator[tuple[str, np.ndarray]]:
    """Test probabilities of each method of the study on one problem."""
    for method in study.methods:
        if method in BASELINES:
            yield method, BASELINES[method](problem)
    wanted = [m for m in study.methods if m in FUSION]
    if wanted:
        if study.fit_fusion is None:
            raise InputError(f"method {wanted[0]!r} needs `fit_fusion`.")
        result = study.fit_fusion(problem)
        for method in wanted:
            if method in result:
                yield method, result[method]


def _problem(
    study: Study, train: np.ndarray, test: np.ndarray, shown: np.ndarray,
    features: tuple[np.ndarray, np.ndarray] | None, seed: int,
) -> Problem:
    labels = np.full(len(study.labels), -1)
    labels[shown] = study.labels[shown]
    return make_problem(
        study.classes, study.embeddings, study.scores, labels, train, test, features=features,
        name_weights=study.name_weights, groups=study.groups, seed=seed,
    )


def _fold_problem(study: Study, known: np.ndarray, held: np.ndarray, seed: int) -> Problem:
    test = known[held]
    return _problem(study, _train_rows(study, test, seed), test, known[~held], None, seed)


def _train_rows(study: Study, test: np.ndarray, seed: int) -> np.ndarray:
    """Rows that share no unit with the test rows; of those nobody labelled, a bounded sample."""
    rows = np.flatnonzero(~np.isin(study.units, study.units[test]))
    free = rows[study.labels[rows] < 0]
    if len(free) > study.max_unlabelled:
        drawn = np.random.default_rng(seed).permutation(free)[: study.max_unlabelled]
        rows = np.sort(np.concatenate([rows[study.labels[rows] >= 0], drawn]))
    return rows


def _record(
    study: Study, method: str, proba: np.ndarray, truth: np.ndarray, shown: np.ndarray,
    frequency: np.ndarray, **where: Any,
) -> Record:
    groups = class_groups(frequency, shown, study.kinds)
    return {
        "method": method,
        **where,
        "test_rows": len(truth),
        **measure(truth, proba),
        "groups": group_accuracy(truth, np.asarray(proba).argmax(axis=1), groups),
    }


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    return list(range(seeds)) if isinstance(seeds, int) else [int(s) for s in seeds]


__all__ = [
    "COUNTS", "Study", "cross_validate", "hold_out", "label_budgets", "learning_curves",
    "make_study", "predict_all",
]
