"""What is used of context at places with labels: a pool of experts, decided by folds over bursts.

P pictures, n labelled ones, L pictures of the labelled units, K classes, E experts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.context.choosing import (
    LEAST_UNITS,
    MAY_LOSE,
    Gate,
    Pool,
    better,
    choose_gate,
    choose_pool,
    harmed,
    hits,
    losses,
    mean_and_error,
)
from ecotone.context.experts import RECIPES, Stack, View, pool_weights, pooled_evidence
from ecotone.context.folds import Folds, Known, fit_on, make_folds
from ecotone.context.image import GivenImage, MappedImage, NamedImage

CONTEXT = "neighbours, time and place"
IMAGE_ONLY = "image only"
SHUT = Gate(0.0)
NESTED = 3000  # labelled pictures up to which a decision is judged on labels it has not seen


@dataclass(frozen=True, eq=False)
class Held:
    """What was decided. proba: (n, K) held-out posteriors of the labelled pictures. report: figures
    of it. silent: sites where context does harm."""

    image: GivenImage | MappedImage | NamedImage
    model: Stack | None
    gate: Gate
    pool: Pool | None
    prior: np.ndarray
    proba: np.ndarray
    report: dict[str, Any]
    silent: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Choice:
    """What some of the labels decide; made: (L, K) posteriors by it."""

    weights: np.ndarray
    gate: Gate
    pool: Pool | None
    made: np.ndarray


def learn_seen(known: Known) -> Held:
    """For places with labels: decided by folds over bursts."""
    image = known.start.fitted(known.evidence, known.rows, known.counted)
    folds = make_folds(known, known.where.event, known.start, learn=True)
    if folds is None:
        alone = image.proba(known.evidence)[known.rows]
        return Held(image, None, SHUT, None, known.prior, alone, report_of(IMAGE_ONLY))
    if len(set(known.units)) < LEAST_UNITS or not known.where.says_anything():
        return _image_alone(known, folds, image)
    views = _views(known, folds)
    made = [f.held(known, r) for _, f in views for r in RECIPES]
    return _decided(known, folds, image, views, made)


def _views(known: Known, folds: Folds) -> list[tuple[Any, Folds]]:
    """Image models before labels, and their folds: the map, and answers by their names."""
    views = [(known.start, folds)]
    named = known.start.names_only(known.target)
    if isinstance(named, NamedImage):
        by_name = make_folds(known, known.where.event, named, learn=True)
        views.append((named, by_name))
    return views


def _decided(
    known: Known, folds: Folds, image: Any, views: list[tuple[Any, Folds]], made: list[np.ndarray]
) -> Held:
    rows, plain = folds.at, folds.image[folds.at]
    every = np.arange(len(rows))
    choice = _choose(known, folds, made, every)
    if choice.gate.level == 0.0:
        return _image_alone(known, folds, image)
    honest = choice.made[rows] if len(rows) > NESTED else _nested(known, folds, made)
    if float((hits(honest, known.target) - hits(plain, known.target)).mean()) < -MAY_LOSE:
        return _image_alone(known, folds, image)
    stack = Stack(tuple(
        View(start.fitted(known.evidence, known.rows, known.counted),
             known.prior, tuple(fit_on(known, f, every, r) for r in RECIPES))
        for start, f in views
    ), choice.weights)
    silent = harmed(choice.made[rows], plain, known.target, folds.where.site[rows], known.units)
    out = np.where(np.isin(folds.where.site[rows], silent)[:, None], plain, honest)
    report = report_of(CONTEXT, (out, plain, known.target, known.units), choice.gate, choice.pool,
                       stack)
    report["silent_sites"] = silent
    return Held(image, stack, choice.gate, choice.pool, known.prior, out, report, silent)


def _choose(known: Known, folds: Folds, made: list[np.ndarray], use: np.ndarray) -> _Choice:
    """Weights, gate and pooling by some of the labelled pictures (numbers into the n)."""
    rows, target, units = folds.at[use], known.target[use], known.units[use]
    even = np.array([r.weight for r in RECIPES] * (len(made) // len(RECIPES)))
    weights = pool_weights([p[rows] for p in made], known.counted[use], even)
    context = pooled_evidence(made, weights, folds.image)
    gate, _ = choose_gate(folds.image[rows], context[rows], target, units)
    out = gate.apply(folds.image, context)
    pool = choose_pool(out, folds.where.event, known.prior, rows, target, units)
    if pool is not None:
        out = pool.apply(out, folds.where.event, known.prior)
    return _Choice(weights, gate, pool, out)


def _nested(known: Known, folds: Folds, made: list[np.ndarray]) -> np.ndarray:
    """Posteriors (n, K), each fold's by what the labels of the others decide."""
    out = folds.image[folds.at].copy()
    mine = folds.fold[folds.at]
    for fold in np.unique(mine):
        choice = _choose(known, folds, made, np.flatnonzero(mine != fold))
        rows = np.flatnonzero(mine == fold)
        out[rows] = choice.made[folds.at[rows]]
    return out


def _image_alone(known: Known, folds: Folds, learned: Any) -> Held:
    """The image alone, its bursts pooled where that is better."""
    image, made = _map_or_names(known, folds, learned)
    rows, target, units = folds.at, known.target, known.units
    plain, prior = made[rows], prior_for(image, known)
    pool = choose_pool(made, folds.where.event, prior, rows, target, units)
    out = made if pool is None else pool.apply(made, folds.where.event, prior)
    silent = harmed(out[rows], plain, target, folds.where.site[rows], units)
    out = np.where(np.isin(folds.where.site[rows], silent)[:, None], plain, out[rows])
    report = report_of(IMAGE_ONLY, (out, plain, target, units), SHUT, pool)
    report["silent_sites"] = silent
    return Held(image, None, SHUT, pool, prior, out, report, silent)


def _map_or_names(
    known: Known, folds: Folds, learned: GivenImage | MappedImage
) -> tuple[GivenImage | MappedImage | NamedImage, np.ndarray]:
    """Where the image is alone: answers of a model by their names, unless the map that labels teach
    is better out of fold. The image model and its held-out posteriors (L, K)."""
    named = known.start.names_only(known.target)
    if not isinstance(named, NamedImage):
        return learned, folds.image
    by_name = named.proba(known.evidence)[folds.look]
    at = folds.at
    if better(folds.image[at], by_name[at], known.target, known.units):
        return learned, folds.image
    return named, by_name


def prior_for(image: object, known: Known) -> np.ndarray:
    """Class prior (K,) that an image model's posteriors contain."""
    k = known.target.shape[1]
    return np.full(k, 1.0 / k) if isinstance(image, NamedImage) else known.prior


def report_of(
    kind: str, figures: tuple | None = None, gate: Gate = SHUT, pool: Pool | None = None,
    stack: Stack | None = None,
) -> dict[str, Any]:
    """What was decided and what it is worth: accuracies in percent, gain in points."""
    report: dict[str, Any] = {
        "kind": kind, "gate": {"level": gate.level, "slope": gate.slope},
        "pool": None if pool is None else {"share": pool.share, "odds": pool.odds},
        "experts": {} if stack is None else stack.described(),
        "labelled": 0, "image_accuracy": None, "accuracy": None, "image_loss": None, "loss": None,
        "gain": 0.0, "standard_error": None,
    }
    if figures is None:
        return report
    out, plain, target, units = figures
    mean, error = mean_and_error(hits(out, target) - hits(plain, target), units)
    report.update(
        labelled=len(target), image_accuracy=100.0 * float(hits(plain, target).mean()),
        accuracy=100.0 * float(hits(out, target).mean()),
        image_loss=float(losses(plain, target).mean()), loss=float(losses(out, target).mean()),
        gain=100.0 * mean, standard_error=100.0 * error,
    )
    return report
