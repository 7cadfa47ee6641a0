"""The evidence of all global models together: each with its own map and its own weight.

N rows, S global classes of a model, K local classes.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ecotone.fusion.local_model import softmax
from ecotone.fusion.mapping import (
    Mapping,
    complete_base,
    fit_theta,
    source_prior,
)
from ecotone.types import GlobalScores

if TYPE_CHECKING:
    from ecotone.taxonomy.tree import Taxonomy

PRIOR_COUNT = 1.0  # added to every class count, so that classes without a label stay possible


@dataclass(frozen=True, eq=False)
class EvidenceModel:
    """Maps of all global models. base: (K, S) base measure by model. weight: exponent by model."""

    classes: tuple[str, ...]
    base: dict[str, np.ndarray]
    mappings: dict[str, Mapping]
    rival_theta: dict[str, np.ndarray]
    weight: dict[str, float]
    class_prior: np.ndarray

    @classmethod
    def start(
        cls,
        scores: dict[str, GlobalScores],
        classes: tuple[str, ...],
        taxonomy: Taxonomy | None,
        aliases: MappingType[str, str] | None = None,
    ) -> EvidenceModel:
        """The maps as names and taxonomy give them, before any label is seen."""
        from ecotone.taxonomy.relations import relate

        known_as = [(aliases or {}).get(name, name) for name in classes]
        base, mappings = {}, {}
        uniform = np.full(len(classes), 1.0 / len(classes))
        for name, given in scores.items():
            relations = relate(known_as, given.classes, taxonomy)
            prior = source_prior(given)
            base[name] = complete_base(relations.weight, prior)
            mappings[name] = Mapping(
                theta=base[name],
                source_prior=prior,
                prior=uniform,
                local_classes=classes,
                global_classes=given.classes,
                kind=np.asarray(relations.kind, dtype=object),
                notes=tuple(relations.notes),
            )
        share = len(scores) ** -0.5 if scores else 1.0
        rival = {n: np.tile(uniform, (len(s.classes), 1)) for n, s in scores.items()}
        return cls(classes, base, mappings, rival, dict.fromkeys(scores, share), uniform)

    def fit(
        self, scores: dict[str, GlobalScores], rows: np.ndarray, targets: np.ndarray
    ) -> EvidenceModel:
        """The maps after the labelled rows: rows (n,) numbers, targets (n, K)."""
        counts = targets.sum(axis=0) + PRIOR_COUNT
        class_prior = counts / counts.sum()
        mappings, rival = {}, {}
        for name, given in scores.items():
            old = self.mappings[name]
            theta = fit_theta(given, rows, targets, self.base[name], old.source_prior)
            mappings[name] = replace(old, theta=theta, prior=class_prior)
            rival[name] = leep_ratio(given.take(rows), targets)
        return replace(self, mappings=mappings, rival_theta=rival, class_prior=class_prior)

    def log_evidence(
        self, scores: dict[str, GlobalScores], n: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weighted log likelihood ratios (n, K) by the Dirichlet map, and by LEEP (the rival)."""
        total = np.zeros((n, len(self.classes)), dtype=np.float32)
        rival = np.zeros_like(total)
        for name, given in scores.items():
            mapping, weight = self.mappings[name], np.float32(self.weight[name])
            total += weight * mapping.log_evidence(given)
            rival += weight * self._leep_evidence(given, self.rival_theta[name])
        return total, rival

    def _leep_evidence(self, given: GlobalScores, posterior: np.ndarray) -> np.ndarray:
        """Log of the LEEP posterior over the class prior, (n, K)."""
        p = given.values @ posterior + given.missing[:, None] * self.class_prior
        p = np.maximum(p, 0.1 / len(self.classes) * self.class_prior)
        return np.log(p / self.class_prior).astype(np.float32)

    def reweighted(
        self, scores: dict[str, GlobalScores], held_out: np.ndarray, targets: np.ndarray,
        label_weight: np.ndarray | None = None,
    ) -> EvidenceModel:
        """Choose each model's exponent by held-out labels; `held_out` (n, K, models) evidence;
        label_weight: (n,) how many labels each counts as.

        Coordinate search over a small grid, held near 1/sqrt(models) while labels are few.
        """
        names = list(scores)
        if len(names) < 2 or not len(targets):
            return self
        start = len(names) ** -0.5
        grid = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.4]) * start
        weight = np.full(len(names), start)
        log_prior = np.log(self.class_prior)
        rows = np.arange(len(targets))
        counts = np.ones(len(targets)) if label_weight is None else label_weight

        def cost(w: np.ndarray) -> float:
            p = softmax(0.7 * held_out @ w + log_prior)
            fit = -(counts * np.log(0.98 * p[rows, targets] + 0.02 / p.shape[1])).sum()
            return float(fit + 4.0 * ((w / start - 1.0) ** 2).sum())

        for _ in range(3):
            for m in range(len(names)):
                trial = [np.where(np.arange(len(names)) == m, g, weight) for g in grid]
                weight = min(trial, key=cost)
        return replace(self, weight={n: float(w) for n, w in zip(names, weight, strict=True)})


def leep_ratio(scores: GlobalScores, targets: np.ndarray) -> np.ndarray:
    """P(local | global) (S, K) by the expected empirical predictor; unseen ones say the marginal.

    Source: Nguyen et al. 2020, arXiv:2002.12462.
    """
    joint = scores.values.T @ targets  # (S, K)
    marginal = targets.sum(axis=0) + PRIOR_COUNT
    marginal = marginal / marginal.sum()
    joint = np.asarray(joint, dtype=np.float64) + 1e-3 * marginal
    return joint / joint.sum(axis=1, keepdims=True)
