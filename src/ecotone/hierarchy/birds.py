"""Stage 2: birds that a global model calls "blank" or "animal", found in its raw scores.

N detections, S global classes.

A is the mass that the highest scores of a row (five, as SpeciesNet writes them) leave in birds.
The label becomes "bird" when A is at least 0.5, or when a bird is first, A is at least 0.2 and so
is the detector's confidence. With enough reviewed detections the least A that is precise enough on
them decides instead, alone.
Source: Markoff and Galaktionovs 2025, arXiv:2510.14594 (stage "bird override"; numbers of our own).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.hierarchy.five_stage_settings import FiveStageSettings
from ecotone.taxonomy.names import parse_label
from ecotone.taxonomy.places import Places
from ecotone.taxonomy.tree import Taxonomy
from ecotone.types import GlobalScores

ENTRIES = 1 << 20  # scores that are sorted at once


@dataclass(frozen=True, eq=False)
class BirdEvidence:
    """mass: (N,) A. first_mass: (N,) A where a bird is first, else 0. Of several models the
    larger."""

    mass: np.ndarray
    first_mass: np.ndarray


@dataclass(frozen=True)
class BirdRule:
    """mass: least A; infinite for never. top_mass: least A where a bird is first; confidence: of
    the detector then. reviewed: detections that the mass was chosen on, 0 for the setting's own."""

    mass: float
    top_mass: float
    confidence: float
    reviewed: int = 0


def in_group(names: Sequence[str], taxonomy: Taxonomy | None, group: str) -> np.ndarray:
    """(S,) bool: labels of any convention that stand in a group, e.g. "aves".

    By the label's own lineage, the taxonomy, and the built-in vocabulary; a name that may also mean
    something else does not count.
    """
    labels = [parse_label(str(name)) for name in names]
    places = Places(labels, taxonomy)
    node = places.node_of(group)
    out = np.zeros(len(labels), dtype=bool)
    for s, label in enumerate(labels):
        place = places.place(label)
        out[s] = node in place.above and all(node in places.closure(n) for n in place.at)
    return out


def bird_evidence(
    models: Iterable[GlobalScores], taxonomy: Taxonomy | None, settings: FiveStageSettings, n: int
) -> BirdEvidence:
    """The evidence of raw scores for birds; zero where no model knows birds."""
    mass, first_mass = np.zeros(n), np.zeros(n)
    for scores in models:
        birds = in_group(scores.classes, taxonomy, settings.bird_taxon)
        if birds.any():
            own, first = group_mass(scores, birds, settings.bird_top)
            mass = np.maximum(mass, own)
            first_mass = np.maximum(first_mass, np.where(first, own, 0.0))
    return BirdEvidence(mass, first_mass)


def group_mass(scores: GlobalScores, inside: np.ndarray, top: int
               ) -> tuple[np.ndarray, np.ndarray]:
    """Mass (N,) of the `top` highest scores in a group, and whether the highest one is in it.

    Scores as high as the last that counts count too, and of equal highest ones all must be in the
    group: the order of the classes plays no part.
    """
    n = len(scores)
    mass, first = np.zeros(n), np.zeros(n, dtype=bool)
    values = scores.values
    per_row = max(values.nnz // max(n, 1), 1)
    step = max(ENTRIES // per_row, 1)
    for start in range(0, n, step):
        part = values[start : start + step]
        rows = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
        order = np.lexsort((-part.data, rows))  # rows are in order already: only columns move
        data, column = part.data[order], part.indices[order]
        begin, length = part.indptr[:-1], np.diff(part.indptr)
        some = np.flatnonzero(length)
        last, best = np.zeros(part.shape[0]), np.zeros(part.shape[0])
        last[some] = data[begin[some] + np.minimum(length[some], top) - 1]
        best[some] = data[begin[some]]
        within = inside[column]
        counted = within & (data >= last[rows])
        mass[start : start + step] = np.bincount(
            rows[counted], data[counted].astype(np.float64), minlength=part.shape[0])
        rival = np.bincount(rows[~within & (data == best[rows])], minlength=part.shape[0]) > 0
        first[start : start + step] = (length > 0) & ~rival
    return mass, first


def choose_rule(mass: np.ndarray, bird: np.ndarray, settings: FiveStageSettings) -> BirdRule:
    """The rule of the settings, or with enough reviewed detections the mass that suits them.

    mass: (n,) A of reviewed detections that could be overridden. bird: (n,) bool, their truth.
    Detections without any mass in birds are left out: no rule touches them.
    """
    some = mass > 0
    mass, bird = np.asarray(mass)[some], np.asarray(bird, dtype=bool)[some]
    if len(mass) < settings.bird_reviewed:
        return BirdRule(settings.bird_mass, settings.bird_top_mass, settings.bird_confidence)
    cuts = np.unique(mass)
    order = np.argsort(-mass, kind="stable")
    place = np.searchsorted(-mass[order], -cuts, side="right")  # rows with at least this mass
    precision = np.cumsum(bird[order])[place - 1] / place
    good = cuts[precision >= settings.bird_precision]
    least = float(good.min()) if len(good) else float("inf")
    return BirdRule(least, float("inf"), 0.0, len(mass))


def overridden(evidence: BirdEvidence, rule: BirdRule, confidence: np.ndarray) -> np.ndarray:
    """(N,) bool: rows that become birds. confidence: (N,) of the detector, NaN where unknown, which
    leaves the second half of the rule out."""
    # Sums of float32 scores: 0.3 + 0.2 is a little less than 0.5.
    sure = evidence.mass >= rule.mass - 1e-6
    first = evidence.first_mass >= rule.top_mass - 1e-6
    return sure | (first & (np.nan_to_num(confidence, nan=-1.0) >= rule.confidence - 1e-6))
