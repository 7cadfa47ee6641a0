"""What is used of context: for places with labels, and for places without.

P pictures, n labelled ones, L pictures of the labelled units, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecotone.context.choosing import (
    Gate,
    Pool,
    better,
    choose_gate,
    choose_pool,
    default_pool,
    harmed,
    hits,
    losses,
    mean_and_error,
)
from ecotone.context.folds import Folds, Known, fit_on, make_folds
from ecotone.context.image import GivenImage, MappedImage, NamedImage
from ecotone.context.model import ContextModel
from ecotone.context.neighbours import WINDOWS

MANY_SITES = 8  # with labels, before what was learned there is taken over to sites without
SITE_ERRORS = 2.0  # standard errors over sites by which it must be better there
MAJORITY = 0.75  # share of mates in pooling at new sites: the most win, ties stay as they are
KINDS = (("neighbours", False, False), ("neighbours and time", True, False),
         ("neighbours, time and place", True, True))
IMAGE_ONLY = "image only"
SHUT = Gate(0.0)


@dataclass(frozen=True, eq=False)
class Held:
    """What was decided. proba: (n, K) held-out posteriors of the labelled pictures. report: figures
    of it. silent: sites where context does harm."""

    image: GivenImage | MappedImage | NamedImage
    model: ContextModel | None
    gate: Gate
    pool: Pool | None
    prior: np.ndarray
    proba: np.ndarray
    report: dict[str, Any]
    silent: list[str] = field(default_factory=list)


def learn_seen(known: Known) -> Held:
    """For places with labels: decided by folds over bursts."""
    image = known.start.fitted(known.evidence, known.rows, known.target)
    folds = make_folds(known, known.where.event, known.start, learn=True)
    if folds is None:
        alone = image.proba(known.evidence)[known.rows]
        return Held(image, None, SHUT, None, known.prior, alone, _report(IMAGE_ONLY))
    rows, target, units = folds.at, known.target, unit_of(known)
    plain = folds.image[rows]
    name, gate, least, made = IMAGE_ONLY, SHUT, float("inf"), folds.image
    which = (False, False)
    for kind, time, place in KINDS:
        context = folds.context(known, time, place)
        found, cost = choose_gate(plain, context[rows], target, units)
        if cost < least:
            name, gate, least, which = kind, found, cost, (time, place)
            made = found.apply(folds.image, context)
    model = fit_on(known, folds, np.arange(len(rows)), *which) if gate.level > 0 else None
    if model is None:
        image, made = _map_or_names(known, folds, image)
        plain = made[rows]
    prior = _prior_for(image, known)
    pool = choose_pool(made, folds.where.event, prior, rows, target, units)
    pooled = made if pool is None else pool.apply(made, folds.where.event, prior)
    sites = folds.where.site[rows]
    silent = harmed(pooled[rows], plain, target, sites, units)
    out = np.where(np.isin(sites, silent)[:, None], plain, pooled[rows])
    report = _report(name, (out, plain, target, units), gate, pool, model)
    report["silent_sites"] = silent
    return Held(image, model, gate, pool, prior, out, report, silent)


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
    if better(folds.image[at], by_name[at], known.target, unit_of(known)):
        return learned, folds.image
    return named, by_name


def unit_of(known: Known) -> np.ndarray:
    """(n,) the burst of each labelled picture, its own where it is in none."""
    return np.array([e or f"#{r}" for r, e in
                     zip(known.rows, known.where.event[known.rows], strict=True)])


def learn_new_sites(known: Known) -> Held:
    """For sites without a label: decided by leaving whole sites out.

    What was learned at some sites (confusions of the model, how much neighbours count) need not
    hold at another, and few sites cannot tell; it is taken over from `MANY_SITES` on. With fewer,
    answers of a model are read by their names, and only bursts decide together.
    """
    named = known.start.names_only(known.target)
    learned = known.start.fitted(known.evidence, known.rows, known.target)
    image = learned if named is None else named
    by = np.array([s or f"#{i}" for i, s in enumerate(known.where.site)], dtype=object)
    base = make_folds(known, by, named or known.start, learn=named is None)
    if base is None:
        everywhere = image.proba(known.evidence)
        pool = default_pool(everywhere, known.where.event, MAJORITY)
        out = everywhere[known.rows]
        return Held(image, None, SHUT, pool, _prior_for(image, known), out,
                    _report(IMAGE_ONLY, None, SHUT, pool))
    plain = base.image[base.at]
    many = len(set(known.where.site[known.rows]) - {""}) >= MANY_SITES
    if many and isinstance(named, NamedImage):
        other = make_folds(known, by, known.start, learn=True)
        if other is not None and _holds(other.image[other.at], plain, known):
            image, base = learned, other
    made, gate, model = base.image, SHUT, None
    if many:
        made, gate = _neighbours_for_new(known, base)
        if gate.level > 0:
            model = fit_on(known, base, np.arange(len(known.rows)), False, False)
    prior = _prior_for(image, known)
    pool = _pool_for_new(image.proba(known.evidence), made, base, known, prior)
    out = (made if pool is None else pool.apply(made, base.where.event, prior))[base.at]
    report = _report(KINDS[0][0] if model else IMAGE_ONLY, (out, plain, known.target,
                     known.where.site[known.rows]), gate, pool, model)
    report["map"] = "by names" if isinstance(image, NamedImage) else "as at sites with labels"
    return Held(image, model, gate, pool, prior, out, report)


def _prior_for(image: object, known: Known) -> np.ndarray:
    """Class prior (K,) that an image model's posteriors contain."""
    k = known.target.shape[1]
    return np.full(k, 1.0 / k) if isinstance(image, NamedImage) else known.prior


def _holds(new: np.ndarray, old: np.ndarray, known: Known) -> bool:
    """Whether posteriors (n, K) are better at sites left out, and at none worse."""
    sites = known.where.site[known.rows]
    return better(new, old, known.target, sites, SITE_ERRORS, 0.0) and not harmed(
        new, old, known.target, sites, unit_of(known), 1.0
    )


def _neighbours_for_new(known: Known, base: Folds) -> tuple[np.ndarray, Gate]:
    """Posteriors (L, K) with what neighbours say, and the gate; the image's and a shut one where
    that does not hold up."""
    context = base.context(known, False, False)
    gate, _ = choose_gate(base.image[base.at], context[base.at], known.target, unit_of(known))
    made = gate.apply(base.image, context)
    if gate.level > 0 and _holds(made[base.at], base.image[base.at], known):
        return made, gate
    return base.image, SHUT


def _pool_for_new(
    everywhere: np.ndarray, made: np.ndarray, folds: Folds, known: Known, prior: np.ndarray
) -> Pool | None:
    """Pooling by the pictures themselves, unless labels speak against it: at no site that has
    labels may it lose. everywhere: (P, K) image posteriors; made: (L, K) held-out ones."""
    pool = default_pool(everywhere, known.where.event, MAJORITY)
    if pool is None:
        return None
    out, before = pool.apply(made, folds.where.event, prior)[folds.at], made[folds.at]
    units, target = unit_of(known), known.target
    mean, error = mean_and_error(hits(out, target) - hits(before, target), units)
    loses = harmed(out, before, target, known.where.site[known.rows], units)
    return None if mean < -error or loses else pool


def _report(
    kind: str, figures: tuple | None = None, gate: Gate = SHUT, pool: Pool | None = None,
    model: ContextModel | None = None,
) -> dict[str, Any]:
    """What was decided and what it is worth: accuracies in percent, gain in points."""
    report: dict[str, Any] = {
        "kind": kind, "gate": {"level": gate.level, "slope": gate.slope},
        "pool": None if pool is None else {"share": pool.share, "odds": pool.odds},
        "windows": {} if model is None else {
            w.name: round(float(b), 4) for w, b in zip(WINDOWS, model.beta, strict=True)
        },
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
