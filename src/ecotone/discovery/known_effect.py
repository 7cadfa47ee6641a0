"""Known classes must not get worse: their held-out accuracy before and after new classes are named.

N rows, D embedding dimensions, K known classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ecotone.errors import InputError
from ecotone.evaluation.splits import duplicate_keys, link_rows
from ecotone.fusion.inputs import check_embeddings

FOLDS = 5


class Fitting(Protocol):
    """What is fitted: `FusionClassifier` is one."""

    def fit(self, embeddings: np.ndarray, scores: object, labels: Sequence[str | None]) -> object:
        """Learn."""

    def predict(self, embeddings: np.ndarray, scores: object) -> np.ndarray:
        """Class names."""


@dataclass(frozen=True, eq=False)
class KnownClassEffect:
    """Held-out accuracy of the known classes. classes: K names; n: (K,) rows judged; before, after:
    (K,) accuracy of each, NaN where no row was. taken: (K,) share of a class's rows that went to a
    new class. overall_before, overall_after: over rows; per_class_before, per_class_after: mean
    over classes. new_accuracy: of the new classes' own held-out rows, NaN where none were."""

    classes: tuple[str, ...]
    new_classes: tuple[str, ...]
    n: np.ndarray
    before: np.ndarray
    after: np.ndarray
    taken: np.ndarray
    overall_before: float
    overall_after: float
    per_class_before: float
    per_class_after: float
    new_accuracy: float

    @property
    def change(self) -> float:
        """Overall accuracy after, less before: negative is worse."""
        return self.overall_after - self.overall_before


def known_class_effect(
    embeddings: np.ndarray, labels: Sequence[str | None], named: Sequence[str | None], *,
    scores: object = None, make_classifier: Callable[[list[str]], Fitting] | None = None,
    global_classes: object = None, groups: Sequence[object] | None = None,
    folds: int = FOLDS, random_state: int = 0,
) -> KnownClassEffect:
    """Accuracy of known classes without the named proposals and with them, on held-out labels.

    embeddings: (N, D). labels: N known class names, None where unlabelled. named: N names that
    people gave to rows of proposals, None elsewhere (see `Proposals.named`); a name that is also a
    known class counts as labels of it. scores, global_classes: as `FusionClassifier` takes them.
    make_classifier: from class names to something that fits, default a `FusionClassifier`. groups:
    N locations or bursts that stay together; copies of a picture always do. Both times the same
    rows are held out in turn, and are unlabelled then.

    Raises InputError when lengths differ, or nothing is labelled or named.
    """
    embeddings = check_embeddings(embeddings)
    known, new = _names(labels, len(embeddings), "labels"), _names(named, len(embeddings), "named")
    classes = sorted({v for v in known if v is not None})
    added = sorted({v for v in new if v is not None} - set(classes))
    if not classes or all(v is None for v in new):
        raise InputError("known_class_effect: give labels of known classes, and named rows.")
    make = make_classifier or _fusion(global_classes, random_state)
    both = [a if a is not None else b for a, b in zip(known, new, strict=True)]
    fold = _folds(embeddings, both, groups, folds, random_state)
    before, after = (np.full(len(known), None, dtype=object) for _ in range(2))
    for f in range(int(fold.max()) + 1):
        out = np.flatnonzero(fold == f)
        for names, given, answer in ((classes, known, before), (classes + added, both, after)):
            left = [None if fold[i] == f else v for i, v in enumerate(given)]
            model = make(list(names))
            model.fit(embeddings, scores, left)
            answer[out] = model.predict(embeddings[out], _take(scores, out))
    return _compare(known, new, before, after, tuple(classes), tuple(added))


def _names(values: Sequence[object], n: int, what: str) -> list[str | None]:
    if len(values) != n:
        raise InputError(f"{what}: {len(values)} entries, embeddings have {n} rows.")
    return [None if v is None or v != v or v == "" else str(v) for v in values]


def _fusion(global_classes: object, random_state: int) -> Callable[[list[str]], Fitting]:
    from ecotone.fusion.classifier import FusionClassifier

    return lambda names: FusionClassifier(names, global_classes, random_state=random_state)


def _folds(embeddings: np.ndarray, labels: list[str | None], groups: Sequence[object] | None,
           folds: int, seed: int) -> np.ndarray:
    """Fold (N,) of each row with a label, -1 for the others; whole units, spread by class."""
    units = link_rows(len(labels), groups, duplicate_keys(embeddings))
    told = np.array([v is not None for v in labels])
    first: dict[int, int] = {}
    for i in np.flatnonzero(told):
        first.setdefault(int(units[i]), int(i))
    rng = np.random.default_rng(seed)
    order = sorted(first, key=lambda u: (str(labels[first[u]]), rng.random()))
    number = {u: i % max(min(folds, len(order)), 2) for i, u in enumerate(order)}
    return np.array([number[int(u)] if t else -1 for u, t in zip(units, told, strict=True)])


def _take(scores: object, rows: np.ndarray) -> object:
    if scores is None:
        return None
    if isinstance(scores, dict):
        return {name: _take(value, rows) for name, value in scores.items()}
    return scores.take(rows) if hasattr(scores, "classes") else scores[rows]


def _compare(known: list[str | None], new: list[str | None], before: np.ndarray, after: np.ndarray,
             classes: tuple[str, ...], added: tuple[str, ...]) -> KnownClassEffect:
    truth = np.array(known, dtype=object)
    each = [np.flatnonzero(truth == c) for c in classes]

    def shares(answer: np.ndarray) -> np.ndarray:
        return np.array([np.mean(answer[r] == truth[r]) if len(r) else np.nan for r in each])

    judged = np.concatenate(each)
    mine = [i for i, v in enumerate(new) if v in added and known[i] is None]
    first, second = shares(before), shares(after)
    return KnownClassEffect(
        classes=classes, new_classes=added, n=np.array([len(r) for r in each]),
        before=first, after=second,
        taken=np.array([np.mean(np.isin(after[r].astype(str), added)) for r in each]),
        overall_before=float(np.mean(before[judged] == truth[judged])),
        overall_after=float(np.mean(after[judged] == truth[judged])),
        per_class_before=float(np.nanmean(first)), per_class_after=float(np.nanmean(second)),
        new_accuracy=float(np.mean([after[i] == new[i] for i in mine])) if mine else float("nan"),
    )
