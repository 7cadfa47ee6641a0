"""What is used of context at places without a label: decided by leaving whole sites out.

P pictures, n labelled ones, L pictures of the labelled units, K classes.
"""

from __future__ import annotations

import numpy as np

from ecotone.context.choosing import (
    Gate,
    Pool,
    better,
    choose_gate,
    default_pool,
    harmed,
    hits,
    mean_and_error,
)
from ecotone.context.experts import ANYWHERE, Stack, View, pool_weights, pooled_evidence
from ecotone.context.folds import Folds, Known, fit_on, make_folds
from ecotone.context.image import NamedImage
from ecotone.context.learning import IMAGE_ONLY, SHUT, Held, prior_for, report_of

MANY_SITES = 8  # with labels, before what was learned there is taken over to sites without
SITE_ERRORS = 2.0  # standard errors over sites by which it must be better there
MAJORITY = 0.75  # share of mates in pooling at new sites: the most win, ties stay as they are


def learn_new_sites(known: Known) -> Held:
    """For sites without a label: decided by leaving whole sites out.

    What was learned at some sites (confusions of the model, how much neighbours count) need not
    hold at another, and few sites cannot tell; it is taken over from `MANY_SITES` on. With fewer,
    answers of a model are read by their names, and only bursts decide together.
    """
    named = known.start.names_only(known.target)
    learned = known.start.fitted(known.evidence, known.rows, known.counted)
    image = learned if named is None else named
    by = np.array([s or f"#{i}" for i, s in enumerate(known.where.site)], dtype=object)
    base = make_folds(known, by, named or known.start, learn=named is None)
    if base is None:
        everywhere = image.proba(known.evidence)
        pool = default_pool(everywhere, known.where.event, MAJORITY)
        out = everywhere[known.rows]
        return Held(image, None, SHUT, pool, prior_for(image, known), out,
                    report_of(IMAGE_ONLY, None, SHUT, pool))
    plain = base.image[base.at]
    many = len(set(known.where.site[known.rows]) - {""}) >= MANY_SITES
    if many and isinstance(named, NamedImage):
        other = make_folds(known, by, known.start, learn=True)
        if other is not None and _holds(other.image[other.at], plain, known):
            image, base = learned, other
    made, gate, model = base.image, SHUT, None
    if many:
        made, gate, weights = _neighbours_for_new(known, base)
        if gate.level > 0:
            experts = tuple(fit_on(known, base, np.arange(len(known.rows)), r) for r in ANYWHERE)
            model = Stack((View(image, known.prior, experts),), weights)
    prior = prior_for(image, known)
    pool = _pool_for_new(image.proba(known.evidence), made, base, known, prior)
    out = (made if pool is None else pool.apply(made, base.where.event, prior))[base.at]
    report = report_of(ANYWHERE[0].name if model else IMAGE_ONLY, (out, plain, known.target,
                     known.where.site[known.rows]), gate, pool, model)
    report["map"] = "by names" if isinstance(image, NamedImage) else "as at sites with labels"
    return Held(image, model, gate, pool, prior, out, report)


def _holds(new: np.ndarray, old: np.ndarray, known: Known) -> bool:
    """Whether posteriors (n, K) are better at sites left out, and at none worse."""
    sites = known.where.site[known.rows]
    return better(new, old, known.target, sites, SITE_ERRORS, 0.0) and not harmed(
        new, old, known.target, sites, known.units, 1.0
    )


def _neighbours_for_new(known: Known, base: Folds) -> tuple[np.ndarray, Gate, np.ndarray]:
    """Posteriors (L, K) with what neighbours say, the gate, and the weights of experts; the image's
    and a shut gate where that does not hold up."""
    held, at = [base.held(known, r) for r in ANYWHERE], base.at
    even = np.array([r.weight for r in ANYWHERE])
    weights = pool_weights([p[at] for p in held], known.counted, even)
    context = pooled_evidence(held, weights, base.image)
    gate, _ = choose_gate(base.image[at], context[at], known.target, known.units)
    made = gate.apply(base.image, context)
    if gate.level > 0 and _holds(made[at], base.image[at], known):
        return made, gate, weights
    return base.image, SHUT, weights


def _pool_for_new(
    everywhere: np.ndarray, made: np.ndarray, folds: Folds, known: Known, prior: np.ndarray
) -> Pool | None:
    """Pooling by the pictures themselves, unless labels speak against it: at no site that has
    labels may it lose. everywhere: (P, K) image posteriors; made: (L, K) held-out ones."""
    pool = default_pool(everywhere, known.where.event, MAJORITY)
    if pool is None:
        return None
    out, before = pool.apply(made, folds.where.event, prior)[folds.at], made[folds.at]
    units, target = known.units, known.target
    mean, error = mean_and_error(hits(out, target) - hits(before, target), units)
    loses = harmed(out, before, target, known.where.site[known.rows], units)
    return None if mean < -error or loses else pool


