"""The two ways down the tree on the arrays of a project: learn from a bounded part, answer all.

n usable detections. What a classifier learns from is bounded, so that a project of a million
detections takes no longer to learn than one of fifty thousand; answers are given block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from ecotone.errors import InputError, ProjectError
from ecotone.fusion.features import Reordered, content_keys
from ecotone.hierarchy.climbing import least_items
from ecotone.hierarchy.results import Refinement
from ecotone.project.refining_input import RefineInput
from ecotone.project.refining_settings import RefineSettings
from ecotone.project.trusting import fewer

CHUNK = 32768  # detections answered at once
MOST_FREE = 30_000  # detections without a trusted label that a classifier looks at
BY_MODEL = (
    "too few labels by people to set the threshold ({people}, {least} are needed for alpha "
    "{alpha:g}), so it is set on the sure labels of the global model: the bound holds for "
    "detections like those, which are easier than the rest"
)

Progress = Callable[[int, "int | None", str], None]


class Method(Protocol):
    """A fitted method. notes: what it could not do. figures: what a run record keeps of it."""

    notes: tuple[str, ...]
    figures: dict[str, Any]

    def answer(self, data: RefineInput, rows: np.ndarray) -> Refinement:
        """Answers for some of the usable detections, whole bursts."""


def learn(data: RefineInput, settings: RefineSettings, most_free: int = MOST_FREE) -> Method:
    """The method of the settings, fitted.

    most_free: how many detections without a trusted label take part. Raises ProjectError when there
    is nothing to learn from.
    """
    if settings.method == "climb":
        return Climb(data, settings, most_free)
    return Five(data, settings)


def sample(data: RefineInput, names: np.ndarray, most_free: int, seed: int) -> np.ndarray:
    """Rows to learn on: all with a name, the rest of their bursts, and others drawn by content."""
    named = np.array([name is not None for name in names], dtype=bool)
    mates = np.isin(data.bursts, data.bursts[named])
    free = np.flatnonzero(~mates)
    if len(free) > most_free:
        free = free[np.argsort(content_keys(Reordered(data.embeddings, free), seed), kind="stable")]
    return np.sort(np.concatenate([np.flatnonzero(mates), free[:most_free]]))


def blocks(data: RefineInput, rows: np.ndarray) -> Iterator[np.ndarray]:
    """`rows` in blocks of about `CHUNK` that cut no burst in two."""
    if not len(rows):
        return
    bursts = data.bursts[rows]
    order = np.argsort(bursts, kind="stable")
    first = np.flatnonzero(np.diff(bursts[order], prepend=0))
    starts = [0]
    for start in first:
        if start - starts[-1] >= CHUNK:
            starts.append(int(start))
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield rows[order[start:end]]


class Climb:
    """Posteriors summed up the tree and climbed with a bound; see `HierarchicalClassifier`."""

    def __init__(self, data: RefineInput, settings: RefineSettings, most_free: int) -> None:
        from ecotone.hierarchy.classifier import HierarchicalClassifier

        names = fewer(data.trusted, data.embeddings, settings.seed)
        rows = sample(data, names, most_free, settings.seed)
        groups = data.groups[rows]
        labelled = np.array([name is not None for name in names[rows]], dtype=bool)
        several = len(set(groups[labelled])) > 1
        classes = None
        if data.classes:
            classes = list(dict.fromkeys([*data.classes, *sorted(set(names[rows][labelled]))]))
        self.model = HierarchicalClassifier(
            data.taxonomy, settings.alpha, present=data.present and data.present.names,
            classes=classes, aliases=data.aliases, random_state=settings.seed,
        ).fit(
            data.embeddings[rows], {m: s.take(rows) for m, s in data.scores.items()} or None,
            names[rows], groups=groups if several else None, bursts=data.bursts[rows],
        )
        self._calibrate(data.trusted.by_people[rows][labelled], settings.alpha)
        self.notes = (*self.model.notes_, *self._extra)
        self.figures = {
            "classes": self.model.classes_.tolist(), "calibrated_on": self.model.n_calibration_,
            "threshold": _number(self.model.threshold_), "learned_on": len(rows),
        }

    def _calibrate(self, people: np.ndarray, alpha: float) -> None:
        """Set the threshold on people's labels alone where there are enough: the global model's
        sure labels are easier than what is to be named."""
        self._extra: tuple[str, ...] = ()
        scores, least = self.model.calibration_scores_, least_items(alpha)
        if people.all() or len(scores) != len(people):
            return
        if people.sum() >= least:
            self.model.calibration_scores_ = scores[people]
            self.model.n_calibration_ = int(people.sum())
            self.model.threshold_ = self.model.threshold(alpha)
        elif len(scores) >= least:
            self._extra = (BY_MODEL.format(people=int(people.sum()), least=least, alpha=alpha),)

    def at(self, alpha: float) -> None:
        """Answer from now on with the threshold of another alpha."""
        self.model.threshold_ = self.model.threshold(alpha)

    def answer(self, data: RefineInput, rows: np.ndarray) -> Refinement:
        """See `Method`."""
        return self.model.predict(
            data.embeddings[rows], {m: s.take(rows) for m, s in data.scores.items()} or None,
            data.was[rows], bursts=data.bursts[rows],
        )


class Five:
    """The five-stage reference; see `FiveStage`."""

    def __init__(self, data: RefineInput, settings: RefineSettings) -> None:
        from ecotone.hierarchy.five_stage import FiveStage

        self.model = FiveStage(
            data.taxonomy, settings.five, present=data.present and data.present.names,
            aliases=data.aliases, random_state=settings.seed,
        )
        try:
            self.model.fit(
                data.embeddings, data.scores or None, data.said, data.was,
                was_scores=data.trusted.score, confidences=data.confidence,
            )
        except InputError as error:
            raise ProjectError(str(error)) from None
        self.notes = tuple(self.model.notes_)
        self.figures = {
            "classes": [str(c) for c in self.model.classes_], "head": self.model.head_.kind,
            "trusted": self.model.n_trusted_, "learned_on": len(data),
        }

    def answer(self, data: RefineInput, rows: np.ndarray) -> Refinement:
        """See `Method`."""
        return self.model.predict(
            data.embeddings[rows], {m: s.take(rows) for m, s in data.scores.items()} or None,
            data.was[rows], was_scores=data.trusted.score[rows],
            confidences=data.confidence[rows],
        )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
